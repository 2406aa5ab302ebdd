"""From logits to verdicts that agree with one another, for a whole batch at once."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from classifier.engines.artifact import HEADS, head_slices
from classifier.engines.calibration import FloatArray, sigmoid, softmax
from classifier.taxonomy import TAXONOMY

BoolArray = NDArray[np.bool_]
SUBJECT, NON_SUBJECT, OUT_OF_SCOPE = range(3)
_SCHOOL = np.array([TAXONOMY.subjects[label].side == "subject" for label in HEADS["subjects"]])
_SLICES = head_slices()


@dataclass(frozen=True, slots=True)
class Decisions:
    """Verdicts and probabilities of a batch; every array's first axis is the text.

    category, form: index of the chosen label. *_probabilities: calibrated. subjects, stages, disguises: chosen labels.
    disguised_probability: that the text is subject training and disguised.
    """

    category: NDArray[np.int64]
    category_probabilities: FloatArray
    form: NDArray[np.int64]
    form_probabilities: FloatArray
    subjects: BoolArray
    subject_probabilities: FloatArray
    stages: BoolArray
    stage_probabilities: FloatArray
    disguised: BoolArray
    disguised_probability: FloatArray
    disguises: BoolArray
    disguise_probabilities: FloatArray


def _at_least_one(chosen: BoolArray, probabilities: FloatArray, where: BoolArray, allowed: BoolArray) -> None:
    """Where nothing allowed was chosen, choose the likeliest allowed label, in place."""
    empty = np.flatnonzero(where & ~(chosen & allowed).any(axis=1))
    if len(empty):
        chosen[empty, np.where(allowed, probabilities[empty], -1.0).argmax(axis=1)] = True


class Calibration(Protocol):
    """Temperatures by head and thresholds by head and label: a manifest's, or its cascade's."""

    @property
    def temperatures(self) -> dict[str, float]:
        """By head."""

    @property
    def thresholds(self) -> dict[str, list[float]]:
        """By head, one for each label."""


def decide(logits: FloatArray, calibration: Calibration) -> Decisions:
    """Calibrate and choose, by the rules of the label standard.

    Out-of-scope texts have no subjects; non-subject texts only non-subject fields, at least one; subject texts at least
    one school subject; disguises stand only on subject texts judged disguised, and then at least one.
    """
    heat = calibration.temperatures
    category_p = softmax(logits[:, _SLICES["category"]], heat["category"])
    form_p = softmax(logits[:, _SLICES["form"]], heat["form"])
    subject_p, stage_p, disguised_p, disguise_p = (
        sigmoid(logits[:, _SLICES[head]], heat[head]) for head in ("subjects", "stages", "disguised", "disguises")
    )
    limits = {head: np.array(values, dtype=np.float32) for head, values in calibration.thresholds.items()}
    category = category_p.argmax(axis=1)
    is_subject, is_non_subject = category == SUBJECT, category == NON_SUBJECT
    subjects = subject_p >= limits["subjects"]
    subjects &= ~np.outer(is_non_subject, _SCHOOL)
    subjects[category == OUT_OF_SCOPE] = False
    _at_least_one(subjects, subject_p, is_subject, _SCHOOL)
    _at_least_one(subjects, subject_p, is_non_subject, ~_SCHOOL)
    disguised = (disguised_p[:, 0] >= limits["disguised"][0]) & is_subject
    disguises = (disguise_p >= limits["disguises"]) & disguised[:, None]
    _at_least_one(disguises, disguise_p, disguised, np.ones(disguises.shape[1], dtype=bool))
    return Decisions(
        category, category_p, form_p.argmax(axis=1), form_p, subjects, subject_p, stage_p >= limits["stages"], stage_p,
        disguised, disguised_p[:, 0] * category_p[:, SUBJECT], disguises, disguise_p,
    )  # fmt: skip


def replaced(decisions: Decisions, rows: NDArray[np.int64], others: Decisions) -> Decisions:
    """The decisions with those of `rows` taken from `others`, which holds these rows only."""
    arrays = {}
    for item in fields(Decisions):
        arrays[item.name] = getattr(decisions, item.name).copy()
        arrays[item.name][rows] = getattr(others, item.name)
    return Decisions(**arrays)


def chosen_labels(labels: Sequence[str], chosen: BoolArray) -> list[list[str]]:
    """The chosen label ids of every text, in label order."""
    found: list[list[str]] = [[] for _ in range(len(chosen))]
    texts, places = np.nonzero(chosen)
    for text, place in zip(texts.tolist(), places.tolist(), strict=True):
        found[text].append(labels[place])
    return found
