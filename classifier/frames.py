"""The columnar path: polars in, polars out, no object a row."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from numpy.typing import NDArray

from classifier.engines.artifact import HEADS
from classifier.errors import InputError
from classifier.taxonomy import TAXONOMY
from classifier.text.composition import FIELDS, SEPARATOR
from classifier.triage import REASONS

if TYPE_CHECKING:
    from classifier.pipeline import Classifier

CHUNK = 4096


def assess_frame(classifier: "Classifier", frame: pl.DataFrame, *, signals: bool) -> pl.DataFrame:
    """See Classifier.assess_frame."""
    if not {"text", "title"} & set(frame.columns):
        raise InputError("E105", path="DataFrame", found="、".join(frame.columns))
    present = [name for name in FIELDS if name in frame.columns]
    filled = [pl.when(pl.col(name).cast(pl.String).str.len_bytes() > 0).then(pl.col(name).cast(pl.String)) for name in present]
    composed = (
        frame.select(pl.concat_str(filled, separator=SEPARATOR, ignore_nulls=True).fill_null("")).to_series()
        if len(filled) > 1
        else frame[present[0]].cast(pl.String).fill_null("")
    )
    blank = composed.str.strip_chars().str.len_bytes() == 0
    if blank.any():
        raise InputError("E111", found=f"第 {int(blank.arg_max() or 0) + 1} 行 row {int(blank.arg_max() or 0) + 1}")
    declared, sources = _column(frame, "declared_category"), _column(frame, "source")
    chunks = []
    for start in range(0, max(frame.height, 1), CHUNK):
        part = slice(start, start + CHUNK)
        chunks.append(_chunk(classifier, composed[part].to_list(), declared[part].to_list(), sources[part].to_list(), signals))
    return pl.concat(chunks).insert_column(0, _column(frame, "id").alias("id"))


def _column(frame: pl.DataFrame, name: str) -> pl.Series:
    """A column as text without nulls, or empty text where the frame has none."""
    return frame[name].cast(pl.String).fill_null("") if name in frame.columns else pl.repeat("", frame.height, eager=True)


def _chunk(classifier: "Classifier", texts: Sequence[str], declared: Sequence[str], sources: Sequence[str], signals: bool) -> pl.DataFrame:
    judged = classifier.judge(texts, declared, sources)
    decisions = judged.decisions
    columns = {
        "category": _named(HEADS["category"], decisions.category),
        **{f"probability_{label}": decisions.category_probabilities[:, number] for number, label in enumerate(HEADS["category"])},
        "form": _named(HEADS["form"], decisions.form),
        "subjects": _listed(HEADS["subjects"], decisions.subjects),
        "stages": _listed(HEADS["stages"], decisions.stages),
        "disguised": decisions.disguised,
        "disguised_probability": decisions.disguised_probability,
        "disguises": _listed(HEADS["disguises"], decisions.disguises),
    }
    if signals:
        found = np.zeros((len(texts), len(TAXONOMY.signals)), dtype=bool)
        place = {label: number for number, label in enumerate(TAXONOMY.signals)}
        for text, matches in enumerate(judged.signals()):
            found[text, [place[match.signal] for match in matches]] = True
        columns["signals"] = _listed(tuple(TAXONOMY.signals), found)
    columns["declared_mismatch"] = judged.mismatch
    columns["triage"] = _named(("auto", "review"), np.asarray(judged.reasons.any(axis=1), dtype=np.int64))
    columns["reasons"] = _listed(REASONS, judged.reasons)
    return pl.DataFrame(columns)


def _named(labels: Sequence[str], chosen: NDArray[np.int64]) -> pl.Series:
    return pl.Series(labels, dtype=pl.Enum(labels))[chosen]


def _listed(labels: Sequence[str], chosen: NDArray[np.bool_]) -> pl.Series:
    """Rows of chosen labels as lists, in label order; equal rows share one list."""
    codes = chosen @ (1 << np.arange(len(labels), dtype=np.int64))
    distinct, places = np.unique(codes, return_inverse=True)
    lists = [[label for number, label in enumerate(labels) if code >> number & 1] for code in distinct.tolist()]
    return pl.Series(lists, dtype=pl.List(pl.String))[places]
