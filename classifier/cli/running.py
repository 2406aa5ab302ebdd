"""Running a command-line program: coded errors and broken pipes end it quietly."""

import sys

import typer

from classifier.errors import JiankeError


def run(app: typer.Typer) -> None:
    """Run a program; a coded error ends it with status 2 and its message, in Chinese and English."""
    try:
        app()
    except JiankeError as error:
        typer.echo(f"错误 [{error.code}] {error.chinese}\nerror [{error.code}] {error.english}", err=True)
        sys.exit(2)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
