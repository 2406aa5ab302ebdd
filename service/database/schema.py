"""The schema's version: bringing a database to it, and asking whether it is there."""

from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from service.database.engine import Database

_MIGRATIONS = Path(__file__).with_name("migrations")


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    return config


@cache
def head() -> str:
    """The revision that this version of the service needs."""
    return ScriptDirectory.from_config(_config()).get_current_head() or ""


def revision(connection: Connection) -> str:
    """The revision of a database, empty for one that is new."""
    return MigrationContext.configure(connection).get_current_revision() or ""


def is_current(connection: Connection) -> bool:
    """Whether the database has this version's schema."""
    return revision(connection) == head()


def migrate(database: Database) -> None:
    """Bring the database to this version's schema, in one transaction."""
    config = _config()
    with database.engine.execution_options(jianke_write=True).begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
