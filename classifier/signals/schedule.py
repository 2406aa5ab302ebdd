"""Schedules: lessons on days off, and lessons that end too late."""

import re
from collections.abc import Iterator

from classifier.signals.registry import Context, Detector, SignalMatch

OFFLINE_LIMIT = 20 * 60 + 30
ONLINE_LIMIT = 21 * 60
_NUMERALS = {character: value for value, character in enumerate("零一二三四五六七八九十")} | {"两": 2}

_DAY_OFF = re.compile(
    r"(?P<weekend>周末|双休日?|休息日|节假日|(?:周|星期|礼拜)[一二三四五1-5]?[、和及/与,~到至-]{0,2}(?:周|星期|礼拜)?[一二三四五]{0,4}[、/和及]?[六日](?![语本])|礼拜天|星期天|周天|隔周[六日])"
    r"|(?P<vacation>寒暑假?|寒假|暑假|暑期|暑秋|寒春|[暑寒](?:托|训|辅)|冬令营|夏令营|小长假|黄金周|长假|正月|腊月)"
    r"|(?P<festival>国庆|五一|元旦|清明|端午|中秋|春节|六一(?!儿童)|十一(?=黄金周|长假|假期|期间|国庆|节))(?!路|街|广场|小区|大道|中学|小学|店|校区|河|上河)"
    r"|(?P<run>全周无休|一周七天|全年无休"
    r"|(?<!剩)(?<!倒数)(?<!计时)(?<!\d)(?:[7-9]|1\d|2\d|30|七|八|九|十|十[一二四五]|二十|二十一)\s?[天日](?=[\s,，。;、:：)）]|[6-9六七八九]晚|集训|封闭|连上|特训|突击|速成|营|游|课|班|学|讲|过|一)"
    r"|[两二三四]周(?=[\s,，。;、)）\d]|[^。]{0,6}(?:营|游学|插班|集训))|六晚|[7-9]晚)"
    r"|(?P<summer>(?<!\d)(?:7|8|七|八)月(?:份|底|初|上旬|中旬|下旬)?\d{0,2}[日号]?(?:起|开[课班营]|[-~到至]|上|连|两|七|八|每|营))"
)
_NOT_HELD = re.compile(r"(?:不占用?|不在|避开|除了?|非|没有|不含|不排|不开|不上)[^。；;!！\n]{0,6}$")
_NOT_HELD_AFTER = re.compile(
    r"^(?:[^。；;,，!！\n]{0,4})(?:不上课|不排课|不开课|休息|除外|不开班|不补课|不占用|停课|放假|不授课|不安排|一律不)"
)
_CLOCK = (
    r"(?P<{0}d>晚上?|下午|傍晚|夜里|上午|早上?|中午)?\s?(?P<{0}h>[01]?\d|2[0-3]|[一二三四五六七八九十两]{{1,3}})"
    r"(?:[:.：点时](?P<{0}m>[0-5]\d|半|一刻|三刻|[一二三四五]?十五?)?(?!\d)分?)"
)
_RANGE = re.compile(_CLOCK.format("a") + r"\s?(?:-{1,2}|~{1,2}|到|至)\s?" + _CLOCK.format("b"))
_END = re.compile(
    r"(?:到|至|上到|讲到|讲评到|学到|加到|结束于)\s?"
    + _CLOCK.format("b")
    + "|"
    + _CLOCK.format("c")
    + r"\s?(?:左右)?(?:准时|才)?(?:下课|结束|放学|放人|散|收工|送回|离开|来接|接人|关门)"
)
_ONLINE = re.compile(r"线上|直播|腾讯会议|会议号|网课|钉钉|在线|语音|连麦|云课|进群听|视频课|zoom")


def _number(text: str) -> int:
    """A written number below 60, in digits or Chinese numerals."""
    if text.isdigit():
        return int(text)
    if text in ("半", "一刻", "三刻"):
        return {"半": 30, "一刻": 15, "三刻": 45}[text]
    if "十" in text:
        tens, _, ones = text.partition("十")
        return _NUMERALS.get(tens, 1 if not tens else 0) * 10 + _NUMERALS.get(ones, 0)
    return _NUMERALS.get(text, 0)


def _minutes(match: re.Match[str], name: str, evening: bool) -> int:
    """Minutes since midnight of a clock time; hours up to 11 after 下午/晚, or in an evening range, count past noon."""
    hour = _number(match[f"{name}h"])
    minute = _number(match[f"{name}m"]) if match[f"{name}m"] else 0
    day = match[f"{name}d"] or ""
    if hour <= 11 and (day[:1] in ("晚", "下", "傍", "夜") or (evening and not day)):
        hour += 12
    return hour * 60 + minute


class DayOff(Detector):
    """Lessons on weekends, statutory holidays, in school vacations, or on a run of days that must hold a weekend."""

    signals = ("holiday_schedule",)
    triggers = (
        "周", "星期", "礼拜", "双休", "休息日", "节假日", "寒", "暑", "令营", "假", "国庆", "五一", "元旦", "清明", "端午", "中秋",
        "春节", "十一", "六一", "天", "日", "两周", "二周", "三周", "四周", "晚", "正月", "腊月", "无休", "7月", "8月", "七月", "八月",
    )  # fmt: skip

    def find(self, text: str, context: Context) -> Iterator[SignalMatch]:
        """Each naming of a day off, unless the text says that no lessons are held then."""
        names = {"weekend": "休息日", "vacation": "寒暑假", "festival": "法定节假日", "run": "连续多日，含休息日", "summer": "暑假期间"}
        for match in _DAY_OFF.finditer(text):
            first, stop = match.span()
            if _NOT_HELD.search(text, max(0, first - 12), first) or _NOT_HELD_AFTER.match(text[stop : stop + 14]):
                continue
            yield SignalMatch("holiday_schedule", f"{match.group()}（{names[match.lastgroup or 'weekend']}）", first, stop)


class LateEnd(Detector):
    """Lessons that end after 20:30, or after 21:00 where the text says that they are online."""

    signals = ("late_schedule",)
    triggers = tuple(
        f"{hour}{mark}" for hour in ("8", "9", "10", "11", "20", "21", "22", "23", "八", "九", "十", "十一") for mark in ":.点时"
    )

    def find(self, text: str, context: Context) -> Iterator[SignalMatch]:
        """Ends of time ranges and named ends, compared with the limit."""
        online = bool(_ONLINE.search(text))
        limit = ONLINE_LIMIT if online else OFFLINE_LIMIT
        for match in _RANGE.finditer(text):
            start = _minutes(match, "a", evening=False)
            end = _minutes(match, "b", evening=start >= 12 * 60 or (match["ad"] or "").startswith(("晚", "下")))
            yield from self._late(match, start, end, limit, online)
        for match in _END.finditer(text):
            name = "b" if match["bh"] else "c"
            before = text[max(0, match.start() - 14) : match.start()]
            evening = any(word in before for word in ("晚", "下午", "夜", "放学"))
            yield from self._late(match, 0, _minutes(match, name, evening), limit, online)

    def _late(self, match: re.Match[str], start: int, end: int, limit: int, online: bool) -> Iterator[SignalMatch]:
        if max(start, limit) < end <= 24 * 60:
            where = f"线上限 {ONLINE_LIMIT // 60}:00" if online else "线下限 20:30"
            yield SignalMatch("late_schedule", f"结束 {end // 60}:{end % 60:02d}（{where}）", *match.span())
