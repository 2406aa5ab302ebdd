"""Reading tables: every cell as text, rows one by one, with the row numbers that a person sees."""

import csv
import io
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from classifier.errors import InputError, JiankeError
from classifier.tables.columns import field_of

SUFFIXES_IN = (".xlsx", ".xls", ".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")
_HEADING_SEARCH = 10
Headings = Callable[[str], str | None]
"""Which field a heading names, None if it names none."""
_OLE_MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its number as a person counts (first line or sheet row is 1), its cells by heading, or why it is unusable."""

    number: int
    values: dict[str, str]
    error: JiankeError | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """A table that has been opened. `headings` is empty for JSONL, whose objects may differ. `total`: rows, if known."""

    path: str
    headings: tuple[str, ...]
    rows: Iterator[Row]
    total: int | None


def read_table(path: Path | None, sheet: str | None = None, known: Headings = field_of) -> Table:
    """Open a table by its suffix; None reads JSONL from standard input. `known` finds the row of headings.

    Raises InputError E101 (missing), E102 (suffix), E103 (workbook), E104 (empty), E106 (encoding), E107 (no such sheet),
    E108 (malformed), E109 (repeated headings).
    """
    if path is None:
        return Table("标准输入", (), _json_rows(sys.stdin.buffer), None)
    if not path.is_file():
        raise InputError("E101", path=path)
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES_IN:
        raise InputError("E102", path=path, found=suffix or "无后缀", expected="、".join(SUFFIXES_IN))
    if suffix in (".jsonl", ".ndjson"):
        return Table(str(path), (), _json_rows(path.open("rb")), None)
    if suffix in (".csv", ".tsv"):
        return _with_headings(path, _csv_cells(path, suffix), "", known)
    if suffix == ".parquet":
        return _parquet(path)
    return _workbook(path, sheet, known)


def _json_rows(stream: IO[bytes]) -> Iterator[Row]:
    with stream:
        for number, line in enumerate(stream, 1):
            if not line.strip():
                continue
            try:
                values = json.loads(line.decode("utf-8-sig"))
                if not isinstance(values, dict):
                    raise ValueError(type(values).__name__)
            except (ValueError, RecursionError) as error:
                yield Row(number, {}, InputError("E110", row=number, found=str(error)[:80]))
                continue
            yield Row(number, {str(key): _cell(value) for key, value in values.items()})


def _cell(value: object) -> str:
    """A cell as text; a missing one is empty."""
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict) else str(value)


def _decode(path: Path) -> str:
    content = path.read_bytes()
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError as error:
            failure = error
    line = content[: failure.start].count(b"\n") + 1
    raise InputError("E106", path=path, found=f"第 {line} 行附近 near line {line}, {failure.reason}")


def _csv_cells(path: Path, suffix: str) -> list[list[str]]:
    text = _decode(path)
    head = text[:8192].splitlines()[0] if text.strip() else ""
    delimiter = "\t" if suffix == ".tsv" or head.count("\t") > head.count(",") else ";" if head.count(";") > head.count(",") else ","
    csv.field_size_limit(2**31 - 1)
    try:
        return list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    except csv.Error as error:
        raise InputError("E108", path=path, found=str(error), expected="CSV") from error


def _workbook(path: Path, sheet: str | None, known: Headings) -> Table:
    import fastexcel

    with path.open("rb") as stream:
        magic = stream.read(8)
    try:
        reader = fastexcel.read_excel(path)
        names = reader.sheet_names
        if sheet is not None and sheet not in names:
            raise InputError("E107", column=sheet, found="、".join(names))
        opened = []
        for name in [sheet] if sheet else names:
            frame = reader.load_sheet(name, header_row=None, dtypes="string").to_polars()
            cells = [[cell if cell is not None else "" for cell in row] for row in frame.iter_rows()]
            opened.append((name, cells))
    except fastexcel.FastExcelError as error:
        encrypted = magic == _OLE_MAGIC and path.suffix.lower() == ".xlsx"
        found = "已加密 encrypted" if encrypted or "password" in str(error).lower() else str(error).splitlines()[0]
        raise InputError("E103", path=path, found=found) from error
    filled = [(name, cells) for name, cells in opened if any(any(row) for row in cells)]
    if not filled:
        raise InputError("E104", path=path, found=f"“{'、'.join(name for name, _ in opened)}”")
    name, cells = next(((name, cells) for name, cells in filled if _heading_score(cells, known) > 0), filled[0])
    return _with_headings(path, cells, name, known)


def _parquet(path: Path) -> Table:
    import polars as pl

    try:
        frame = pl.read_parquet(path)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise InputError("E108", path=path, found=str(error).splitlines()[0], expected="Parquet") from error
    if frame.is_empty():
        raise InputError("E104", path=path, found="")
    headings = tuple(frame.columns)
    rows = (Row(number, dict(zip(headings, map(_cell, values), strict=True))) for number, values in enumerate(frame.iter_rows(), 1))
    return Table(str(path), headings, rows, frame.height)


def _heading_score(cells: list[list[str]], known: Headings) -> int:
    return max((sum(known(cell) is not None for cell in row) for row in cells[:_HEADING_SEARCH]), default=0)


def _with_headings(path: Path, cells: list[list[str]], sheet: str, known: Headings) -> Table:
    """The heading row is the one with the most known headings among the first ten, else the first filled one."""
    first_filled = next((number for number, row in enumerate(cells) if any(cell.strip() for cell in row)), None)
    if first_filled is None:
        raise InputError("E104", path=path, found=f"“{sheet}”" if sheet else "")
    candidates = range(min(_HEADING_SEARCH, len(cells)))
    start = max(candidates, key=lambda number: (sum(known(cell) is not None for cell in cells[number]), -abs(number - first_filled)))
    headings = [cell.strip() for cell in cells[start]]
    while headings and not headings[-1]:
        headings.pop()
    headings = [heading or f"第{number}列" for number, heading in enumerate(headings, 1)]
    repeated = sorted({heading for heading in headings if headings.count(heading) > 1})
    if repeated:
        raise InputError("E109", path=path, found="、".join(repeated))
    body = cells[start + 1 :]
    if not any(any(cell.strip() for cell in row) for row in body):
        raise InputError("E104", path=path, found=f"“{sheet}”" if sheet else "")
    institution = [number for number, heading in enumerate(headings) if known(heading) == "institution"]
    return Table(str(path), tuple(headings), _body_rows(body, headings, start + 2, institution), len(body))


def _body_rows(body: list[list[str]], headings: list[str], first: int, carried: list[int]) -> Iterator[Row]:
    """Rows below the heading; an institution cell merged over several rows counts for each of them."""
    last: dict[int, str] = {}
    for number, row in enumerate(body, first):
        if not any(cell.strip() for cell in row):
            continue
        cells = [cell for cell in row[: len(headings)]] + [""] * (len(headings) - len(row))
        for column in carried:
            cells[column] = last[column] = cells[column] or last.get(column, "")
        yield Row(number, dict(zip(headings, cells, strict=True)))
