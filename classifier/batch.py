"""A whole run: tables in, results out, bad rows reported beside the good ones."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from classifier.errors import InputError, JiankeError, RunError
from classifier.pipeline import BATCH, Classifier
from classifier.records import Record
from classifier.report import Outcome
from classifier.summary import Summary
from classifier.tables import Mapping, Row, Table, map_columns, open_sink, read_table

SOURCE_COLUMN = "来源文件"
Progress = Callable[[int, int | None], None]


def run(
    classifier: Classifier,
    inputs: Sequence[Path],
    output: Path | None,
    *,
    columns: dict[str, str] | None = None,
    sheet: str | None = None,
    evidence: bool = True,
    progress: Progress | None = None,
) -> Summary:
    """Classify the tables `inputs` (none: JSONL on standard input) into `output` (None: JSONL on standard output).

    columns: field → heading, for columns that have unusual names. sheet: the sheet to read of workbooks. progress is told
    rows done and rows in all (None when unknown). Raises InputError or RunError for what stops the whole run; rows that
    cannot be used are in the summary and in the output.
    """
    for path in inputs:
        if output is not None and output.exists() and path.exists() and output.samefile(path):
            raise RunError("E302", path=path)
    tables = [read_table(path, sheet) for path in inputs] or [read_table(None)]
    mappings = [map_columns(table.headings, table.path, columns) if table.headings else None for table in tables]
    several = len(tables) > 1
    headings = list(dict.fromkeys(heading for table in tables for heading in table.headings))
    if any(not table.headings for table in tables) and output is not None and output.suffix.lower() != ".jsonl":
        tables = [_gathered(table) for table in tables]
        headings = list(dict.fromkeys(heading for table in tables for heading in table.headings))
    totals = [table.total for table in tables]
    total = sum(count for count in totals if count is not None) if None not in totals else None
    summary = Summary(classifier.versions, tuple(table.path for table in tables))
    begun = time.monotonic()
    with open_sink(output, [SOURCE_COLUMN, *headings] if several else headings) as sink:
        for table, mapping in zip(tables, mappings, strict=True):
            for outcome in _outcomes(classifier, table, mapping, columns, summary, evidence):
                if several:
                    outcome = replace(outcome, values={SOURCE_COLUMN: Path(table.path).name, **outcome.values})
                sink.write(outcome)
                summary.add(outcome)
                if progress and summary.rows % BATCH == 0:
                    progress(summary.rows, total)
        if not summary.rows:
            raise InputError("E104", path="、".join(summary.inputs), found="")
        summary.seconds = time.monotonic() - begun
        sink.finish(summary)
    if progress:
        progress(summary.rows, summary.rows)
    return summary


def _gathered(table: Table) -> Table:
    """JSONL with all rows read, so that a table's headings are known before its first row is written."""
    if table.headings:
        return table
    rows = list(table.rows)
    headings = tuple(dict.fromkeys(key for row in rows for key in row.values))
    return Table(table.path, headings, iter(rows), len(rows))


def _outcomes(
    classifier: Classifier, table: Table, mapping: Mapping | None, columns: dict[str, str] | None, summary: Summary, evidence: bool
) -> Iterator[Outcome]:
    """Outcomes of one table in order, a batch at a time."""
    seen: dict[str, int] = {}
    pending: list[tuple[Row, Record | JiankeError]] = []
    for row in table.rows:
        pending.append((row, _record(row, mapping, table.path, columns)))
        record = pending[-1][1]
        if isinstance(record, Record):
            if record.id in seen:
                summary.note(table.path, row.number, InputError("E116", found=record.id, first=seen[record.id]))
            seen.setdefault(record.id, row.number)
        if len(pending) == BATCH:
            yield from _assessed(classifier, table.path, pending, evidence)
            pending = []
    yield from _assessed(classifier, table.path, pending, evidence)


def _record(row: Row, mapping: Mapping | None, path: str, columns: dict[str, str] | None) -> Record | JiankeError:
    if row.error is not None:
        return row.error
    try:
        return (mapping or map_columns(tuple(row.values), path, columns)).record(row.values, str(row.number))
    except InputError as error:
        return error


def _assessed(classifier: Classifier, source: str, pending: list[tuple[Row, Record | JiankeError]], evidence: bool) -> Iterator[Outcome]:
    policy = classifier.rules.policy
    assessments = classifier.assess_many((record for _, record in pending if isinstance(record, Record)), evidence=evidence)
    for row, record in pending:
        if isinstance(record, Record):
            yield Outcome(source, row.number, record.id, row.values, record, next(assessments), policy)
        else:
            yield Outcome(source, row.number, row.values.get("id", "") or str(row.number), row.values, None, record, policy)
