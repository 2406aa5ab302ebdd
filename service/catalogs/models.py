"""Tables of catalogs, their items and assessments. The items table is the work queue."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, Integer, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from service.database.base import Base, JsonValue, new_id, now

_BigId = BigInteger().with_variant(Integer, "sqlite")


class Catalog(Base):
    """One upload. `state`: queued, running, done or cancelled. `mapping`: field → headings, None where rows differ (JSONL)."""

    __tablename__ = "catalogs"

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    district: Mapped[str] = mapped_column(String(6), index=True)
    institution_id: Mapped[str | None] = mapped_column(ForeignKey("institutions.id"), index=True)
    file_name: Mapped[str] = mapped_column(String(255))
    engine: Mapped[str] = mapped_column(String(8))
    headings: Mapped[list[Any]]
    mapping: Mapped[dict[str, Any] | None] = mapped_column(JsonValue, default=None)
    state: Mapped[str] = mapped_column(String(12), default="queued", index=True)
    rows_total: Mapped[int]
    rows_done: Mapped[int] = mapped_column(default=0)
    rows_failed: Mapped[int] = mapped_column(default=0)
    created_by: Mapped[str] = mapped_column(String(80))
    created_at: Mapped[datetime] = mapped_column(default=now)
    started_at: Mapped[datetime | None] = mapped_column(default=None)
    finished_at: Mapped[datetime | None] = mapped_column(default=None)


class Item(Base):
    """One course or advertisement, with the latest suggestion beside it; decisions are rows of their own.

    queue_state: `queued`, `assessed`, `failed` (unusable row; `error` says why) or `cancelled`. review_state: a state of
    `service.reviews.states`. `values`: the row's cells by heading, as they were sent.
    """

    __tablename__ = "items"
    __table_args__ = (
        Index(
            "ix_items_queue",
            "catalog_id",
            "id",
            sqlite_where=text("queue_state = 'queued'"),
            postgresql_where=text("queue_state = 'queued'"),
        ),
        Index("ix_items_catalog_row", "catalog_id", "row"),
    )

    id: Mapped[int] = mapped_column(_BigId, primary_key=True)
    catalog_id: Mapped[str | None] = mapped_column(ForeignKey("catalogs.id"))
    institution_id: Mapped[str | None] = mapped_column(ForeignKey("institutions.id"), index=True)
    district: Mapped[str] = mapped_column(String(6), index=True)
    row: Mapped[int] = mapped_column(default=0)
    external_id: Mapped[str] = mapped_column(String(200), default="")
    values: Mapped[dict[str, Any]] = mapped_column(JSON)
    queue_state: Mapped[str] = mapped_column(String(12), default="queued")
    error: Mapped[dict[str, Any] | None] = mapped_column(JSON, default=None)
    review_state: Mapped[str] = mapped_column(String(16), default="", index=True)
    category: Mapped[str] = mapped_column(String(16), default="")
    disguised: Mapped[bool] = mapped_column(default=False)
    triage: Mapped[str] = mapped_column(String(8), default="")
    status_conflict: Mapped[bool] = mapped_column(default=False)
    assessment_id: Mapped[int | None] = mapped_column(_BigId, default=None)
    created_at: Mapped[datetime] = mapped_column(default=now)
    assessed_at: Mapped[datetime | None] = mapped_column(default=None)


class StoredAssessment(Base):
    """One assessment of an item under one set of versions; later ones stand beside it. `payload`: the contract's JSON."""

    __tablename__ = "assessments"
    __table_args__ = (UniqueConstraint("item_id", "engine", "jianke", "model", "rules", "policy"),)

    id: Mapped[int] = mapped_column(_BigId, primary_key=True)
    item_id: Mapped[int] = mapped_column(ForeignKey("items.id"))
    engine: Mapped[str] = mapped_column(String(8))
    jianke: Mapped[str] = mapped_column(String(32))
    model: Mapped[str] = mapped_column(String(80))
    rules: Mapped[str] = mapped_column(String(80))
    policy: Mapped[str] = mapped_column(String(80))
    payload: Mapped[dict[str, Any]] = mapped_column(JSON)
    created_at: Mapped[datetime] = mapped_column(default=now)
