"""Entry point of `jianke`: the library's commands, and those that installed packages add as `jianke.commands`."""

from importlib.metadata import entry_points

import typer

from classifier.cli import rules
from classifier.cli.classify import classify
from classifier.cli.explain import explain
from classifier.cli.running import run
from classifier.version import __version__

app = typer.Typer(
    help="鉴课：校外培训课程与广告的学科类鉴别与隐形变异线索。",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"jianke {__version__}")
        raise typer.Exit


@app.callback()
def _options(version: bool = typer.Option(False, "--version", help="显示版本。", callback=_version, is_eager=True)) -> None:
    """Options before any command."""


app.command()(classify)
app.command()(explain)
app.add_typer(rules.app, name="rules")
for _entry in sorted(entry_points(group="jianke.commands"), key=lambda entry: entry.name):
    _command = _entry.load()
    if isinstance(_command, typer.Typer):
        app.add_typer(_command, name=_entry.name)
    else:
        app.command(_entry.name)(_command)


def main() -> None:
    """Entry point of the console script."""
    run(app)
