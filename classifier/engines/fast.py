"""The fast engine: a linear model over hashed character n-grams and lexicon cues, all heads in one sparse product."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classifier.engines.features import HASH_BITS, NGrams, find_ngrams
from classifier.lexicon import CueMatches, Lexicon
from classifier.taxonomy import TAXONOMY
from classifier.text.folding import FoldedBatch

FloatArray = NDArray[np.float32]
_SOURCES = {source: number for number, source in enumerate(TAXONOMY.sources)}


@dataclass(frozen=True, slots=True)
class Scores:
    """What the fast engine says of a batch.

    logits: float32, shape (texts, outputs). scale: float32, shape (texts,): what an n-gram's weight was multiplied by.
    local: the part of the logits that comes from local cues alone, same shape. local_texts: bool, shape (texts,): where
    local cues occur.
    """

    logits: FloatArray
    scale: FloatArray
    local: FloatArray
    local_texts: NDArray[np.bool_]
    ngrams: NGrams
    cues: CueMatches


class FastModel:
    """Linear heads: logit = bias + Σ weight[n-gram] / norm + Σ weight[cue finding present] + weight[source, where known].

    The weights of an n-gram already hold its inverse document frequency; the norm is the Euclidean length of the
    text's n-gram vector, computed in the same product by one more column.
    """

    def __init__(self, arrays: Mapping[str, NDArray[Any]], lexicon: Lexicon) -> None:
        """Take the arrays of the artefact.

        buckets (rows,); weights (rows, outputs + 1), whose last column is the squared inverse document frequency;
        cue_weights (cue groups, outputs); source_weights (sources, outputs); bias (outputs,).
        """
        buckets = arrays["buckets"]
        self._index = np.full(1 << HASH_BITS, -1, dtype=np.int32)
        self._index[buckets] = np.arange(len(buckets), dtype=np.int32)
        self._weights: FloatArray = arrays["weights"].astype(np.float32)
        self._by_output: FloatArray = np.ascontiguousarray(self._weights.T)
        self._cue_weights: FloatArray = arrays["cue_weights"]
        self._source_weights: FloatArray = np.concatenate((arrays["source_weights"], np.zeros_like(arrays["source_weights"][:1])))
        self._bias: FloatArray = arrays["bias"]
        self.lexicon = lexicon

    @property
    def index(self) -> NDArray[np.int32]:
        """Bucket → feature row, −1 where unknown."""
        return self._index

    def score(self, batch: FoldedBatch, sources: Sequence[str]) -> Scores:
        """Logits of every head for a folded batch; `sources` names where each text was met, "" where unknown."""
        ngrams = find_ngrams(batch, self._index)
        product = ngrams.matrix(len(self._weights)) @ self._weights
        scale = 1.0 / np.sqrt(np.maximum(product[:, -1], 1e-12))
        cues = self.lexicon.match(batch)
        present = self.lexicon.presence(cues, batch)
        logits = product[:, :-1] * scale[:, None] + present @ self._cue_weights
        logits += self._source_weights[[_SOURCES.get(source, -1) for source in sources]] + self._bias
        local, texts = self._local(cues, present, batch)
        return Scores(logits, scale.astype(np.float32), local, texts, ngrams, cues)

    def _local(self, cues: CueMatches, present: FloatArray, batch: FoldedBatch) -> tuple[FloatArray, NDArray[np.bool_]]:
        """What local cues add to the logits beyond what is there without them, and the texts that hold any."""
        added = np.zeros((len(batch), self._bias.shape[0]), dtype=np.float32)
        texts = np.zeros(len(batch), dtype=bool)
        if self.lexicon.shipped < len(self.lexicon.cues):
            texts[cues.owner[cues.cue >= self.lexicon.shipped]] = True
            added += (present - self.lexicon.presence(cues, batch, local=False)) @ self._cue_weights
        return added, texts

    def contributions(self, rows: NDArray[np.int32], outputs: NDArray[np.int64]) -> FloatArray:
        """Each n-gram occurrence's weight for the output named beside it; all of shape (occurrences,), before scaling."""
        weights: FloatArray = self._by_output.take(outputs * self._by_output.shape[1] + rows)
        return weights

    def cue_weight(self, group: int, output: int) -> float:
        """What the presence of a cue of `group` (its place in the lexicon's groups) adds to an output's logit."""
        return float(self._cue_weights[group, output])
