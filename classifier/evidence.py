"""Evidence: the places in the original that speak for a finding, from cues, rules and the model's own attribution."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from classifier.decisions import SUBJECT, Decisions
from classifier.engines.artifact import HEADS, head_slices
from classifier.engines.fast import FastModel, Scores
from classifier.engines.features import ORDERS
from classifier.lexicon.matcher import CODED
from classifier.records import Evidence, Record
from classifier.signals import SignalMatch
from classifier.taxonomy import TAXONOMY
from classifier.text.composition import Segment, locate
from classifier.text.folding import FoldedBatch, Reading

LIMIT = 8
"""At most this many spans are shown for one text."""

RULE_WEIGHT = 1.5
_CODED = HEADS["disguises"].index(CODED)
_SPANS_PER_TARGET = 2
_MINIMUM_SHARE = 0.25
_SLICES = head_slices()
_OUTPUTS = {label: _SLICES[head].start + number for head in HEADS if head != "form" for number, label in enumerate(HEADS[head])}
_CUE_LABELS = (*HEADS["subjects"], *HEADS["disguises"], *HEADS["stages"], "out_of_scope")
_CLAUSES = {label: TAXONOMY[label].clauses for label in _OUTPUTS if label != "disguised"}
_BOUNDARY_CHARACTERS = " \n,.;:!?、。·|()[]<>《》\"'“”-~/"


@dataclass(slots=True)
class _Candidate:
    first: int
    stop: int
    finding: str
    origin: str
    weight: float
    clauses: tuple[str, ...]


class _Target(NamedTuple):
    """What the model's attribution is asked for in wanted texts: one output a text, against a rival or beside another output."""

    outputs: NDArray[np.int64]
    wanted: NDArray[np.bool_]
    rival: NDArray[np.int64] | None = None
    beside: int | None = None


def _attributed(scores: Scores, model: FastModel, batch: FoldedBatch, target: _Target) -> NDArray[np.float64]:
    """Weight of every code for a target's output (less its rival, with the output beside it), 0 elsewhere; shape (codes,)."""
    ngrams = scores.ngrams
    owner = np.repeat(np.arange(len(batch)), np.diff(ngrams.pointers))
    asked = np.flatnonzero(target.wanted[owner])
    owner, rows = owner[asked], ngrams.rows[asked]
    weight = model.contributions(rows, target.outputs[owner])
    if target.rival is not None:
        weight = weight - model.contributions(rows, target.rival[owner])
    if target.beside is not None:
        weight = weight + model.contributions(rows, np.full(len(rows), target.beside))
    weight = weight * scores.scale[owner]
    place, order = np.divmod(ngrams.slots[asked], ORDERS)
    spread = weight / (order + 1)
    total = np.zeros(len(batch.codes) + ORDERS)
    for step in range(ORDERS):
        reach = order >= step
        total += np.bincount(place[reach] + step, weights=spread[reach], minlength=len(total))
    return total[: len(batch.codes)]


def _spans(weights: NDArray[np.float64], batch: FoldedBatch, wanted: NDArray[np.bool_]) -> list[list[tuple[float, int, int]]]:
    """The strongest runs of positively weighted codes of each wanted text, as (weight, first, stop)."""
    strong = np.zeros(len(weights), dtype=bool)
    sizes = np.diff(batch.starts)
    peak = np.maximum.reduceat(weights, batch.starts[:-1]) if len(batch) else np.zeros(0)
    limit = np.where(wanted, np.maximum(peak * _MINIMUM_SHARE, 0.05), np.inf)
    strong[batch.starts[0] : batch.starts[-1]] = weights[batch.starts[0] : batch.starts[-1]] > np.repeat(limit, sizes)
    strong[batch.starts - 1] = False
    edges = np.flatnonzero(strong[1:] != strong[:-1]) + 1
    first, stop = edges[::2], edges[1::2]
    if not len(first):
        return [[] for _ in range(len(batch))]
    sums = np.add.reduceat(weights, edges)[::2].round(3)
    found: list[list[tuple[float, int, int]]] = [[] for _ in range(len(batch))]
    owner = np.searchsorted(batch.starts, first, side="right") - 1
    for text, weight, begin, end in zip(owner.tolist(), sums.tolist(), first.tolist(), stop.tolist(), strict=True):
        if end - begin > 1:
            found[text].append((weight, begin, end))
    return [sorted(spans, reverse=True)[:_SPANS_PER_TARGET] if len(spans) > 1 else spans for spans in found]


def _targets(decisions: Decisions, candidates: list[list[_Candidate]]) -> list[_Target]:
    """The category against its rival, everywhere; the likeliest subject where no cue speaks for it; what makes a disguise of it.

    The likeliest disguise is asked for together with the verdict that there is one.
    """
    start = _SLICES["category"].start
    ranked = decisions.category_probabilities.argsort(axis=1)
    subject = np.where(decisions.subjects, decisions.subject_probabilities, -1).argmax(axis=1)
    silent = [HEADS["subjects"][label] not in {item.finding for item in found} for label, found in zip(subject, candidates, strict=True)]
    disguise = np.where(decisions.disguises, decisions.disguise_probabilities, -1).argmax(axis=1)
    return [
        _Target(ranked[:, -1] + start, np.ones(len(ranked), dtype=bool), rival=ranked[:, -2] + start),
        _Target(subject + _SLICES["subjects"].start, decisions.subjects.any(axis=1) & np.array(silent, dtype=bool)),
        _Target(disguise + _SLICES["disguises"].start, decisions.disguised, beside=_OUTPUTS["disguised"]),
    ]


def _by_place(candidate: _Candidate) -> tuple[int, int]:
    return candidate.first, -candidate.stop


def _by_weight(candidate: _Candidate) -> tuple[float, int]:
    return -candidate.weight, candidate.first


def _joined(candidates: list[_Candidate]) -> list[_Candidate]:
    """One finding's candidates, those that overlap made one."""
    joined: list[_Candidate] = []
    for candidate in sorted(candidates, key=_by_place):
        last = joined[-1] if joined else None
        if last and candidate.first < last.stop:
            last.stop = max(last.stop, candidate.stop)
            if candidate.weight > last.weight:
                last.weight, last.origin, last.clauses = candidate.weight, candidate.origin, candidate.clauses
        else:
            joined.append(candidate)
    return joined


def _merged(candidates: list[_Candidate]) -> list[_Candidate]:
    """One candidate for overlapping spans of one finding, the strongest origin kept; strongest first, at most LIMIT.

    Where there are more, every finding's strongest comes before any second one, and stages come last.
    """
    if len(candidates) < 2:
        return candidates
    by_finding: dict[str, list[_Candidate]] = {}
    for candidate in candidates:
        by_finding.setdefault(candidate.finding, []).append(candidate)
    merged = [candidate for found in by_finding.values() for candidate in (_joined(found) if len(found) > 1 else found)]
    merged.sort(key=_by_weight)
    return merged if len(merged) <= LIMIT else _chosen(merged)


def _chosen(candidates: list[_Candidate]) -> list[_Candidate]:
    """LIMIT of too many candidates, which come strongest first; that order is kept."""
    seen: set[str] = set()
    ranks = []
    for place, candidate in enumerate(candidates):
        ranks.append((candidate.finding in TAXONOMY.stages, candidate.finding in seen, place))
        seen.add(candidate.finding)
    return [candidates[place] for place in sorted(place for _, _, place in sorted(ranks)[:LIMIT])]


class EvidenceFinder:
    """Finds the evidence of a batch that has been scored and decided."""

    def __init__(self, model: FastModel) -> None:
        """Prepare what stays the same for every batch: each cue's output, learned weight and clauses."""
        self._model = model
        groups = model.lexicon.groups
        place = {label: number for number, label in enumerate(_CUE_LABELS)}
        self._column = np.array([place.get(finding, 0) for finding, _ in groups])
        self._said_once = np.array([finding in HEADS["stages"] for finding, _ in groups])
        self._coded = max(0.5, model.cue_weight(groups.index((CODED, True)), _OUTPUTS[CODED]))
        self._learned = np.array(
            [model.cue_weight(number, _OUTPUTS[finding]) if finding in place else 0.0 for number, (finding, _) in enumerate(groups)]
        )
        of_cue = self._learned[model.lexicon.group_of_cue]
        self._shown = [
            (cue.finding, round(max(float(learned), 0.05) * cue.weight, 3), cue.clauses or _CLAUSES[cue.finding])
            for cue, learned in zip(model.lexicon.cues, of_cue, strict=True)
        ]

    def find(
        self,
        records: Sequence[Record],
        segments: Sequence[list[Segment]],
        batch: FoldedBatch,
        text: str,
        scores: Scores,
        decisions: Decisions,
        signals: Sequence[list[SignalMatch]],
    ) -> list[tuple[Evidence, ...]]:
        """Evidence of every record, strongest first. `text` is batch.text(); signal matches are placed in single texts."""
        candidates = self._cues(scores, decisions)
        for target in _targets(decisions, candidates):
            if target.wanted.any():
                weights = _attributed(scores, self._model, batch, target)
                for number, spans in enumerate(_spans(weights, batch, target.wanted)):
                    label = _LABELS[int(target.outputs[number])] if spans else ""
                    for weight, first, stop in spans[: 1 if candidates[number] and target.beside is None else _SPANS_PER_TARGET]:
                        candidates[number].append(_Candidate(first, stop, label, "model", weight, _CLAUSES[label]))
        for number, reading in zip(_owners(batch), batch.readings, strict=True):
            if decisions.disguises[number, _CODED]:
                candidates[number].append(
                    _Candidate(reading.first, reading.stop, CODED, "decoder", round(self._coded * reading.probability, 3), _CLAUSES[CODED])
                )
        starts, places = batch.starts.tolist(), _Places(batch)
        for number, matches in enumerate(signals):
            for match in matches:
                if match.stop > match.first:
                    first, stop = starts[number] + match.first, starts[number] + match.stop
                    candidates[number].append(_Candidate(first, stop, match.signal, "rule", RULE_WEIGHT, match.cited))
        return [
            tuple(filter(None, (_placed(item, record, parts, places, text) for item in _merged(found))))
            for record, parts, found in zip(records, segments, candidates, strict=True)
        ]

    def _cues(self, scores: Scores, decisions: Decisions) -> list[list[_Candidate]]:
        """Cues of chosen labels, with the weight that the model learned for them; local cues whatever was chosen."""
        cues = scores.cues
        chosen = np.concatenate(
            (decisions.subjects, decisions.disguises, decisions.stages, (decisions.category != SUBJECT)[:, None]), axis=1
        )
        group = self._model.lexicon.group_of_cue[cues.cue]
        said = chosen[cues.owner, self._column[group]] & (self._learned[group] > 0)
        speaking = np.flatnonzero(said | (cues.cue >= self._model.lexicon.shipped))
        _, once = np.unique(cues.owner[speaking] * len(self._learned) + group[speaking], return_index=True)
        speaking = speaking[~self._said_once[group[speaking]] | np.isin(np.arange(len(speaking)), once)]
        found: list[list[_Candidate]] = [[] for _ in range(len(chosen))]
        columns = (cues.cue, cues.first, cues.stop, cues.owner)
        for number, first, stop, owner in zip(*(column[speaking].tolist() for column in columns), strict=True):
            finding, weight, clauses = self._shown[number]
            found[owner].append(_Candidate(first, stop, finding, "cue", weight, clauses))
        return found


def _owners(batch: FoldedBatch) -> list[int]:
    """The text of every reading."""
    owners: list[int] = (np.searchsorted(batch.starts, [reading.first for reading in batch.readings], side="right") - 1).tolist()
    return owners


class _Places:
    """Where the characters of a batch stand in their originals, and which of them a decoder has written."""

    def __init__(self, batch: FoldedBatch) -> None:
        """Take plain lists, which are read one by one faster than arrays."""
        self.origin, self.ends = batch.origin.tolist(), batch.ends.tolist()
        self.readings = batch.readings
        self._firsts = [reading.first for reading in batch.readings]

    def reading(self, first: int, stop: int) -> Reading | None:
        """The decoded word that overlaps [first, stop), if any."""
        place = bisect_left(self._firsts, stop) - 1
        return self.readings[place] if place >= 0 and self.readings[place].stop > first else None


def _placed(item: _Candidate, record: Record, segments: list[Segment], places: _Places, text: str) -> Evidence | None:
    """A candidate's place in the original field, without punctuation at its ends; None where nothing is left."""
    words = text[item.first : item.stop].rstrip(_BOUNDARY_CHARACTERS)
    stop = item.first + len(words)
    words = words.lstrip(_BOUNDARY_CHARACTERS)
    first = stop - len(words)
    if not words:
        return None
    place = locate(segments, places.origin[first], places.ends[stop - 1])
    if place is None:
        return None
    field, start, end = place
    surface = getattr(record, field)[start:end]
    origin = "decoder" if item.origin == "cue" and places.reading(first, stop) else item.origin
    return Evidence(start, end, surface, words, item.finding, origin, item.weight, item.clauses, field)


_LABELS = {output: label for label, output in _OUTPUTS.items()}
