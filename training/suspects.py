"""Label errors searched with cleanlab: what a model trained on the other parts of the corpus does not believe."""

import zlib
from collections.abc import Sequence

import numpy as np
from cleanlab.filter import find_label_issues

from classifier.engines.artifact import HEADS, head_slices
from classifier.engines.calibration import softmax
from classifier.text import compose, normalise
from training.corpus import Example
from training.fast import train_fast

PARTS = 4


def label_suspects(examples: Sequence[Example]) -> list[tuple[Example, str, float]]:
    """(record, what the model says, probability of the given category), most doubtful first; parts are cut by group."""
    part = np.array([zlib.crc32(example.group.encode()) % PARTS for example in examples])
    chances = np.zeros((len(examples), len(HEADS["category"])))
    for number in range(PARTS):
        model = train_fast([example for example, own in zip(examples, part, strict=True) if own != number]).model()
        rows = np.flatnonzero(part == number).tolist()
        batch = normalise([compose(examples[row].record)[0] for row in rows], origins=False)
        chances[rows] = softmax(model.score(batch, [examples[row].source for row in rows]).logits[:, head_slices()["category"]], 1.0)
    given = np.array([HEADS["category"].index(example.category) for example in examples])
    found = find_label_issues(given, chances, return_indices_ranked_by="self_confidence")
    return [(examples[row], HEADS["category"][chances[row].argmax()], float(chances[row, given[row]])) for row in found]
