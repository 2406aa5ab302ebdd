"""`jianke classify`: tables in, results out."""

import contextlib
import gc
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from classifier.batch import Progress, run
from classifier.pipeline import load
from classifier.summary import Summary
from classifier.tables import SUFFIXES_IN, SUFFIXES_OUT


def classify(
    inputs: Annotated[list[Path] | None, typer.Argument(help=f"输入文件（{'、'.join(SUFFIXES_IN)}）；不给则从标准输入读 JSONL。")] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help=f"输出文件（{'、'.join(SUFFIXES_OUT)}）；不给则向标准输出写 JSONL。")
    ] = None,
    engine: Annotated[str, typer.Option(help="引擎：auto、fast 或 encoder。")] = "auto",
    model: Annotated[Path | None, typer.Option(help="模型文件夹；默认用随附的模型。")] = None,
    rules: Annotated[Path | None, typer.Option(help="本地规则文件夹，与随附的规则并用。")] = None,
    sheet: Annotated[str | None, typer.Option(help="工作簿中要读的工作表。")] = None,
    text_column: Annotated[str | None, typer.Option(help="正文所在列的表头。")] = None,
    title_column: Annotated[str | None, typer.Option(help="课程名称所在列的表头。")] = None,
    id_column: Annotated[str | None, typer.Option(help="编号所在列的表头。")] = None,
    declared_column: Annotated[str | None, typer.Option(help="申报类别所在列的表头。")] = None,
    institution_column: Annotated[str | None, typer.Option(help="机构名称所在列的表头。")] = None,
    price_column: Annotated[str | None, typer.Option(help="收费所在列的表头。")] = None,
    timetable_column: Annotated[str | None, typer.Option(help="上课时间所在列的表头。")] = None,
    venue_column: Annotated[str | None, typer.Option(help="上课地点所在列的表头。")] = None,
    audience_column: Annotated[str | None, typer.Option(help="招生对象所在列的表头。")] = None,
    evidence: Annotated[bool, typer.Option("--evidence/--no-evidence", help="是否给出证据。")] = True,
) -> None:
    """批量判定课程目录或广告文本，给出类别、科目、变异形式、违规线索、证据与依据。."""
    columns = {
        "text": text_column, "title": title_column, "id": id_column, "declared_category": declared_column,
        "institution": institution_column, "price": price_column, "timetable": timetable_column, "venue": venue_column,
        "audience": audience_column,
    }  # fmt: skip
    if not inputs and sys.stdin.isatty():
        from classifier.errors import InputError

        raise InputError("E114")
    signal.signal(signal.SIGTERM, _interrupted)
    classifier = load(model, engine=engine, rules=rules)
    settle_memory()
    with _progress_bar() as progress:
        summary = run(
            classifier, inputs or [], output, sheet=sheet, evidence=evidence, progress=progress,
            columns={name: heading for name, heading in columns.items() if heading},
        )  # fmt: skip
    if output is not None:
        _print_summary(summary, output)
    elif summary.problems:
        typer.echo("\n".join(summary.problems), err=True)


def settle_memory() -> None:
    """Leave what is loaded out of the garbage collector's rounds, and make these rare: a run makes no cycles."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 20)


def _interrupted(number: int, frame: FrameType | None) -> None:
    """SIGTERM ends the run like Ctrl-C, so that the partial output is removed."""
    raise KeyboardInterrupt


@contextlib.contextmanager
def _progress_bar() -> Iterator[Progress | None]:
    """A progress bar on standard error when that is a terminal, nothing in a pipe."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    with Bar(
        TextColumn("判定中"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=Console(stderr=True), transient=True
    ) as bar:
        task = bar.add_task("判定中", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _print_summary(summary: Summary, output: Path) -> None:
    for name, value in summary.lines():
        typer.echo(f"\n【{name}】" if not value else f"  {name}：{value}", err=True)
    rate = summary.rows / summary.seconds if summary.seconds else 0.0
    typer.echo(f"\n完成：{summary.rows} 行，用时 {summary.seconds:.2f} 秒（每秒 {rate:,.0f} 行）。结果：{output}", err=True)
