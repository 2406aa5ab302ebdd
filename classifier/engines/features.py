"""Hashed character n-grams of a folded batch, all texts at once, as one sparse matrix."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from classifier.text.folding import BOUNDARY, FoldedBatch

HASH_BITS = 21
ORDERS = 3
_MULTIPLIERS = tuple(np.uint32(value) for value in (0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D, 0x27D4EB2F))
_FINAL = np.uint32(0x165667B1)


@dataclass(frozen=True, slots=True)
class NGrams:
    """Every known n-gram occurrence of a batch, in reading order.

    rows: int32, shape (occurrences,): the feature row of each occurrence.
    slots: int32, shape (occurrences,): ORDERS × place in the batch's codes + (order − 1).
    pointers: int64, shape (texts + 1,): text i owns occurrences pointers[i] … pointers[i + 1] − 1.
    """

    rows: NDArray[np.int32]
    slots: NDArray[np.int32]
    pointers: NDArray[np.int64]

    def matrix(self, width: int) -> csr_array:
        """Occurrence counts, shape (texts, width); repeated n-grams stand as repeated entries."""
        ones = np.ones(len(self.rows), dtype=np.float32)
        return csr_array((ones, self.rows, self.pointers), shape=(len(self.pointers) - 1, width), copy=False)


def hash_ngrams(codes: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Buckets of the 1- to ORDERS-grams beginning at every code; shape (codes, ORDERS), values below 2**HASH_BITS.

    An n-gram may begin or end with a boundary and never reaches across one; those that would are given bucket 0.
    """
    padded = np.concatenate((codes, np.full(ORDERS, BOUNDARY, dtype=np.uint32)))
    boundary = padded == BOUNDARY
    buckets = np.empty((len(codes), ORDERS), dtype=np.uint32)
    mixed = np.zeros(len(codes), dtype=np.uint32)
    broken = np.zeros(len(codes), dtype=bool)
    for order in range(ORDERS):
        part = padded[order : order + len(codes)]
        mixed = (mixed ^ (part * _MULTIPLIERS[order])) * _FINAL
        mixed ^= mixed >> np.uint32(15)
        if order > 1:
            broken = broken | boundary[order - 1 : order - 1 + len(codes)]
        buckets[:, order] = (mixed + np.uint32(order)) >> np.uint32(32 - HASH_BITS)
        buckets[boundary[: len(codes)] if order == 0 else broken, order] = 0
    return buckets


def find_ngrams(batch: FoldedBatch, index: NDArray[np.int32]) -> NGrams:
    """Look up the n-grams of a batch in `index` (bucket → feature row, −1 where unknown; shape (2**HASH_BITS,))."""
    rows = index[hash_ngrams(batch.codes).ravel()]
    slots = np.flatnonzero(rows >= 0).astype(np.int32)
    pointers = np.searchsorted(slots, (batch.starts - 1) * ORDERS).astype(np.int64)
    return NGrams(rows[slots], slots, pointers)
