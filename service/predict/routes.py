"""POST /v1/predict and /v1/predict/batch."""

from typing import Annotated, Literal

import orjson
from fastapi import APIRouter, Depends, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field, ValidationError
from starlette.concurrency import run_in_threadpool

from classifier import Assessment, Record
from service.access.roles import PredictPolicy, Principal
from service.deps import Permit, RequestId, RuntimeDep
from service.errors import ServiceError
from service.idempotency import TransactionalRoute, Unit
from service.predict import service
from service.predict.schemas import BatchIn, BatchOut, RecordIn, StoredOut
from service.runtime import Runtime

router = APIRouter(prefix="/predict", tags=["predict 判定"], route_class=TransactionalRoute)
Runner = Annotated[Principal, Depends(Permit(PredictPolicy, "run"))]
EngineName = Literal["auto", "fast", "encoder"]


class Options(BaseModel):
    """How to judge, and whether to keep the result."""

    engine: EngineName | None = Field(None, description="引擎，默认用设置中的")
    evidence: bool = Field(True, description="是否给出证据")
    store: bool = Field(False, description="是否存为条目，进入复核流程")
    institution_id: str | None = Field(None, max_length=32, description="存入时的机构")
    district: str = Field("", pattern=r"^(\d{2}|\d{4}|\d{6})?$", description="存入时的行政区划代码，默认机构或调用者的")


_DEFAULTS = Options()
_SCHEMA = Options.model_json_schema()["properties"]
_PARAMETERS = {
    "parameters": [
        {"name": name, "in": "query", "required": False, "description": schema.pop("description"), "schema": schema}
        for name, schema in _SCHEMA.items()
    ]
}


def options_of(request: Request) -> Options:
    """The options of the query, read by hand: most requests have none, and FastAPI's reading costs as much as judging a text."""
    if not request.scope["query_string"]:
        return _DEFAULTS
    try:
        return Options.model_validate(dict(request.query_params))
    except ValidationError as invalid:
        raise RequestValidationError([{**error, "loc": ("query", *error["loc"])} for error in invalid.errors()]) from invalid


@router.post("", name="predict", response_model=StoredOut, openapi_extra=_PARAMETERS)
async def predict(record_in: RecordIn, principal: Runner, request: Request) -> Response:
    """判定一条文本。`store=true` 时另存为条目，返回 item_id。"""
    options = options_of(request)
    runtime: Runtime = request.app.state.runtime
    record = record_in.record(runtime.settings.max_text)
    batcher = await runtime.batcher(options.engine, evidence=options.evidence)
    assessment = await batcher.assess(record)
    service.count(runtime.metrics, batcher.engine, [assessment])
    if not options.store:
        return Response(orjson.dumps(assessment), media_type="application/json")
    stored = await run_in_threadpool(_store, request, principal, [record], [assessment], options, batcher.engine)
    return Response(orjson.dumps(stored[0]), media_type="application/json")


@router.post("/batch", name="predict_batch", response_model=BatchOut, openapi_extra=_PARAMETERS)
def predict_batch(batch: BatchIn, principal: Runner, runtime: RuntimeDep, request: Request, request_id: RequestId) -> Response:
    """判定至多 1000 条；有问题的逐条列在 errors，不影响其他。"""
    options = options_of(request)
    if len(batch.records) > runtime.settings.max_batch:
        raise ServiceError("E414", found=len(batch.records), expected=runtime.settings.max_batch)
    usable, errors = service.read_records(batch.records, runtime.settings.max_text, request_id)
    records = [record for _, record in usable]
    classifier = runtime.classifier(options.engine)
    assessments = service.assess_batch(classifier, records, evidence=options.evidence, metrics=runtime.metrics)
    results: list[Assessment] | list[dict[str, object]] = assessments
    if options.store and records:
        results = _store(request, principal, records, assessments, options, classifier.engine)
    return Response(orjson.dumps({"results": results, "errors": errors}), media_type="application/json")


def _store(
    request: Request, principal: Principal, records: list[Record], assessments: list[Assessment], options: Options, engine: str
) -> list[dict[str, object]]:
    PredictPolicy.check(principal, "store")
    unit: Unit = request.state.unit
    items = service.store(
        unit.session,
        principal,
        records,
        assessments,
        engine=engine,
        district=options.district,
        institution_id=options.institution_id,
        request_id=request.state.request_id,
    )
    return [
        {**assessment.to_dict(), "item_id": item.id, "status_conflict": item.status_conflict}
        for item, assessment in zip(items, assessments, strict=True)
    ]
