import time

import pytest

from classifier.signals import Context, DetectorSet, shipped_detectors
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
        "隔周日", "连上七天，每天讲题",
    ],
)  # fmt: skip
def test_days_off_are_found(text):
    assert "holiday_schedule" in signals(text)


@pytest.mark.parametrize("text", ["周一至周五 17:00-18:30", "周末不上课", "不占用周末", "国庆路校区", "周二周四放学后", "周六日休息"])
def test_school_days_stay_silent(text):
    assert "holiday_schedule" not in signals(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("周三 18:30-20:40", "20:40"), ("晚8点40下课", "20:40"), ("晚上七点到九点", "21:00"), ("19：00—21：00", "21:00"),
        ("腾讯会议 20:00-21:10", "21:10"), ("晚上讲评到十点二十", "22:20"), ("晚六点半至八点三刻", "20:45"),
    ],
)  # fmt: skip
def test_late_ends_are_read_as_values(text, shown):
    assert shown in signals(text).get("late_schedule", "")


@pytest.mark.parametrize(
    "text", ["18:00-20:30", "晚上七点到八点半", "直播 20:00-21:00", "上午 9:00-11:00", "下午 2 点到 4 点", "晚8点准时下课", "9:00-11:30"]
)
def test_lawful_ends_stay_silent(text):
    assert "late_schedule" not in signals(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("年费6800，一次付清", "6800"), ("全年 120 课时，收费 4800 元", "120"), ("一次性交一年学费", "一年"), ("学费 5,800 元", "5800"),
        ("¥12800 全程班", "12800"), ("1.2万元包到中考", "12000"), ("7天6晚研学营 6980一位", "6980"),
    ],
)  # fmt: skip
def test_prepayment_over_the_limits(text, shown):
    assert shown in signals(text).get("prepay_excess", "")


@pytest.mark.parametrize(
    "text", ["60课时，收费 2880 元", "收费 5000 元", "每课时 45 元", "按月收费，全年 12 次结清 5400 元", "电话 138****6210", "2026年秋季班"]
)
def test_prepayment_within_the_limits_stays_silent(text):
    assert "prepay_excess" not in signals(text)


@pytest.mark.parametrize("text", ["9.9元体验4节数学", "原价2999现价999", "0元试听英语", "三人成团立减", "学完返现"])
def test_bait_prices_are_found(text):
    assert "low_price_bait" in signals(text)


@pytest.mark.parametrize("text", ["每节课80元", "免费试听一次", "单次 120 元", "收费 45 元/课时"])
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
    "piece", ["保", "周六", "19:00-", "1", "学员说", "不到", "承诺提", "¥9", "原价", "第一", "（", "a", "提前", " ", "老师从"]
)
def test_time_is_linear_in_hostile_text(piece):
    def seconds(length: int) -> float:
        text = (piece * length)[:length]
        batch = fold([text])
        begun = time.process_time()
        SHIPPED.detect(batch.text(), batch.starts.tolist(), [AD])
        return time.process_time() - begun

    seconds(1000)
    short, long = max(seconds(10_000), 0.005), seconds(100_000)
    assert long < short * 40
