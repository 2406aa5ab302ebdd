"""Judging single records and small batches, and keeping them as items where asked."""

from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError
from sqlalchemy.orm import Session

from classifier import Assessment, Classifier, Record
from classifier.errors import JiankeError
from service.access.roles import Principal
from service.audit import service as audit
from service.audit.events import ItemStored
from service.catalogs.models import Item
from service.catalogs.storing import keep_assessments
from service.errors import ServiceError, clean, envelope
from service.predict.schemas import RecordIn
from service.registry.service import institution_for
from service.telemetry import Metrics


def read_records(raw: Sequence[dict[str, Any]], max_text: int, request_id: str) -> tuple[list[tuple[int, Record]], list[dict[str, Any]]]:
    """The usable records with their places, and for each other its place, id and error."""
    records, errors = [], []
    for index, values in enumerate(raw):
        try:
            records.append((index, RecordIn.model_validate(values).record(max_text)))
        except ValidationError as invalid:
            first = invalid.errors()[0]
            where = ".".join(map(str, first["loc"]))
            error: JiankeError = ServiceError("E410", found=f"{where}：{first['msg']}", expected="符合接口文档的字段与类型")
        except JiankeError as found:
            error = found
        else:
            continue
        errors.append({"index": index, "id": clean(str(values.get("id", "")))[:200], **envelope(error, request_id)})
    return records, errors


def assess_batch(classifier: Classifier, records: Sequence[Record], *, evidence: bool, metrics: Metrics) -> list[Assessment]:
    """Assessments in order, counted in the metrics."""
    assessments = list(classifier.assess_many(records, evidence=evidence))
    count(metrics, classifier.engine, assessments)
    return assessments


def count(metrics: Metrics, engine: str, assessments: Sequence[Assessment]) -> None:
    """Count assessments by category, engine and triage."""
    for assessment in assessments:
        metrics.texts.labels(assessment.category, engine, assessment.triage).inc()


def store(
    session: Session,
    principal: Principal,
    records: Sequence[Record],
    assessments: Sequence[Assessment],
    *,
    engine: str,
    district: str,
    institution_id: str | None,
    request_id: str,
) -> list[Item]:
    """Keep records and assessments as items of a district, or of an institution and its district.

    Raises ServiceError E411 (no such institution), E422 (another district).
    """
    institution = institution_for(session, principal, institution_id)
    place = institution.district if institution else district or principal.district
    principal.must_cover(place)
    items = [
        Item(institution_id=institution_id, district=place, external_id=record.id, values=_filled(record), queue_state="queued")
        for record in records
    ]
    session.add_all(items)
    session.flush()
    status = institution.status if institution else ""
    keep_assessments(session, engine, [(item.id, status, assessment) for item, assessment in zip(items, assessments, strict=True)])
    for item, assessment in zip(items, assessments, strict=True):
        audit.append(session, principal.actor, ItemStored(str(item.id), place, after={"category": assessment.category}), request_id)
        session.refresh(item)
    return items


def _filled(record: Record) -> dict[str, str]:
    return {name: value for name in Record.__slots__ if (value := getattr(record, name))}
