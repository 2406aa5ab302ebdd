"""Temperatures, thresholds and the limit of the automatic decision, all fitted on the validation split only."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from classifier.engines.artifact import head_slices
from classifier.engines.calibration import FloatArray, sigmoid, softmax
from training.corpus import Example
from training.fast import learned_rows, targets

TARGET_ERROR = 0.01
_CONFIDENCE = 0.9
_MINIMUM_POSITIVES = 8
_GRID = np.arange(0.2, 0.81, 0.05)


def fit_temperature(logits: FloatArray, gold: NDArray[np.int64], *, exclusive: bool) -> float:
    """The temperature of least log loss; `exclusive` heads choose one label, the others any number."""

    def loss(log_temperature: float) -> float:
        heat = float(np.exp(log_temperature))
        if exclusive:
            chosen = softmax(logits, heat)[np.arange(len(gold)), gold]
            return float(-np.log(np.maximum(chosen, 1e-9)).mean())
        probabilities = sigmoid(logits, heat)
        return float(-np.log(np.maximum(np.where(gold == 1, probabilities, 1 - probabilities), 1e-9)).mean())

    return round(float(np.exp(minimize_scalar(loss, bounds=(-2.0, 2.0), method="bounded").x)), 4)


def fit_thresholds(probabilities: FloatArray, gold: NDArray[np.int64]) -> list[float]:
    """Per label the threshold of best F1; labels with few examples share the one that is best over all labels."""

    def best(values: FloatArray, truth: NDArray[np.int64]) -> float:
        scores = [2 * ((values >= cut) & (truth == 1)).sum() / max(1, (values >= cut).sum() + (truth == 1).sum()) for cut in _GRID]
        near = np.flatnonzero(np.array(scores) >= max(scores) - 0.005)
        return round(float(_GRID[near[len(near) // 2]]), 2)

    shared = best(probabilities.ravel(), gold.ravel())
    return [
        round((best(probabilities[:, label], gold[:, label]) + shared) / 2, 3) if gold[:, label].sum() >= _MINIMUM_POSITIVES else shared
        for label in range(gold.shape[1])
    ]


def automatic_limit(confidence: FloatArray, right: NDArray[np.bool_], target: float = TARGET_ERROR) -> float:
    """The lowest probability above which the error is at most `target`, by a one-sided Clopper–Pearson bound.

    Where too few records are confident for the bound to hold at any limit, the limit that errs least is taken.
    """
    from scipy.stats import beta

    order = np.argsort(-confidence)
    errors = np.cumsum(~right[order])
    counts = np.arange(1, len(order) + 1)
    bound = beta.ppf(_CONFIDENCE, errors + 1, counts - errors)
    bound[counts == errors] = 1.0
    allowed = np.flatnonzero(bound <= target)
    place = int(allowed[-1]) if len(allowed) else int(np.argmin(bound))
    return round(float(confidence[order[place]]), 4)


def calibrate(logits: FloatArray, examples: Sequence[Example]) -> tuple[dict[str, float], dict[str, list[float]], dict[str, float]]:
    """Temperatures by head, thresholds by head and label, and the limits of triage."""
    temperatures: dict[str, float] = {}
    thresholds: dict[str, list[float]] = {}
    for head, place in head_slices().items():
        rows, gold = learned_rows(head, examples), targets(examples, head)
        exclusive = head in ("category", "form")
        temperatures[head] = fit_temperature(logits[rows, place], gold[rows], exclusive=exclusive)
        if not exclusive:
            thresholds[head] = fit_thresholds(sigmoid(logits[rows, place], temperatures[head]), gold[rows])
    category = softmax(logits[:, head_slices()["category"]], temperatures["category"])
    right = category.argmax(axis=1) == targets(examples, "category")
    limit = automatic_limit(category.max(axis=1), right)
    return temperatures, thresholds, {"category": limit, "disagreement": 0.5, "target_error": TARGET_ERROR}
