"""Liveness, readiness and metrics; open to all, as they hold no data of anyone."""

from datetime import timedelta

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel
from sqlalchemy import ColumnElement, func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from classifier.errors import JiankeError
from classifier.taxonomy import TAXONOMY
from service.catalogs.models import Item
from service.catalogs.service import queue_figures
from service.database.base import now
from service.database.schema import is_current
from service.deps import RuntimeDep
from service.telemetry import Metrics
from service.webhooks.models import Delivery

router = APIRouter(tags=["operations 运行"])


class Health(BaseModel):
    """The process answers."""

    status: str


class Readiness(BaseModel):
    """Whether the service can work, part by part; `worker_lag_seconds`: age of the oldest waiting catalog."""

    ready: bool
    model: str
    database: str
    queue: int
    worker_lag_seconds: float


@router.get("/healthz", name="healthz")
async def healthz() -> Health:
    """进程在运行。"""
    return Health(status="ok")


@router.get("/readyz", name="readyz", responses={503: {"model": Readiness}})
def readyz(runtime: RuntimeDep, response: Response) -> Readiness:
    """模型已载入、数据库可用；并给出队列长度与滞后。"""
    try:
        model = runtime.classifier().versions.model
    except JiankeError as error:
        model = f"[{error.code}] {error.chinese}"
        return _not_ready(response, model, "—")
    try:
        with runtime.database.reading() as session:
            current = is_current(session.connection())
            queue, lag = queue_figures(session) if current else (0, 0.0)
    except SQLAlchemyError as error:
        return _not_ready(response, model, type(error).__name__)
    if not current:
        return _not_ready(response, model, "请运行 jianke init")
    return Readiness(ready=True, model=model, database="ok", queue=queue, worker_lag_seconds=round(lag, 1))


def _not_ready(response: Response, model: str, database: str) -> Readiness:
    response.status_code = 503
    return Readiness(ready=False, model=model, database=database, queue=0, worker_lag_seconds=0.0)


@router.get(
    "/metrics", name="metrics", response_class=Response, responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}}
)
def metrics(runtime: RuntimeDep) -> Response:
    """Prometheus 指标。"""
    with runtime.database.reading() as session:
        _measure(session, runtime.metrics)
    return Response(generate_latest(runtime.metrics.registry), media_type=CONTENT_TYPE_LATEST)


def _measure(session: Session, figures: Metrics) -> None:
    """Set what is read off the database rather than counted."""
    waiting, lag = queue_figures(session)
    figures.queue.set(waiting)
    figures.lag.set(lag)
    figures.deliveries.set(session.scalar(select(func.count()).select_from(Delivery).where(Delivery.state == "pending")) or 0)
    day, month = now() - timedelta(days=1), now() - timedelta(days=31)
    recent, review = _shares(session, Item.assessed_at >= day)
    earlier, _ = _shares(session, Item.assessed_at < day, Item.assessed_at >= month)
    figures.review.set(review)
    for category in TAXONOMY.categories:
        figures.drift.labels(category).set(
            recent.get(category, 0.0) - earlier[category] if earlier.get(category) is not None and recent else 0.0
        )


def _shares(session: Session, *conditions: ColumnElement[bool]) -> tuple[dict[str, float], float]:
    """Share of each category among the items that meet the conditions, and the share that needs a person."""
    statement = select(Item.category, Item.triage, func.count()).where(Item.queue_state == "assessed", *conditions)
    counts: dict[str, int] = {}
    review = 0
    for category, triage, count in session.execute(statement.group_by(Item.category, Item.triage)):
        counts[category] = counts.get(category, 0) + count
        review += count if triage == "review" else 0
    total = sum(counts.values())
    return ({category: counts.get(category, 0) / total for category in TAXONOMY.categories}, review / total) if total else ({}, 0.0)
