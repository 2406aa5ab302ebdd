import random

import pytest

from classifier import Record
from training.faithfulness import CUTS, faithfulness, only, random_spans, rows, without


@pytest.fixture(scope="module")
def figures(classifier, examples):
    return faithfulness(classifier, [example.record for example in examples if example.split == "test"])


def test_taking_the_top_evidence_away_lowers_the_finding(figures):
    """Comprehensiveness: far more than deleting as much at random, for subject texts and for disguised ones."""
    for item in figures:
        assert item.texts > 100 and item.shown > 0.9
        for name in CUTS:
            assert item.drops[name] > 0.05 and item.drops[name] > 2.5 * item.random_drops[name], (item.question, name)
        assert item.drops["1"] < item.drops["3"] <= item.drops["全部"] + 0.01
    assert all(item.drops["3"] > 0.15 for item in figures)


def test_what_is_shown_is_nearly_enough_by_itself(figures):
    """Sufficiency: with nothing but the evidence the probability stays near the original one."""
    assert all(item.kept > item.before - 0.1 for item in figures)


def test_spans_are_deleted_or_kept_in_their_fields():
    record = Record("一二三四五六", title="甲乙")
    spans = [("text", 0, 2), ("text", 1, 3), ("title", 1, 2), ("text", 5, 6)]
    cut, kept = without(record, spans), only(record, spans)
    assert (cut.text, cut.title) == ("四五", "甲") and (kept.text, kept.title) == ("一二三，六", "乙")
    assert without(Record("一"), [("text", 0, 1)]).text == "。" == only(Record("一"), []).text


def test_random_spans_have_the_same_lengths_and_lie_inside():
    record = Record("一二三四五六", title="甲乙")
    for seed in range(50):
        drawn = random_spans(record, [("text", 0, 4), ("title", 0, 2)], random.Random(seed))
        assert [(field, end - start) for field, start, end in drawn] == [("text", 4), ("title", 2)]
        assert all(start >= 0 and end <= len(getattr(record, field)) for field, start, end in drawn)


def test_the_same_records_give_the_same_figures_and_none_gives_none(classifier, examples):
    part = [example.record for example in examples[:80]]
    assert faithfulness(classifier, part) == faithfulness(classifier, part)
    empty = faithfulness(classifier, [])
    assert [item.texts for item in empty] == [0, 0] and len(rows(empty)) == 3
