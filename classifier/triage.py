"""Automatic or for a person: the reasons why somebody must look."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from classifier.decisions import NON_SUBJECT, OUT_OF_SCOPE, SUBJECT, BoolArray, Decisions
from classifier.engines.artifact import HEADS
from classifier.taxonomy import TAXONOMY
from classifier.text.folding import FoldedBatch

REASONS = tuple(TAXONOMY.reasons)
MINIMUM_CHARACTERS = 4
_SCHOOL = np.array([TAXONOMY.subjects[label].side == "subject" for label in HEADS["subjects"]])


def declared_mismatches(declared: Sequence[str], decisions: Decisions) -> BoolArray:
    """True where the institution declared another category than the content shows; shape (texts,)."""
    wanted = np.array([{"subject": SUBJECT, "non_subject": NON_SUBJECT}.get(value, -1) for value in declared], dtype=np.int64)
    return np.asarray((wanted >= 0) & (wanted != decisions.category))


def reasons(
    batch: FoldedBatch, places: Sequence[int], local: BoolArray, decisions: Decisions, mismatch: BoolArray, limits: Mapping[str, float]
) -> BoolArray:
    """Which reasons hold for which text; shape (texts, len(REASONS)); a text with none may be handled automatically.

    places: where words of borderline families begin in the batch. local: texts that hold a district's own cues.
    """
    found: dict[str, NDArray[np.bool_]] = {}
    best = decisions.category_probabilities.max(axis=1)
    found["uncertain"] = best < limits["category"]
    school = (decisions.subject_probabilities[:, _SCHOOL] >= limits["disagreement"]).any(axis=1)
    found["heads_disagree"] = ((decisions.category == SUBJECT) & (decisions.subject_probabilities[:, _SCHOOL].max(axis=1) < 0.3)) | (
        (decisions.category == NON_SUBJECT) & school
    )
    found["contradicts_declaration"] = mismatch
    found["suspected_disguise"] = decisions.disguised
    found["borderline_family"] = np.zeros(len(batch), dtype=bool)
    found["borderline_family"][np.searchsorted(batch.starts, places, side="right") - 1] = True
    found["borderline_family"] &= decisions.category != OUT_OF_SCOPE
    found["local_cue"] = local
    found["little_text"] = np.diff(batch.starts) - 1 < MINIMUM_CHARACTERS
    return np.stack([found[name] for name in REASONS], axis=1)
