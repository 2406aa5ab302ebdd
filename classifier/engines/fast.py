"""The fast engine: a linear model over hashed character n-grams and lexicon cues, all heads in one sparse product."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from classifier.engines.features import HASH_BITS, NGrams, find_ngrams
from classifier.lexicon import CueMatches, Lexicon
from classifier.text.folding import FoldedBatch

FloatArray = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Scores:
    """What the fast engine says of a batch.

    logits: float32, shape (texts, outputs). scale: float32, shape (texts,): what an n-gram's weight was multiplied by.
    """

    logits: FloatArray
    scale: FloatArray
    ngrams: NGrams
    cues: CueMatches


class FastModel:
    """Linear heads: logit = bias + Σ weight[n-gram] / norm + Σ weight[cue finding present].

    The weights of an n-gram already hold its inverse document frequency; the norm is the Euclidean length of the
    text's n-gram vector, computed in the same product by one more column.
    """

    def __init__(
        self, buckets: NDArray[np.uint32], weights: FloatArray, cue_weights: FloatArray, bias: FloatArray, lexicon: Lexicon
    ) -> None:
        """Take arrays of shapes (rows,), (rows, outputs + 1), (findings, outputs), (outputs,).

        The last column of `weights` is the squared inverse document frequency.
        """
        self._index = np.full(1 << HASH_BITS, -1, dtype=np.int32)
        self._index[buckets] = np.arange(len(buckets), dtype=np.int32)
        self._weights = weights
        self._cue_weights = cue_weights
        self._bias = bias
        self.lexicon = lexicon

    @property
    def index(self) -> NDArray[np.int32]:
        """Bucket → feature row, −1 where unknown."""
        return self._index

    def score(self, batch: FoldedBatch) -> Scores:
        """Logits of every head for a folded batch."""
        ngrams = find_ngrams(batch, self._index)
        product = ngrams.matrix(len(self._weights)) @ self._weights
        scale = 1.0 / np.sqrt(np.maximum(product[:, -1], 1e-12))
        cues = self.lexicon.match(batch)
        logits = product[:, :-1] * scale[:, None] + self.lexicon.presence(cues, len(batch)) @ self._cue_weights
        return Scores(logits + self._bias, scale.astype(np.float32), ngrams, cues)

    def contributions(self, rows: NDArray[np.int32], outputs: NDArray[np.int64]) -> FloatArray:
        """Each n-gram occurrence's weight for the output named beside it; all of shape (occurrences,), before scaling."""
        return self._weights[rows, outputs]

    def cue_weight(self, finding: int, output: int) -> float:
        """What the presence of a cue of `finding` (its place in the lexicon's findings) adds to an output's logit."""
        return float(self._cue_weights[finding, output])
