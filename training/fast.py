"""Training the fast engine with scikit-learn, deterministically."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file
from scipy.sparse import csr_array, diags_array, hstack
from sklearn.linear_model import LogisticRegression

from classifier.engines.artifact import FAST_WEIGHTS, HEADS, head_slices
from classifier.engines.fast import FastModel
from classifier.engines.features import HASH_BITS, ORDERS, hash_ngrams
from classifier.lexicon import load_lexicon
from classifier.taxonomy import TAXONOMY
from classifier.text import compose, normalise
from training.corpus import Example

MIN_DOCUMENTS = 4
_CERTAIN = 8.0
CUE_SCALE = 0.2
INVERSE_REGULARISATION = {"category": 30.0, "form": 30.0, "subjects": 40.0, "stages": 40.0, "disguised": 20.0, "disguises": 20.0}


@dataclass(frozen=True, slots=True)
class FastWeights:
    """Arrays of the fast engine, as FastModel takes them."""

    buckets: NDArray[np.uint32]
    weights: NDArray[np.float32]
    cue_weights: NDArray[np.float32]
    source_weights: NDArray[np.float32]
    bias: NDArray[np.float32]

    def arrays(self) -> dict[str, NDArray[Any]]:
        """By name, as they are saved; n-gram weights in half precision."""
        arrays = {item.name: getattr(self, item.name) for item in fields(self)}
        # safetensors writes the bytes as they lie, whatever the strides say
        return {name: np.ascontiguousarray(array) for name, array in arrays.items()} | {
            "weights": np.ascontiguousarray(self.weights, np.float16)
        }

    def model(self) -> FastModel:
        """The engine that these weights make."""
        return FastModel(self.arrays(), load_lexicon())

    def save(self, folder: Path) -> None:
        """Write fast.safetensors."""
        save_file(self.arrays(), folder / FAST_WEIGHTS)
        (folder / FAST_WEIGHTS).chmod(0o644)


def targets(examples: Sequence[Example], head: str) -> NDArray[np.int64]:
    """Gold labels of a head: class numbers, shape (examples,), for category and form; else 0/1, (examples, labels)."""
    labels = HEADS[head]
    if head in ("category", "form"):
        return np.array([labels.index(getattr(example, head)) for example in examples])
    if head == "disguised":
        return np.array([[int(bool(example.disguises))] for example in examples])
    return np.array([[int(label in getattr(example, head)) for label in labels] for example in examples])


def learned_rows(head: str, examples: Sequence[Example]) -> NDArray[np.int64]:
    """The examples a head learns from, among those that tell: disguises from subject texts, subjects from all training offers."""
    if head in ("disguised", "disguises"):
        return np.flatnonzero([example.category == "subject" and head in example.agreed for example in examples])
    if head == "subjects":
        return np.flatnonzero([example.category != "out_of_scope" and head in example.agreed for example in examples])
    return np.flatnonzero([head in example.agreed for example in examples])


def train_fast(plain: Sequence[Example], copies: Sequence[Example] = ()) -> FastWeights:
    """Fit every head on hashed n-grams and cue findings; the same examples give the same weights.

    Obfuscated `copies` are learned from, but do not decide which n-grams are kept, nor how rare one is.
    """
    examples = [*plain, *copies]
    texts = [compose(example.record)[0] for example in examples]
    batch = normalise(texts, origins=False)
    hashed = hash_ngrams(batch.codes).ravel()
    owner = np.repeat(np.searchsorted(batch.starts - 1, np.arange(len(batch.codes)), side="right") - 1, ORDERS)
    usable = (hashed > 0) & (owner < len(texts))
    shape = (len(texts), 1 << HASH_BITS)
    counts = csr_array((np.ones(int(usable.sum()), dtype=np.float32), (owner[usable], hashed[usable].astype(np.int64))), shape=shape)
    counts.sum_duplicates()
    documents = np.bincount(csr_array(counts[: len(plain)]).indices, minlength=shape[1])
    buckets = np.flatnonzero(documents >= MIN_DOCUMENTS)
    idf = (np.log((1 + len(plain)) / (1 + documents[buckets])) + 1).astype(np.float32)
    weighted = csr_array(csr_array(counts[:, buckets]) @ diags_array(idf))
    length = np.sqrt(np.asarray(csr_array(counts[:, buckets]) @ (idf * idf)))
    features = csr_array(diags_array(1 / np.maximum(length, 1e-6)) @ weighted)
    lexicon = load_lexicon()
    cues = lexicon.presence(lexicon.match(batch), batch) * CUE_SCALE
    sources = _known_sources(examples) * CUE_SCALE
    matrix = csr_array(hstack([features, csr_array(cues), csr_array(sources)]))
    matrix.indices, matrix.indptr = matrix.indices.astype(np.int32), matrix.indptr.astype(np.int32)
    outputs = sum(len(labels) for labels in HEADS.values())
    coefficients = np.zeros((outputs, matrix.shape[1]), dtype=np.float32)
    bias = np.zeros(outputs, dtype=np.float32)
    for head, place in head_slices().items():
        rows, gold = learned_rows(head, examples), targets(examples, head)
        strength = INVERSE_REGULARISATION[head]
        if head in ("category", "form"):
            model = LogisticRegression(C=strength, max_iter=500).fit(matrix[rows], gold[rows])
            coefficients[place], bias[place] = model.coef_, model.intercept_
            continue
        for number, output in enumerate(range(place.start, place.stop)):
            coefficients[output], bias[output] = _binary(matrix[rows], gold[rows, number], strength)
    rows, cue_rows, source_rows = np.split(coefficients.T, np.cumsum((len(buckets), cues.shape[1])))
    return FastWeights(
        buckets.astype(np.uint32),
        np.concatenate([rows * idf[:, None], (idf * idf)[:, None]], axis=1),
        cue_rows * np.float32(CUE_SCALE),
        source_rows * np.float32(CUE_SCALE),
        bias,
    )


def _known_sources(examples: Sequence[Example]) -> NDArray[np.float32]:
    """Where each text was met, one column a source; half the texts keep it to themselves, since many users will too."""
    known = np.zeros((len(examples), len(TAXONOMY.sources)), dtype=np.float32)
    place = {source: number for number, source in enumerate(TAXONOMY.sources)}
    for number, example in enumerate(examples):
        if zlib.crc32(example.id.encode()) % 2:
            known[number, place[example.source]] = 1.0
    return known


def _binary(matrix: csr_array, gold: NDArray[np.int64], strength: float) -> tuple[NDArray[np.float32] | float, float]:
    """Weights and bias of a yes-or-no label; one that never or always occurs is known beforehand."""
    if len(np.unique(gold)) < 2:
        return 0.0, _CERTAIN if gold.all() else -_CERTAIN
    model = LogisticRegression(C=strength, solver="liblinear", random_state=0).fit(matrix, gold)
    return model.coef_[0], float(model.intercept_[0])
