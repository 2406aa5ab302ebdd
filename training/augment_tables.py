"""What the obfuscator of the training texts draws from; the provenance of each table stands in training/augment.py."""

import re
import unicodedata
from collections import Counter, defaultdict
from functools import cache
from pathlib import Path

from training.corpus import corpus_files, read_examples

_FOLDER = Path(__file__).parent / "tables"
_COMMON = 5
_NEAR_INITIALS = (("zh", "z"), ("ch", "c"), ("sh", "s"), ("n", "l"), ("f", "h"), ("r", "l"))
_NEAR_FINALS = (("ang", "an"), ("eng", "en"), ("ing", "in"))
_FORM_NAME = re.compile(
    r"(?:FULLWIDTH|PARENTHESIZED|(?:NEGATIVE )?(?:CIRCLED|SQUARED)|MATHEMATICAL [A-Z -]+?) "
    r"(?:LATIN )?(CAPITAL|SMALL|DIGIT) (?:LETTER )?([A-Z]+)"
)
_DIGITS = {unicodedata.name(digit).split()[1]: digit for digit in "0123456789"}


def is_han(character: str) -> bool:
    """Whether it is a common Chinese character (the basic block)."""
    return "一" <= character <= "鿿"


@cache
def _table(name: str) -> dict[str, tuple[str, ...]]:
    """What is written → the ways to write it otherwise."""
    lines = _FOLDER.joinpath(name).read_text(encoding="utf-8").splitlines()
    rows = (line.split("\t") for line in lines if line and not line.startswith("#"))
    return {key: tuple(values.split()) for key, values in rows}


def words() -> dict[str, tuple[str, ...]]:
    """Group → the words that are hidden before others."""
    return _table("words.tsv")


def components() -> dict[str, tuple[str, ...]]:
    """Character → ways in which it is taken apart."""
    return _table("components.tsv")


def pictographs() -> dict[str, tuple[str, ...]]:
    """Word or character → pictographs for it."""
    return _table("emoji.tsv")


def martian() -> dict[str, tuple[str, ...]]:
    """Character → its Martian-script variants."""
    return _table("martian.tsv")


@cache
def common_readings() -> dict[str, str]:
    """Each character that the training split has at least five times → its commonest syllable, without the tone."""
    from pypinyin.constants import PINYIN_DICT
    from pypinyin.contrib.tone_convert import to_normal

    counts = Counter(
        character
        for example in read_examples(corpus_files())
        if example.split == "train"
        for character in example.text
        if is_han(character)
    )
    common = sorted(character for character, count in counts.items() if count >= _COMMON)
    return {
        character: to_normal(PINYIN_DICT[ord(character)].split(",")[0], v_to_u=False)
        for character in common
        if ord(character) in PINYIN_DICT
    }


@cache
def by_sound() -> dict[str, tuple[str, ...]]:
    """Syllable → the common characters that are read so."""
    found: dict[str, list[str]] = defaultdict(list)
    for character, syllable in common_readings().items():
        found[syllable].append(character)
    return {syllable: tuple(characters) for syllable, characters in found.items()}


@cache
def near_syllables(syllable: str) -> tuple[str, ...]:
    """Syllables that many speakers do not keep apart from this one: zh/z, n/l, f/h, ing/in and the like."""
    found = {syllable}
    for pairs, pattern in ((_NEAR_INITIALS, "^{}(?=[aeiouv])"), (_NEAR_FINALS, "(?<![iu]){}$")):
        for one, other in (*pairs, *(pair[::-1] for pair in pairs)):
            found |= {re.sub(pattern.format(one), other, known) for known in tuple(found)}
    return tuple(sorted(near for near in found - {syllable} if near in by_sound()))


@cache
def letter_forms() -> dict[str, tuple[str, ...]]:
    """Latin letter or digit → its full-width, circled, squared, parenthesised and mathematical forms, by their Unicode names."""
    found: dict[str, list[str]] = defaultdict(list)
    for code in (*range(0x2460, 0x2500), *range(0xFF10, 0xFF5B), *range(0x1D400, 0x1D800), *range(0x1F110, 0x1F190)):
        match = _FORM_NAME.fullmatch(unicodedata.name(chr(code), ""))
        if match:
            kind, name = match.groups()
            letter = _DIGITS.get(name, "") if kind == "DIGIT" else name if len(name) == 1 else ""
            if letter:
                found[letter.lower() if kind == "SMALL" else letter].append(chr(code))
    return {letter: tuple(forms) for letter, forms in found.items()}


@cache
def han_forms() -> dict[str, tuple[str, ...]]:
    """Chinese character → its circled, squared, parenthesised, radical and compatibility forms, by Unicode's decompositions."""
    found: dict[str, list[str]] = defaultdict(list)
    for code in (*range(0x2F00, 0x2FD6), *range(0x3220, 0x3248), *range(0x3280, 0x32B1), *range(0xF900, 0xFB00), *range(0x1F210, 0x1F23C)):
        form = chr(code)
        inner = [character for character in unicodedata.normalize("NFKD", form) if is_han(character)]
        if len(inner) == 1 and unicodedata.normalize("NFC", form) == form:
            found[inner[0]].append(form)
    return {character: tuple(forms) for character, forms in found.items()}
