"""Folding: one table look-up a character, over a whole batch at once, with every kept character's place remembered.

Folding changes single characters only: compatibility forms (full width, circled, letter-like), case, traditional
to simplified, look-alikes; it deletes invisible characters, and separators put inside a word (数*学). What needs
several characters to be read belongs to decoding.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

BOUNDARY = 0x0A
"""Stands before the first text, between texts and after the last one in a folded batch; no folded text holds it."""

_SIZE = 0x110000
_DELETED = 0
_JOINT = "\U0010ffff"
_REPLACEMENT = "\ufffd"
_CODE = np.uint32(0xFFFFFF)
_HAN = np.uint32(1 << 24)
_SEPARATOR = np.uint32(1 << 25)
_HAN_RANGES = ((0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0x20000, 0x2A6DF))
_COMPATIBILITY_RANGES = (
    (0x00A0, 0x0250), (0x2000, 0x2BFF), (0x2E80, 0x2FDF), (0x3000, 0x30FF), (0x3200, 0x33FF), (0xF900, 0xFAFF),
    (0xFE30, 0xFFEF), (0x1D400, 0x1D7FF), (0x1F100, 0x1F2FF), (0x2F800, 0x2FA1F),
)  # fmt: skip
_INVISIBLE_RANGES = (
    (0x0000, 0x0008), (0x000E, 0x001F), (0x007F, 0x009F), (0x00AD, 0x00AD), (0x0300, 0x036F), (0x034F, 0x034F),
    (0x061C, 0x061C), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F), (0x200B, 0x200F), (0x202A, 0x202E),
    (0x2060, 0x206F), (0x20D0, 0x20FF), (0x3164, 0x3164), (0xD800, 0xDFFF), (0xFE00, 0xFE0F), (0xFEFF, 0xFEFF),
    (0xFFA0, 0xFFA0), (0xFFF9, 0xFFFC), (0x1D159, 0x1D159), (0x1F3FB, 0x1F3FF), (0xE0000, 0xE0FFF),
)  # fmt: skip
_SEPARATORS = ".*…·•・~^_`′'\"°¨¯-¦⋯‧∙⁎﹒"
_RANGE_WORDS = "零一二三四五六七八九十百两岁年月日点半时分级"
"""Between these a sign means a range (二~四岁) and no word is broken by it."""

_MAX_SEPARATOR_RUN = 3


def read_table(name: str) -> list[tuple[str, ...]]:
    """Rows of one of our own tab-separated tables; lines beginning with # are provenance and remarks."""
    text = resources.files("classifier.text").joinpath("tables", name).read_text(encoding="utf-8")
    return [tuple(line.split("\t")) for line in text.splitlines() if line and not line.startswith("#")]


def _single(character: str) -> str:
    """The one character that a compatibility form stands for, or the character itself."""
    folded = unicodedata.normalize("NFKC", character)
    if "\u00c0" <= character <= "\u024f":
        folded = unicodedata.normalize("NFKD", character)[0]
    if len(folded) == 1:
        return folded
    inner = folded.strip("()[]〔〕. ,")
    return inner if len(inner) == 1 else character


@cache
def fold_table() -> NDArray[np.uint32]:
    """Code point → folded code point in the low 24 bits (0: deleted) and its class above them; shape (0x110000,)."""
    table = np.arange(_SIZE, dtype=np.uint32)
    for first, last in _COMPATIBILITY_RANGES:
        table[first : last + 1] = [ord(_single(chr(code))) for code in range(first, last + 1)]
    pairs = {ord(row[0]): ord(row[1]) for name in ("traditional.tsv", "lookalikes.tsv") for row in read_table(name)}
    table[list(pairs)] = list(pairs.values())
    lower = {code: ord(chr(code).lower()) for code in range(0x500) if len(chr(code).lower()) == 1}
    for first, last in ((0, 0x4FF), *_COMPATIBILITY_RANGES):
        table[first : last + 1] = [pairs.get(code, code) for code in (lower.get(code, code) for code in table[first : last + 1].tolist())]
    for code in (0x09, 0x0A, 0x0B, 0x0C, 0x0D, 0x85, 0x2028, 0x2029, 0x3000):
        table[code] = 0x20
    table[0x2000:0x200B] = 0x20
    table[0x2010:0x2016] = ord("-")
    for first, last in _INVISIBLE_RANGES:
        table[first : last + 1] = _DELETED
    table[ord(_JOINT)] = BOUNDARY
    for first, last in _HAN_RANGES:
        table[first : last + 1] |= _HAN
    for numeral in _RANGE_WORDS:
        table[ord(numeral)] &= _CODE
    for separator in _SEPARATORS:
        table[table == ord(separator)] |= _SEPARATOR
    return table


class Reading(NamedTuple):
    """[first, stop) of a batch's codes stands for `text`, by a decoder's reading, with the probability that it is right."""

    first: int
    stop: int
    text: str
    decoder: str
    probability: float


@dataclass(frozen=True, slots=True)
class FoldedBatch:
    """Folded texts side by side; `readings` are the coded words that decoding has written out, in order.

    codes: uint32, shape (characters + texts + 1,): BOUNDARY, text 0, BOUNDARY, text 1, … BOUNDARY.
    origin: int32, same shape: the place of each character in its own original text; −1 at boundaries; may be empty.
    ends: int32, same shape as origin: where each character ends there (one past its last original character).
    starts: int64, shape (texts + 1,): where text i begins in `codes`; it ends at starts[i + 1] − 1.
    """

    codes: NDArray[np.uint32]
    origin: NDArray[np.int32]
    ends: NDArray[np.int32]
    starts: NDArray[np.int64]
    readings: tuple[Reading, ...] = ()

    def __len__(self) -> int:
        """How many texts the batch holds."""
        return len(self.starts) - 1

    def text(self) -> str:
        """The whole batch as one string, boundaries included: string index = index into `codes`."""
        return self.codes.tobytes().decode("utf-32-le")


def _deleted(classed: NDArray[np.uint32]) -> NDArray[np.bool_] | None:
    """True where the character is to be deleted; None where none is."""
    deleted: NDArray[np.bool_] = classed & _CODE == _DELETED
    return deleted if deleted.any() else None


def _inside_words(classed: NDArray[np.uint32]) -> NDArray[np.bool_] | None:
    """True where a run of at most three separators stands between two Han characters; None where nowhere."""
    separator = (classed & _SEPARATOR) != 0
    if not separator.any():
        return None
    edges = np.flatnonzero(separator[1:] != separator[:-1]) + 1
    first, stop = edges[::2], edges[1::2]
    joined = (stop - first <= _MAX_SEPARATOR_RUN) & (classed[first - 1] & classed[stop] & _HAN != 0)
    inside = np.zeros(len(classed) + 1, dtype=np.int8)
    inside[first[joined]] += 1
    inside[stop[joined]] -= 1
    return np.cumsum(inside[:-1]).astype(bool)


def fold(texts: Sequence[str], *, origins: bool = True) -> FoldedBatch:
    """Fold a batch of texts. Any string is taken, lone surrogates and NUL included; nothing raises.

    Without `origins` the original places are not computed, and `origin` is empty.
    """
    joined = _JOINT + _JOINT.join(texts) + _JOINT
    if joined.count(_JOINT) != len(texts) + 1 or not texts:
        joined = _JOINT + "".join(text.replace(_JOINT, _REPLACEMENT) + _JOINT for text in texts)
    raw = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    classed = fold_table()[raw]
    place = np.arange(len(raw), dtype=np.int32) if origins else None
    for find_dropped in (_deleted, _inside_words):
        dropped = find_dropped(classed)
        if dropped is not None:
            classed = classed[~dropped]
            place = place[~dropped] if place is not None else None
    codes = classed & _CODE
    bounds = np.flatnonzero(codes == BOUNDARY)
    if place is None:
        nowhere = np.zeros(0, dtype=np.int32)
        return FoldedBatch(codes, nowhere, nowhere, bounds + 1)
    sizes = np.diff(bounds, append=bounds[-1] + 1)
    origin = (place - np.repeat(place[bounds] + 1, sizes)).astype(np.int32)
    return FoldedBatch(codes, origin, origin + 1, bounds + 1)
