import gc
import shutil
import time
from importlib import resources
from pathlib import Path
from re import _constants, _parser  # type: ignore[attr-defined]

import pytest

from classifier.rules import load_ruleset, ruleset
from classifier.rules.ruleset import _shipped_version
from classifier.signals import Context, DetectorSet, shipped_detectors
from classifier.signals.misread import as_meant
from classifier.signals.numerals import number
from classifier.signals.patterns import load_rules
from classifier.taxonomy import TAXONOMY
from classifier.text import fold

AD = Context("subject", "ad", frozenset({"primary"}))
SHIPPED = DetectorSet(shipped_detectors())


def signals(text: str, context: Context = AD) -> dict[str, str]:
    batch = fold([text])
    found: dict[str, str] = {}
    for match in SHIPPED.detect(batch.text(), batch.starts.tolist(), [context])[0]:
        found[match.signal] = f"{found[match.signal]}；{match.value}" if match.signal in found else match.value
    return found


def test_every_signal_has_a_detector():
    assert {signal for detector in shipped_detectors() for signal in detector.signals} == set(TAXONOMY.signals)


@pytest.mark.parametrize(("signal", "text"), [(rule.signal, text) for rule in load_rules() for text in rule.must_match])
def test_patterns_match_their_examples(signal, text):
    assert signal in signals(text)


@pytest.mark.parametrize(("signal", "text"), [(rule.signal, text) for rule in load_rules() for text in rule.must_not_match])
def test_patterns_leave_their_counterexamples_alone(signal, text):
    assert signal not in signals(text)


@pytest.mark.parametrize(
    "text",
    [
        "周六上午三年级数学", "每周一、周六", "双休日英语", "暑期集训", "国庆五天", "寒假班", "周五、周日晚", "7月10日起英语班",
        "隔周日", "连上七天，每天讲题", "周六六点到七点半", "逢礼拜六早上十点", "二四六18:20-19:50", "国庆五天不放假",
        "一周上六天课", "八月十号到二十号", "七八月，7.6-8.6", "封闭三十天，宿舍有床", "正月初八开课", "周四至周日", "每月放假两天半",
        "非学科机构暑期数学班", "非在职教师周末上课", "寒假班，周曰照常",
    ],
)  # fmt: skip
def test_days_off_are_found(text):
    assert "holiday_schedule" in signals(text)


@pytest.mark.parametrize(
    "text",
    [
        "周一至周五 17:00-18:30", "周末不上课", "不占用周末", "国庆路校区", "周二周四放学后", "周六日休息", "周四六点半",
        "每周六个句型", "无周末班",
        "寒假、暑假、周末一律关门", "10月14日开会", "人均四十五一小时", "一个月三百六一个月", "距期末还有21天", "中考最后四十天",
        "学五天",
        "非周末", "非国家法定节假日", "仅限非周末、节假日", "周日晚十点前交照片", "四月二十七日补一次", "周日语文社",
    ],
)  # fmt: skip
def test_school_days_stay_silent(text):
    assert "holiday_schedule" not in signals(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("周三 18:30-20:40", "20:40"), ("晚8点40下课", "20:40"), ("晚上七点到九点", "21:00"), ("19：00—21：00", "21:00"),
        ("腾讯会议 20:00-21:10", "21:10"), ("晚上讲评到十点二十", "22:20"), ("晚六点半至八点三刻", "20:45"),
        ("直播，晚九点半开讲", "21:30"), ("老师人在波士顿，课排国内22:00", "22:00"), ("晚上7:00上课，八点四十散", "20:40"),
        ("晚 18:3O-2l:OO", "21:00"), ("线上 21:00 开课", "21:00"), ("晚自习到二十二点", "22:00"),
    ],
)  # fmt: skip
def test_late_ends_are_read_as_values(text, shown):
    assert shown in signals(text).get("late_schedule", "")


@pytest.mark.parametrize(
    "text",
    [
        "18:00-20:30", "晚上七点到八点半", "直播 20:00-21:00", "上午 9:00-11:00", "下午 2 点到 4 点", "晚8点准时下课", "9:00-11:30",
        "周六早上八点半到九点半下课", "每天9点到21点有人值班", "夜里十点熄灯", "晚十点前交作业", "晚十点后别打电话", "十讲二十节",
    ],
)  # fmt: skip
def test_lawful_ends_stay_silent(text):
    assert "late_schedule" not in signals(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("年费6800，一次付清", "6800"), ("全年 120 课时，收费 4800 元", "120"), ("一次性交一年学费", "一年"), ("学费 5,800 元", "5800"),
        ("¥12800 全程班", "12800"), ("1.2万元包到中考", "12000"), ("7天6晚研学营 6980一位", "6980"), ("学费两万二，分两次", "22000"),
        ("咨询费壹万贰仟元", "12000"), ("学习机一台六千九百八，连讲一年", "6980"), ("80课时5800", "80"),
        ("一百二十课时，一次缴清", "120"),
        ("套餐五十次，每次两百", "10000"), ("会员费3600一年", "一年"), ("四个月一期，费用按期缴", "四个月"), ("先交一年", "一年"),
        ("学费 298OO", "29800"),
    ],
)  # fmt: skip
def test_prepayment_over_the_limits(text, shown):
    assert shown in signals(text).get("prepay_excess", "")


@pytest.mark.parametrize(
    "text",
    [
        "60课时，收费 2880 元",
        "收费 5000 元",
        "每课时 45 元",
        "按月收费，全年 12 次结清 5400 元",
        "电话 138****6210",
        "2026年秋季班",
        "3680/期 共48节",
        "两千多个家庭",
        "一千八百个词",
        "原价6280，现2980",
        "创办于2019年，收费公示",
        "一年级数学，收费880元",
        "教员编号 T20417，学费面议",
    ],
)
def test_prepayment_within_the_limits_stays_silent(text):
    assert "prepay_excess" not in signals(text)


@pytest.mark.parametrize(
    "text",
    [
        "9.9元体验4节数学",
        "原价2999现价999",
        "0元试听英语",
        "三人成团立减",
        "学完返现",
        "首月49元",
        "十九块九听八讲",
        "试滑一元",
        "三百抵六百",
        "300抵600",
        "$1 first lesson",
    ],
)
def test_bait_prices_are_found(text):
    assert "low_price_bait" in signals(text)


@pytest.mark.parametrize(
    "text",
    [
        "每节课80元",
        "免费试听一次",
        "单次 120 元",
        "收费 45 元/课时",
        "一元二次方程",
        "评分4.9分",
        "拼音班招生",
        "窗花四折",
        "单次60元",
        "材料费88元",
    ],
)
def test_ordinary_prices_are_no_bait(text):
    assert "low_price_bait" not in signals(text)


def test_conduct_signals_need_subject_training_and_advertising_signals_an_ad():
    text = "周六 18:30-20:50，年费 6800，保过，加微信"
    assert signals(text, Context("non_subject", "ad", frozenset())).keys() == {"guarantee", "contact_marketing"}
    assert signals(text, Context("subject", "course", frozenset())).keys() == {"holiday_schedule", "late_schedule", "prepay_excess"}
    assert signals(text, Context("out_of_scope", "ad", frozenset())) == {}


def test_preschool_subject_follows_the_stage():
    assert signals("大班拼音", Context("subject", "course", frozenset({"preschool"}))) == {"preschool_subject": "学龄前：大班"}
    assert signals("大班拼音", Context("subject", "course", frozenset({"primary"}))) == {}


@pytest.mark.parametrize(
    "text",
    [
        "三年级提前学四年级", "暑假七升八，一次函数", "寒假讲八年级下二次根式", "初二学生国庆把九年级化学走完",
        "下学期课本提前学一遍", "超纲拔高",
        "新高一衔接，先讲必修一",
    ],
)  # fmt: skip
def test_teaching_ahead_is_read_from_grades_and_terms(text):
    assert "advance_teaching" in signals(text)


@pytest.mark.parametrize(
    "text", ["预习明天的课文", "请提前10分钟到", "不超前，跟着学校走", "八年级讲七年级的旧课", "秋季八年级物理下册同步", "小升初真题"]
)
def test_teaching_with_the_school_stays_silent(text):
    assert "advance_teaching" not in signals(text)


def test_first_grade_content_is_ahead_only_before_school():
    assert "advance_teaching" in signals("大班，学完一年级上册", Context("subject", "course", frozenset({"preschool"})))
    assert "advance_teaching" not in signals("一年级上册同步", Context("subject", "course", frozenset({"primary"})))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5,800", 5800), ("1.2万", 12000), ("三千八", 3800), ("两万二", 22000), ("一万二千八", 12800), ("六千九百八", 6980),
        ("八百八", 880),
        ("九百九十九", 999), ("十五", 15), ("二十", 20), ("一百零五", 105), ("壹万贰仟", 12000), ("一万零五百", 10500), ("两百四", 240),
        ("1六", 0), ("", 0), ("无", 0),
    ],
)  # fmt: skip
def test_written_numbers_have_values(text, value):
    assert number(text) == value


def repetitions(parsed: _parser.SubPattern):
    """The bounds of every repetition in a parsed pattern."""
    for operation, argument in parsed:
        if operation in (_constants.MAX_REPEAT, _constants.MIN_REPEAT):
            yield argument[1]
        for part in argument if isinstance(argument, tuple | list) else [argument]:
            for piece in part if isinstance(part, list) else [part]:
                if isinstance(piece, _parser.SubPattern):
                    yield from repetitions(piece)


@pytest.mark.parametrize("pattern", [pattern.pattern for rule in load_rules() for pattern in rule.patterns])
def test_every_repetition_of_a_rule_is_bounded(pattern):
    assert all(bound < _constants.MAXREPEAT for bound in repetitions(_parser.parse(pattern)))


PIECES = [
    "从1", "周六", "元", "家长", "保", "19:00-", "1", "一", "十", "学员说", "不到", "承诺提", "¥9", "原价1现", "第一", "（", "a",
    "a.b/", "提前", " ",
    "老师从", "到九点", "一年级把", "去年1个", "回a", "1*", "门口发", "同学都",
]  # fmt: skip


def seconds(run, text: str) -> float:
    """The shorter of two runs, and never less than what a busy machine's clock can tell."""
    spent = []
    gc.disable()
    for _ in range(2):
        begun = time.process_time()
        run(text)
        spent.append(time.process_time() - begun)
    gc.enable()
    return max(min(spent), 0.004)


@pytest.mark.parametrize("piece", PIECES)
def test_growth_is_linear_in_hostile_text(piece):
    """Eight times the text may take eight times as long, not sixty-four; 24 leaves room for a busy machine."""
    short, long = (piece * 5_000)[:5_000], (piece * 40_000)[:40_000]
    context = Context("subject", "ad", frozenset({"preschool"}))
    for detector in shipped_detectors():

        def run(text: str, found=detector) -> None:
            list(found.find(text, context))

        assert seconds(run, long) < 24 * seconds(run, short), detector.signals

    def whole(text: str) -> None:
        batch = fold([text])
        SHIPPED.detect(batch.text(), batch.starts.tolist(), [context])

    assert seconds(whole, long) < 24 * seconds(whole, short)


@pytest.mark.parametrize(
    ("text", "meant"), [("l8:oo-2l:oo", "18:00-21:00"), ("学费298oo", "学费29800"), ("周曰", "周日"), ("10l5", "1015"), ("o9:l5", "09:15")]
)
def test_misread_characters_are_put_right(text, meant):
    assert as_meant(text) == meant


@pytest.mark.parametrize("text", ["tel:13800001111", "hello:", "no1", "1on1", "line:qq", "3lessons", "level 2", "lo"])
def test_letters_of_words_stay(text):
    assert as_meant(text) == text


def test_the_rules_version_covers_every_file_of_the_signals(tmp_path, monkeypatch):
    assert load_ruleset().version == _shipped_version()
    lexicon, signals = (Path(str(resources.files(f"classifier.{name}"))) for name in ("lexicon", "signals"))
    copy = shutil.copytree(signals, tmp_path / "signals")
    monkeypatch.setattr(ruleset.resources, "files", {"classifier.lexicon": lexicon, "classifier.signals": copy}.__getitem__)
    versions = {_shipped_version()}
    changed = [path for path in sorted(copy.rglob("*")) if path.suffix in (".py", ".toml")]
    for path in changed:
        path.write_bytes(path.read_bytes() + b"\n")
        versions.add(_shipped_version())
    assert load_ruleset().version in versions and len(versions) == len(changed) + 1
