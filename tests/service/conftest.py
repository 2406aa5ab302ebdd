"""The service on SQLite and on a real PostgreSQL, with people and systems of every role."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import create_engine, text

from service.access.roles import ROLES, SCOPES, Principal
from service.access.schemas import AccountIn, KeyIn
from service.access.service import create_account, create_key
from service.app import create_app
from service.catalogs.worker import Worker
from service.database.engine import Database
from service.database.schema import migrate
from service.runtime import Runtime
from service.settings import Settings
from tests.service import postgres

SYSTEM = Principal("system", "admin", "")
PASSWORD = "correct horse battery"


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[postgres.Server]:
    """Outside pytest's folder, which every run of pytest closes to other users, the server's among them."""
    if postgres.binaries() is None:
        if os.environ.get("JIANKE_REQUIRE_POSTGRES"):
            pytest.fail(postgres.MISSING)
        pytest.skip(postgres.MISSING)
    with TemporaryDirectory(prefix="jianke-postgres-") as folder, postgres.running(Path(folder)) as server:
        template = Database(server.url("postgres"))
        migrate(template)
        template.close()
        yield server


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sqlite") / "template.sqlite3"
    database = Database(f"sqlite:///{path}")
    migrate(database)
    database.close()
    return path


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A new database with the schema, of each kind in turn."""
    if request.param == "sqlite":
        path = tmp_path / "jianke.sqlite3"
        path.write_bytes(request.getfixturevalue("sqlite_template").read_bytes())
        yield f"sqlite:///{path}"
        return
    server: postgres.Server = request.getfixturevalue("postgres_server")
    name = f"test_{tmp_path.name.lower().replace('-', '_')}_{abs(hash(request.node.nodeid))}"[-60:]
    admin = create_engine(server.url("template1").replace("postgresql:", "postgresql+psycopg:"), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f'create database "{name}" template postgres'))
    try:
        yield server.url(name)
    finally:
        with admin.connect() as connection:
            connection.execute(text(f'drop database "{name}" with (force)'))
        admin.dispose()


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    """Settings of a development server without workers of its own."""
    return Settings(
        environment="development",
        database_url=database_url,
        engine="fast",
        workers=0,
        cookie_secure=False,
        key_cache_seconds=0,
        temp_dir=tmp_path,
    )


@pytest.fixture
def app(settings: Settings) -> FastAPI:
    return create_app(settings)


@pytest.fixture
def runtime(app: FastAPI) -> Runtime:
    return app.state.runtime


@pytest.fixture
def client(app: FastAPI) -> Iterator[TestClient]:
    """A client without credentials."""
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


@dataclass
class Staff:
    """Makes credentials."""

    client: TestClient
    runtime: Runtime

    def key(self, role: str = "pipeline", district: str = "3307", scopes: tuple[str, ...] = SCOPES) -> dict[str, str]:
        """Headers of a new API key."""
        with self.runtime.database.writing() as session:
            _, text = create_key(session, SYSTEM, KeyIn(name=f"{role} key", role=role, scopes=list(scopes), district=district))
        return {"Authorization": f"Bearer {text}"}

    def person(self, name: str, role: str, district: str = "3307") -> TestClient:
        """A client logged in as a new person; it sends the CSRF token by itself."""
        with self.runtime.database.writing() as session:
            create_account(session, SYSTEM, AccountIn(name=name, role=role, district=district, password=PASSWORD))
        person = TestClient(self.client.app, raise_server_exceptions=False)
        login = person.post("/v1/session", json={"name": name, "password": PASSWORD})
        assert login.status_code == 200, login.text
        person.headers["X-CSRF-Token"] = login.json()["csrf_token"]
        return person

    def everyone(self) -> dict[str, TestClient]:
        """A person of every role."""
        return {role: self.person(f"{role}.one", role) for role in ROLES}


@pytest.fixture
def staff(client: TestClient, runtime: Runtime) -> Staff:
    return Staff(client, runtime)


@pytest.fixture
def work(runtime: Runtime) -> Iterator[Callable[[], int]]:
    """Call it to assess everything that waits."""
    worker = Worker(runtime)

    def until_idle() -> int:
        handled = 0
        while done := worker.step():
            handled += done
        return handled

    yield until_idle
    worker.close()
