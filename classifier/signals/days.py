"""Lessons on days off: weekends, statutory holidays, school vacations, and runs of days that must hold a weekend."""

import re
from collections.abc import Iterator

from classifier.signals.numerals import number
from classifier.signals.registry import Context, Detector, SignalMatch

LONGEST_WEEK = 5
"""A run of more days than this holds a day of a weekend."""
_LONG_RUN = 31
_STAY = ("封闭", "集训", "全托", "全日", "住", "营", "随军", "服务期", "冲刺班")
"""Words without which a longer run is a countdown or a validity."""

_LIST = r"(?:[一二三四五1-5][、和及/与,~到至-]{0,2}(?:周|星期|礼拜)?){0,5}"
_SATURDAY = (
    r"(?:六(?![点时个篇次节页首道张遍组句]|[\d十一二三四五六七八九]?点[半一]|日?志)|(?<=[周期拜])六(?=[六十七八九\d]?点)|日(?![语本报志]))"
)
_KINDS = tuple(
    (name, words, re.compile(pattern))
    for name, words, pattern in (
        (
            "休息日",
            ("周", "星期", "礼拜", "休", "节假日", "逢六", "四六", "四、六", "五六日", "每月放假"),
            rf"周(?:末|天|{_LIST}{_SATURDAY})(?<!各周末)|星期(?:天|{_LIST}{_SATURDAY})|礼拜(?:天|{_LIST}{_SATURDAY})|双休日?|休息日|节假日|隔周[六日]|逢[六日]"
            r"|四、?六(?=\s?(?:\d\d?[:点]|[上下早晚]))|五六日(?=\s?[\d上下早晚全])|月休[一二两三四]天|每月(?:休|放假)[一二两三四]天|两周(?:休一天|回家半天)"
            r"|一周(?:上?六天|六次)|每周六天|周一[至到-]周?[六日]|全[周年]无休",
        ),
        (
            "寒暑假",
            ("寒", "暑", "令营", "夏", "假", "黄金周", "正月", "腊月", "summer", "冬训", "月", "7.", "8.", "7/", "8/"),
            r"寒(?:暑假?|假|春|\s(?=假)|[托训辅班])|暑(?:假|期|秋|\s(?=假)|[托训辅班]|\s?\d{1,2}[次天])|冬令营|冬训营|夏(?:令营|校|日营)|一个夏天|summer|小长假|黄金周|长假|一到放假|假期(?:不停|班|衔接)|正月|腊月"
            r"|[78七八](?<![\d十.][78])月(?:份)?(?:\d{1,2}|[一二三四五六七八九十]{1,3})?[日号]?[^。;!?]{0,4}?(?:起|开(?!会|放)|班|营|每天|上午|集合|集训|线下|下旬|上(?!不)|灶|连|有空|满|学完|全?背完|出发|走(?!进)|科学|[-~到至一](?=\s?[\d一二三四五六七八九十]))"
            r"|[78](?<![\d.][78])\.\d{1,2}\s?(?:起|开|[-~到至])|[78](?<![\d/][78])/\d{1,2}\s?上午|1月[12]\d日?[-~到至]2月",
        ),
        (
            "法定节假日",
            ("国庆", "五一", "元旦", "清明", "端午", "中秋", "春节", "六一", "十一", "10月", "5月"),
            r"(?:国庆|五一(?<![一二三四五六七八九十百]五一)(?!小时|个|分|次|节)|元旦|清明(?!上)|端午|中秋|春节(?!》)|六一(?<![一二三四五六七八九十百]六一)(?!儿童|个|小时|充)|十一(?=黄金周|长假|假期|期间|国庆|放假))"
            r"(?!路|街|广场|小区|大道|中学|小学|店|校区|河|上河)|10月[1-7]日(?=起|至|到|-|、)|5月(?<!\d5月)[1-5]日(?=起|至|到|-|、)",
        ),
        (
            "连续多日，含休息日",
            ("天", "日", "晚", "周"),
            r"(?P<days>[\d一二三四五六七八九十百]{1,4})\s?[天日](?:(?=[\s,，。;、:：)）]|$)|[6-9六七八九]晚|(?=集训|封闭|连上|特训|突击|速成|营|游|课|班|学|讲|过|一段|每|全|住|里|冬|夏|“)|下来)"
            r"|[六七](?<!各[六七])晚|[两二三四五六](?<!第[二三四五六])周(?=[^。,;]{0,6}(?:营|游学|插班|集训))|营(?:\([^)]{0,4}\))?[两三四五六]周",
        ),
    )
)  # fmt: skip
_NOT_HELD = re.compile(
    r"(?:不占用?|不在|避开|除(?!夕)了?|没有|不含|不上|不排|不开设?|不设|不再收?|不安排|不接受|无(?!休)|放假|歇业|停课|停)[^。；;!！\n]{0,10}$"
    r"|非(?:国家|法定|[周末双休日节假寒暑期]{2,6}[、和及或]){0,3}\s?$"
)
_COUNTDOWN = re.compile(r"(?:最后|距|倒计时|还有|还剩|只剩|考前|剩|间隔|保留|回放|有效|第)[^。,;]{0,4}$|[月.年第]$")
_NOT_HELD_AFTER = re.compile(
    r"[^。；;!！,，\n]{0,10}?(?:不上(?!下)|不排|不开(?!心)|(?<!无)休息|除外|不补|不占|停课|关门|锁门|(?<!不)放假(?!照)|不授课|不安排|一律不|不读|取消|是关的|没有课|没有人|前(?:结|看完|交|学完)|零点|家长听写|回家只|让孩子自己|后升入|返校|没有课|闭馆)"
    r"|[^。;,]{0,6}前(?:交|发|提交)|[^。;]{0,4}有没有课\?没有"
)


class DayOff(Detector):
    """Lessons on weekends, in statutory holidays, in school vacations, or on a run of days that must hold a weekend."""

    signals = ("holiday_schedule",)
    triggers = (
        *{word for _, words, _ in _KINDS for word in words} - {"月", "日", "周"},
        "7月", "8月", "七月", "八月", "1月", "周末", "周六", "周日", "周天", "六", "日",
    )  # fmt: skip

    def find(self, text: str, context: Context) -> Iterator[SignalMatch]:
        """Each naming of a day off, unless the text says that no lessons are held then."""
        for name, words, pattern in _KINDS:
            if not any(word in text for word in words):
                continue
            for match in pattern.finditer(text):
                first, stop = match.span()
                if match.groupdict().get("days") and not _is_run(text, match):
                    continue
                if not _NOT_HELD.search(text, max(0, first - 16), first) and not _NOT_HELD_AFTER.match(text, stop, stop + 18):
                    yield SignalMatch("holiday_schedule", f"{match.group()}（{name}）", first, stop)


def _is_run(text: str, match: re.Match[str]) -> bool:
    """Whether a number of days is a run of lessons: long enough, and no countdown, date or validity."""
    days = number(match["days"])
    if days <= LONGEST_WEEK or _COUNTDOWN.search(text, max(0, match.start() - 8), match.start()):
        return False
    around = text[max(0, match.start() - 12) : match.end() + 12]
    return days < _LONG_RUN or any(word in around for word in _STAY)
