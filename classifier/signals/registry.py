"""The contract of signal detectors, their registry, and one pass over a text.

To add a detector: subclass Detector in a file of its own, name the signals it reports and the words without which it
need not run, yield a SignalMatch for every place it finds, and `register` an instance. `find` is given folded text
(lower case, half width, simplified) and must be linear in its length.
"""

import hashlib
import importlib
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

import ahocorasick_rs

from classifier.taxonomy import TAXONOMY

_MODULES = ("days", "hours", "fees", "advance", "patterns", "preschool")


_MISREAD = re.compile(r"[ol](?:(?<=[\d:][ol])|(?<=[\d:][ol][ol])|(?=[ol]{0,2}[\d:]))|曰")
_READ = {"o": "0", "l": "1", "曰": "日"}


@dataclass(frozen=True, slots=True)
class SignalMatch:
    """A signal found at [first, stop) of the folded text, with the parsed value in Chinese."""

    signal: str
    value: str
    first: int
    stop: int


@dataclass(frozen=True, slots=True)
class Context:
    """What the model has decided of the text before the rules run."""

    category: str
    form: str
    stages: frozenset[str]

    def admits(self, signal: str) -> bool:
        """Advertising signals hold for ads of training for minors; conduct signals for subject training, any form."""
        if TAXONOMY.signals[signal].group == "conduct":
            return self.category == "subject"
        return self.form == "ad" and self.category != "out_of_scope"


class Detector(ABC):
    """Finds signals in one folded text. `triggers`: words of which at least one must occur; empty runs always."""

    signals: tuple[str, ...]
    triggers: tuple[str, ...]

    @abstractmethod
    def find(self, text: str, context: Context) -> Iterator[SignalMatch]:
        """Every match in `text`; only signals of `self.signals`."""


_DETECTORS: list[Detector] = []


def register(detector: Detector) -> None:
    """Put a detector into the registry."""
    _DETECTORS.append(detector)


@cache
def registered() -> tuple[Detector, ...]:
    """All detectors, in a fixed order."""
    for name in _MODULES:
        importlib.import_module(f"classifier.signals.{name}")
    return tuple(_DETECTORS)


@cache
def _triggers() -> tuple[ahocorasick_rs.AhoCorasick, tuple[int, ...], int]:
    """Automaton over all trigger words, the detector bits of each word, and the bits of detectors that always run."""
    bits: dict[str, int] = {}
    always = 0
    for number, detector in enumerate(registered()):
        always |= 0 if detector.triggers else 1 << number
        for word in detector.triggers:
            bits[word] = bits.get(word, 0) | 1 << number
    return ahocorasick_rs.AhoCorasick(list(bits)), tuple(bits.values()), always


@cache
def context_of(category: str, form: str, stages: tuple[str, ...]) -> Context:
    """The context of these decisions; the few there are, are kept."""
    return Context(category, form, frozenset(stages))


@cache
def _admitted(category: str, form: str) -> int:
    """The bits of the detectors that may report something in such a text."""
    context = Context(category, form, frozenset())
    return sum(1 << number for number, detector in enumerate(registered()) if any(map(context.admits, detector.signals)))


def _as_read(match: re.Match[str]) -> str:
    """The digit for which a character reader took a letter beside digits (l8:OO), and 日 for 曰; lengths do not change."""
    return _READ[match.group()]


def detect(text: str, starts: Sequence[int], contexts: Sequence[Context]) -> list[list[SignalMatch]]:
    """Run over a folded batch the detectors that may find something; each match is placed in its own text.

    text: the batch as one string, boundaries included. starts: where each text begins, and where the next would.
    """
    text = _MISREAD.sub(_as_read, text)
    automaton, bits, always = _triggers()
    active = [always] * len(contexts)
    owner, stop = -1, 0
    for word, first, _ in automaton.find_matches_as_indexes(text, overlapping=True):
        while first >= stop:
            owner += 1
            stop = starts[owner + 1]
        active[owner] |= bits[word]
    detectors = registered()
    found: list[list[SignalMatch]] = []
    for number, context in enumerate(contexts):
        waiting = active[number] & _admitted(context.category, context.form)
        matches: list[SignalMatch] = []
        part = text[starts[number] : starts[number + 1] - 1] if waiting else ""
        while waiting:
            lowest = waiting & -waiting
            waiting ^= lowest
            matches += detectors[lowest.bit_length() - 1].find(part, context)
        found.append(matches)
    return found


@cache
def rules_version() -> str:
    """A hash of the rules' files: it changes when a rule does."""
    digest = hashlib.sha256()
    for package in ("classifier.signals", "classifier.lexicon"):
        for folder in (resources.files(package), *(resources.files(package).joinpath(name) for name in ("cues", "phrases"))):
            if not folder.is_dir():
                continue
            for entry in sorted(folder.iterdir(), key=lambda item: item.name):
                if entry.name.endswith((".py", ".toml", ".tsv")):
                    digest.update(entry.name.encode() + b"\0" + entry.read_bytes())
    return f"rules@sha256:{digest.hexdigest()[:12]}"
