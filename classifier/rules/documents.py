"""A district's TOML files: signal rules with their examples, and policy clauses, checked key by key."""

import json
import re
import tomllib
from collections.abc import Collection, Mapping
from typing import Any

from classifier.errors import InputError
from classifier.policy import VERIFIED_NAMES, Clause
from classifier.rules.tables import folded, unknown_clauses
from classifier.signals.patterns import Rule
from classifier.taxonomy import TAXONOMY

REQUIRED = ("signal", "must_match", "must_not_match")
LISTS = ("words", "triggers", "patterns", "unless", "must_match", "must_not_match", "clauses")
CLAUSE_KEYS = ("document", "article", "gist", "verified")
LONGEST_REPETITION = 100
_LITERAL = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]", re.DOTALL)
_REPEATED = re.compile(r"[*+]|\{\d*,\}|\{(?:\d*,)?(\d+)\}")


class _Lines:
    """Where the values of a TOML file stand; tomllib keeps no line numbers."""

    def __init__(self, text: str, heading: str) -> None:
        """Take the text, and the regular expression that begins each table."""
        self._lines = text.splitlines()
        self._heads = [number for number, line in enumerate(self._lines) if re.match(heading, line)]

    def of(self, table: int, key: str, value: object = None) -> int:
        """The line of a value of table number `table`, else of its key, else of its heading, counted from 1."""
        if table >= len(self._heads):
            return 1
        first, *rest = self._heads[table:]
        block = self._lines[first : rest[0] if rest else None]
        start = next((place for place, line in enumerate(block) if re.match(rf"\s*{key}\s*=", line)), 0)
        if isinstance(value, str) and value:
            written = (value, json.dumps(value, ensure_ascii=False)[1:-1])
            start = next((place for place in range(start, len(block)) if any(form in block[place] for form in written)), start)
        return first + start + 1


def _parsed(file: str, text: str, problems: list[InputError]) -> dict[str, Any]:
    """The content of a TOML file; empty, with a problem, where it is not TOML."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        place = re.search(r"line (\d+)", str(error))
        problems.append(InputError("E131", file=file, row=place[1] if place else len(text.splitlines()), found=str(error)))
        return {}


def read_clauses(file: str, text: str, shipped: Collection[str], problems: list[InputError]) -> dict[str, Clause]:
    """The clauses of [clause."id"] tables."""
    raw, lines = _parsed(file, text, problems), _Lines(text, r"\s*\[clause\.")
    tables = raw.get("clause", {})
    if set(raw) - {"clause"} or not isinstance(tables, dict):
        problems.append(InputError("E132", file=file, row=1, key="、".join(sorted(raw)), found="未知", expected='[clause."编号"]'))
        return {}
    found: dict[str, Clause] = {}
    for number, (name, values) in enumerate(tables.items()):
        before = len(problems)
        if not isinstance(values, dict) or set(values) != set(CLAUSE_KEYS) or not all(isinstance(item, str) for item in values.values()):
            keys = "、".join(values) if isinstance(values, dict) else type(values).__name__
            row = lines.of(number, "")
            problems.append(InputError("E132", file=file, row=row, key=name, found=keys, expected="、".join(CLAUSE_KEYS) + "，均为字符串"))
            continue
        if name.split() != [name]:
            problems.append(InputError("E132", file=file, row=lines.of(number, ""), key=name, found=repr(name), expected="不含空白的编号"))
        if name in shipped:
            problems.append(InputError("E129", file=file, row=lines.of(number, ""), found=name, first="随附的政策库"))
        if values["verified"] not in VERIFIED_NAMES:
            row, expected = lines.of(number, "verified"), " / ".join(VERIFIED_NAMES)
            problems.append(InputError("E132", file=file, row=row, key="verified", found=values["verified"], expected=expected))
        if not values["gist"].strip():
            problems.append(InputError("E132", file=file, row=lines.of(number, "gist"), key="gist", found="空", expected="条款要点"))
        if len(problems) == before:
            found[name] = Clause(name, "local", values["document"], values["article"], values["gist"], values["verified"])
    return found


def read_signals(file: str, text: str, clauses: Collection[str], problems: list[InputError]) -> list[Rule]:
    """The sound rules of [[rule]] tables; their examples are tried."""
    raw, lines = _parsed(file, text, problems), _Lines(text, r"\s*\[\[\s*rule\s*\]\]")
    tables = raw.get("rule", [])
    if set(raw) - {"rule"} or not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        problems.append(InputError("E132", file=file, row=1, key="、".join(sorted(raw)), found="未知", expected="[[rule]]"))
        return []
    rules = []
    for number, table in enumerate(tables):
        before = len(problems)
        _check_keys(file, table, number, lines, problems)
        if len(problems) == before:
            _check_values(file, table, number, clauses, lines, problems)
        if len(problems) == before:
            words = {key: [folded(word) for word in table.get(key, ())] for key in ("words", "triggers")}
            rules.append(Rule.of({**table, **words}))
            _try_examples(file, rules[-1], number, lines, problems)
    return rules


def _check_keys(file: str, table: Mapping[str, Any], number: int, lines: _Lines, problems: list[InputError]) -> None:
    """Keys and types of one rule."""

    def wrong(key: str, found: str, expected: str) -> None:
        problems.append(InputError("E132", file=file, row=lines.of(number, key), key=key, found=found, expected=expected))

    for key in table.keys() - {"signal", *LISTS}:
        wrong(key, "未知的键", "、".join(("signal", *LISTS)))
    for key in REQUIRED:
        if not table.get(key):
            wrong(key, "缺少或为空", "每条规则都有 signal，且 must_match、must_not_match 各至少一个例子")
    if "signal" in table and not isinstance(table["signal"], str):
        wrong("signal", type(table["signal"]).__name__, "字符串")
    for key in LISTS:
        values = table.get(key, [])
        if not isinstance(values, list) or not all(isinstance(value, str) and value.strip() for value in values):
            wrong(key, repr(values)[:60], "非空字符串的列表")
    if not table.get("words") and not table.get("patterns"):
        wrong("patterns", "缺少或为空", "words 或 patterns 至少一项")


def _check_values(
    file: str, table: Mapping[str, Any], number: int, clauses: Collection[str], lines: _Lines, problems: list[InputError]
) -> None:
    """Signal, clauses, words and regular expressions of one rule."""
    if table["signal"] not in TAXONOMY.signals:
        row, expected = lines.of(number, "signal"), "、".join(TAXONOMY.signals)
        problems.append(InputError("E126", file=file, row=row, found=table["signal"], expected=expected))
    for clause in table.get("clauses", ()):
        unknown_clauses([clause], clauses, file, lines.of(number, "clauses", clause), problems)
    for key in ("words", "triggers"):
        for word in table.get(key, ()):
            if not folded(word):
                problems.append(InputError("E130", file=file, row=lines.of(number, key, word), found=repr(word)))
    for key in ("patterns", "unless"):
        before = len(problems)
        for pattern in table.get(key, ()):
            _check_pattern(file, pattern, lines.of(number, key, pattern), problems)
        if key == "unless" and len(problems) == before:
            _check_pattern(file, "|".join(table.get(key, ())), lines.of(number, key), problems)


def _check_pattern(file: str, pattern: str, row: int, problems: list[InputError]) -> None:
    """A pattern must be a regular expression whose every repetition is bounded, so that it runs in linear time."""
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        problems.append(InputError("E133", file=file, row=row, found=f"{pattern}（{error}）"))
        return
    for repeated in _REPEATED.finditer(_LITERAL.sub("_", pattern)):
        if repeated[1] is None or int(repeated[1]) > LONGEST_REPETITION:
            problems.append(InputError("E134", file=file, row=row, found=f"{repeated[0]}（{pattern}）", expected=LONGEST_REPETITION))
            return


def _try_examples(file: str, rule: Rule, number: int, lines: _Lines, problems: list[InputError]) -> None:
    """Every example must set the rule off, or leave it silent, as the file says."""
    for key, examples, wanted in (("must_match", rule.must_match, True), ("must_not_match", rule.must_not_match, False)):
        for example in examples:
            if rule.speaks(folded(example)) != wanted:
                said = ("触发", "没有触发") if wanted else ("不触发", "触发了")
                row = lines.of(number, key, example)
                problems.append(InputError("E135", file=file, row=row, key=key, example=example, expected=said[0], found=said[1]))
