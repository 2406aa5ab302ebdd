"""Decoding: what several characters together stand for—sound-alikes, pinyin, letters, split characters, pictographs.

A decoder proposes readings; a reading is accepted only where the text around it makes it likelier than not, so that a greengrocer's
蔬菜 stays 蔬菜. To add a decoder: subclass Decoder, name the written words that it reads, rule out in `judge` what the
neighbouring characters forbid, and put the class into DECODERS.
"""

import math
import re
from abc import ABC, abstractmethod
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from functools import cache
from itertools import product
from typing import NamedTuple

import ahocorasick_rs
import numpy as np

from classifier.text.folding import BOUNDARY, FoldedBatch, Reading, read_table

ACCEPTED = 0.5
_SUPPORT, _BLOCK, _SIBLING, _BIAS = 1.1, 2.2, 0.9, 2.0
_TARGETS = ("语文", "数学", "英语", "物理", "化学", "生物", "历史", "地理", "政治", "奥数", "作文")
_SPELLED = {
    "语文": ("yu", "wen"), "数学": ("shu", "xue"), "英语": ("ying", "yu"), "物理": ("wu", "li"), "化学": ("hua", "xue"),
    "生物": ("sheng", "wu"), "历史": ("li", "shi"), "地理": ("di", "li"), "政治": ("zheng", "zhi"), "奥数": ("ao", "shu"),
    "作文": ("zuo", "wen"), "补课": ("bu", "ke"), "补习": ("bu", "xi"), "辅导": ("fu", "dao"), "拼音": ("pin", "yin"),
    "科学": ("ke", "xue"), "日语": ("ri", "yu"), "阅读": ("yue", "du"), "单词": ("dan", "ci"), "语法": ("yu", "fa"),
}  # fmt: skip
_STRAY_SIGNS = " ❀✿☆★♡♥❤❥✦✧◆◇●○■□▲△♪♫+&=#@$%"
_FUNCTION_CHARACTERS = set("与于以里时是的得一有又无之您你")
_FOLLOWED = {
    "学": "习员校院生会期霸姐长子徒者费历位科问乘到完了不起好得过做着来画琴唱跳写说打弹练下", "文": "章化件字具艺体创明献本武",
    "理": "想解论财由发念性", "物": "业品流", "治": "疗理安", "语": "言", "数": "量据", "史": "", "导": "",
}  # fmt: skip


class Proposal(NamedTuple):
    """[first, stop) of the batch's string may mean `reading`; `strength` is the log-odds before the context is asked."""

    first: int
    stop: int
    reading: str
    strength: float


class Decoder(ABC):
    """Reads written words of one kind. All decoders' words are found in one pass over a batch.

    id: shown with the evidence. words: written, in folded form → read. strength: log-odds of its readings.
    """

    id: str
    strength: float

    @abstractmethod
    def words(self) -> dict[str, str]:
        """Everything that the decoder can read."""

    def judge(self, text: str, proposal: Proposal) -> Proposal | None:
        """The proposal, perhaps with another strength; None where the neighbours rule it out.

        Unless overridden, Latin letters must stand alone.
        """
        return proposal if _stands_alone(text, proposal.first, proposal.stop) else None


def _stands_alone(text: str, first: int, stop: int) -> bool:
    """A Latin letter at either end of the span has no other letter, digit or hyphen beside it."""
    before = _is_latin(text[first]) and first > 0 and _is_latin(text[first - 1])
    after = _is_latin(text[stop - 1]) and stop < len(text) and _is_latin(text[stop])
    return not before and not after


def _is_latin(character: str) -> bool:
    return "a" <= character <= "z" or character in "0123456789_-"


class Spellings(Decoder):
    """Coded spellings written out in coded_words.tsv."""

    id = "spelling"
    strength = 1.2

    def words(self) -> dict[str, str]:
        """The table."""
        return dict(_pairs("coded_words.tsv"))


class Splits(Decoder):
    """Words with one or both characters taken apart: 讠吾文."""

    id = "split"
    strength = 2.0

    def words(self) -> dict[str, str]:
        """Every combination of whole and taken-apart characters."""
        pieces: dict[str, list[str]] = defaultdict(list)
        for written, character in _pairs("splits.tsv"):
            pieces[character].append(written)
        found: dict[str, str] = {}
        for target in _SPELLED:
            for one, other in product(*([character, *pieces.get(character, [])] for character in target)):
                found |= {one + joint + other: target for joint in ("", " ")}
        return {written: read for written, read in found.items() if written.replace(" ", "") != read}


class Separated(Decoder):
    """A word's characters kept apart by a space or a stray sign: 数 学, 科❀学."""

    id = "separated"
    strength = 0.8

    def words(self) -> dict[str, str]:
        """Every target word with each sign in it."""
        return {target[0] + sign + target[1]: target for target in _SPELLED for sign in _STRAY_SIGNS}


class MixedPinyin(Decoder):
    """Syllables for characters: shu学, 数xue, shuxue, shu xue."""

    id = "pinyin"
    strength = 1.3

    def words(self) -> dict[str, str]:
        """Every target word with one or both of its characters spelled."""
        found: dict[str, str] = {}
        for target, syllables in _SPELLED.items():
            for one, other in product(*zip(target, syllables, strict=True)):
                if one + other != target:
                    found |= {one + joint + other: target for joint in ("", " ", "-", "'")}
        return found


class Abbreviations(Decoder):
    """Initials and letters for words: yw, S课, 补k, z治."""

    id = "letters"
    strength = 0.0
    _mixed_strength = 0.8

    def words(self) -> dict[str, str]:
        """The table, and an initial beside the word's other character."""
        found: dict[str, str] = {}
        for target, (one, other) in _SPELLED.items():
            found |= {one[0] + target[1]: target, target[0] + other[0]: target}
        return found | dict(_pairs("abbreviations.tsv"))

    def judge(self, text: str, proposal: Proposal) -> Proposal | None:
        """Pure initials speak more softly than a letter that stands in a word."""
        judged = super().judge(text, proposal)
        if judged and not text[proposal.first : proposal.stop].isascii():
            return judged._replace(strength=self._mixed_strength)
        return judged


class Pictographs(Decoder):
    """Emoji for subjects."""

    id = "pictograph"
    strength = -0.6

    def words(self) -> dict[str, str]:
        """The table."""
        return dict(_pairs("pictographs.tsv"))


class Homophones(Decoder):
    """A subject's name with one character changed for another of the same or a near sound (l/n, z/zh, in/ing count as one)."""

    id = "homophone"
    strength = 0.3

    def __init__(self) -> None:
        """Read the characters with which a changed first character would make an ordinary word."""
        self._guards = {row[0]: set(row[1]) for row in read_table("soundalike_guards.tsv")}

    def words(self) -> dict[str, str]:
        """From the characters' readings; ordinary words are left alone."""
        by_sound: dict[str, list[str]] = defaultdict(list)
        for character, readings in _pairs("pinyin.tsv"):
            for reading in {_near(reading) for reading in readings.split()}:
                by_sound[reading].append(character)
        ordinary = {word for word, _ in _pairs("soundalike_words.tsv")} | set(_TARGETS)
        found: dict[str, str] = {}
        for target in _TARGETS:
            one, other = (by_sound[_near(syllable)] for syllable in _SPELLED[target])
            changed = [character + target[1] for character in one] + [target[0] + character for character in other]
            found |= {word: target for word in changed if word not in ordinary and not set(word) & _FUNCTION_CHARACTERS}
        return found

    def judge(self, text: str, proposal: Proposal) -> Proposal | None:
        """Nothing where the characters belong to ordinary words or to a target word beside them."""
        first, stop, reading, _ = proposal
        before, after = text[first - 1 : first], text[stop : stop + 1]
        beside = text[first + 1] + after in _TARGETS or before + text[first] in _TARGETS
        ordinary = before in self._guards.get(text[first], ()) or (after and after in _FOLLOWED.get(reading[-1], ""))
        return None if beside or ordinary else proposal


@cache
def _near(syllable: str) -> str:
    """A syllable without tone, near initials and finals made one."""
    plain = re.sub(r"\d", "", syllable)
    return re.sub(r"ng$", "n", re.sub(r"^l", "n", re.sub(r"^([zcs])h", r"\1", plain)))


def _pairs(name: str) -> list[tuple[str, str]]:
    return [(row[0], row[1]) for row in read_table(name)]


DECODERS: tuple[type[Decoder], ...] = (Spellings, Splits, Separated, MixedPinyin, Abbreviations, Pictographs, Homophones)
"""The registry. Where two decoders read the same written word, the earlier one is asked."""


@cache
def _automaton() -> tuple[ahocorasick_rs.AhoCorasick, tuple[tuple[Decoder, str], ...]]:
    """One automaton over all decoders' words, and the decoder and reading of each word."""
    known: dict[str, tuple[Decoder, str]] = {}
    for kind in DECODERS:
        decoder = kind()
        for written, read in decoder.words().items():
            known.setdefault(written, (decoder, read))
    return ahocorasick_rs.AhoCorasick(list(known), implementation=ahocorasick_rs.Implementation.DFA), tuple(known.values())


@cache
def _context() -> tuple[ahocorasick_rs.AhoCorasick, tuple[str, ...]]:
    rows = _pairs("context.tsv")
    return ahocorasick_rs.AhoCorasick([word for word, _ in rows]), tuple(kind for _, kind in rows)


def _support(text: str, covered: Sequence[tuple[int, int]]) -> tuple[int, bool]:
    """How many kinds of school context a text holds outside the coded places, and whether another trade speaks in it."""
    automaton, kinds = _context()
    found: set[str] = set()
    for word, first, stop in automaton.find_matches_as_indexes(text, overlapping=True):
        if not any(first < end and start < stop for start, end in covered):
            found.add(kinds[word])
    return len(found - {"other"}), "other" in found


def _accepted(text: str, proposals: list[tuple[Proposal, str]]) -> list[Reading]:
    """The readings of one text that its context makes likelier than not, none overlapping another."""
    support, blocked = _support(text, [(proposal.first, proposal.stop) for proposal, _ in proposals])
    siblings = len({proposal.first for proposal, _ in proposals}) - 1
    readings: list[Reading] = []
    for proposal, decoder in sorted(proposals, key=lambda item: (-item[0].strength, item[0].first - item[0].stop)):
        odds = proposal.strength + _SUPPORT * support - _BLOCK * blocked + _SIBLING * min(siblings, 2) - _BIAS
        chance = 1 / (1 + math.exp(-odds))
        free = all(proposal.stop <= reading.first or proposal.first >= reading.stop for reading in readings)
        if chance >= ACCEPTED and free:
            readings.append(Reading(proposal.first, proposal.stop, proposal.reading, decoder, round(chance, 3)))
    return sorted(readings, key=lambda reading: reading.first)


def decode(batch: FoldedBatch) -> FoldedBatch:
    """The batch with its accepted readings written out; each reading's characters keep the place of the coded word."""
    text = batch.text()
    automaton, known = _automaton()
    by_text: dict[int, list[tuple[Proposal, str]]] = defaultdict(list)
    starts = batch.starts.tolist()
    for word, first, stop in automaton.find_matches_as_indexes(text, overlapping=True):
        decoder, read = known[word]
        proposal = decoder.judge(text, Proposal(first, stop, read, decoder.strength))
        if proposal is not None:
            by_text[bisect_right(starts, first) - 1].append((proposal, decoder.id))
    readings: list[Reading] = []
    for owner in sorted(by_text):
        start, stop = starts[owner], starts[owner + 1] - 1
        placed = [(proposal._replace(first=proposal.first - start, stop=proposal.stop - start), name) for proposal, name in by_text[owner]]
        for reading in _accepted(text[start:stop], placed):
            readings.append(reading._replace(first=reading.first + start, stop=reading.stop + start))
    return _rewritten(batch, readings) if readings else batch


def _rewritten(batch: FoldedBatch, readings: list[Reading]) -> FoldedBatch:
    codes, origin, ends, placed = [], [], [], []
    last = length = 0
    for reading in readings:
        written = np.array([ord(character) for character in reading.text], dtype=np.uint32)
        codes += [batch.codes[last : reading.first], written]
        if len(batch.origin):
            place = np.full(len(written), batch.origin[reading.first], dtype=np.int32)
            end = np.full(len(written), batch.ends[reading.stop - 1], dtype=np.int32)
            origin += [batch.origin[last : reading.first], place]
            ends += [batch.ends[last : reading.first], end]
        length += reading.first - last
        placed.append(reading._replace(first=length, stop=length + len(written)))
        length += len(written)
        last = reading.stop
    whole = np.concatenate([*codes, batch.codes[last:]])
    starts = np.flatnonzero(whole == BOUNDARY) + 1
    if not len(batch.origin):
        return FoldedBatch(whole, batch.origin, batch.ends, starts, tuple(placed))
    return FoldedBatch(
        whole, np.concatenate([*origin, batch.origin[last:]]), np.concatenate([*ends, batch.ends[last:]]), starts, tuple(placed)
    )
