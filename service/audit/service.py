"""Appending to the chain of events, and checking that nobody changed it."""

import hashlib
import json
from collections.abc import Sequence
from datetime import UTC
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from service.audit.decisions import confirm, known_decisions
from service.audit.events import Event
from service.audit.models import AuditEvent
from service.database.base import now
from service.errors import ServiceError

GENESIS = "0" * 64
_LOCK = 0x6A69616E6B65  # any constant number: the advisory lock of the chain's end
_PAGE = 1000


def append(session: Session, actor: str, event: Event, request_id: str = "") -> AuditEvent:
    """Add an event to the chain, within the caller's write transaction; appenders wait for one another's commits."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("select pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    last = session.execute(select(AuditEvent.sequence, AuditEvent.hash).order_by(AuditEvent.sequence.desc()).limit(1)).first()
    row = AuditEvent(
        sequence=last.sequence + 1 if last else 1,
        at=now(),
        actor=actor,
        type=event.type,
        district=event.district,
        subject_kind=event.subject_kind,
        subject_id=event.subject_id,
        before=event.before,
        after=event.after,
        request_id=request_id,
        previous_hash=last.hash if last else GENESIS,
    )
    row.hash = hash_of(row)
    session.add(row)
    session.flush()
    return row


def hash_of(row: AuditEvent) -> str:
    """SHA-256 over the event's columns, the previous hash among them, as canonical JSON."""
    values: dict[str, Any] = {column.key: getattr(row, column.key) for column in AuditEvent.__table__.columns if column.key != "hash"}
    values["at"] = row.at.astimezone(UTC).isoformat(timespec="microseconds")
    return hashlib.sha256(json.dumps(values, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def verify(session: Session, anchor: str = "") -> tuple[int, str]:
    """Walk the whole chain, comparing decisions with their events; give its length and last hash.

    anchor: a last hash noted earlier, which must still be in the chain; without one, the removal of the newest events, or
    a whole chain written anew, cannot be seen. Raises ServiceError E405 at the first event that does not fit.
    """
    untold = known_decisions(session)  # before the walk, so that the events of all of them are there when it ends
    sequence, previous, anchored = 0, GENESIS, not anchor
    while rows := _page(session, sequence, _PAGE):
        for row in rows:
            sequence += 1
            if row.sequence != sequence:
                raise ServiceError("E405", sequence=sequence, found=f"缺失，下一条是 {row.sequence} missing, next is {row.sequence}")
            if row.previous_hash != previous or row.hash != hash_of(row):
                raise ServiceError("E405", sequence=sequence, found="内容与散列不符 content and hash differ")
            previous = row.hash
            anchored = anchored or row.hash == anchor
        untold -= confirm(session, rows)
        session.expunge_all()
    if not anchored:
        raise ServiceError("E405", sequence=sequence, found=f"末尾缺少 {anchor[:12]}… the noted hash is gone")
    if untold:
        raise ServiceError("E405", sequence=sequence, found=f"决定 {min(untold)} 没有事件 the decision has no event")
    return sequence, previous


def _page(session: Session, after: int, limit: int) -> Sequence[AuditEvent]:
    """The events behind `after`; one by one where some cannot be read. Raises ServiceError E405 where the first of them cannot."""
    try:
        return session.scalars(select(AuditEvent).where(AuditEvent.sequence > after).order_by(AuditEvent.sequence).limit(limit)).all()
    except (ValueError, TypeError) as error:
        if limit == 1:
            raise ServiceError("E405", sequence=after + 1, found="无法读取 cannot be read") from error
        return _page(session, after, 1)
