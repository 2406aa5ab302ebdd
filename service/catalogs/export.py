"""A catalog's results as a file: the institution's columns, the suggestions, and what people decided."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from classifier import Assessment, Record
from classifier.errors import InputError, JiankeError, RunError
from classifier.records import Versions
from classifier.report import Outcome, names
from classifier.summary import Summary
from classifier.tables import open_sink
from service.catalogs.models import Catalog, Item, StoredAssessment
from service.catalogs.service import item_record
from service.errors import ServiceError
from service.reviews.models import Decision
from service.reviews.states import STATES

FORMATS = {
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "csv": "text/csv; charset=utf-8",
    "jsonl": "application/x-ndjson",
}
REVIEW_COLUMNS = ("复核状态", "复核结论", "复核意见")
_PAGE = 1000


class _StoredError(JiankeError):
    """An unusable row's error, as it was stored."""

    def __init__(self, stored: dict[str, str]) -> None:
        self.code, self.chinese, self.english = stored["code"], stored["message"], stored["message_en"]


def export(session: Session, catalog: Catalog, kind: str, folder: Path | None) -> Path:
    """Write the catalog's items into a new temporary file, which the caller deletes. Memory does not grow with the rows.

    Raises ServiceError E451 where there is no room; nothing is left behind then.
    """
    place = Path(tempfile.mkdtemp(prefix="jianke-", dir=folder))
    path = place / f"catalog.{kind}"
    try:
        summary = Summary(_versions(session, catalog), (catalog.file_name,))
        with open_sink(path, [*catalog.headings, *REVIEW_COLUMNS]) as sink:
            for outcome in _outcomes(session, catalog):
                sink.write(outcome)
                summary.add(outcome)
            sink.finish(summary)
    except (RunError, OSError) as error:
        discard(path)
        raise ServiceError("E451", found=error.english if isinstance(error, RunError) else error.strerror) from error
    except BaseException:
        discard(path)
        raise
    return path


def discard(path: Path) -> None:
    """Delete an exported file and its folder."""
    for entry in path.parent.iterdir():
        entry.unlink()
    path.parent.rmdir()


def _outcomes(session: Session, catalog: Catalog) -> Iterator[Outcome]:
    after = 0
    while page := session.execute(
        select(Item, StoredAssessment.payload)
        .outerjoin(StoredAssessment, StoredAssessment.id == Item.assessment_id)
        .where(Item.catalog_id == catalog.id, Item.id > after)
        .order_by(Item.id)
        .limit(_PAGE)
    ).all():
        decisions = _conclusions(session, [item.id for item, _ in page])
        for item, payload in page:
            after = item.id
            review = dict(zip(REVIEW_COLUMNS, (STATES[item.review_state], *decisions.get(item.id, ("", ""))), strict=True))
            result = Assessment.from_dict(payload) if payload else _StoredError(item.error or _NOT_YET)
            yield Outcome(catalog.file_name, item.row, item.external_id, item.values | review, _record(item, catalog), result)
        session.expunge_all()
        session.add(catalog)


_NOT_YET = {"code": "E432", "message": "尚未判定或已取消", "message_en": "not assessed yet, or cancelled"}


def _record(item: Item, catalog: Catalog) -> Record | None:
    try:
        return item_record(item, catalog)
    except InputError:
        return None


def _conclusions(session: Session, items: list[int]) -> dict[int, tuple[str, str]]:
    """The category and comment of the latest initial review or conclusion of each item; single votes decide nothing."""
    deciding = Decision.step.in_(("initial", "conclusion"))
    latest = select(func.max(Decision.id)).where(Decision.item_id.in_(items), deciding).group_by(Decision.item_id)
    rows = session.scalars(select(Decision).where(Decision.id.in_(latest)))
    return {row.item_id: (names((row.category,)), row.comment) for row in rows}


def _versions(session: Session, catalog: Catalog) -> Versions:
    stored = session.scalar(
        select(StoredAssessment).join(Item, Item.assessment_id == StoredAssessment.id).where(Item.catalog_id == catalog.id).limit(1)
    )
    return Versions(stored.jianke, stored.model, stored.rules, stored.policy) if stored else Versions("", "", "", "")
