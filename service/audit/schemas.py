"""What audit events look like to callers."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel


class EventOut(BaseModel):
    """One event of the chain."""

    sequence: int
    at: datetime
    actor: str
    type: str
    district: str
    subject_kind: str
    subject_id: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    request_id: str
    previous_hash: str
    hash: str


class EventPage(BaseModel):
    """Events, oldest first. `next`: pass it as `after` for the following page; None at the end."""

    events: list[EventOut]
    next: int | None
