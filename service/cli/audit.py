"""`jianke audit verify`."""

from typing import TYPE_CHECKING, Annotated

import typer

from service.cli.starting import checked, settings

if TYPE_CHECKING:
    from service.settings import Settings

audit = typer.Typer(help="审计链。", no_args_is_help=True, rich_markup_mode=None)


@audit.callback()
def _options() -> None:
    """Keeps `verify` a command of its own."""


@audit.command()
def verify(anchor: Annotated[str, typer.Option(help="以前记下的末尾散列；给出后，末尾的删除与整链重写也能发现。")] = "") -> None:
    """检查审计链：任何改动、删除、插入或调换都会指出在第几条，并核对每个决定与其事件。"""
    length, last = verify_database(settings(), anchor)
    typer.echo(f"审计链完好：{length} 条\n末尾散列：{last}\n请另行记下末尾散列，下次以 --anchor 核对。")


def verify_database(wanted: "Settings", anchor: str = "") -> tuple[int, str]:
    """Length and last hash of the settings' database's chain. Raises ServiceError E403 (another schema), E405 (broken), E450."""
    from service.audit.service import verify as verify_chain
    from service.database.engine import Database

    database = checked(Database(wanted.database_url))
    try:
        with database.reading() as session:
            return verify_chain(session, anchor)
    finally:
        database.close()
