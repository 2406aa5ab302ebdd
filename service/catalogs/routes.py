"""/v1/catalogs: upload, progress, items, export, cancel, reassess."""

import asyncio
import json
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import quote

import fastapi
from fastapi import APIRouter, Depends, File, Form, Query, Request, Response, UploadFile
from fastapi.responses import FileResponse, StreamingResponse
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool

from service.access.roles import CatalogPolicy, Principal
from service.audit import service as audit
from service.audit.events import CatalogCancelled, CatalogCreated, CatalogExported, CatalogReassessed
from service.catalogs import service
from service.catalogs.export import FORMATS, discard, export
from service.catalogs.intake import COLUMN_FIELDS, Upload, take_in
from service.catalogs.models import Catalog, Item
from service.catalogs.schemas import CatalogOut, CatalogPage, ItemOut, ItemPage, Progress
from service.deps import Permit, RequestId, RuntimeDep, SessionDep
from service.errors import ServiceError
from service.idempotency import TransactionalRoute
from service.registry.service import institution_for
from service.uploads import received

router = APIRouter(prefix="/catalogs", tags=["catalogs 目录"], route_class=TransactionalRoute)
Creator = Annotated[Principal, Depends(Permit(CatalogPolicy, "create"))]
Reader = Annotated[Principal, Depends(Permit(CatalogPolicy, "read"))]
Canceller = Annotated[Principal, Depends(Permit(CatalogPolicy, "cancel"))]
Reassessor = Annotated[Principal, Depends(Permit(CatalogPolicy, "reassess"))]
CatalogId = Annotated[str, fastapi.Path(max_length=32, pattern=r"^[^\x00]*$")]
_EVENT_SECONDS = 0.5
_EVENT_SCHEMA = {
    "type": "object",
    "description": "每个事件；data 是 Progress 的 JSON",
    "properties": {"event": {"const": "progress"}, "data": {"type": "string", "contentMediaType": "application/json"}},
    "required": ["event", "data"],
}


def catalog_out(catalog: Catalog) -> CatalogOut:
    """A catalog as callers see it."""
    names = [name for name in CatalogOut.model_fields if name not in ("columns", "rate", "remaining_seconds")]
    values = {name: getattr(catalog, name) for name in names}
    return CatalogOut.model_validate({**values, "columns": catalog.mapping, **service.progress_of(catalog)})


def item_out(item: Item, payload: dict[str, Any] | None) -> ItemOut:
    """An item as callers see it."""
    values = {name: getattr(item, name) for name in ItemOut.model_fields if name != "assessment"}
    return ItemOut.model_validate({**values, "assessment": payload})


@router.post("", name="create_catalog", status_code=202, response_model=CatalogOut)
def create_catalog(
    request: Request,
    response: Response,
    principal: Creator,
    runtime: RuntimeDep,
    session: SessionDep,
    request_id: RequestId,
    file: Annotated[UploadFile, File(description="XLSX、CSV（UTF-8 或 GB18030）或 JSONL")],
    institution_id: Annotated[str | None, Form(max_length=32, description="提交目录的机构")] = None,
    district: Annotated[str, Form(pattern=r"^(\d{2}|\d{4}|\d{6})?$", description="行政区划代码，默认机构或调用者的")] = "",
    columns: Annotated[str, Form(description='指明列，JSON 对象：字段 → 列名，如 {"text": "课程介绍"}')] = "",
    engine: Annotated[Literal["auto", "fast", "encoder"] | None, Form(description="引擎，默认用设置中的")] = None,
) -> CatalogOut:
    """上传课程目录，立即返回编号；判定在后台进行。"""
    institution = institution_for(session, principal, institution_id)
    place = institution.district if institution else district or principal.district
    principal.must_cover(place)
    with received(file, runtime.settings.temp_dir) as (path, name):
        chosen = engine or runtime.settings.engine
        upload = Upload(path, name, place, institution_id, _columns(columns), chosen)
        catalog = take_in(session, runtime.settings, upload, principal.actor)
    after = {"file_name": name, "rows_total": catalog.rows_total, "institution_id": institution_id, "engine": catalog.engine}
    audit.append(session, principal.actor, CatalogCreated(catalog.id, place, after=after), request_id)
    response.headers["Location"] = str(request.url_for("get_catalog", catalog_id=catalog.id).path)
    return catalog_out(catalog)


def _columns(given: str) -> dict[str, str]:
    if not given:
        return {}
    try:
        chosen = json.loads(given)
        valid = isinstance(chosen, dict) and all(name in COLUMN_FIELDS and isinstance(value, str) for name, value in chosen.items())
    except (ValueError, RecursionError):
        valid = False
    if not valid:
        raise ServiceError("E410", found=f"columns = {given[:80]}", expected=f"JSON 对象，字段为 {'、'.join(COLUMN_FIELDS)}")
    return dict(chosen)


@router.get("", name="list_catalogs", response_model=CatalogPage)
def list_catalogs(
    principal: Reader,
    session: SessionDep,
    after: Annotated[str | None, Query(max_length=32)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> CatalogPage:
    """辖区内的目录，新的在前。"""
    catalogs = service.catalogs_page(session, principal, after, limit)
    return CatalogPage(catalogs=[catalog_out(catalog) for catalog in catalogs], next=catalogs[-1].id if len(catalogs) == limit else None)


@router.get("/{catalog_id}", name="get_catalog", response_model=CatalogOut)
def get_catalog(catalog_id: CatalogId, principal: Reader, session: SessionDep) -> CatalogOut:
    """目录的状态与进度：已判定行数、每秒行数、预计剩余秒数。"""
    return catalog_out(service.catalog_for(session, principal, catalog_id))


@router.get("/{catalog_id}/items", name="list_catalog_items", response_model=ItemPage)
def list_catalog_items(
    catalog_id: CatalogId,
    principal: Reader,
    session: SessionDep,
    category: Literal["subject", "non_subject", "out_of_scope"] | None = None,
    triage: Literal["auto", "review"] | None = None,
    queue_state: Literal["queued", "assessed", "failed", "cancelled"] | None = None,
    disguised: bool | None = None,
    status_conflict: bool | None = None,
    after: Annotated[int, Query(ge=0, lt=2**63)] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> ItemPage:
    """目录中的条目，可按判定筛选。"""
    service.catalog_for(session, principal, catalog_id)
    wanted = service.ItemFilter(catalog_id, None, category, None, queue_state, triage, disguised, status_conflict)
    page = service.items_page(session, principal, wanted, after, limit)
    return ItemPage(items=[item_out(*row) for row in page], next=page[-1][0].id if len(page) == limit else None)


@router.get(
    "/{catalog_id}/export",
    name="export_catalog",
    response_class=FileResponse,
    responses={200: {"content": {kind: {"schema": {"type": "string", "format": "binary"}} for kind in FORMATS.values()}}},
)
def export_catalog(
    catalog_id: CatalogId,
    principal: Reader,
    runtime: RuntimeDep,
    session: SessionDep,
    request_id: RequestId,
    format: Annotated[Literal["xlsx", "csv", "jsonl"], Query()] = "xlsx",
) -> FileResponse:
    """导出结果：原有各列、判定与复核。"""
    catalog = service.catalog_for(session, principal, catalog_id)
    path = export(session, catalog, format, runtime.settings.temp_dir, runtime.policy)
    with runtime.database.writing() as writing:
        audit.append(writing, principal.actor, CatalogExported(catalog.id, catalog.district, after={"format": format}), request_id)
    name = f"{Path(catalog.file_name).stem}-鉴课.{format}"
    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(name)}"}
    return FileResponse(path, media_type=FORMATS[format], headers=headers, background=BackgroundTask(partial(discard, path)))


@router.post("/{catalog_id}/cancel", name="cancel_catalog", response_model=CatalogOut)
def cancel_catalog(catalog_id: CatalogId, principal: Canceller, session: SessionDep, request_id: RequestId) -> CatalogOut:
    """停止判定；已判定的保留。"""
    catalog = service.catalog_for(session, principal, catalog_id, lock=True)
    before = catalog.state
    service.cancel(session, catalog)
    event = CatalogCancelled(catalog.id, catalog.district, before={"state": before}, after={"state": catalog.state})
    audit.append(session, principal.actor, event, request_id)
    return catalog_out(catalog)


@router.post("/{catalog_id}/reassess", name="reassess_catalog", status_code=202, response_model=CatalogOut)
def reassess_catalog(
    catalog_id: CatalogId,
    principal: Reassessor,
    session: SessionDep,
    request_id: RequestId,
    engine: Annotated[Literal["auto", "fast", "encoder"] | None, Query(description="默认用原来的引擎")] = None,
) -> CatalogOut:
    """用现在的模型与规则再判一次；以前的判定保留。"""
    catalog = service.catalog_for(session, principal, catalog_id, lock=True)
    before = {"state": catalog.state, "engine": catalog.engine}
    rows = service.reassess(session, catalog, engine or catalog.engine)
    event = CatalogReassessed(catalog.id, catalog.district, before=before, after={"rows": rows, "engine": catalog.engine})
    audit.append(session, principal.actor, event, request_id)
    return catalog_out(catalog)


@router.get(
    "/{catalog_id}/events",
    name="catalog_events",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {"schema": _EVENT_SCHEMA}}}},
)
async def catalog_events(catalog_id: CatalogId, principal: Reader, runtime: RuntimeDep) -> StreamingResponse:
    """进度事件（server-sent events），直到目录完成或取消。"""

    def read() -> Progress:
        with runtime.database.reading() as session:
            return Progress(
                **catalog_out(service.catalog_for(session, principal, catalog_id)).model_dump(include=set(Progress.model_fields))
            )

    progress = await run_in_threadpool(read)

    async def events(progress: Progress) -> AsyncIterator[str]:
        while True:
            yield f"event: progress\ndata: {progress.model_dump_json()}\n\n"
            if progress.state not in service.WAITING:
                return
            await asyncio.sleep(_EVENT_SECONDS)
            progress = await run_in_threadpool(read)

    return StreamingResponse(events(progress), media_type="text/event-stream", headers={"Cache-Control": "no-store"})
