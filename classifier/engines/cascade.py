"""The cascade: the fast engine answers, and the encoder is asked where the fast engine is unsure or at odds with itself."""

import numpy as np
from numpy.typing import NDArray

from classifier.decisions import OUT_OF_SCOPE, SUBJECT, Decisions, decide, replaced
from classifier.engines.artifact import HEADS, Cascade
from classifier.engines.calibration import FloatArray
from classifier.taxonomy import TAXONOMY

_SCHOOL = np.array([TAXONOMY.subjects[label].side == "subject" for label in HEADS["subjects"]])


SUBJECT_DOUBT = 0.2
DISGUISE_DOUBT = 0.3
"""A subject or a disguise whose probability is farther than this from both 0 and 1 is in doubt."""


def unsure(decisions: Decisions, limit: float) -> NDArray[np.int64]:
    """Texts about which the encoder is asked as well.

    The likeliest category is below `limit`, the subjects contradict it, or a subject or the disguise is in doubt.
    """
    subjects = decisions.subject_probabilities
    offered = decisions.category != OUT_OF_SCOPE
    at_odds = (decisions.category == SUBJECT) != (subjects[:, _SCHOOL] >= 0.5).any(axis=1)
    subject_doubt = ((subjects > SUBJECT_DOUBT) & (subjects < 1 - SUBJECT_DOUBT)).any(axis=1) & offered
    disguise = decisions.disguised_probability / np.maximum(decisions.category_probabilities[:, SUBJECT], 1e-6)
    disguise_doubt = (disguise > DISGUISE_DOUBT) & (disguise < 1 - DISGUISE_DOUBT) & (decisions.category == SUBJECT)
    return np.flatnonzero((decisions.category_probabilities.max(axis=1) < limit) | at_odds | subject_doubt | disguise_doubt)


def mix(fast: FloatArray, encoder: FloatArray, share: float) -> FloatArray:
    """The engines' logits mixed, `share` of them from the encoder."""
    return np.asarray((1 - share) * fast + share * encoder, dtype=np.float32)


def refine(decisions: Decisions, logits: FloatArray, rows: NDArray[np.int64], encoded: FloatArray, cascade: Cascade) -> Decisions:
    """The fast engine's decisions with those of `rows` made again from both engines; `encoded` are the encoder's logits of the rows."""
    mixed = mix(logits[rows], encoded, cascade.share)
    return replaced(decisions, rows, decide(mixed, cascade))
