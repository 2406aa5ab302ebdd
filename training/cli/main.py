"""Entry point of `jianke-train`."""

import typer

from classifier.cli.running import run
from training.cli import corpus, encoder
from training.cli.cascade import cascade
from training.cli.evaluate import evaluate
from training.cli.fast import fast

app = typer.Typer(
    help="鉴课的语料检查与模型训练。", no_args_is_help=True, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False
)
app.add_typer(corpus.app, name="corpus")
app.add_typer(encoder.app, name="encoder")
app.command()(fast)
app.command()(cascade)
app.command()(evaluate)


def main() -> None:
    """Entry point of the console script."""
    run(app)
