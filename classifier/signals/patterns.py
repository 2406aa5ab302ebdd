"""Signals that are a way of saying something: patterns from patterns.toml, with examples that must and must not match."""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources

from classifier.signals.registry import Context, Detector, SignalMatch, register


@dataclass(frozen=True, slots=True)
class Rule:
    """One signal's patterns. `unless` silences a match when it occurs in the ten characters before it or in the match."""

    signal: str
    triggers: tuple[str, ...]
    pattern: re.Pattern[str]
    unless: re.Pattern[str] | None
    must_match: tuple[str, ...]
    must_not_match: tuple[str, ...]

    def find(self, text: str) -> Iterator[re.Match[str]]:
        """Matches that nothing silences."""
        for match in self.pattern.finditer(text):
            if self.unless is None or not self.unless.search(text, max(0, match.start() - 10), match.end()):
                yield match


@cache
def load_rules() -> tuple[Rule, ...]:
    """The rules of patterns.toml."""
    raw = tomllib.loads(resources.files("classifier.signals").joinpath("patterns.toml").read_text(encoding="utf-8"))
    return tuple(
        Rule(
            rule["signal"],
            tuple(rule["triggers"]),
            re.compile("|".join(rule["patterns"])),
            re.compile("|".join(rule["unless"])) if rule.get("unless") else None,
            tuple(rule["must_match"]),
            tuple(rule["must_not_match"]),
        )
        for rule in raw["rule"]
    )


class Pattern(Detector):
    """One rule of patterns.toml."""

    def __init__(self, rule: Rule) -> None:
        """Run where the rule's triggers occur."""
        self.signals = (rule.signal,)
        self.triggers = rule.triggers
        self._rule = rule

    def find(self, text: str, context: Context) -> Iterator[SignalMatch]:
        """The rule's matches, their words as the value."""
        for match in self._rule.find(text):
            yield SignalMatch(self._rule.signal, match.group().strip(), *match.span())


for _rule in load_rules():
    register(Pattern(_rule))
