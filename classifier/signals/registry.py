"""The contract of signal detectors, and one pass of a set of them over a batch.

To add a detector: subclass Detector in a file of its own, name the signals it reports and the words without which it
need not run, yield a SignalMatch for every place it finds, and name it in shipped.py. `find` is given folded text
(lower case, half width, simplified), misread characters put right, and must be linear in its length.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import ahocorasick_rs

from classifier.signals.misread import as_meant
from classifier.taxonomy import TAXONOMY


@dataclass(frozen=True, slots=True)
class SignalMatch:
    """A signal found at [first, stop) of the folded text, with the parsed value in Chinese.

    clauses: what a rule cites by itself; the signal's own clauses stand where it cites nothing.
    """

    signal: str
    value: str
    first: int
    stop: int
    clauses: tuple[str, ...] = ()

    @property
    def cited(self) -> tuple[str, ...]:
        """The clauses behind the match."""
        return self.clauses or TAXONOMY.signals[self.signal].clauses


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


@cache
def context_of(category: str, form: str, stages: tuple[str, ...]) -> Context:
    """The context of these decisions; the few there are, are kept."""
    return Context(category, form, frozenset(stages))


class Detector(ABC):
    """Finds signals in one folded text. `triggers`: words of which at least one must occur; empty runs always."""

    signals: tuple[str, ...]
    triggers: tuple[str, ...]

    @abstractmethod
    def find(self, text: str, context: Context) -> Iterator[SignalMatch]:
        """Every match in `text`; only signals of `self.signals`."""


class DetectorSet:
    """Detectors that run side by side, in a fixed order; read-only once made."""

    def __init__(self, detectors: Sequence[Detector]) -> None:
        """Build the automaton over all trigger words, and note which detectors may report in which context."""
        self.detectors = tuple(detectors)
        bits: dict[str, int] = {}
        self._always = 0
        for number, detector in enumerate(self.detectors):
            self._always |= 0 if detector.triggers else 1 << number
            for word in detector.triggers:
                bits[word] = bits.get(word, 0) | 1 << number
        self._triggers = ahocorasick_rs.AhoCorasick(list(bits), implementation=ahocorasick_rs.Implementation.DFA)
        self._bits = tuple(bits.values())
        self._admitted = {
            (category, form): self._admits(Context(category, form, frozenset()))
            for category in TAXONOMY.categories
            for form in TAXONOMY.forms
        }

    def _admits(self, context: Context) -> int:
        """The bits of the detectors that may report something in such a text."""
        return sum(1 << number for number, detector in enumerate(self.detectors) if any(map(context.admits, detector.signals)))

    def detect(self, text: str, starts: Sequence[int], contexts: Sequence[Context]) -> list[list[SignalMatch]]:
        """Run over a folded batch the detectors that may find something; each match is placed in its own text.

        text: the batch as one string, boundaries included. starts: where each text begins, and where the next would.
        """
        text = as_meant(text)
        active = [self._always] * len(contexts)
        owner, stop = -1, 0
        for word, first, _ in self._triggers.find_matches_as_indexes(text, overlapping=True):
            while first >= stop:
                owner += 1
                stop = starts[owner + 1]
            active[owner] |= self._bits[word]
        found: list[list[SignalMatch]] = []
        for number, context in enumerate(contexts):
            waiting = active[number] & self._admitted[context.category, context.form]
            matches: list[SignalMatch] = []
            part = text[starts[number] : starts[number + 1] - 1] if waiting else ""
            while waiting:
                lowest = waiting & -waiting
                waiting ^= lowest
                matches += self.detectors[lowest.bit_length() - 1].find(part, context)
            found.append(matches)
        return found
