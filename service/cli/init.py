"""`jianke init`: the schema, the first admin and the first key."""

import secrets
from typing import Annotated

import typer

from service.cli.starting import settings


def init(
    admin: Annotated[str, typer.Option(help="第一个管理员的用户名。")] = "admin",
    district: Annotated[str, typer.Option(help="管辖的行政区划代码（2、4 或 6 位）；空为全部。")] = "",
) -> None:
    """建立或升级数据库；新库另建第一个管理员与 API 密钥，密码与密钥只显示这一次。"""
    made = initialise(admin, district)
    typer.echo("数据库已是本版本的结构。")
    if made:
        password, key = made
        typer.echo(f"管理员　{admin}\n密码　　{password}\nAPI 密钥　{key}\n请立即记下：不再显示。")


def initialise(admin: str, district: str) -> tuple[str, str] | None:
    """Migrate the database of the settings; on a new one give the admin's password and a key, None otherwise.

    Raises ServiceError E400–E404, E450.
    """
    wanted = settings()
    from pydantic import ValidationError
    from sqlalchemy import func, select
    from sqlalchemy.exc import OperationalError

    from service.access.models import Account
    from service.access.roles import SCOPES, Principal
    from service.access.schemas import AccountIn, KeyIn
    from service.access.service import create_account, create_key
    from service.database.engine import Database
    from service.database.schema import migrate
    from service.errors import ServiceError

    password = secrets.token_urlsafe(12)
    try:
        account = AccountIn(name=admin, display_name="管理员", role="admin", district=district, password=password)
    except ValidationError as error:
        first = error.errors()[0]
        raise ServiceError("E410", found=f"--{first['loc'][0]} {first['input']}", expected=first["msg"]) from error
    database = Database(wanted.database_url)
    try:
        migrate(database)
        with database.writing() as session:
            if session.scalar(select(func.count()).select_from(Account)):
                return None
            system = Principal("system", "admin", "")
            create_account(session, system, account)
            _, key = create_key(session, system, KeyIn(name="first", role="admin", scopes=list(SCOPES), district=district))
        return password, key
    except OperationalError as error:
        raise ServiceError("E450", found=str(error.orig).splitlines()[0]) from error
    finally:
        database.close()
