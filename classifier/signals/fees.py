"""Fees: amounts, lessons and periods asked at once, and bait prices."""

import re
from collections.abc import Iterator

from classifier.signals.registry import Context, Detector, SignalMatch

AMOUNT_LIMIT = 5000
LESSON_LIMIT = 60
BAIT_LIMIT = 99

_NUMBER = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d{1,6}(?:\.\d+)?"
_AMOUNT = re.compile(
    rf"(?:[¥￥]|rmb)\s?(?P<a>{_NUMBER})|(?P<b>{_NUMBER})\s?(?P<wan>万)?\s?(?:元|块|rmb)"
    r"|(?:收费|学费|费用|价格|年费|全款|一次[^。，,]{0,4}[交收付缴]清?|缴费|总价|会费|只要|仅需?|现价|特价|团费)"
    r"\D{0,4}(?P<c>\d{3,6})(?!\s?(?:课时|节|次|人|年|期|天|小时|讲|[-~]))"
    r"|(?P<d>\d{4,6})\s?(?:一位|/人|每人|一期|/期|/年|一年|整|全包)"
    r"|(?<![\d.*x-])(?P<e>[5-9]\d{3}|[1-9]\d{4})(?![\d*x.:-]|\s?[年月级人名字词米平分题多余集套个期天])"
)
_LESSONS = re.compile(r"(?P<n>\d{2,4})\s?(?:个)?(?:课时|课次|节|次课|讲|小时)")
_PERIOD = re.compile(
    r"年费|年卡|包年|(?:一次|一口价|全款)[^。；;\n]{0,8}(?:一年|全年|学年|半年|学期|两学期)|(?:一年|全年|整年|半年|学年)[^。；;\n]{0,8}(?:一次|付清|交清|缴清|收取|全款|打包)|(?:按|以)(?:学?年|半年)(?:收|交|缴|付|计)|年(?:交|缴)|(?:收|交|缴)(?:一|半|全|整)年|买一年|(?:一年|全年)(?:学费|收费|费用|课程包|套餐|\d)|/年|(?:交|缴|付)(?:满|够)?[4-9四五六七八九十]+个月"
)
_LARGE = re.compile(r"\d{4}|\d,\d|\d ?万|[6-9]\d\s?[课节次讲小个]|\d{3}\s?[课节次讲小个]|年[费卡交缴付]|[包/一全学半整][年期]|个月")
_MONTHLY = re.compile(
    r"按月|月结|月付|按次|按课时收|每月(?:收|交|缴|付)|课后付|先上后付|划扣|随时[可能]退|分[两二三四]期|一[月课]一[结付]|(?:一个?月|3个?月|三个?月|季度?)一[交缴付结]"
)
_BY_LESSON = re.compile(r"\s?[/每一](?:课时|节|月)")
_PRICE_CUT = re.compile(
    r"原价[^。；;\n]{0,16}?\d|现价|秒杀|拼团|团购价|[二三四五2345]人(?:成)?团|返现|返\d+|砍价|限时(?:特价|优惠|抢)|特惠|(?:立|直)减\d*|抵\d+|代金券|(?<!\d)0元|零元|一元(?:课|体验|学)|免费(?:送|领)\d{0,3}[节次课]|买[一二三1-3]送|老带新|膨胀|助力|半价|[1-7一二三四五六七](?:\.\d)?折|早鸟价?|立省"
    r"|(?<![\d.])\d{1,2}\.9\d?(?![\d元块])|(?:[一二三四五六七八九]?十)?[一二三四五六七八九]块九|[\$￥]1(?!\d)|团[减立长]|成团|拼[^。;\n]{0,8}班|[由从]\s?\d{3,5}\s?元?(?:调整为|降[到至为])"
)
_TRIAL = re.compile(r"体验|试听|试课|试学|节|次|课|引流|领取|抢|学\d|包|周")


def _value(match: re.Match[str]) -> float:
    text = match["a"] or match["b"] or match["c"] or match["d"] or match["e"]
    return float(text.replace(",", "")) * (10000 if match["wan"] else 1)


class PrepayExcess(Detector):
    """More than three months, 60 lessons or 5000 yuan asked at once."""

    signals = ("prepay_excess",)
    triggers = (
        "元", "块", "¥", "rmb", "课时", "节", "讲", "小时", "次课", "课次", "费", "万", "清", "价", "年卡", "包年", "/年",
        "一年", "全年", "学年", "半年", "年交",
        "年缴", "个月", "一位", "/人", "每人", "一期", "/期", "整", "卡", "金", "位", "课", "营", "班",
    )  # fmt: skip

    def find(self, text: str, context: Context) -> Iterator[SignalMatch]:
        """Amounts, lessons and periods over the limit, unless the text says that the fee is paid by month or lesson."""
        found = list(self._over(text)) if _LARGE.search(text) else []
        if found and not _MONTHLY.search(text):
            yield from found

    def _over(self, text: str) -> Iterator[SignalMatch]:
        amounts = [(match, _value(match)) for match in _AMOUNT.finditer(text)]
        for match, amount in amounts:
            if amount > AMOUNT_LIMIT and not _BY_LESSON.match(text, match.end()):
                yield SignalMatch("prepay_excess", f"一次性 {amount:g} 元（限 {AMOUNT_LIMIT} 元）", *match.span())
        if not amounts and not any(word in text for word in "费交付"):
            return
        for match in _LESSONS.finditer(text):
            lessons = int(match["n"])
            if lessons > LESSON_LIMIT:
                yield SignalMatch("prepay_excess", f"一次性 {lessons} 课时（限 {LESSON_LIMIT} 课时）", *match.span())
        for match in _PERIOD.finditer(text):
            yield SignalMatch("prepay_excess", f"{match.group()}（限 3 个月）", *match.span())


class LowPriceBait(Detector):
    """Trials for 0 to 99 yuan, struck-out prices, flash sales, group purchases and cash back."""

    signals = ("low_price_bait",)
    triggers = (
        "元", "块", "¥", "价", "秒杀", "团", "返", "折", "减", "抵", "券", "送", "助力", "膨胀", "免费", "早鸟", "省", "老带新",
        ".9", "块九", "$1", "拼", "降", "调整",
    )  # fmt: skip

    def find(self, text: str, context: Context) -> Iterator[SignalMatch]:
        """Price cuts by name, and trial prices up to the limit."""
        for match in _PRICE_CUT.finditer(text):
            yield SignalMatch("low_price_bait", f"促销：{match.group()}", *match.span())
        for match in _AMOUNT.finditer(text):
            amount = _value(match)
            around = text[max(0, match.start() - 10) : match.end() + 12]
            unit = re.match(r"\s?(?:/|每|一)\s?(?:课时|节|小时|h|次|人)", text[match.end() : match.end() + 6])
            if (
                amount <= BAIT_LIMIT
                and _TRIAL.search(around)
                and not unit
                and not re.search(r"(?:每|一)(?:节|次|课|小时|课时)课?(?:只要|仅)?$", text[max(0, match.start() - 6) : match.start()])
            ):
                yield SignalMatch("low_price_bait", f"{amount:g} 元（引流价不高于 {BAIT_LIMIT} 元）", *match.span())
