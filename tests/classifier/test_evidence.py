from hypothesis import given, settings
from hypothesis import strategies as st

from classifier.evidence import LIMIT
from classifier.policy import load_policy
from classifier.records import Record
from classifier.taxonomy import TAXONOMY

PIECES = [
    "数*学",
    "三年级",
    "周六\u200b上午",
    "加➕v",
    "ＫＥＴ",
    "錯題",
    " ",
    "\n",
    "保過",
    "钢琴",
    "🔢",
    "老地方",
    "a",
    "6800元",
    "\x00",
    "…",
]
texts = st.lists(st.sampled_from(PIECES) | st.text(st.characters(exclude_categories=()), max_size=4), min_size=1, max_size=12).map("".join)


def check(record, assessment):
    assert len(assessment.evidence) <= LIMIT
    weights = [item.weight for item in assessment.evidence]
    assert weights == sorted(weights, reverse=True)
    for item in assessment.evidence:
        assert getattr(record, item.field)[item.start : item.end] == item.surface != ""
        assert item.start < item.end and item.origin in ("cue", "decoder", "rule", "model")
        assert TAXONOMY[item.finding] and all(clause in load_policy().clauses for clause in item.clauses)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(texts, texts), min_size=1, max_size=5))
def test_every_span_is_a_piece_of_the_original(classifier, pairs):
    records = [Record("正文" + text, title=title, price="收费：" + title) for text, title in pairs]
    for record, assessment in zip(records, classifier.assess_many(records), strict=True):
        check(record, assessment)


def test_spans_are_sound_on_the_corpus(classifier, examples):
    records = [example.record for example in examples[::5]]
    for record, assessment in zip(records, classifier.assess_many(records), strict=True):
        check(record, assessment)


def test_a_folded_word_is_shown_as_it_was_written(classifier):
    found = classifier.assess("初二物*理與化·學，周六上午開課，掃碼諮詢").evidence
    shown = {(item.surface, item.normalized) for item in found}
    assert ("物*理", "物理") in shown and ("化·學", "化学") in shown


def test_rules_show_the_words_that_set_them_off(classifier):
    assessment = classifier.assess("三年级数学周六上午班，签协议不提分退费，加微信报名")
    found = {item.finding: item.surface for item in assessment.evidence if item.origin == "rule"}
    assert found["holiday_schedule"] == "周六" and "签协议" in found["guarantee"]


def test_taking_the_top_evidence_away_lowers_the_finding(classifier, examples):
    """Comprehensiveness on the test split: without its strongest subject words a subject text is less a subject text."""
    records = [example.record for example in examples if example.split == "test" and example.category == "subject"][:150]
    drops = []
    for record, before in zip(records, classifier.assess_many(records), strict=True):
        spans = [(item.start, item.end) for item in before.evidence if item.field == "text" and item.finding in TAXONOMY.school_subjects]
        if before.category != "subject" or not spans:
            continue
        kept = "".join(character for place, character in enumerate(record.text) if not any(start <= place < end for start, end in spans))
        after = classifier.assess(Record("。" + kept, title=record.title, source=record.source))
        drops.append(before.probabilities["subject"] - after.probabilities["subject"])
    assert len(drops) > 50
    assert sum(drops) / len(drops) > 0.05
