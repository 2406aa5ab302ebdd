"""Text: folding characters, composing a record into one string, and keeping every character's original place."""

from classifier.text.composition import FIELDS, Segment, compose
from classifier.text.folding import FoldedBatch, fold

__all__ = ["FIELDS", "FoldedBatch", "Segment", "compose", "fold"]
