"""Text: folding characters, decoding words, composing a record, and keeping every character's original place."""

from collections.abc import Sequence

from classifier.text.composition import FIELDS, Segment, compose
from classifier.text.decoding import decode
from classifier.text.folding import FoldedBatch, Reading, fold


def normalise(texts: Sequence[str], *, origins: bool = True) -> FoldedBatch:
    """Fold and decode a batch of texts, as every model sees them."""
    return decode(fold(texts, origins=origins))


__all__ = ["FIELDS", "FoldedBatch", "Reading", "Segment", "compose", "decode", "fold", "normalise"]
