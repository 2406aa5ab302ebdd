"""The cascade: the fast engine answers, and the encoder is asked where the fast engine is unsure or at odds with itself."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from classifier.decisions import SUBJECT, Decisions, decide, replaced
from classifier.engines.artifact import HEADS, Cascade
from classifier.engines.calibration import FloatArray
from classifier.taxonomy import TAXONOMY

Encode = Callable[[Sequence[str], Sequence[str]], FloatArray]
_SCHOOL = np.array([TAXONOMY.subjects[label].side == "subject" for label in HEADS["subjects"]])


def unsure(decisions: Decisions, limit: float) -> NDArray[np.int64]:
    """Texts whose likeliest category is below `limit`, or whose subjects contradict it."""
    school = (decisions.subject_probabilities[:, _SCHOOL] >= 0.5).any(axis=1)
    at_odds = (decisions.category == SUBJECT) != school
    return np.flatnonzero((decisions.category_probabilities.max(axis=1) < limit) | at_odds)


def mix(fast: FloatArray, encoder: FloatArray, share: float) -> FloatArray:
    """The engines' logits mixed, `share` of them from the encoder."""
    return np.asarray((1 - share) * fast + share * encoder, dtype=np.float32)


def refine(
    decisions: Decisions,
    logits: FloatArray,
    rows: NDArray[np.int64],
    texts: Sequence[str],
    sources: Sequence[str],
    encode: Encode,
    cascade: Cascade,
) -> Decisions:
    """The fast engine's decisions with those of `rows` made again from both engines; texts and sources are of the rows."""
    if not len(rows):
        return decisions
    mixed = mix(logits[rows], encode(texts, sources), cascade.share)
    return replaced(decisions, rows, decide(mixed, cascade))
