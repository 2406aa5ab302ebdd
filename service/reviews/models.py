"""The table of decisions: every opinion of a person on an item, none ever overwritten."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from service.database.base import Base, now

_BigId = BigInteger().with_variant(Integer, "sqlite")


class Decision(Base):
    """One decision. `supersedes`: the earlier decision of the same person and step that it replaces."""

    __tablename__ = "decisions"

    id: Mapped[int] = mapped_column(_BigId, primary_key=True)
    item_id: Mapped[int] = mapped_column(ForeignKey("items.id"), index=True)
    assessment_id: Mapped[int | None] = mapped_column(ForeignKey("assessments.id"), default=None)
    step: Mapped[str] = mapped_column(String(16))
    category: Mapped[str] = mapped_column(String(16))
    subjects: Mapped[list[Any]]
    disguises: Mapped[list[Any]]
    comment: Mapped[str] = mapped_column(Text, default="")
    reviewer: Mapped[str] = mapped_column(String(80))
    supersedes: Mapped[int | None] = mapped_column(ForeignKey("decisions.id"), unique=True, default=None)
    created_at: Mapped[datetime] = mapped_column(default=now)
