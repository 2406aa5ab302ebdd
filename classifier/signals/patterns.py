"""Signals that are a way of saying something: patterns from phrases/*.toml, with examples that must and must not match."""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources

import ahocorasick_rs

from classifier.signals.registry import Context, Detector, SignalMatch, register


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

    def find(self, text: str) -> Iterator[tuple[int, int]]:
        """[first, stop) of the matches that nothing silences."""
        found = [(first, stop) for _, first, stop in self.words.find_matches_as_indexes(text)] if self.words else []
        found += [match.span() for pattern in self.patterns for match in pattern.finditer(text)]
        yield from (span for span in found if self._speaks(text, *span))

    def _speaks(self, text: str, first: int, stop: int) -> bool:
        return self.unless is None or not self.unless.search(text, max(0, first - 10), stop)


@cache
def load_rules() -> tuple[Rule, ...]:
    """The rules of phrases/*.toml, file by file."""
    files = sorted(resources.files("classifier.signals").joinpath("phrases").iterdir(), key=lambda file: file.name)
    return tuple(
        Rule(
            rule["signal"],
            (*rule["triggers"], *rule.get("words", ())),
            ahocorasick_rs.AhoCorasick(rule["words"]) if "words" in rule else None,
            tuple(re.compile(pattern) for pattern in rule["patterns"]),
            re.compile("|".join(rule["unless"])) if rule.get("unless") else None,
            tuple(rule["must_match"]),
            tuple(rule["must_not_match"]),
        )
        for file in files
        for rule in tomllib.loads(file.read_text(encoding="utf-8"))["rule"]
    )


class Pattern(Detector):
    """One rule of phrases/*.toml."""

    def __init__(self, rule: Rule) -> None:
        """Run where the rule's triggers occur."""
        self.signals = (rule.signal,)
        self.triggers = rule.triggers
        self._rule = rule

    def find(self, text: str, context: Context) -> Iterator[SignalMatch]:
        """The rule's matches, their words as the value."""
        for first, stop in self._rule.find(text):
            yield SignalMatch(self._rule.signal, text[first:stop].strip(), first, stop)


for _rule in load_rules():
    register(Pattern(_rule))
