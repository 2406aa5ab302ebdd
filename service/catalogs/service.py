"""Catalogs and items: finding, paging, cancelling, reassessing."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Select, func, select, update
from sqlalchemy.orm import Session

from classifier import Record
from classifier.tables import Mapping, map_columns
from service.access.roles import Principal
from service.catalogs.models import Catalog, Item, StoredAssessment
from service.database.base import now
from service.errors import ServiceError

WAITING = ("queued", "running")


def catalog_for(session: Session, principal: Principal, identifier: str, *, lock: bool = False) -> Catalog:
    """The catalog. Raises ServiceError E411 where it is unknown or of another district."""
    catalog = session.get(Catalog, identifier, with_for_update=lock or None)
    if catalog is None or not principal.covers(catalog.district):
        raise ServiceError("E411", kind="目录", found=identifier)
    return catalog


def item_for(session: Session, principal: Principal, identifier: int, *, lock: bool = False) -> Item:
    """The item. Raises ServiceError E411 where it is unknown or of another district."""
    item = session.get(Item, identifier, with_for_update=lock or None) if identifier < 2**63 else None
    if item is None or not principal.covers(item.district):
        raise ServiceError("E411", kind="条目", found=identifier)
    return item


def item_record(item: Item, catalog: Catalog | None) -> Record:
    """The record that an item stands for, as it is judged. Raises InputError E111, E113."""
    if catalog is None:
        return Record.from_mapping(item.values)
    mapping = map_columns(tuple(item.values), "") if catalog.mapping is None else Mapping({k: tuple(v) for k, v in catalog.mapping.items()})
    return mapping.record(item.values, str(item.row))


def progress_of(catalog: Catalog) -> dict[str, float | None]:
    """Rows a second since work began, and the seconds that remain at that rate."""
    handled = catalog.rows_done
    if catalog.started_at is None or handled == 0:
        return {"rate": None, "remaining_seconds": None}
    seconds = max(((catalog.finished_at or now()) - catalog.started_at).total_seconds(), 1e-3)
    rate = handled / seconds
    left = catalog.rows_total - catalog.rows_failed - handled if catalog.state in WAITING else 0
    return {"rate": round(rate, 2), "remaining_seconds": round(left / rate, 1)}


def cancel(session: Session, catalog: Catalog) -> None:
    """Stop a catalog: rows that wait are dropped, rows already assessed stay. Raises ServiceError E432 once it is over."""
    if catalog.state not in WAITING:
        raise ServiceError("E432", found=f"目录已{catalog.state}", expected="queued、running")
    session.execute(update(Item).where(Item.catalog_id == catalog.id, Item.queue_state == "queued").values(queue_state="cancelled"))
    catalog.state, catalog.finished_at = "cancelled", now()


def reassess(session: Session, catalog: Catalog, engine: str) -> int:
    """Queue a finished catalog's usable rows again; earlier assessments are kept. Raises ServiceError E432 while it runs."""
    if catalog.state in WAITING:
        raise ServiceError("E432", found=f"目录 {catalog.state}", expected="done、cancelled")
    session.execute(update(Item).where(Item.catalog_id == catalog.id, Item.queue_state != "failed").values(queue_state="queued"))
    catalog.engine, catalog.state = engine, "queued"
    catalog.rows_done, catalog.started_at, catalog.finished_at = 0, None, None
    return catalog.rows_total - catalog.rows_failed


@dataclass(frozen=True, slots=True)
class ItemFilter:
    """Which items are wanted; None: any."""

    catalog_id: str | None = None
    institution_id: str | None = None
    category: str | None = None
    review_state: str | None = None
    queue_state: str | None = None
    triage: str | None = None
    disguised: bool | None = None
    status_conflict: bool | None = None

    def applied(self, statement: Select[Any]) -> Select[Any]:
        """The statement with these conditions."""
        for name, value in asdict(self).items():
            if value is not None:
                statement = statement.where(getattr(Item, name) == value)
        return statement


def items_page(
    session: Session, principal: Principal, wanted: ItemFilter, after: int, limit: int
) -> Sequence[tuple[Item, dict[str, Any] | None]]:
    """Items of the principal's district after the id `after`, each with its latest assessment."""
    statement = (
        select(Item, StoredAssessment.payload)
        .outerjoin(StoredAssessment, StoredAssessment.id == Item.assessment_id)
        .where(Item.id > after)
        .order_by(Item.id)
        .limit(limit)
    )
    if principal.district:
        statement = statement.where(Item.district.startswith(principal.district, autoescape=True))
    return [(item, payload) for item, payload in session.execute(wanted.applied(statement))]


def catalogs_page(session: Session, principal: Principal, before: str | None, limit: int) -> Sequence[Catalog]:
    """Catalogs of the principal's district, newest first, from the one after `before`."""
    statement = select(Catalog).order_by(Catalog.created_at.desc(), Catalog.id.desc()).limit(limit)
    if principal.district:
        statement = statement.where(Catalog.district.startswith(principal.district, autoescape=True))
    if before is not None:
        last = catalog_for(session, principal, before)
        statement = statement.where(
            (Catalog.created_at < last.created_at) | ((Catalog.created_at == last.created_at) & (Catalog.id < last.id))
        )
    return session.scalars(statement).all()


def queue_figures(session: Session) -> tuple[int, float]:
    """How many items wait, and for how many seconds the oldest catalog among them has."""
    waiting = session.scalar(select(func.count()).select_from(Item).where(Item.queue_state == "queued")) or 0
    oldest = session.scalar(select(func.min(Catalog.created_at)).where(Catalog.state.in_(WAITING)))
    return waiting, (now() - oldest).total_seconds() if oldest and waiting else 0.0
