from collections import Counter

import pytest

from classifier.lexicon import load_lexicon
from classifier.lexicon.ages import stages_of_ages
from classifier.policy import load_policy
from classifier.taxonomy import TAXONOMY
from classifier.text import fold


def findings(text: str) -> set[str]:
    lexicon, batch = load_lexicon(), fold([text])
    return {lexicon.cues[number].finding for number in lexicon.match(batch).cue}


def test_every_cue_is_folded_and_points_at_a_label_with_known_clauses():
    clauses = load_policy().clauses
    for cue in load_lexicon().cues:
        assert fold([cue.word]).text()[1:-1] == cue.word, cue
        assert TAXONOMY[cue.finding] and all(clause in clauses for clause in cue.clauses)


def test_no_cue_stands_twice_for_one_label():
    counted = Counter((cue.word, cue.finding) for cue in load_lexicon().cues)
    assert [pair for pair, number in counted.items() if number > 1] == []


@pytest.mark.parametrize(
    ("text", "stages"),
    [
        ("5-8岁", {"preschool", "primary"}), ("六至十二岁", {"primary"}), ("6～12岁", {"primary"}), ("1-6年级", {"primary"}),
        ("四年级到七年级", {"primary", "junior"}), ("八年级", {"junior"}), ("15岁", {"senior"}), ("十三岁", {"junior"}),
    ],
)  # fmt: skip
def test_ages_and_grades_give_stages(text, stages):
    assert findings(text) & set(TAXONOMY.stages) >= stages


def test_a_range_has_every_stage_it_overlaps_by_a_full_year():
    assert stages_of_ages(3, 6) == ("preschool",)
    assert stages_of_ages(6, 12) == ("primary",)
    assert stages_of_ages(5, 13) == ("preschool", "primary", "junior")
    assert stages_of_ages(4, 4) == ("preschool",)


def test_matches_stay_inside_their_text():
    lexicon, batch = load_lexicon(), fold(["我爱数", "学钢琴"])
    words = {lexicon.cues[number].word for number in lexicon.match(batch).cue}
    assert "数学" not in words and "钢琴" in words
