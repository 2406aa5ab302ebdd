"""From a logits matrix to quality figures and predictions, by the same decisions as the classifier's, without signals."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from classifier.decisions import decide
from classifier.engines.artifact import HEADS, LAYOUT_VERSION, Manifest
from classifier.records import Assessment, Finding, Record, Verdict, Versions
from classifier.text import compose, normalise
from training.calibrate import calibrate
from training.corpus import Example
from training.evaluate import Quality, evaluate

_MULTI = ("subjects", "stages", "disguised", "disguises")
_VERSIONS = Versions("", "encoder", "", "")


@dataclass(frozen=True, slots=True)
class EncoderQuality(Quality):
    """Figures of a logits matrix; those of the signals are empty."""

    def short(self) -> dict[str, float]:
        """The figures that decide."""
        return {
            "category_macro_f1": self.category_macro_f1,
            "subjects_micro_f1": self.subjects.f1,
            "disguised_f1": self.disguised.f1,
            "disguises_micro_f1": self.disguises.f1,
            "stages_micro_f1": self.stages.f1,
            "form_accuracy": self.form_accuracy,
            "ece": self.calibration_error,
            "flips": self.flips,
        }


def folded_texts(records: Sequence[Record]) -> list[str]:
    """The composed, folded and decoded text of every record: what the fast engine reads as well."""
    return normalise([compose(record)[0] for record in records], origins=False).text().split("\n")[1:-1]


def plain_manifest() -> Manifest:
    """No calibration: temperatures of 1, thresholds of one half."""
    thresholds = {head: [0.5] * len(HEADS[head]) for head in _MULTI}
    return _manifest(dict.fromkeys(HEADS, 1.0), thresholds, {"category": 0.9})


def calibrated_manifest(logits: NDArray[np.float32], validation: Sequence[Example]) -> Manifest:
    """Temperatures and thresholds fitted on the validation split."""
    return _manifest(*calibrate(logits, validation))


def _manifest(temperatures: dict[str, float], thresholds: dict[str, list[float]], triage: dict[str, float]) -> Manifest:
    labels = {head: list(names) for head, names in HEADS.items()}
    return Manifest(LAYOUT_VERSION, "encoder", labels, temperatures, thresholds, triage, "", {})


def assessments(examples: Sequence[Example], logits: NDArray[np.float32], manifest: Manifest) -> Iterator[Assessment]:
    """Assessments of the heads alone: no signals, no evidence, triage by the category's probability only."""
    made = decide(logits, manifest)
    heads = (
        ("subjects", made.subjects, made.subject_probabilities),
        ("stages", made.stages, made.stage_probabilities),
        ("disguises", made.disguises, made.disguise_probabilities),
    )
    for row, example in enumerate(examples):
        findings = {
            head: tuple(Finding(HEADS[head][place], round(float(chances[row, place]), 4)) for place in np.flatnonzero(chosen[row]))
            for head, chosen, chances in heads
        }
        category = made.category_probabilities[row]
        yield Assessment(
            id=example.id,
            category=HEADS["category"][made.category[row]],
            probabilities={label: round(float(value), 4) for label, value in zip(HEADS["category"], category, strict=True)},
            form=HEADS["form"][made.form[row]],
            disguised=Verdict(bool(made.disguised[row]), round(float(made.disguised_probability[row]), 4)),
            signals=(),
            declared_mismatch=False,
            triage="auto" if category.max() >= manifest.triage["category"] else "review",
            reasons=(),
            evidence=(),
            versions=_VERSIONS,
            **findings,
        )


def quality_of(examples: Sequence[Example], logits: NDArray[np.float32], manifest: Manifest) -> EncoderQuality:
    """Compare with the settled labels."""
    quality = evaluate(examples, list(assessments(examples, logits, manifest)))
    return EncoderQuality(**{name: getattr(quality, name) for name in Quality.__dataclass_fields__})
