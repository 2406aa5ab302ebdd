"""From logits to calibrated probabilities."""

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]


def softmax(logits: FloatArray, temperature: float) -> FloatArray:
    """Row-wise softmax of logits / temperature; shape kept."""
    scaled = logits / np.float32(temperature)
    scaled = scaled - scaled.max(axis=1, keepdims=True)
    raised = np.exp(scaled)
    return np.asarray(raised / raised.sum(axis=1, keepdims=True), dtype=np.float32)


def sigmoid(logits: FloatArray, temperature: float) -> FloatArray:
    """Element-wise sigmoid of logits / temperature; shape kept."""
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(logits / np.float32(temperature), -30.0, 30.0))), dtype=np.float32)
