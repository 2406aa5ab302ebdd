"""Fitting the cascade on the validation split: when the encoder is asked, and the mixture's calibration."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from classifier.decisions import Decisions, decide, replaced
from classifier.engines.artifact import HEADS, Cascade, Manifest, file_hash
from classifier.engines.calibration import FloatArray
from classifier.engines.cascade import mix, unsure
from classifier.engines.encoder import ENCODER_FILES, OnnxEncoder
from classifier.text import compose, normalise
from training.calibrate import TARGET_ERROR, automatic_limit, calibrate
from training.corpus import Example
from training.fast import FastWeights, targets

SHARE = 0.5
"""The encoder's part: equal parts, not picked on the validation split, which chose the encoder's epoch and leans to it."""

LIMITS = (0.7, 0.8, 0.85, 0.9, 0.93, 0.95, 0.97, 0.98, 0.99, 1.0)
TOLERANCE = {"category": 0.003, "subjects": 0.007}
"""How much of a figure may be lost against asking the encoder about everything."""


def _f1(gold: NDArray[np.int64], said: NDArray[np.bool_]) -> float:
    return float(2 * (gold.astype(bool) & said).sum() / max(1, gold.sum() + said.sum()))


def figures(decisions: Decisions, examples: Sequence[Example]) -> dict[str, float]:
    """By head: macro-F1 of the category, accuracy of the form, micro-F1 of the others."""
    category, form = targets(examples, "category"), targets(examples, "form")
    lists = {
        "subjects": decisions.subjects,
        "stages": decisions.stages,
        "disguises": decisions.disguises,
        "disguised": decisions.disguised[:, None],
    }
    return {
        "category": float(np.mean([_f1(category == label, decisions.category == label) for label in range(len(HEADS["category"]))])),
        "form": float((decisions.form == form).mean()),
    } | {head: _f1(targets(examples, head), said) for head, said in lists.items()}


def fit_cascade(folder: Path, manifest: Manifest, weights: FastWeights, examples: Sequence[Example]) -> Manifest:
    """The manifest with a cascade for the encoder files in `folder`; `examples` are those of the validation split."""
    batch = normalise([compose(example.record)[0] for example in examples], origins=False)
    sources = [example.source for example in examples]
    fast = weights.model().score(batch, sources).logits
    encoder = OnnxEncoder(folder).logits(batch.text().split("\n")[1:-1], sources)
    alone = decide(fast, manifest)
    cascade, refined = _mixture(fast, encoder, examples)
    wanted = figures(refined, examples)
    for limit in LIMITS:
        rows = unsure(alone, limit)
        merged = replaced(alone, rows, _of(refined, rows))
        found = figures(merged, examples)
        if all(found[head] >= wanted[head] - loss for head, loss in TOLERANCE.items()):
            break
    right = merged.category == targets(examples, "category")
    chosen = automatic_limit(merged.category_probabilities.max(axis=1), right)
    triage = manifest.triage | {"category": chosen, "target_error": TARGET_ERROR}
    files = {name: file_hash(folder / name) for name in ENCODER_FILES}
    return replace(manifest, cascade=replace(cascade, limit=limit, triage=triage), files=manifest.files | files)


def _mixture(fast: FloatArray, encoder: FloatArray, examples: Sequence[Example]) -> tuple[Cascade, Decisions]:
    """The mixture calibrated on the examples, asked about everything."""
    mixed = mix(fast, encoder, SHARE)
    temperatures, thresholds, triage = calibrate(mixed, examples)
    cascade = Cascade(1.0, SHARE, temperatures, thresholds, triage)
    return cascade, decide(mixed, cascade)


def _of(decisions: Decisions, rows: NDArray[np.int64]) -> Decisions:
    """The decisions of some rows."""
    return Decisions(*(getattr(decisions, name)[rows] for name in Decisions.__dataclass_fields__))
