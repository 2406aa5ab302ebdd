"""Taking a catalog in: a table becomes a catalog and its queued items, in one transaction."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import insert
from sqlalchemy.orm import Session

from classifier.errors import InputError, JiankeError
from classifier.tables import Mapping, Row, map_columns, read_table
from service.catalogs.models import Catalog, Item
from service.database.base import now
from service.errors import ServiceError, clean
from service.limits import refuse_bomb
from service.settings import Settings

SUFFIXES = (".xlsx", ".csv", ".jsonl")
COLUMN_FIELDS = ("text", "title", "id", "declared_category", "institution", "price", "timetable", "venue", "audience")
_INSERT = 2000


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that was sent, and what is known of it."""

    path: Path
    file_name: str
    district: str
    institution_id: str | None
    columns: dict[str, str]
    engine: str


def take_in(session: Session, settings: Settings, upload: Upload, actor: str) -> Catalog:
    """Read the table and queue its rows; unusable rows are kept, with the reason.

    Raises ServiceError E414, E416, E417, InputError E103–E109.
    """
    suffix = Path(upload.file_name).suffix.lower()
    if suffix not in SUFFIXES:
        raise ServiceError("E417", found=suffix or "无后缀", expected="、".join(SUFFIXES))
    refuse_bomb(upload.path, settings.max_unpacked_bytes)
    table = read_table(upload.path)
    mapping = map_columns(table.headings, upload.file_name, upload.columns) if table.headings else None
    catalog = Catalog(
        district=upload.district,
        institution_id=upload.institution_id,
        file_name=upload.file_name,
        engine=upload.engine,
        headings=list(table.headings),
        mapping={name: list(columns) for name, columns in mapping.columns.items()} if mapping else None,
        rows_total=0,
        created_by=actor,
    )
    session.add(catalog)
    session.flush()
    headings = dict.fromkeys(table.headings)
    source = _item_rows(catalog, table.rows, mapping, upload.columns)
    while rows := list(islice(source, _INSERT)):
        catalog.rows_total += len(rows)
        catalog.rows_failed += sum(row["queue_state"] == "failed" for row in rows)
        if catalog.rows_total > settings.max_rows:
            raise ServiceError("E414", found=f"> {settings.max_rows}", expected=settings.max_rows)
        session.execute(insert(Item), rows)
        for row in rows:
            headings.update(dict.fromkeys(row["values"]))
    if not catalog.rows_total:
        raise InputError("E104", path=upload.file_name, found="")
    catalog.headings = list(headings)
    if catalog.rows_failed == catalog.rows_total:
        catalog.state, catalog.started_at, catalog.finished_at = "done", now(), now()
    return catalog


def _item_rows(catalog: Catalog, rows: Iterable[Row], mapping: Mapping | None, columns: dict[str, str]) -> Iterator[dict[str, Any]]:
    """Column values of the items of a table, unusable rows among them."""
    moment = now()
    identifier = mapping.columns.get("id", ("id",))[0] if mapping else columns.get("id", "id")
    for row in rows:
        error = row.error or _unusable(row, mapping, columns)
        yield {
            "catalog_id": catalog.id,
            "institution_id": catalog.institution_id,
            "district": catalog.district,
            "row": row.number,
            "external_id": clean(row.values.get(identifier, ""))[:200].replace("\0", ""),
            "values": {clean(name): clean(cell) for name, cell in row.values.items()},
            "queue_state": "failed" if error else "queued",
            "error": {"code": error.code, "message": clean(error.chinese), "message_en": clean(error.english)} if error else None,
            "created_at": moment,
        }


def _unusable(row: Row, mapping: Mapping | None, columns: dict[str, str]) -> JiankeError | None:
    try:
        (mapping or map_columns(tuple(row.values), "", columns)).record(row.values, str(row.number))
    except InputError as error:
        return error
    return None
