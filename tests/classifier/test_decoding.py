import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.text import decode, fold, normalise
from classifier.text.decoding import DECODERS
from classifier.text.folding import BOUNDARY

PIECES = ["蔬学", "shu xue", "讠吾文", "🔢", "yw", "S课", "三年级", "周六", "私我", "数 学", "*", "鹰语", "a", " ", "\u200b", "蔬菜配送"]
texts = st.lists(st.sampled_from(PIECES) | st.text(st.characters(exclude_categories=()), max_size=4), max_size=10).map("".join)


def read(text: str) -> str:
    return normalise([text]).text()[1:-1]


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("三年级蔬学小班，周六上午，私我", "三年级数学小班,周六上午,私我"),
        ("五年级鹰语，晚上上课", "五年级英语,晚上上课"),
        ("初二shu xue提高班", "初二数学提高班"),
        ("数xue 初一 周三", "数学 初一 周三"),
        ("yw、sx各剩一个坑，四年级，周二", "语文、数学各剩一个坑,四年级,周二"),
        ("S课 初一 周六，滴滴", "数学课 初一 周六,滴滴"),
        ("讠吾文、娄攵学同步，五年级", "语文、数学同步,五年级"),
        ("🔢小班 三年级 周三晚上课", "数学小班 三年级 周三晚上课"),
        ("科❀学 九上 周日", "科学 九上 周日"),
        ("数 学 初三 冲刺", "数学 初三 冲刺"),
        ("補k 高一 周末", "补课 高一 周末"),
        ("三年级小班yīng语，周六课", "三年级小班英语,周六课"),
    ],
)
def test_codes_are_read_where_a_school_speaks(text, plain):
    assert read(text) == plain


@pytest.mark.parametrize(
    "text",
    [
        "蔬菜配送 新鲜直达", "鹰眼训练营周末开营 射箭课", "yy语音房招主持", "英语老师招聘", "国画学员作品展，周六下午",
        "礼物里装着一年级的画",
        "清华学霸讲课 初三", "阅读与文学 三年级 周三", "地里的蔬菜 周末采摘", "小学同步课程", "学生勿扰，三年级班",
        "因语文组王老师休假，六年级", "滑雪课 周末",
        "微信 zhujia-ls2021，初二", "静物梨子，油画班，周六", "🔢电话本", "wlan课 周六",
    ],
)  # fmt: skip
def test_ordinary_texts_come_through_unharmed(text):
    assert normalise([text]).readings == ()


def test_a_reading_keeps_the_place_and_says_how_sure_it_is():
    batch = normalise(["无关", "三年级shu\u200b xue班，周六"])
    (reading,) = batch.readings
    assert (reading.text, reading.decoder) == ("数学", "pinyin") and 0.5 <= reading.probability < 1
    assert batch.text()[reading.first : reading.stop] == "数学"
    assert (batch.origin[reading.first], batch.ends[reading.stop - 1]) == (3, 11)


def test_coded_words_are_shown_as_written_and_as_read(classifier):
    assessment = classifier.assess("三年级蔬学小班还剩两个位子，周六上午，老地方，懂的来，➕v")
    assert assessment.category == "subject" and "mathematics" in {item.id for item in assessment.subjects}
    decoded = {(item.surface, item.normalized, item.finding) for item in assessment.evidence if item.origin == "decoder"}
    assert ("蔬学", "数学", "mathematics") in decoded


@given(st.lists(texts, max_size=5))
def test_nothing_raises_and_places_are_sound(pieces):
    batch = normalise(pieces)
    assert len(batch) == len(pieces)
    for number, text in enumerate(pieces):
        part = slice(batch.starts[number], batch.starts[number + 1] - 1)
        assert not (batch.codes[part] == BOUNDARY).any()
        assert (np.diff(batch.origin[part]) >= 0).all() and (np.diff(batch.ends[part]) >= 0).all()
        assert (batch.ends[part] > batch.origin[part]).all()
        assert not len(batch.ends[part]) or batch.ends[part][-1] <= len(text)
    assert (normalise(pieces, origins=False).codes == batch.codes).all()


@given(st.lists(texts, max_size=4))
def test_batches_do_not_matter(pieces):
    whole = normalise(pieces)
    text = whole.text()
    assert [text[a : b - 1] for a, b in zip(whole.starts[:-1], whole.starts[1:], strict=True)] == [read(piece) for piece in pieces]


def test_what_has_been_read_is_not_read_again():
    batch = fold(["三年级蔬学小班，周六上午"])
    once = decode(batch)
    assert decode(once).text() == once.text()


def test_every_decoder_names_itself_and_reads_something():
    names = [kind.id for kind in DECODERS]
    assert len(set(names)) == len(names)
    for kind in DECODERS:
        words = kind().words()
        assert words and all(written != read for written, read in words.items())
        assert all(fold([written]).text()[1:-1] == written for written in words), kind.id
