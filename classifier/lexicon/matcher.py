"""Cues from our own tables, found in a whole batch by one Aho–Corasick pass."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from itertools import chain

import ahocorasick_rs
import numpy as np
from numpy.typing import NDArray

from classifier.lexicon.ages import stage_cues
from classifier.text.folding import FoldedBatch

PLAIN_WEIGHT = 1.0
"""Cues of this weight and more say their finding plainly; lighter ones hint at it. The model weighs the two apart."""

CODED = "coded_language"
"""The finding that a decoded word speaks for."""


@dataclass(frozen=True, slots=True)
class Cue:
    """A word, in folded form, that points at a label."""

    word: str
    finding: str
    weight: float
    clauses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CueMatches:
    """Cue occurrences of a batch, ordered by text.

    cue: int64, index into `Lexicon.cues`; first, stop: int64, [first, stop) in the batch's codes; owner: int64, the text.
    """

    cue: NDArray[np.int64]
    first: NDArray[np.int64]
    stop: NDArray[np.int64]
    owner: NDArray[np.int64]


class Lexicon:
    """A set of cues. The same word may point at several labels. `groups`: (finding, said plainly) of every group of cues.

    `local` cues, a district's own, join the groups of the others: the model weighs groups, not words, so that a new word
    acts like those it was trained with. Cue numbers from `shipped` on are local.
    """

    def __init__(self, cues: Sequence[Cue], local: Sequence[Cue] = ()) -> None:
        """Build the automaton; longest matches win where cues of one label overlap is left to the evidence.

        A local cue's finding must be one that the other cues have.
        """
        self.cues = (*cues, *local)
        self.shipped = len(cues)
        self.groups = sorted({(cue.finding, cue.weight >= PLAIN_WEIGHT) for cue in cues})
        place = {group: number for number, group in enumerate(self.groups)}
        self.group_of_cue = np.array([_group(place, cue) for cue in self.cues], dtype=np.int64)
        self._automaton = ahocorasick_rs.AhoCorasick(
            [cue.word for cue in self.cues], implementation=ahocorasick_rs.Implementation.ContiguousNFA
        )

    def match(self, batch: FoldedBatch) -> CueMatches:
        """All cue occurrences, overlapping ones included, in reading order."""
        found = self._automaton.find_matches_as_indexes(batch.text(), overlapping=True)
        table = np.fromiter(chain.from_iterable(found), dtype=np.int64, count=3 * len(found)).reshape(-1, 3)
        owner = np.searchsorted(batch.starts, table[:, 1], side="right") - 1
        return CueMatches(table[:, 0], table[:, 1], table[:, 2], owner)

    def presence(self, matches: CueMatches, batch: FoldedBatch, *, local: bool = True) -> NDArray[np.float32]:
        """1 where any cue of a group occurs in a text, or a decoded word speaks of coded language; shape (texts, groups).

        Without `local`, local cues count as absent.
        """
        present = np.zeros((len(batch), len(self.groups)), dtype=np.float32)
        counted = slice(None) if local else matches.cue < self.shipped
        present[matches.owner[counted], self.group_of_cue[matches.cue[counted]]] = 1.0
        decoded = [reading.first for reading in batch.readings]
        present[np.searchsorted(batch.starts, decoded, side="right") - 1, self.groups.index((CODED, True))] = 1.0
        return present


def _group(place: Mapping[tuple[str, bool], int], cue: Cue) -> int:
    """The group of a cue; the finding's other group where it has no cues of this plainness."""
    plain = cue.weight >= PLAIN_WEIGHT
    return place[cue.finding, plain] if (cue.finding, plain) in place else place[cue.finding, not plain]


def parse_cues(text: str) -> list[Cue]:
    """Cues of one table: word, finding, weight and clause ids, a tab between; # begins a remark line."""
    rows = (line.split("\t") for line in text.splitlines() if line and not line.startswith("#"))
    return [Cue(word, finding, float(weight), tuple(clauses.split())) for word, finding, weight, clauses in rows]


@cache
def load_lexicon() -> Lexicon:
    """The cues that come with the package."""
    folder = resources.files("classifier.lexicon").joinpath("cues")
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".tsv"))
    cues = [cue for name in names for cue in parse_cues(folder.joinpath(name).read_text(encoding="utf-8"))]
    return Lexicon(cues + [Cue(word, stage, 1.0, ()) for word, stage in stage_cues()])
