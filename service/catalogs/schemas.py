"""What catalogs and items look like to callers."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from service.predict.schemas import AssessmentOut

CatalogState = Literal["queued", "running", "done", "cancelled"]


class CatalogOut(BaseModel):
    """A catalog and how far it is. `rate`: rows a second so far; `remaining_seconds`: an estimate, None when unknown."""

    id: str
    district: str
    institution_id: str | None
    file_name: str
    engine: str
    state: CatalogState
    columns: dict[str, list[str]] | None = Field(description="字段 → 所用的列；JSONL 逐行识别，为 null")
    rows_total: int
    rows_done: int
    rows_failed: int
    rate: float | None
    remaining_seconds: float | None
    created_by: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class CatalogPage(BaseModel):
    """Catalogs, newest first. `next`: pass it as `after` for the following page; None at the end."""

    catalogs: list[CatalogOut]
    next: str | None


class ItemError(BaseModel):
    """Why a row could not be used."""

    code: str
    message: str
    message_en: str


class ItemOut(BaseModel):
    """An item: what was sent, the latest suggestion, and where it stands in the review."""

    id: int
    catalog_id: str | None
    institution_id: str | None
    district: str
    row: int
    external_id: str
    values: dict[str, Any]
    queue_state: Literal["queued", "assessed", "failed", "cancelled"]
    review_state: str
    status_conflict: bool
    error: ItemError | None
    assessment: AssessmentOut | None
    created_at: datetime
    assessed_at: datetime | None


class ItemPage(BaseModel):
    """Items by id. `next`: pass it as `after` for the following page; None at the end."""

    items: list[ItemOut]
    next: int | None


class Progress(BaseModel):
    """What a progress event tells."""

    state: CatalogState
    rows_total: int
    rows_done: int
    rows_failed: int
    rate: float | None
    remaining_seconds: float | None
