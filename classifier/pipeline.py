"""The classifier: records in, assessments out, one at a time, in a stream, or as a frame."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from classifier.decisions import BoolArray, Decisions, chosen_labels, decide
from classifier.engines.artifact import FAST_WEIGHTS, HEADS, default_folder, read_manifest, read_weights, verify_file
from classifier.engines.calibration import FloatArray
from classifier.engines.cascade import refine, unsure
from classifier.engines.fast import FastModel, Scores
from classifier.errors import InputError, ModelError
from classifier.evidence import EvidenceFinder
from classifier.records import Assessment, Finding, Record, Signal, Verdict, Versions
from classifier.rules import RuleSet, load_ruleset
from classifier.signals import SignalMatch
from classifier.signals.registry import context_of
from classifier.taxonomy import TAXONOMY
from classifier.text import compose, normalise
from classifier.text.folding import FoldedBatch
from classifier.triage import REASONS, declared_mismatches, reasons
from classifier.version import __version__

if TYPE_CHECKING:
    import polars as pl

    from classifier.engines.encoder import OnnxEncoder

ENGINES = ("auto", "fast", "encoder")
BATCH = 256
_SIGNAL_ORDER = {label: number for number, label in enumerate(TAXONOMY.signals)}


class Classifier:
    """Judges records. Make one with `load`; it is read-only and may be shared between threads.

    rules: what it knows beside the model; `rules.policy` has the clauses that its assessments cite.
    """

    def __init__(self, folder: Path, engine: str, rules: RuleSet) -> None:
        """Read the model in `folder`. Raises ModelError E201–E205."""
        if engine not in ENGINES:
            raise ModelError("E204", found=engine, expected=" / ".join(ENGINES))
        self.engine = engine
        self.manifest = read_manifest(folder)
        if engine == "encoder" and self.manifest.cascade is None:
            raise ModelError("E205", path=folder)
        self._folder = folder
        self._model = FastModel(read_weights(verify_file(folder, self.manifest, FAST_WEIGHTS)), rules.lexicon)
        self.rules = rules
        self._finder = EvidenceFinder(self._model)
        self.versions = Versions(__version__, self.manifest.version, rules.version, rules.policy.version)

    def assess(self, record: Record | str) -> Assessment:
        """The assessment of one record or text. Raises InputError E111 where there is no text."""
        return next(self.assess_many([record]))

    def assess_many(self, records: Iterable[Record | str], *, evidence: bool = True) -> Iterator[Assessment]:
        """Assessments in the order of the records, streaming: memory does not grow with their number.

        Raises InputError E111 at a record with neither text nor title.
        """
        source = iter(records)
        while batch := [Record(item) if isinstance(item, str) else item for item in islice(source, BATCH)]:
            for record in batch:
                if not record.text.strip() and not record.title.strip():
                    raise InputError("E111", found=f"id={record.id or '—'}")
            yield from self._assess_batch(batch, evidence)

    def assess_frame(self, frame: "pl.DataFrame", *, signals: bool = True) -> "pl.DataFrame":
        """The columnar path: a frame with a `text` column and any other field of Record in, verdicts out, no evidence.

        Returns one row a row, in order: id, category, probability_* (three), form, subjects, stages, disguised,
        disguised_probability, disguises, signals (left out without `signals`), declared_mismatch, triage, reasons. The
        verdicts are those of `assess_many`. Raises InputError E105 where there is neither a text nor a title column.
        """
        from classifier.frames import assess_frame

        return assess_frame(self, frame, signals=signals)

    def judge(self, texts: Sequence[str], declared: Sequence[str], sources: Sequence[str], *, origins: bool = False) -> "Judgement":
        """Fold, decode, score and decide composed texts with the chosen engine."""
        batch = normalise(texts, origins=origins)
        scores = self._model.score(batch, sources)
        decisions = decide(scores.logits, self.manifest)
        triage, text, cascade = self.manifest.triage, batch.text(), self.manifest.cascade
        if cascade is not None and self.engine != "fast":
            rows = np.arange(len(batch)) if self.engine == "encoder" else unsure(decisions, cascade.limit)
            parts = [text[batch.starts[row] : batch.starts[row + 1] - 1] for row in rows]
            if parts:
                encoded = self._encode(parts, [sources[row] for row in rows]) + scores.local[rows]
                decisions = refine(decisions, scores.logits, rows, encoded, cascade)
            triage = cascade.triage
        return Judgement(batch, text, scores, decisions, declared, triage, self.rules)

    def _encode(self, texts: Sequence[str], sources: Sequence[str]) -> FloatArray:
        """The encoder's logits; it is read when it is first asked."""
        return self._encoder.logits(texts, sources)

    @cached_property
    def _encoder(self) -> "OnnxEncoder":
        from classifier.engines.encoder import ENCODER_FILES, OnnxEncoder

        for name in ENCODER_FILES:
            verify_file(self._folder, self.manifest, name)
        return OnnxEncoder(self._folder)

    def _assess_batch(self, records: list[Record], evidence: bool) -> Iterator[Assessment]:
        composed = [compose(record) for record in records]
        declared = [record.declared_category for record in records]
        judged = self.judge([text for text, _ in composed], declared, [record.source for record in records], origins=True)
        signals = judged.signals()
        decisions = judged.decisions
        if evidence:
            shown = self._finder.find(
                records, [parts for _, parts in composed], judged.batch, judged.text, judged.scores, decisions, signals
            )
        else:
            shown = [()] * len(records)
        findings = {
            head: _findings(HEADS[head], chosen, probabilities)
            for head, chosen, probabilities in (
                ("subjects", decisions.subjects, decisions.subject_probabilities),
                ("stages", decisions.stages, decisions.stage_probabilities),
                ("disguises", decisions.disguises, decisions.disguise_probabilities),
            )
        }
        why = chosen_labels(REASONS, judged.reasons)
        chances = (_rounded(decisions.category_probabilities), _rounded(decisions.disguised_probability))
        columns = (decisions.category, decisions.form, decisions.disguised, judged.mismatch, *chances)
        rows = zip(*(column.tolist() for column in columns), strict=True)
        for number, (category, form, disguised, mismatch, probabilities, chance) in enumerate(rows):
            yield Assessment(
                id=records[number].id,
                category=HEADS["category"][category],
                probabilities=dict(zip(HEADS["category"], probabilities, strict=True)),
                form=HEADS["form"][form],
                subjects=findings["subjects"][number],
                stages=findings["stages"][number],
                disguised=Verdict(disguised, chance),
                disguises=findings["disguises"][number],
                signals=_signals(signals[number]) if signals[number] else (),
                declared_mismatch=mismatch,
                triage="review" if why[number] else "auto",
                reasons=tuple(why[number]),
                evidence=shown[number],
                versions=self.versions,
            )


class Judgement:
    """One batch, folded, scored and decided; what `assess_many` and `assess_frame` share."""

    def __init__(
        self,
        batch: FoldedBatch,
        text: str,
        scores: Scores,
        decisions: Decisions,
        declared: Sequence[str],
        triage: Mapping[str, float],
        rules: RuleSet,
    ) -> None:
        """Add what follows from decisions: `declared` holds each text's declared category, or an empty string."""
        self.batch, self.text, self.scores, self.decisions = batch, text, scores, decisions
        self.mismatch = declared_mismatches(declared, decisions)
        self.reasons = reasons(batch, rules.borderline.places(text), scores.local_texts, decisions, self.mismatch, triage)
        self._detectors = rules.detectors

    def signals(self) -> list[list[SignalMatch]]:
        """Signals of every text, each placed in its own folded text."""
        decisions = self.decisions
        stages = chosen_labels(HEADS["stages"], decisions.stages)
        contexts = [
            context_of(HEADS["category"][category], HEADS["form"][form], tuple(ages))
            for category, form, ages in zip(decisions.category.tolist(), decisions.form.tolist(), stages, strict=True)
        ]
        return self._detectors.detect(self.text, self.batch.starts.tolist(), contexts)


def _rounded(probabilities: FloatArray) -> NDArray[np.float64]:
    """Probabilities with four decimals, as they are shown; a whole array at once, since Python's round is slow."""
    exact: NDArray[np.float64] = probabilities.astype(np.float64)
    return exact.round(4)


def _findings(labels: Sequence[str], chosen: BoolArray, probabilities: FloatArray) -> list[tuple[Finding, ...]]:
    """Chosen labels of every text, likeliest first."""
    found: list[list[Finding]] = [[] for _ in range(len(chosen))]
    texts, places = np.nonzero(chosen)
    values = _rounded(probabilities[texts, places]).tolist()
    for text, place, value in zip(texts.tolist(), places.tolist(), values, strict=True):
        found[text].append(Finding(labels[place], value))
    return [tuple(sorted(items, key=_by_probability)) if len(items) > 1 else tuple(items) for items in found]


def _by_probability(finding: Finding) -> float:
    return -finding.probability


def _signals(matches: list[SignalMatch]) -> tuple[Signal, ...]:
    """One signal an id, in the order of the label file, its values joined."""
    values: dict[str, dict[str, None]] = {}
    clauses: dict[str, dict[str, None]] = {}
    for match in matches:
        values.setdefault(match.signal, {})[match.value] = None
        clauses.setdefault(match.signal, {}).update(dict.fromkeys(match.cited))
    return tuple(
        Signal(name, "；".join(list(values[name])[:3]), tuple(clauses[name])) for name in sorted(values, key=_SIGNAL_ORDER.__getitem__)
    )


def load(model: str | Path | None = None, *, engine: str = "auto", rules: str | Path | None = None) -> Classifier:
    """The classifier with the shipped model, or with the model in the folder `model`.

    engine: `fast`; `auto`, which asks the encoder as well where the fast engine is unsure (and is `fast` where the model
    has no encoder); `encoder`, which asks both engines for every text. Raises ModelError E201 (no model), E202 (changed
    files), E203 (other labels), E204 (no such engine), E205 (no encoder in this model).
    rules: a district's own folder of rules, beside the shipped ones. Raises InputError E120, E121 where it is not sound.
    """
    return Classifier(Path(model) if model else default_folder(), engine, load_ruleset(rules))
