"""The worker: claims queued items, assesses them, and stores the results in the transaction that takes them off the queue."""

import fcntl
import logging
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import IO

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from classifier import Assessment, Classifier, Record
from classifier.errors import InputError, JiankeError
from service.audit import service as audit
from service.audit.events import CatalogFinished
from service.catalogs.models import Catalog, Item
from service.catalogs.service import WAITING, item_record
from service.catalogs.storing import keep_assessments
from service.database.base import now
from service.errors import ServiceError
from service.registry.models import Institution
from service.runtime import Runtime
from service.webhooks.outbox import announce

ACTOR = "worker"
_LOGGER = logging.getLogger("jianke.worker")


class Worker:
    """Takes batches of one catalog after another in turn, so that a small catalog need not wait for a large one.

    PostgreSQL: rows are locked while they are assessed and skipped by other workers; a worker that dies gives them back.
    SQLite has one writer: one worker at a time works, holding a file lock that the system drops when its process ends;
    nothing is locked in the database while it computes, and only rows that are still queued are written.
    """

    def __init__(self, runtime: Runtime) -> None:
        """Work with the runtime's database and classifiers."""
        self._runtime = runtime
        self._last_catalog = ""
        self._seat = _Seat(runtime)

    def step(self) -> int:
        """Assess one batch; give the number of rows handled, 0 when there is nothing to do."""
        if not self._seat.taken():
            return 0
        for catalog_id in self._waiting_catalogs():
            handled = self._batch(catalog_id)
            if handled:
                self._last_catalog = catalog_id
                return handled
        return 0

    def close(self) -> None:
        """Let another worker take over."""
        self._seat.leave()

    def _waiting_catalogs(self) -> list[str]:
        """Catalogs with work, from the one after the last served."""
        with self._runtime.database.reading() as session:
            waiting = list(session.scalars(select(Catalog.id).where(Catalog.state.in_(WAITING)).order_by(Catalog.id)))
        return [name for name in waiting if name > self._last_catalog] + [name for name in waiting if name <= self._last_catalog]

    def _batch(self, catalog_id: str) -> int:
        database, begun = self._runtime.database, now()
        with database.session(write=not database.is_sqlite) as session:
            catalog = session.get_one(Catalog, catalog_id)
            _hold_institution(session, catalog)
            items = session.scalars(
                select(Item)
                .where(Item.catalog_id == catalog_id, Item.queue_state == "queued")
                .order_by(Item.id)
                .limit(self._runtime.settings.worker_batch)
                .with_for_update(skip_locked=True)
            ).all()
            if not items:
                return 0
            engine, results = catalog.engine, self._assess(catalog, items)
            if not database.is_sqlite:
                self._store(session, catalog_id, engine, results, begun)
                session.commit()
                return len(items)
        with database.writing() as session:
            still = set(session.scalars(select(Item.id).where(Item.id.in_([key for key, _ in results]), Item.queue_state == "queued")))
            self._store(session, catalog_id, engine, [result for result in results if result[0] in still], begun)
        return len(items)

    def _assess(self, catalog: Catalog, items: Sequence[Item]) -> list[tuple[int, Assessment | JiankeError]]:
        """Each item's id with its assessment, or with the error that makes it unusable."""
        records, results = [], []
        for item in items:
            try:
                records.append((item.id, item_record(item, catalog)))
            except InputError as error:
                results.append((item.id, error))
        classifier = self._runtime.classifier(catalog.engine)
        try:
            assessed: list[Assessment | JiankeError] = [*classifier.assess_many(record for _, record in records)]
        except Exception:
            _LOGGER.exception("batch failed, trying its rows one by one", extra={"fields": {"catalog": catalog.id}})
            assessed = [_assess_one(classifier, record) for _, record in records]
        for result in assessed:
            if isinstance(result, Assessment):
                self._runtime.metrics.texts.labels(result.category, classifier.engine, result.triage).inc()
        return [*results, *((key, result) for (key, _), result in zip(records, assessed, strict=True))]

    def _store(
        self, session: Session, catalog_id: str, engine: str, results: Sequence[tuple[int, Assessment | JiankeError]], begun: datetime
    ) -> None:
        """Write the results, count them, and close the catalog with its last row."""
        status = session.scalar(select(Institution.status).join(Catalog).where(Catalog.id == catalog_id)) or ""
        good = [(key, status, result) for key, result in results if isinstance(result, Assessment)]
        keep_assessments(session, engine, good)
        bad = [(key, result) for key, result in results if isinstance(result, JiankeError)]
        for key, error in bad:
            values = {"code": error.code, "message": error.chinese, "message_en": error.english}
            session.execute(update(Item).where(Item.id == key).values(queue_state="failed", error=values))
        catalog = session.scalars(
            update(Catalog)
            .where(Catalog.id == catalog_id)
            .values(rows_done=Catalog.rows_done + len(good), rows_failed=Catalog.rows_failed + len(bad))
            .returning(Catalog)
            .execution_options(populate_existing=True)
        ).one()
        if catalog.state == "queued":
            catalog.state, catalog.started_at = "running", begun
        if catalog.state == "running" and catalog.rows_done + catalog.rows_failed >= catalog.rows_total:
            catalog.state, catalog.finished_at = "done", now()
            counts = {"rows_total": catalog.rows_total, "rows_done": catalog.rows_done, "rows_failed": catalog.rows_failed}
            event = CatalogFinished(catalog.id, catalog.district, after={"state": "done", **counts})
            audit.append(session, ACTOR, event)
            announce(session, event)


def _hold_institution(session: Session, catalog: Catalog) -> None:
    """Keep the institution's status as it is until the results are written; first, as changing it locks in that order too."""
    session.execute(select(Institution.id).where(Institution.id == catalog.institution_id).with_for_update(read=True))


def _assess_one(classifier: Classifier, record: Record) -> Assessment | JiankeError:
    """One record by itself, so that a row that breaks the classifier does not hold up the others."""
    try:
        return classifier.assess(record)
    except Exception:
        _LOGGER.exception("row failed")
        return ServiceError("E459", found=record.id)


class _Seat:
    """The one place of a worker on an SQLite database; on PostgreSQL there are as many as wanted."""

    def __init__(self, runtime: Runtime) -> None:
        database = runtime.database
        self._path = Path(f"{database.url.database}.worker") if database.is_sqlite else None
        self._file: IO[bytes] | None = None

    def taken(self) -> bool:
        """Whether this worker has the place, taking it when it is free."""
        if self._path is None or self._file is not None:
            return True
        file = self._path.open("ab")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return False
        self._file = file
        return True

    def leave(self) -> None:
        """Give the place up."""
        if self._file is not None:
            self._file.close()
            self._file = None
