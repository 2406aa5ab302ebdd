"""Signals that are a way of saying something: words and patterns from TOML files, with examples that must and must not match."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Self

import ahocorasick_rs

from classifier.signals.misread import as_meant
from classifier.signals.registry import Context, Detector, SignalMatch


@dataclass(frozen=True, slots=True)
class Rule:
    """One signal's words and patterns. `unless` silences what it finds in the ten characters before a match or in it."""

    signal: str
    triggers: tuple[str, ...]
    words: ahocorasick_rs.AhoCorasick | None
    patterns: tuple[re.Pattern[str], ...]
    unless: re.Pattern[str] | None
    must_match: tuple[str, ...]
    must_not_match: tuple[str, ...]
    clauses: tuple[str, ...]

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """A rule from its table. Patterns without `triggers` run on every text; words are their own triggers."""
        words, triggers = (tuple(map(as_meant, values.get(key, ()))) for key in ("words", "triggers"))
        patterns, unless = tuple(map(re.compile, values.get("patterns", ()))), values.get("unless", ())
        return cls(
            values["signal"],
            (*triggers, *words) if triggers or not patterns else (),
            ahocorasick_rs.AhoCorasick(words) if words else None,
            patterns,
            re.compile("|".join(unless)) if unless else None,
            tuple(values.get("must_match", ())),
            tuple(values.get("must_not_match", ())),
            tuple(values.get("clauses", ())),
        )

    def find(self, text: str) -> Iterator[tuple[int, int]]:
        """[first, stop) of the matches that nothing silences."""
        found = [(first, stop) for _, first, stop in self.words.find_matches_as_indexes(text)] if self.words else []
        found += [match.span() for pattern in self.patterns for match in pattern.finditer(text)]
        yield from (span for span in found if self._speaks(text, *span))

    def speaks(self, text: str) -> bool:
        """True where the rule, its triggers included, finds something in a folded text."""
        text = as_meant(text)
        return (not self.triggers or any(word in text for word in self.triggers)) and any(True for _ in self.find(text))

    def _speaks(self, text: str, first: int, stop: int) -> bool:
        return self.unless is None or not self.unless.search(text, max(0, first - 10), stop)


@cache
def load_rules() -> tuple[Rule, ...]:
    """The rules of phrases/*.toml, file by file."""
    folder = resources.files("classifier.signals").joinpath("phrases")
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".toml")), key=lambda file: file.name)
    return tuple(Rule.of(rule) for file in files for rule in tomllib.loads(file.read_text(encoding="utf-8"))["rule"])


class Pattern(Detector):
    """One rule of words and patterns."""

    def __init__(self, rule: Rule) -> None:
        """Run where the rule's triggers occur."""
        self.signals = (rule.signal,)
        self.triggers = rule.triggers
        self._rule = rule

    def find(self, text: str, context: Context) -> Iterator[SignalMatch]:
        """The rule's matches, their words as the value."""
        for first, stop in self._rule.find(text):
            yield SignalMatch(self._rule.signal, text[first:stop].strip(), first, stop, self._rule.clauses)
