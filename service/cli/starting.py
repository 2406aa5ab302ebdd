"""What the service's commands share: settings, and a schema that fits."""

from typing import TYPE_CHECKING

from classifier.errors import RunError

if TYPE_CHECKING:
    from service.database.engine import Database
    from service.settings import Settings


def settings() -> "Settings":
    """The settings of the environment. Raises ServiceError E400, E401, E402, RunError E304."""
    try:
        from pydantic import ValidationError

        from service.errors import ServiceError
        from service.settings import Settings
    except ModuleNotFoundError as error:
        raise RunError("E304", found=error.name, expected="jianke[service]") from error
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        where = "JIANKE_" + "_".join(map(str, first["loc"])).upper()
        raise ServiceError("E400", name=where, found=first.get("input"), expected=first["msg"]) from error


def checked(database: "Database") -> "Database":
    """The database, reachable and of this version's schema. Raises ServiceError E403, E450."""
    from sqlalchemy.exc import SQLAlchemyError

    from service.database.schema import head, revision
    from service.errors import ServiceError

    try:
        with database.engine.connect() as connection:
            found = revision(connection)
    except SQLAlchemyError as error:
        raise ServiceError("E450", found=type(error).__name__) from error
    if found != head():
        raise ServiceError("E403", expected=head(), found=found or "空库 empty")
    return database
