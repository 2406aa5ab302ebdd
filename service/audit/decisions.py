"""Whether decisions are what their events say: the chain keeps the events, and the events keep the decisions."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.audit.events import DecisionMade
from service.audit.models import AuditEvent
from service.errors import ServiceError
from service.reviews.models import Decision

_COMPARED = ("step", "subjects", "disguises", "comment", "supersedes")


def known_decisions(session: Session) -> set[int]:
    """The ids of all decisions."""
    return set(session.scalars(select(Decision.id)))


def confirm(session: Session, events: Sequence[AuditEvent]) -> set[int]:
    """The ids of the decisions that these events tell of. Raises ServiceError E405 where one is gone or differs."""
    made = [event for event in events if event.type == DecisionMade.type]
    told = [(event.after["decision_id"], event) for event in made if event.after and "decision_id" in event.after]
    wanted = [identifier for identifier, _ in told]
    decisions = {decision.id: decision for decision in session.scalars(select(Decision).where(Decision.id.in_(wanted)))}
    for identifier, event in told:
        decision = decisions.get(identifier)
        if decision is None:
            raise ServiceError("E405", sequence=event.sequence, found=f"决定 {identifier} 不在了 the decision is gone")
        differing = _differing(decision, event)
        if differing:
            raise ServiceError("E405", sequence=event.sequence, found=f"决定 {identifier} 与事件不符 the decision differs: {differing}")
    return set(wanted)


def _differing(decision: Decision, event: AuditEvent) -> str:
    """Names of the columns that are not as the event has them. A step without a category leaves the one before it standing."""
    before, after = event.before or {}, event.after or {}
    differing = [name for name in _COMPARED if name in after and getattr(decision, name) != after[name]]
    if (decision.category or before.get("category", "")) != after.get("category"):
        differing.append("category")
    if str(decision.item_id) != event.subject_id:
        differing.append("item_id")
    if decision.reviewer != event.actor:
        differing.append("reviewer")
    return ", ".join(differing)
