"""Lessons that end too late: clock times read as minutes since midnight and compared with the limits."""

import re
from collections.abc import Iterator

from classifier.signals.numerals import number
from classifier.signals.registry import Context, Detector, SignalMatch

OFFLINE_LIMIT = 20 * 60 + 30
ONLINE_LIMIT = 21 * 60
_QUARTERS = {"半": 30, "一刻": 15, "三刻": 45}

_DAY = r"(?P<{0}d>晚上?|下午|傍晚|夜里|深夜|上午|早上?|中午|国内|北京时间)?"
_HOUR = r"(?P<{0}h>[01]?\d|2[0-4]|[一二三四五六七八九十两]{{1,3}})"
_MINUTE = r"(?:[:.点时](?P<{0}m>[0-5]\d|半|一刻|三刻|[零二三四五]?十?[一二三四五六七八九十])?(?!\d)(?!十|[一二三四五六七八九]讲|[个节])分?)"
_CLOCK = _DAY + r"\s?" + _HOUR + r"\s?" + _MINUTE
_RANGE = re.compile(_CLOCK.format("a") + r"\s?(?:-{1,2}|~{1,2}|到|至|一(?=\s?[\d晚]))\s?" + _CLOCK.format("b"))
_ONE = re.compile(_CLOCK.format("c"))
_ENDS = re.compile(
    r"\s?(?:左右)?(?:准时|才|一到)?(?:下课|结束|放学|放人|放(?![下松])|散|收工|送回|离开|离场|来接|接人|关门|关灯|闭馆|下(?![一个面午]|学期)|到站|\)\s?就走)"
)
_UNTIL = re.compile(r"(?:到|至|下课|散|结束|末节|结束大概)\s?\(?$")
_STARTS = re.compile(r"\s?(?:开(?![封放心])|起(?![床立])|开始|上线|会议|群里|讲|视频|在群|直播|前(?:把|都有)|以前|以后才|重开)")
_BESIDE = re.compile(
    r"\s?(?:前|之前)?(?:睡|熄灯|就寝|点名|查寝|查房|截止|有人值班|有人接听|营业|交|发(?!号)|提交|洗漱|统一打|后[别勿])|之前"
)
_LEFT = re.compile(r"[晚夜]|下午|放学|傍晚")
_MORNING = re.compile(r"上午|早上?|凌晨|中午")
_EVENING_LESSONS = re.compile(r"周[六日末]|上午|早|[暑寒]|营")
_DAY_LONG = re.compile(r"早[五六七八](?:点半?)?(?:到|至)?晚[九十]")
_ONLINE = re.compile(
    r"线上|直播|会议|网课|网校|钉钉|在线|语音|连麦|开麦|云课|进群听|群里|视频课|视频连线|zoom|平台|外教|菲教|小程序|主播|家人们|公屏|开视频|本号|录播"
)


def _minutes(match: re.Match[str], name: str, *, evening: bool) -> int:
    """Minutes since midnight of a clock time; hours up to 11 in the afternoon or evening count past noon."""
    hour, minute = int(number(match[f"{name}h"])), match[f"{name}m"] or ""
    day = match[f"{name}d"] or ""
    if hour <= 11 and (day[:1] in ("晚", "下", "傍", "夜", "深") or (evening and day[:1] not in ("上", "早", "中"))):
        hour += 12
    return hour * 60 + (_QUARTERS[minute] if minute in _QUARTERS else int(number(minute)) if minute else 0)


def _in_the_evening(text: str, first: int) -> bool:
    """Whether the words before a time say that it is an afternoon or an evening, and no later word says morning."""
    before = text[max(0, first - 16) : first]
    words = [match.start() for match in _LEFT.finditer(before)]
    return bool(words) and not _MORNING.search(before, words[-1])


class LateEnd(Detector):
    """Lessons that end after 20:30, or after 21:00 where the text says that they are online."""

    signals = ("late_schedule",)
    triggers = (
        *(f"{hour}{mark}" for hour in ("8", "9", "10", "11", "20", "21", "22", "23", "24") for mark in (":", " :", ".", "点", "时")),
        *(f"{hour}{mark}" for hour in ("八", "九", "十", "一", "二") for mark in ":点"), "晚九", "晚十",
    )  # fmt: skip

    def find(self, text: str, context: Context) -> Iterator[SignalMatch]:
        """Ends of time ranges, named ends, and lessons that only begin at the limit."""
        online = bool(_ONLINE.search(text))
        limit = ONLINE_LIMIT if online else OFFLINE_LIMIT
        unsaid_evening = not _EVENING_LESSONS.search(text)
        ranges = list(_RANGE.finditer(text))
        for match in ranges:
            start = _minutes(match, "a", evening=_in_the_evening(text, match.start()))
            end = _minutes(match, "b", evening=start >= 12 * 60)
            if not _BESIDE.match(text, match.end()):
                yield from self._late(match, start, end, limit, online)
        inside = {place for match in ranges for place in (match.start("ah"), match.start("bh"))}
        for match in _ONE.finditer(text):
            if match.start("ch") not in inside:
                yield from self._single(text, match, limit, online, unsaid_evening)
        for match in _DAY_LONG.finditer(text):
            yield SignalMatch("late_schedule", f"{match.group()}（{_named(online)}）", *match.span())

    def _single(self, text: str, match: re.Match[str], limit: int, online: bool, unsaid_evening: bool) -> Iterator[SignalMatch]:
        """A time that ends a lesson, or that begins one when it ought to be over.

        unsaid_evening: whether an hour from 8 to 10 that ends a lesson is one of the evening where nothing near says so.
        """
        if _BESIDE.match(text, match.end()):
            return
        ends = bool(_ENDS.match(text, match.end()) or _UNTIL.search(text, max(0, match.start() - 5), match.start()))
        evening = _in_the_evening(text, match.start()) or (match["cd"] or "")[:1] in ("国", "北")
        if ends and not evening and not match["cd"] and int(number(match["ch"])) in (8, 9, 10):
            evening = unsaid_evening
        time = _minutes(match, "c", evening=evening)
        begins = bool(_STARTS.match(text, match.end()) or match["cd"])
        if ends or (begins and time > limit):
            yield from self._late(match, 0, time, limit, online)
        elif begins and time == limit and online:
            yield from self._late(match, 0, time + 1, limit, online, shown=time)

    def _late(
        self, match: re.Match[str], start: int, end: int, limit: int, online: bool, shown: int | None = None
    ) -> Iterator[SignalMatch]:
        if max(start, limit) < end <= 24 * 60:
            value = f"结束 {end // 60}:{end % 60:02d}" if shown is None else f"{shown // 60}:{shown % 60:02d} 才开始"
            yield SignalMatch("late_schedule", f"{value}（{_named(online)}）", *match.span())


def _named(online: bool) -> str:
    return f"线上限 {ONLINE_LIMIT // 60}:00" if online else "线下限 20:30"
