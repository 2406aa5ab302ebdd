"""The table of audit events: append-only, chained by hash."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from service.database.base import Base


class AuditEvent(Base):
    """One event. `hash` covers every other column and the hash of the event before it.

    `before` and `after` are plain JSON, which PostgreSQL keeps as written; JSONB would turn 1e16 into another number.
    """

    __tablename__ = "audit_events"

    sequence: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    actor: Mapped[str] = mapped_column(String(80))
    type: Mapped[str] = mapped_column(String(40), index=True)
    district: Mapped[str] = mapped_column(String(6), index=True)
    subject_kind: Mapped[str] = mapped_column(String(24))
    subject_id: Mapped[str] = mapped_column(String(64), index=True)
    before: Mapped[dict[str, Any] | None] = mapped_column(JSON, default=None)
    after: Mapped[dict[str, Any] | None] = mapped_column(JSON, default=None)
    request_id: Mapped[str] = mapped_column(String(40), default="")
    previous_hash: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64))
