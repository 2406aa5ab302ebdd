"""Teaching ahead of the school: the next term's or grade's content, read from the grades and terms that a text names."""

import re
from collections.abc import Iterator

from classifier.signals.registry import Context, Detector, SignalMatch

_GRADES = {name: value for value, name in enumerate("零一二三四五六七八九")} | {str(value): value for value in range(1, 10)}
_LEVELS = {"初": 6, "高": 9}
_SAID = re.compile(
    r"提前(?:[^。;!?\d]{0,8}?(?:学(?!生)|修|掌握|进入|授|拿下|刷|过一遍|过下|摸|背|吃透|诵读)|班|讲(?![一:。])|过(?!来))|超前(?!消费)|抢跑(?!道)|先修(?<!大学先修)(?!要求|选择|生|班\(k)|预科(?!。)|抢先(?:学|一步|班|上)|先学(?:一步|[半一][年学])|先走一步|先把[^。;]{0,6}(?:学掉|过)|超纲|直接上新课"
    r"|比学校快|学校(?:还没|通常)?[^。;]{0,8}才?讲到这|学校还没讲|领先[^。;]{0,8}[半一]整?[年学]|新学期(?:内容|前|预备|课本)|开学预热|开学(?:前(?:先|全|讲))|直接进入grade|下学期的?课今天|下学期[^。;,]{0,14}(?:提前|抢先|新课|开始讲|单词|语文|数学|内容|要学)"
)
_STEPS = (
    re.compile(
        r"(?:先上?|提前|直接上?|语数外?|讲)新课(?!标)|新课[(先预]|先[^。;!?]{0,4}(?:学一遍|学掉|学两遍|过一遍|过完)|秋季[^。;]{0,4}预习|开学[^。;]{0,4}预习|必修第?[一1]册?衔接|衔接必修|初[一二]升初?[二三]|高[一二]升高?[二三]|初升高|初高中衔接|初三刚?毕业[生升]|新(?:初|高)[一二三]|新[二三四五六七八九]年级|准(?:初|高)[一二三]|准[二三四五六七八九]年级|初一新生|升初一|预初"
    ),
    re.compile(r"[一二三四五六七八]\s?升\s?[二三四五六七八九](?!班)"),
)
_NEXT_TERMS = (
    re.compile(
        r"(?:[一二三四五六七八九]年级|[初高][一二三]|[一二三四五六七八九])\s?(?:下(?!午|课|学期末)|下册)|下册|下学期|选必[一二三]|必修[二三四]|下一[单学]"
    ),
)
_SUMMER_TERMS = (
    re.compile(r"(?:[一二三四五六七八九]年级|[初高][一二三]|[一二三四五六七八九])\s?上(?!海|午|课|的)册?|秋季[^。;]{0,4}课本|新学期"),
)
_VACATIONS = (
    (
        (
            "暑",
            "假",
            "夏",
            "7月",
            "8月",
            "七月",
            "八月",
            "7.",
            "8.",
            "7/",
            "8/",
            "衔接",
            "预备",
            "预习",
            "先走",
            "先学",
            "先修",
            "先一步",
            "两周",
            "天",
            "军训前",
            "中考后",
            "开学",
        ),
        _STEPS,
    ),
    (("寒假", "寒 假", "冬令营", "过完年", "正月", "腊月", "初七", "1月1", "1月2", "新学期"), _NEXT_TERMS),
    (("暑", "7月", "8月", "七月", "八月", "夏"), _SUMMER_TERMS),
)
"""Words for a vacation, and what shows in one that the next term's content is taught."""

_REVIEW = re.compile(r"补差|补漏|分班考|落下|不讲新课|复习[^。;]{0,8}[本上下]学期")
_FIRST_GRADE = re.compile(r"一年级(?:的)?(?:上册|课文|课本|语文|数学|的?字|内容|生字|第一单元|《)|完一年级|第一学期走过")
_OLDER_VERBS = ("提前学", "走到", "已经", "都上", "都学", "都在", "都讲", "都刷", "先学", "讲到", "就讲", "走完", "把")
_OLDER = re.compile(
    r"(?P<a>[一二三四五六七八九]年级|[初高][一二三])[^。;!?]{0,14}?(?:提前学|走到了?|把|(?:已经)?[在都](?:上|学到|刷|讲)|先学|讲到|就讲|走完)[^。;!?]{0,6}?(?P<b>[一二三四五六七八九]年级|[初高][一二三])(?!学生|孩子|的同学)"
)
_OLDER_WORDS = re.compile(
    r"(?:相当于|约等于)[^。]{0,6}(?:初[一二三]|高[一二三]|大学|年级)|小学[^。;!?]{0,20}(?:学完|用|过到|走到)[^。;!?]{0,4}初[一中三]|小升初[^。;!?]{0,20}学完[^。;!?]{0,4}初[一中三]|四至六[^。;!?]{0,20}用[^。;!?]{0,4}初[一中三]|已经在上[六七八]年级|[都已]学到[五六七八]年级"
)
_DENIED = re.compile(r"不提前|不超前|不抢跑|不超纲|不预|不讲|绝不|不教|不得|不抢在|不学")


def _level(name: str) -> int:
    """A grade from 1 to 12."""
    return _LEVELS[name[0]] + _GRADES[name[1]] if name[0] in _LEVELS else _GRADES[name[0]]


class Ahead(Detector):
    """Next term's or next grade's content, taught before the school teaches it."""

    signals = ("advance_teaching",)
    triggers = (
        "提前", "超前", "抢跑", "先修", "预科", "抢先", "先", "超纲", "新课", "学校", "领先", "新学期", "开学", "下学期", "升", "衔接",
        "毕业", "新初", "新高", "准初", "准高", "新生", "预初", "下册", "必修", "年级", "相当于", "约等于", "寒假", "暑", "grade", "初一",
        "高一", "下",
    )  # fmt: skip

    def find(self, text: str, context: Context) -> Iterator[SignalMatch]:
        """Words that say it, grades that show it, and a term's content in the vacation before it."""
        for match in _SAID.finditer(text):
            if not _DENIED.search(text, max(0, match.start() - 6), match.end()):
                yield _found(match)
        if any(verb in text for verb in _OLDER_VERBS):
            yield from (_found(match) for match in _OLDER.finditer(text) if _level(match["b"]) > _level(match["a"]))
        for match in _OLDER_WORDS.finditer(text):
            yield _found(match)
        for words, patterns in _VACATIONS:
            if any(word in text for word in words) and not _REVIEW.search(text):
                yield from self._in_vacation(text, patterns)
        if "preschool" in context.stages:
            yield from map(_found, _FIRST_GRADE.finditer(text))

    def _in_vacation(self, text: str, patterns: tuple[re.Pattern[str], ...]) -> Iterator[SignalMatch]:
        for pattern in patterns:
            match = pattern.search(text)
            if match and not _DENIED.search(text, max(0, match.start() - 6), match.end()):
                yield _found(match)


def _found(match: re.Match[str]) -> SignalMatch:
    return SignalMatch("advance_teaching", match.group().strip(), *match.span())
