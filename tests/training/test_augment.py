import unicodedata
from collections import Counter
from random import Random

import pytest

from classifier.text import decoding, normalise
from classifier.text.folding import read_table
from training import augment_tables as tables
from training.augment import STRENGTHS, balanced_copies, obfuscate, obfuscated

PLAIN = "初二数学周末补课，老师一对一讲函数，微信 abc123"


@pytest.fixture(scope="module")
def train(examples):
    return [example for example in examples if example.split == "train"][::30]


def distance(one, other):
    """Characters to be changed, put in or taken out."""
    row = list(range(len(other) + 1))
    for place, character in enumerate(one, 1):
        last, row[0] = row[0], place
        for at, sign in enumerate(other, 1):
            last, row[at] = row[at], min(row[at] + 1, row[at - 1] + 1, last + (character != sign))
    return row[-1]


@pytest.mark.parametrize("strength", STRENGTHS)
def test_the_same_seed_gives_the_same_text_and_another_seed_another(strength, train):
    texts = [example.text for example in train]
    one, again, other = ([obfuscate(text, strength, random) for text in texts] for random in (Random(7), Random(7), Random(8)))
    assert one == again and sum(a != b for a, b in zip(one, other, strict=True)) > 0.9 * len(texts)


@pytest.mark.parametrize("strength", STRENGTHS)
def test_every_text_is_changed_and_none_is_emptied(strength, train):
    for number, text in enumerate([*(example.text for example in train), "数", "a", "🔢", "，", " ", "鿿", "\u200b"]):
        hidden = obfuscate(text, strength, Random(number))
        assert hidden != text and hidden, text
    assert obfuscate("", strength, Random(0)) == ""


def test_heavier_changes_more(train):
    random = Random(3)
    changed = [
        sum(distance(e.text, obfuscate(e.text, strength, random)) / len(e.text) for e in train) / len(train) for strength in STRENGTHS
    ]
    assert changed[0] > 0.01 and changed[1] > 1.5 * changed[0] and changed[2] > 1.5 * changed[1]


def test_words_are_hidden_in_every_way_promised():
    seen = {obfuscate(PLAIN, "heavy", Random(seed)) for seed in range(400)}
    joined = "\n\n".join(seen)
    for way in ("shu", "shù", "sx", "SX", "s学", "娄", "學", "➕", "\u200b", "初\n二", "𝟏", "①", "ａ", "渶" if "英" in PLAIN else "薮"):
        assert way in joined, way
    kept = sum("数学" in text for text in seen) / len(seen)
    assert 0 < kept < 0.15
    light = [obfuscate(PLAIN, "light", Random(seed)) for seed in range(400)]
    assert 0.5 < sum("数学" in text for text in light) / len(light) < 0.8


def test_sound_alikes_sound_alike():
    readings = tables.common_readings()
    assert set(tables.by_sound()["shu"]) >= set("数书树叔") and "学" not in tables.by_sound()["shu"]
    assert all(readings[character] == syllable for syllable, characters in tables.by_sound().items() for character in characters)
    assert set(tables.near_syllables("shan")) >= {"san", "shang"} and tables.near_syllables("ba") == ()
    assert "hu" in tables.near_syllables("fu") and "lan" in tables.near_syllables("nan")


def test_letter_and_character_forms_are_forms_of_them():
    forms = tables.letter_forms()
    assert set(forms) == set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
    for letter, written in forms.items():
        for form in written:
            folded = unicodedata.normalize("NFKC", form).strip("()")
            assert folded in (letter, form), (letter, form)
    assert "㊫" in tables.han_forms()["学"] and all(
        form not in tables.han_forms() for written in tables.han_forms().values() for form in written
    )


def test_a_copy_keeps_its_labels_and_teaches_nothing_about_disguises(train):
    for example in train:
        copy = obfuscated(example, "medium", Random(example.id))
        assert copy.text != example.text and (copy.title != example.title) == bool(example.title)
        for field in ("category", "form", "subjects", "stages", "disguises", "signals", "declared_category", "source", "split", "group"):
            assert getattr(copy, field) == getattr(example, field)
        assert copy.id != example.id and set(copy.agreed) == set(example.agreed) - {"disguised", "disguises"}


def test_copies_are_of_every_category_and_strength_alike(train):
    for share in (0.5, 2.0):
        copies = balanced_copies(train, share)
        assert copies == balanced_copies(train, share) != balanced_copies(train, share, seed=1)
        for counts in (Counter(copy.category for copy in copies), Counter(copy.id.split("~")[1] for copy in copies)):
            assert len(counts) == 3 and max(counts.values()) - min(counts.values()) <= 3
        assert abs(len(copies) - share * len(train)) < 3 and all("form" not in copy.agreed for copy in copies)
    assert balanced_copies(train, 0.0) == []


def decoders_know():
    """Everything the decoders read, by the word that it stands for."""
    return {(written, read) for kind in decoding.DECODERS for written, read in kind().words().items()}


def hand_written(ours, theirs):
    """Our pairs and the decoders', (what is written, what it stands for)."""
    return {(way, key) for key, ways in ours.items() for way in ways}, {row[:2] for row in read_table(theirs)}


def test_the_tables_are_not_those_of_the_decoders():
    for ours, theirs in (
        (tables.components(), "splits.tsv"),
        (tables.pictographs(), "pictographs.tsv"),
        (tables.martian(), "lookalikes.tsv"),
    ):
        one, other = hand_written(ours, theirs)
        shared = one & other
        assert len(shared) < 0.25 * len(one) and other - one, theirs
    sounds = {(character, syllable) for character, syllable in tables.common_readings().items()}
    theirs = {(row[0], reading[:-1]) for row in read_table("pinyin.tsv") for reading in row[1].split()}
    assert sounds != theirs and theirs - sounds


@pytest.mark.parametrize("word", ["数学", "英语", "语文", "物理"])
def test_the_decoders_know_only_a_part_of_what_is_written(word):
    written = {obfuscate(word, "heavy", Random(seed)) for seed in range(600)} - {word}
    known = {one for one in written if (one, word) in decoders_know()}
    assert 0.02 < len(known) / len(written) < 0.6
    context = "初二{}周末补课，老师讲题"
    batch = normalise([context.format(one) for one in sorted(written)], origins=False).text().split("\n")[1:-1]
    read = sum(word in text for text in batch) / len(written)
    assert 0.1 < read < 0.8
