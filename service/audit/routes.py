"""GET /v1/audit."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from sqlalchemy import select

from service.access.roles import AuditPolicy, Principal
from service.audit.models import AuditEvent
from service.audit.schemas import EventOut, EventPage
from service.deps import Permit, SessionDep
from service.idempotency import TransactionalRoute

router = APIRouter(prefix="/audit", tags=["audit 审计"], route_class=TransactionalRoute)
Reader = Annotated[Principal, Depends(Permit(AuditPolicy, "read"))]


@router.get("", name="list_events", response_model=EventPage)
def list_events(
    principal: Reader,
    session: SessionDep,
    type: Annotated[str | None, Query(max_length=40, pattern=r"^[a-z._]+$", description="事件类型，如 decision.made")] = None,
    actor: Annotated[str | None, Query(max_length=80, pattern=r"^[^\x00]*$")] = None,
    subject_kind: Annotated[str | None, Query(max_length=24, pattern=r"^[a-z]+$")] = None,
    subject_id: Annotated[str | None, Query(max_length=64, pattern=r"^[^\x00]*$")] = None,
    after: Annotated[int, Query(ge=0, lt=2**63)] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> EventPage:
    """辖区内的事件，旧的在前；只增不改，散列相连。"""
    statement = select(AuditEvent).where(AuditEvent.sequence > after).order_by(AuditEvent.sequence).limit(limit)
    for column, value in (("type", type), ("actor", actor), ("subject_kind", subject_kind), ("subject_id", subject_id)):
        if value is not None:
            statement = statement.where(getattr(AuditEvent, column) == value)
    if principal.district:
        statement = statement.where(AuditEvent.district.startswith(principal.district))
    events = session.scalars(statement).all()
    page = [EventOut.model_validate(event, from_attributes=True) for event in events]
    return EventPage(events=page, next=page[-1].sequence if len(page) == limit else None)
