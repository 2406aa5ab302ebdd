from hypothesis import given, settings
from hypothesis import strategies as st

from classifier.evidence import LIMIT
from classifier.policy import load_policy
from classifier.records import Record
from classifier.report import clue
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


def test_every_piece_of_evidence_is_a_sentence_that_can_be_pasted(classifier, examples):
    policy = load_policy()
    for example in examples[::20]:
        for item in classifier.assess(example.record).evidence:
            sentence = clue(item, policy)
            assert item.clauses and sentence.startswith("原文“") and sentence.endswith("。") and "\n" not in sentence
            assert f"{TAXONOMY[item.finding].name}；依据" in sentence
            assert ("未核实" in sentence) >= (policy.clauses[item.clauses[0]].verified == "no")


def test_a_coded_word_is_quoted_with_its_reading(classifier):
    found = classifier.assess("三年级蔬学小班还剩两个位子，周六上午，老地方，懂的来，➕v").evidence
    sentence = next(clue(item, load_policy()) for item in found if item.surface == "蔬学" and item.finding == "mathematics")
    assert sentence.startswith("原文“蔬学”（读作“数学”），疑似学科类内容：数学；依据《")


def test_every_finding_has_a_place_before_any_has_two(classifier):
    text = "三年级、四年级、五年级、六年级、七年级、八年级、九年级、高一、高二数学，周六上午，保过，加微信，原价999现价9.9元"
    assessment = classifier.assess(text)
    assert len(assessment.evidence) == LIMIT
    shown = {item.finding for item in assessment.evidence}
    assert shown >= {"mathematics", *(signal.id for signal in assessment.signals)}
