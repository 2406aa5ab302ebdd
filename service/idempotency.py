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
from service.security import derive, seal, unseal
from service.settings import Settings

HEADER = "Idempotency-Key"
_LONGEST = 255
_PARAMETER = {
    "name": HEADER,
    "in": "header",
    "required": False,
    "description": "同一个键的重试得到第一次的回答，不会重复办理；键由调用方选取，保留 24 小时",
    "schema": {"type": "string", "minLength": 1, "maxLength": _LONGEST},
}
_SAFE = ("GET", "HEAD", "OPTIONS")


class IdempotentAnswer(Base):
    """The answer to a POST, sealed. `id` hashes caller, address and key; a row exists only if what it answers was committed."""

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
        self.claim: Claim | None = None

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

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:  # noqa: ANN401 - FastAPI's own
        """Describe the Idempotency-Key of a POST in the OpenAPI."""
        if "POST" in (options.get("methods") or ()):
            extra = options.get("openapi_extra") or {}
            options["openapi_extra"] = {**extra, "parameters": [*extra.get("parameters", []), _PARAMETER]}
        super().__init__(path, endpoint, **options)

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
                if key is not None:
                    unit.claim = Claim(unit, runtime.settings, request, key, await request.body())
                response = await handle(request)
                if unit.claim is not None:
                    unit.claim.answer(response)
                committed = response.status_code < 400
                return response
            except Answered as earlier:
                return earlier.response
            finally:
                if unit.opened:
                    await run_in_threadpool(unit.end, commit=committed)

        return run


class Answered(Exception):  # noqa: N818 - not an error
    """The request has been answered before; `response` is that answer."""

    def __init__(self, response: Response) -> None:
        """Carry the answer to where the request came in."""
        self.response = response


class Claim:
    """The right to answer a key: whoever inserts the row first answers; others wait for that commit and get its answer."""

    def __init__(self, unit: Unit, settings: Settings, request: Request, key: str, body: bytes) -> None:
        """Nothing is claimed yet. Raises ServiceError E410 for a key that is empty or too long."""
        if not 1 <= len(key) <= _LONGEST:
            raise ServiceError("E410", found=f"{HEADER}：{len(key)} 个字符", expected=f"1–{_LONGEST} 个字符")
        self._unit = unit
        self._secret = settings.secret_key
        self._keep = timedelta(hours=settings.idempotency_hours)
        self._request = "\0".join((str(request.url.path), str(request.url.query), key))
        self._body_hash = hashlib.sha256(body).hexdigest()
        self._row: IdempotentAnswer | None = None

    def take(self, actor: str) -> None:
        """Claim the key for a caller who may make the request.

        Raises Answered where it already has an answer, ServiceError E430 where that was to another body.
        """
        session = self._unit.session
        identifier = derive(self._secret, f"idempotent answer\0{actor}\0{self._request}")
        expired = IdempotentAnswer.created_at < now() - self._keep
        session.execute(delete(IdempotentAnswer).where(IdempotentAnswer.id == identifier, expired))
        known = session.get(IdempotentAnswer, identifier)
        if known is None:
            self._row = IdempotentAnswer(id=identifier, body_hash=self._body_hash)
            try:
                with session.begin_nested():
                    session.add(self._row)
                return
            except IntegrityError:
                known = session.get_one(IdempotentAnswer, identifier)
        if known.body_hash != self._body_hash:
            raise ServiceError("E430")
        body = unseal(self._secret, known.body)
        raise Answered(Response(body, known.status, {"Idempotent-Replay": "true"}, known.media_type))

    def answer(self, response: Response) -> None:
        """Keep the answer, sealed, as it may hold a new key; it is committed with the rest."""
        if self._row is not None:
            self._row.status = response.status_code
            self._row.media_type = response.headers.get("content-type", "application/json")
            self._row.body = seal(self._secret, bytes(response.body))


def forget_old_answers(session: Session, keep: timedelta) -> None:
    """Delete answers that are older than `keep`."""
    session.execute(delete(IdempotentAnswer).where(IdempotentAnswer.created_at < now() - keep))
