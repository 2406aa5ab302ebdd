"""Evidence: the places in the original that speak for a finding, from cues, rules and the model's own attribution."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from classifier.decisions import SUBJECT, Decisions
from classifier.engines.artifact import HEADS, head_slices
from classifier.engines.fast import FastModel, Scores
from classifier.engines.features import ORDERS
from classifier.records import Evidence, Record
from classifier.signals import SignalMatch
from classifier.taxonomy import TAXONOMY
from classifier.text.composition import Segment, locate
from classifier.text.folding import FoldedBatch

LIMIT = 12
"""At most this many spans are shown for one text."""

RULE_WEIGHT = 1.5
_SPANS_PER_TARGET = 2
_MINIMUM_SHARE = 0.25
_SLICES = head_slices()
_OUTPUTS = {label: _SLICES[head].start + number for head in HEADS if head != "form" for number, label in enumerate(HEADS[head])}
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


def _attributed(
    scores: Scores, model: FastModel, batch: FoldedBatch, outputs: NDArray[np.int64], base: NDArray[np.int64] | None
) -> NDArray[np.float64]:
    """Weight of every code for one output a text (minus `base` outputs, where given); shape (codes,)."""
    ngrams = scores.ngrams
    owner = np.repeat(np.arange(len(batch)), np.diff(ngrams.pointers))
    weight = model.contributions(ngrams, outputs[owner])
    if base is not None:
        weight = weight - model.contributions(ngrams, base[owner])
    weight = weight * scores.scale[owner]
    place, order = np.divmod(ngrams.slots, ORDERS)
    spread = weight / (order + 1)
    total = np.zeros(len(batch.codes))
    for step in range(ORDERS):
        reach = order >= step
        total += np.bincount(place[reach] + step, weights=spread[reach], minlength=len(total))[: len(total)]
    return total


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
    sums = np.add.reduceat(weights, edges)[::2]
    found: list[list[tuple[float, int, int]]] = [[] for _ in range(len(batch))]
    owner = np.searchsorted(batch.starts, first, side="right") - 1
    for text, weight, begin, end in zip(owner.tolist(), sums.tolist(), first.tolist(), stop.tolist(), strict=True):
        if end - begin > 1:
            found[text].append((weight, begin, end))
    return [sorted(spans, reverse=True)[:_SPANS_PER_TARGET] for spans in found]


def _targets(decisions: Decisions) -> list[tuple[NDArray[np.int64], NDArray[np.int64] | None, NDArray[np.bool_]]]:
    """What the model's attribution is asked for: the category against its rival, the likeliest subject, the likeliest disguise."""
    everything = np.ones(len(decisions.category), dtype=bool)
    ranked = decisions.category_probabilities.argsort(axis=1)
    start = _SLICES["category"].start
    subject = np.where(decisions.subjects, decisions.subject_probabilities, -1).argmax(axis=1) + _SLICES["subjects"].start
    disguise = np.where(decisions.disguises, decisions.disguise_probabilities, -1).argmax(axis=1) + _SLICES["disguises"].start
    return [
        (ranked[:, -1] + start, ranked[:, -2] + start, everything),
        (subject, None, np.asarray(decisions.subjects.any(axis=1))),
        (disguise, None, decisions.disguised),
    ]


def _merged(candidates: list[_Candidate]) -> list[_Candidate]:
    """One candidate for overlapping spans of one finding, the strongest origin kept; strongest first, at most LIMIT."""
    merged: list[_Candidate] = []
    for candidate in sorted(candidates, key=lambda item: (item.finding, item.first, -item.stop)):
        last = merged[-1] if merged else None
        if last and last.finding == candidate.finding and candidate.first < last.stop:
            last.stop = max(last.stop, candidate.stop)
            if candidate.weight > last.weight:
                last.weight, last.origin, last.clauses = candidate.weight, candidate.origin, candidate.clauses or last.clauses
        else:
            merged.append(candidate)
    return sorted(merged, key=lambda item: (-item.weight, item.first))[:LIMIT]


class EvidenceFinder:
    """Finds the evidence of a batch that has been scored and decided."""

    def __init__(self, model: FastModel) -> None:
        """Prepare what stays the same for every batch: each cue's output, learned weight and clauses."""
        self._model = model
        outputs = [_OUTPUTS.get(finding, -1) for finding in model.lexicon.findings]
        self._learned = [float(model.cue_weight(number, output)) if output >= 0 else 0.0 for number, output in enumerate(outputs)]

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
        for outputs, base, wanted in _targets(decisions):
            weights = _attributed(scores, self._model, batch, outputs, base)
            for number, spans in enumerate(_spans(weights, batch, wanted)):
                label = _LABELS[int(outputs[number])]
                for weight, first, stop in spans:
                    candidates[number].append(_Candidate(first, stop, label, "model", weight, _CLAUSES[label]))
        starts = batch.starts.tolist()
        for number, matches in enumerate(signals):
            for match in matches:
                if match.stop > match.first:
                    clauses = TAXONOMY.signals[match.signal].clauses
                    candidates[number].append(
                        _Candidate(starts[number] + match.first, starts[number] + match.stop, match.signal, "rule", RULE_WEIGHT, clauses)
                    )
        return [
            tuple(filter(None, (self._placed(item, record, parts, batch, text) for item in _merged(found))))
            for record, parts, found in zip(records, segments, candidates, strict=True)
        ]

    def _cues(self, scores: Scores, decisions: Decisions) -> list[list[_Candidate]]:
        """Cues of chosen labels, with the weight that the model learned for them."""
        chosen = [
            {HEADS["subjects"][label] for label in np.flatnonzero(subjects)}
            | {HEADS["disguises"][label] for label in np.flatnonzero(disguises)}
            | ({HEADS["stages"][label] for label in np.flatnonzero(stages)})
            | ({"out_of_scope"} if category != SUBJECT else set())
            for category, subjects, disguises, stages in zip(
                decisions.category.tolist(), decisions.subjects, decisions.disguises, decisions.stages, strict=True
            )
        ]
        found: list[list[_Candidate]] = [[] for _ in chosen]
        lexicon, cues = self._model.lexicon, scores.cues
        for number, first, stop, owner in zip(cues.cue.tolist(), cues.first.tolist(), cues.stop.tolist(), cues.owner.tolist(), strict=True):
            cue = lexicon.cues[number]
            if cue.finding in chosen[owner]:
                weight = self._learned[lexicon.finding_of_cue[number]]
                if weight > 0:
                    found[owner].append(_Candidate(first, stop, cue.finding, "cue", weight * cue.weight, cue.clauses))
        return found

    def _placed(self, item: _Candidate, record: Record, segments: list[Segment], batch: FoldedBatch, text: str) -> Evidence | None:
        """A candidate's place in the original field, without punctuation at its ends; None where nothing is left."""
        first, stop = item.first, item.stop
        while first < stop and text[first] in _BOUNDARY_CHARACTERS:
            first += 1
        while stop > first and text[stop - 1] in _BOUNDARY_CHARACTERS:
            stop -= 1
        if first == stop:
            return None
        place = locate(segments, *batch.span(first, stop - 1))
        if place is None:
            return None
        field, start, end = place
        surface = getattr(record, field)[start:end]
        return Evidence(start, end, surface, text[first:stop], item.finding, item.origin, round(item.weight, 3), item.clauses, field)


_LABELS = {output: label for label, output in _OUTPUTS.items()}
