"""Hiding words in training texts as advertisers do, so that the engines meet disguised wording of every kind.

Measured robustness must not be circular, so nothing here is read from the decoders' tables (classifier/text/tables):

- sound-alikes: made at run time from the character → reading data of the pypinyin project (MIT), for characters that occur
  at least five times in the training split of the corpus; they apply to every word, not to subject names alone, and go
  further than the decoders' near sounds (f/h, r/l). A word's own reading is pypinyin's, phrases included.
- pinyin, mixed pinyin, initials: pypinyin on the word.
- full-width, circled, squared, mathematical letters and digits: the characters' Unicode names (unicodedata); circled, radical
  and compatibility forms of Chinese characters: Unicode's decompositions.
- Traditional characters: Open Chinese Convert (opencc, Apache-2.0), standard, Hong Kong and Taiwan, the other way round from the
  decoders' Traditional → simplified table, and of whole words.
- characters taken apart, pictographs, Martian script: tables/components.tsv, emoji.tsv, martian.tsv, written by hand for this.
  Their author knew the decoders' tables but took nothing from them; 22 of 214 takings-apart and 3 of 115 pictographs are in both
  (tests/training/test_augment.py bounds it).
- the words to be hidden: tables/words.tsv, by hand; all other characters are touched more rarely.
- separators, invisible characters, and noise as of scanned posters (dropped punctuation, line breaks in words): the constants
  of this module.

Readings and Traditional characters have the same upstream projects as the decoders' pinyin.tsv and traditional.tsv, so these kinds
are only half independent; hand-written pairs of the corpus are the measure that owes nothing to either.

Labels stay true but for one: hidden wording is itself a disguise, so `obfuscated` takes the disguise fields out of those that
an example teaches.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from random import Random
from typing import TYPE_CHECKING

from classifier.taxonomy import TAXONOMY
from training import augment_tables as tables
from training.corpus import Example

if TYPE_CHECKING:
    from opencc import OpenCC


@dataclass(frozen=True, slots=True)
class Strength:
    """Chances that a known word, another character, letters or digits, a mark is touched, and that the whole turns Traditional."""

    word: float
    character: float
    letters: float
    mark: float
    traditional: float


STRENGTHS = {
    "light": Strength(0.35, 0.01, 0.05, 0.02, 0.02),
    "medium": Strength(0.65, 0.04, 0.15, 0.06, 0.04),
    "heavy": Strength(0.95, 0.12, 0.3, 0.15, 0.08),
}
"""From light to heavy."""

_WORD = "|".join(sorted({word for words in tables.words().values() for word in words}, key=lambda word: (-len(word), word)))
_PIECES = re.compile(
    rf"(?P<word>{_WORD})|(?P<character>[一-鿿])|(?P<letters>[A-Za-z0-9]+)|(?P<mark>[，。、；：！？,.;:!?（）()【】“”—])|.", re.S
)
_FUNCTION_CHARACTERS = "的了着过和与或及在是有不也都就又还吗呢吧啊"
_JOINTS = "·.*-_~/|+^`'…•、 　♥★☆#&=❀➕丶丨"
_INVISIBLE = "\u200b\u200c\u200d\u2060\u00ad\ufeff\u200e"
_STYLED = 0.2
_Method = Callable[[str, Random], str]


def _spelled(word: str, *, toned: bool = False) -> list[str]:
    """The syllables of a word of Chinese characters, one a character."""
    from pypinyin import Style, lazy_pinyin

    return lazy_pinyin(word, style=Style.TONE if toned else Style.NORMAL)


def _some(word: str, random: Random, changes: Sequence[Sequence[str]]) -> str:
    """The word with one of its changeable characters changed, or, one time in four, all; `changes`: the choices for each character."""
    places = [place for place, choices in enumerate(changes) if choices]
    if not places:
        return word
    chosen = set(places) if random.random() < 0.25 else {random.choice(places)}
    return "".join(random.choice(changes[place]) if place in chosen else character for place, character in enumerate(word))


def _sound_alike(word: str, random: Random) -> str:
    near = random.random() < 0.3
    choices = []
    for character, syllable in zip(word, _spelled(word), strict=True):
        syllables = tables.near_syllables(syllable) if near else (syllable,)
        choices.append([other for sound in syllables for other in tables.by_sound().get(sound, ()) if other != character])
    return _some(word, random, choices)


def _pinyin(word: str, random: Random) -> str:
    syllables = _spelled(word, toned=random.random() < 0.25)
    if random.random() < 0.5:
        return _styled(random.choice(("", "", " ", "-")).join(syllables), random)
    return _some(word, random, [[syllable] for syllable in syllables])


def _initials(word: str, random: Random) -> str:
    initials = "".join(syllable[0] for syllable in _spelled(word))
    if random.random() < 0.5:
        initials = initials.upper()
    if len(word) > 1 and random.random() < 0.4:
        return _styled(initials, random)
    place = random.randrange(len(word))
    return word[:place] + _styled(initials[place], random) + word[place + 1 :]


def _styled(letters: str, random: Random) -> str:
    """The letters, some of the time in a form of the look of one style."""
    return _forms(letters, random) if random.random() < _STYLED else letters


def _forms(letters: str, random: Random) -> str:
    style = random.random()
    forms = (tables.letter_forms().get(letter, letter) for letter in letters)
    return "".join(choices[int(style * len(choices))] for choices in forms)


def _character_forms(word: str, random: Random) -> str:
    return _some(word, random, [tables.han_forms().get(character, ()) for character in word])


def _components(word: str, random: Random) -> str:
    return _some(word, random, [tables.components().get(character, ()) for character in word])


def _martian(word: str, random: Random) -> str:
    return _some(word, random, [tables.martian().get(character, ()) for character in word])


def _pictograph(word: str, random: Random) -> str:
    if word in tables.pictographs():
        return random.choice(tables.pictographs()[word])
    return _some(word, random, [tables.pictographs().get(character, ()) for character in word])


def _traditional(word: str, random: Random) -> str:
    converted: str = _converter(random.choice(("s2t", "s2hk", "s2tw"))).convert(word)
    return converted


@cache
def _converter(configuration: str) -> "OpenCC":
    from opencc import OpenCC

    return OpenCC(configuration)


def _joined(word: str, random: Random) -> str:
    return (random.choice(_JOINTS) * random.choice((1, 1, 1, 2))).join(word)


def _invisible(word: str, random: Random) -> str:
    return random.choice(_INVISIBLE).join(word)


def _broken(word: str, random: Random) -> str:
    place = random.randrange(1, len(word)) if len(word) > 1 else 0
    return word[:place] + "\n" + word[place:] if place else word


_METHODS: dict[_Method, int] = {
    _sound_alike: 6, _pinyin: 3, _initials: 3, _components: 3, _joined: 3, _invisible: 1, _pictograph: 2, _martian: 2,
    _traditional: 1, _character_forms: 1, _broken: 1,
}  # fmt: skip
"""How words are hidden, and how often."""
_CHARACTER_METHODS: dict[_Method, int] = {_sound_alike: 6, _pinyin: 1, _components: 2, _martian: 2, _traditional: 1, _character_forms: 1}


def _hidden(piece: str, methods: dict[_Method, int], random: Random) -> str:
    """The piece by the first method that changes it, tried in a weighted order."""
    for method in sorted(methods, key=lambda method: -(random.random() ** (1 / methods[method]))):
        changed = method(piece, random)
        if changed != piece:
            return changed
    return piece


def _touched(kind: str, piece: str, random: Random) -> str:
    if kind == "word":
        return _hidden(piece, _METHODS, random)
    if kind == "character":
        return _hidden(piece, _CHARACTER_METHODS, random)
    if kind == "letters":
        return _forms(piece, random)
    return random.choice(("", " ", "\n"))


def obfuscate(text: str, strength: str, rng: Random) -> str:
    """The text with words hidden; `strength` is one of STRENGTHS. The same state of `rng` gives the same text.

    Where the chances spared everything, one piece is touched; only an empty text stays as it is.
    """
    force = STRENGTHS[strength]
    pieces = [(match.lastgroup or "", match.group()) for match in _PIECES.finditer(text)]
    pieces = [("" if kind == "character" and piece in _FUNCTION_CHARACTERS else kind, piece) for kind, piece in pieces]
    written = "".join(_touched(kind, piece, rng) if kind and rng.random() < getattr(force, kind) else piece for kind, piece in pieces)
    if rng.random() < force.traditional:
        written = _traditional(written, rng)
    if written != text and written.strip():
        return written
    for kind in ("word", "character", "letters"):
        places = [place for place, piece in enumerate(pieces) if piece[0] == kind]
        for place in rng.sample(places, len(places)):
            changed = _touched(kind, pieces[place][1], rng)
            if changed != pieces[place][1]:
                return "".join(changed if number == place else piece for number, (_, piece) in enumerate(pieces))
    return text[:1] + rng.choice(_INVISIBLE) + text[1:] if text else text


def unlearned(example: Example, *fields: str) -> Example:
    """The example, teaching nothing about the fields."""
    return replace(example, agreed=tuple(field for field in example.agreed if field not in fields))


def without_disguises(example: Example) -> Example:
    """The example, teaching nothing about disguises."""
    return unlearned(example, "disguised", "disguises")


def obfuscated(example: Example, strength: str, rng: Random) -> Example:
    """A copy with title and text hidden, under an id of its own, that teaches nothing about disguises."""
    title, text = obfuscate(example.title, strength, rng), obfuscate(example.text, strength, rng)
    return replace(without_disguises(example), id=f"{example.id}~{strength}", title=title, text=text, pair="")


def balanced_copies(examples: Sequence[Example], share: float, seed: int = 0) -> list[Example]:
    """Obfuscated copies, `share` times as many as examples: a third light, a third medium, a third heavy, and as many of each category.

    Equal parts, since otherwise hidden wording would speak for the commonest category. They teach category, subjects and
    stages only: noise changes the look by which the form is known.
    """
    random, strengths, copies = Random(seed), tuple(STRENGTHS), []
    for category in TAXONOMY.categories:
        members = [example for example in examples if example.category == category]
        wanted = round(share * len(examples) / len(TAXONOMY.categories)) if members else 0
        chosen = members * (wanted // max(1, len(members))) + random.sample(members, wanted % max(1, len(members)))
        copies += [unlearned(obfuscated(one, strengths[place % len(strengths)], random), "form") for place, one in enumerate(chosen)]
    return copies
