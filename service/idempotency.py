"""One request, one transaction; and `Idempotency-Key`: a repeated POST gets the first answer, stored in that same transaction."""

import hashlib
from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from sqlalchemy import LargeBinary, String, delete
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column
from starlette.concurrency import run_in_threadpool

from service.database.base import Base, now
from service.database.engine import Database
from service.errors import ServiceError

HEADER = "Idempotency-Key"
_SAFE = ("GET", "HEAD", "OPTIONS")


class IdempotentAnswer(Base):
    """The answer to a POST. `id` hashes caller, address and key; a row exists only if what it answers was committed."""

    __tablename__ = "idempotent_answers"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    body_hash: Mapped[str] = mapped_column(String(64))
    status: Mapped[int] = mapped_column(default=0)
    media_type: Mapped[str] = mapped_column(String(80), default="")
    body: Mapped[bytes] = mapped_column(LargeBinary, default=b"")
    created_at: Mapped[datetime] = mapped_column(default=now, index=True)


class Unit:
    """The one session of a request, opened when first asked, committed once, after the handler has answered."""

    def __init__(self, database: Database, *, write: bool) -> None:
        """Nothing is opened yet."""
        self._database = database
        self._write = write
        self._session: Session | None = None

    @property
    def session(self) -> Session:
        """The session; the same one every time."""
        if self._session is None:
            self._session = self._database.session(write=self._write)
        return self._session

    def end(self, *, commit: bool) -> None:
        """Commit or roll back what was opened, and close it."""
        if self._session is None:
            return
        try:
            if commit and self._write:
                self._session.commit()
            else:
                self._session.rollback()
        finally:
            self._session.close()

    @property
    def opened(self) -> bool:
        """Whether anything asked for the session."""
        return self._session is not None


class TransactionalRoute(APIRoute):
    """A route whose handler, audit events, notices and idempotent answer are committed together or not at all."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap FastAPI's handler."""
        handle = super().get_route_handler()

        async def run(request: Request) -> Response:
            runtime = request.app.state.runtime
            unit = Unit(runtime.database, write=request.method not in _SAFE)
            request.state.unit = unit
            committed = False
            try:
                key = request.headers.get(HEADER) if request.method == "POST" else None
                if key is None:
                    response = await handle(request)
                else:
                    claim = _Claim(request, key, hashlib.sha256(await request.body()).hexdigest())
                    hours = timedelta(hours=runtime.settings.idempotency_hours)
                    earlier = await run_in_threadpool(claim.take, unit.session, hours)
                    if earlier is not None:
                        return earlier
                    response = await handle(request)
                    claim.answer(response)
                committed = response.status_code < 400
                return response
            finally:
                if unit.opened:
                    await run_in_threadpool(unit.end, commit=committed)

        return run


class _Claim:
    """The right to answer a key: whoever inserts the row first answers; others wait for that commit and get its answer."""

    def __init__(self, request: Request, key: str, body_hash: str) -> None:
        caller = request.headers.get("authorization") or request.headers.get("cookie") or ""
        self._id = hashlib.sha256("\0".join((caller, str(request.url.path), str(request.url.query), key)).encode()).hexdigest()
        self._body_hash = body_hash
        self._row: IdempotentAnswer | None = None

    def take(self, session: Session, keep: timedelta) -> Response | None:
        """Claim the key, or give the answer that it already has. Raises ServiceError E430 where the bodies differ."""
        session.execute(delete(IdempotentAnswer).where(IdempotentAnswer.id == self._id, IdempotentAnswer.created_at < now() - keep))
        known = session.get(IdempotentAnswer, self._id)
        if known is None:
            self._row = IdempotentAnswer(id=self._id, body_hash=self._body_hash)
            try:
                with session.begin_nested():
                    session.add(self._row)
                return None
            except IntegrityError:
                known = session.get_one(IdempotentAnswer, self._id)
        if known.body_hash != self._body_hash:
            raise ServiceError("E430")
        return Response(known.body, known.status, {"Idempotent-Replay": "true"}, known.media_type)

    def answer(self, response: Response) -> None:
        """Keep the answer; it is committed with the rest."""
        if self._row is not None:
            self._row.status = response.status_code
            self._row.media_type = response.headers.get("content-type", "application/json")
            self._row.body = bytes(response.body)


def forget_old_answers(session: Session, keep: timedelta) -> None:
    """Delete answers that are older than `keep`."""
    session.execute(delete(IdempotentAnswer).where(IdempotentAnswer.created_at < now() - keep))
