"""Connections: SQLite in WAL mode or PostgreSQL; read sessions and write sessions."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import orjson
from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.orm import Session, sessionmaker

_BUSY_SECONDS = 30
_OPTIONS: dict[str, Any] = {
    "json_serializer": lambda value: orjson.dumps(value).decode(),
    "json_deserializer": orjson.loads,
    "hide_parameters": True,  # else every error, and so the log, would quote the texts
}


class Database:
    """One database. Read sessions see one state; write sessions wait for their turn before they read."""

    def __init__(self, url: str) -> None:
        """Open lazily; nothing is read before the first session."""
        self.url = make_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        if self.is_sqlite:
            self.engine = create_engine(self.url, connect_args={"timeout": _BUSY_SECONDS, "check_same_thread": False}, **_OPTIONS)
            _prepare_sqlite(self.engine)
        else:
            if self.url.drivername == "postgresql":
                self.url = self.url.set(drivername="postgresql+psycopg")
            self.engine = create_engine(self.url, pool_pre_ping=True, pool_size=10, max_overflow=20, **_OPTIONS)
        self._read = sessionmaker(self.engine, expire_on_commit=False)
        self._write = sessionmaker(self.engine.execution_options(jianke_write=True), expire_on_commit=False)

    def session(self, *, write: bool) -> Session:
        """A new session; the caller commits and closes it. On SQLite a write session takes the write lock when it begins."""
        return (self._write if write else self._read)()

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A read session, closed at the end."""
        with self.session(write=False) as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A write session, committed at the end or rolled back on an error."""
        with self.session(write=True) as session, session.begin():
            yield session

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()


def _prepare_sqlite(engine: Engine) -> None:
    """WAL, foreign keys, and transactions that begin when SQLAlchemy says so, not when the driver thinks fit."""

    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: object) -> None:  # noqa: ANN401 - the driver's own type
        connection.isolation_level = None
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get("jianke_write") else "BEGIN")
