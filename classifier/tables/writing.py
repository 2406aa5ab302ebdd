"""Writing results: a workbook for reviewers, CSV, Parquet, or the JSONL contract; a file gets its name only when whole."""

import csv
import json
import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from classifier.errors import InputError, RunError
from classifier.records import Assessment
from classifier.report import RESULT_COLUMNS, Outcome, result_cells
from classifier.summary import Summary

if TYPE_CHECKING:
    from xlsxwriter.format import Format

SUFFIXES_OUT = (".xlsx", ".csv", ".jsonl", ".parquet")
XLSX_ROWS = 1_048_576
XLSX_CELL = 32_767
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_WIDTHS = {
    "判定类别": 10,
    "置信度": 8,
    "科目": 16,
    "学段": 12,
    "证据": 44,
    "依据": 44,
    "处理建议": 36,
    "违规线索": 36,
    "变异形式": 22,
    "复核理由": 18,
}
_COLOURS = {"学科类": "#FDE9E7", "非学科类": "#E8F4EA", "不适用": "#EEEEEE", "": "#FFF6D6"}


class Sink(ABC):
    """Takes outcomes row by row and finishes with the summary."""

    @abstractmethod
    def write(self, outcome: Outcome) -> None:
        """Write one row's outcome."""

    def finish(self, summary: Summary) -> None:  # noqa: B027 - most sinks have nothing to add
        """Write what stands after the rows."""

    @abstractmethod
    def close(self) -> None:
        """Flush and close."""


def _clean(text: str) -> str:
    """Text that any encoder takes: lone surrogates become the replacement character."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _harmless(cell: str) -> str:
    """A CSV cell that no spreadsheet program runs as a formula."""
    if not cell.startswith(_FORMULA):
        return cell
    try:
        float(cell)
    except ValueError:
        return "'" + cell
    return cell


def result_headings(columns: Sequence[str]) -> list[str]:
    """Our columns' names beside the institution's; one that is taken gets a mark."""
    return [name if name not in columns else f"{name}（鉴课）" for name in RESULT_COLUMNS]


class JsonlSink(Sink):
    """One assessment a line, in the contract's shape; an unusable row is {"id", "row", "error"}."""

    def __init__(self, stream: IO[bytes]) -> None:
        """Write to a binary stream."""
        self._stream = stream

    def write(self, outcome: Outcome) -> None:
        """One line."""
        if isinstance(outcome.result, Assessment):
            value: dict[str, Any] = outcome.result.to_dict()
        else:
            error = {"code": outcome.result.code, "message": outcome.result.chinese, "message_en": outcome.result.english}
            value = {"id": outcome.identifier, "row": outcome.row, "error": error}
        try:
            line = json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            line = json.dumps(value).encode()
        self._stream.write(line + b"\n")

    def close(self) -> None:
        """Flush; standard output stays open."""
        self._stream.flush()
        if self._stream is not sys.stdout.buffer:
            self._stream.close()


class CsvSink(Sink):
    """UTF-8 with a byte order mark, so that spreadsheet programs open it right."""

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        """Write the headings."""
        self._columns = list(columns)
        self._stream = path.open("w", encoding="utf-8-sig", newline="", errors="replace")
        self._writer = csv.writer(self._stream)
        self._writer.writerow(map(_harmless, [*columns, *result_headings(columns)]))

    def write(self, outcome: Outcome) -> None:
        """One row."""
        cells = [outcome.values.get(column, "") for column in self._columns]
        self._writer.writerow([_harmless(_clean(cell)) for cell in (*cells, *result_cells(outcome).values())])

    def close(self) -> None:
        """Close the file."""
        self._stream.close()


class ParquetSink(Sink):
    """All columns as text, the institution's and ours."""

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        """Collect rows by column."""
        self._path = path
        self._columns = list(columns)
        self._cells: list[list[str]] = [[] for _ in (*columns, *RESULT_COLUMNS)]

    def write(self, outcome: Outcome) -> None:
        """Keep one row."""
        values = [outcome.values.get(column, "") for column in self._columns] + list(result_cells(outcome).values())
        for cells, value in zip(self._cells, values, strict=True):
            cells.append(_clean(value))

    def finish(self, summary: Summary) -> None:
        """Write the file."""
        import polars as pl

        names = [*self._columns, *result_headings(self._columns)]
        pl.DataFrame(dict(zip(names, self._cells, strict=True)), schema=dict.fromkeys(names, pl.String)).write_parquet(self._path)

    def close(self) -> None:
        """Nothing is held open."""


class XlsxSink(Sink):
    """The reviewers' workbook: the institution's columns, ours, colours by verdict, and a sheet with counts and versions."""

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        """Write the headings."""
        import xlsxwriter

        self._book = xlsxwriter.Workbook(str(path), {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False})
        self._sheet = self._book.add_worksheet("鉴课结果")
        self._columns = list(columns)
        self._names = [*columns, *result_headings(columns)]
        head = self._book.add_format(
            {"bold": True, "bg_color": "#2F4B66", "font_color": "#FFFFFF", "text_wrap": True, "valign": "vcenter", "border": 1}
        )
        self._formats = {
            name: self._book.add_format({"bg_color": colour, "text_wrap": True, "valign": "top", "border": 1, "border_color": "#D5D5D5"})
            for name, colour in _COLOURS.items()
        }
        self._plain = self._book.add_format({"text_wrap": True, "valign": "top"})
        self._review = self._book.add_format({"text_wrap": True, "valign": "top", "bold": True, "font_color": "#B00020"})
        for number, name in enumerate(self._names):
            own = number < len(columns)
            self._sheet.set_column(number, number, (28 if len(name) > 3 else 14) if own else _WIDTHS.get(name, 14))
            self._sheet.write_string(0, number, name, head)
        self._sheet.freeze_panes(1, 0)
        self._row = 0

    def write(self, outcome: Outcome) -> None:
        """One row; every cell is text, so that nothing in it can run."""
        self._row += 1
        if self._row >= XLSX_ROWS:
            raise RunError("E303", found=self._row, expected=XLSX_ROWS - 1)
        for number, column in enumerate(self._columns):
            self._text(number, outcome.values.get(column, ""), self._plain)
        results = result_cells(outcome)
        coloured = self._formats[results["判定类别"]]
        for number, (name, cell) in enumerate(results.items(), len(self._columns)):
            self._text(number, cell, self._review if name == "需人工复核" and cell == "是" else coloured)

    def _text(self, column: int, cell: str, form: "Format") -> None:
        text = _clean(cell)
        if len(text) > XLSX_CELL:
            text = text[: XLSX_CELL - 24] + "…（超长，已截断）"
        self._sheet.write_string(self._row, column, text, form)

    def finish(self, summary: Summary) -> None:
        """Filters, and the second sheet."""
        self._sheet.autofilter(0, 0, max(self._row, 1), len(self._names) - 1)
        sheet = self._book.add_worksheet("汇总")
        sheet.set_column(0, 0, 30)
        sheet.set_column(1, 1, 60)
        bold = self._book.add_format({"bold": True, "bg_color": "#DDE6EE"})
        for number, (name, value) in enumerate(summary.lines()):
            sheet.write_string(number, 0, name, bold if not value else None)
            if value:
                sheet.write_string(number, 1, _clean(value)[:XLSX_CELL])

    def close(self) -> None:
        """Write the workbook to disk."""
        self._book.close()


def _make_sink(suffix: str, path: Path, columns: Sequence[str]) -> Sink:
    if suffix == ".jsonl":
        return JsonlSink(path.open("wb"))
    if suffix == ".csv":
        return CsvSink(path, columns)
    return ParquetSink(path, columns) if suffix == ".parquet" else XlsxSink(path, columns)


@contextmanager
def open_sink(path: Path | None, columns: Sequence[str]) -> Iterator[Sink]:
    """A sink for `path` by its suffix, or JSONL on standard output for None.

    The file is written under a name of its own and takes its final name only when everything is in it; on any failure
    the partial file is removed and an older file under the final name is left as it was. Raises InputError E102,
    RunError E301.
    """
    if path is None:
        sink: Sink = JsonlSink(sys.stdout.buffer)
        try:
            yield sink
            sink.close()
        except BrokenPipeError:
            raise
        except OSError as error:
            raise RunError("E301", path="标准输出", found=error.strerror or str(error)) from error
        return
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES_OUT:
        raise InputError("E102", path=path, found=suffix or "无后缀", expected="、".join(SUFFIXES_OUT))
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        sink = _make_sink(suffix, partial, columns)
        yield sink
        sink.close()
        partial.replace(path)
    except OSError as error:
        raise RunError("E301", path=path, found=error.strerror or str(error)) from error
    finally:
        partial.unlink(missing_ok=True)
