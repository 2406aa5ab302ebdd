"""Fees: amounts, lessons and periods asked at once, and bait prices."""

import re
from collections.abc import Iterator

from classifier.signals.numerals import NUMERAL, number
from classifier.signals.registry import Context, Detector, SignalMatch

AMOUNT_LIMIT = 5000
LESSON_LIMIT = 60
BAIT_LIMIT = 99
_MOST_LESSONS = 400
"""More lessons than this are a library of recordings, not a fee."""

_COUNTED = (
    r"(?!\s?(?:课时|节|次|人|名|年|期|天|小时|讲|个|字|词|米|平|分|多|余|题|集|套|家|户|位|句|里|册|级|步|条|首|页|月|日|[-~:*x]|\d))"
)
_AMOUNT = re.compile(rf"[\d](?<!\d\d)(?:\d{{0,2}},\d{{3}}(?!\d)|\d{{3,5}}(?!\d)|\d?(?:\.\d{{1,4}})?\s?万){_COUNTED}")
_SPOKEN = re.compile(rf"[{NUMERAL}](?<![{NUMERAL}][{NUMERAL}])[{NUMERAL}]{{1,9}}{_COUNTED}")
_NO_FEE = re.compile(
    r"(?:每月|月薪|原价?|原来|id|号|课酬|第|no\.?|编号|登记|教民|抵|奖金|花了|逾|资金|保额|浏览)\s?[:：]?$|[a-z\d.*x/#№_-]$|(?:电话|微信|热线|座机|20\d\d)[^,。;]{0,6}$"
)
_MONEY = re.compile(r"[元块¥￥费价交付收清款卡年学期位全套班课营包含起报先各,。;、)( ]|rmb")
_PER_LESSON = re.compile(r"\s?元?\s?(?:[/每一](?:课时|节|月|小时)|[/每]次|[/每]时|一次(?=[,。;)]|$))")
_LESSONS = re.compile(
    r"[\d一二两三四六七八九](?<![\d百十][\d一二两三四六七八九])(?P<r>\d{1,2}|百(?:零[一二三四五六七八九]|[一二三四五六七八九]?十[一二三四五六七八九]?|[二三四五六七八九])?|十[一二三四五六七八九]?)\s?个?(?:课时|课次|次课|节(?!气)|次(?!月|日|数)|小时|时数)"
)
_UNIT_PRICE = re.compile(rf"(?:次|节|课时|时数|天)[^。;]{{0,12}}?[每一](?:次|节|课时|个时数|天)(?P<n>\d{{2,4}}|[{NUMERAL}]{{2,4}})")
_PERIODS = tuple(
    re.compile(pattern)
    for pattern in (
        r"年(?:费|票|卡(?!,?没有)(?<!不搞年卡)(?<!不办年卡)(?<!没有年卡)|交|缴)|包年|按(?:学?年|半年)(?:收|交|缴|付|计)|/年|一年一[交付缴]|一年(?=[一二两三四五六七八九][千百]|\d{3,5}(?!\d))|半年(?:学费|卡\s?\d)|一年有效|送三年"
        r"|一次[^。;\d]{0,8}?(?:一整?年|全年|整年|两年|三年|学年|半年|两学期)(?!级|花)|先[交付][^。;\d]{0,4}一年(?!级)|报满[^。;\d]{0,4}年(?!级)|续[^。;\d]{0,4}(?:一|两|三|半)年(?!级)(?<!连续三年)(?<!连续两年)|全年[^。;]{0,8}?(?:一次|付清|交清|缴清|收取|全款|打包|课包)"
        r"|一学?年(?!级)[^。;]{0,8}?(?:一次(?!课)|付清|交清|缴清|收取|全款|打包|课包)|一年(?:学费|收费|费用|课(?!文|本)|卡)|全年(?:学费|收费|费用|课(?!文|本)|卡|套餐)|学年[^。;\d级]{0,3}(?:学费|收费|费)|学费[^。;]{0,2}[一全]年(?!级)"
        r"|学期[^。;]{0,6}(?:一次[付交缴收]|交齐|缴齐|付清|缴清|一把收|打包)|一学期一次交|打包一学期|一学期(?=[三四五六七八九]千|[3-9]\d{3}(?!\d))|付到[五六七八九]月",
        r"[\d百千五六七八九](?:元|块)?一年(?!级)",
        r"[4-9四五六七八九十]个月(?:为?一?期|一[交付缴]|为限)",
        r"[收交缴付](?:(?:满|够)?[4-9四五六七八九十]{1,3}个月|[^。;\d]{0,4}(?:一整?年|全年|半年)(?!级|文化|花))",
    )
)
_ONCE = re.compile(r"费|交|付|缴|购|价|收|元|卡|课包|锁定|打包|预收|缴清|\d千|百")
_SPREAD = re.compile(
    r"按月(?!折)|月结|月付|按次|按课时收|每月(?:收费|交|缴|付|分开)|课后付|先上后付|划扣(?<!当日划扣)|随时[可能]退|分[两二三四]期|分两[次段][缴收]|一[月课]一[结付收]|一个?月一[交缴付结收]|3个?月一[交缴付]|三个?月一[交缴付]|季度?一[交缴付]|逐月"
)
_SMALL = re.compile(
    r"[¥￥$]\d\d?(?:\.\d{1,2})?(?![\d.,])|\d(?<![\d.:/v-]\d)(?<!\d,\d)\d?(?:\.\d{1,2})?\s?(?:(?:元|块)(?:钱)?\d?|(?<=\.9)(?![\d分版修]))"
)
_SMALL_SPOKEN = re.compile(
    rf"[{NUMERAL}](?<![{NUMERAL}][{NUMERAL}])[{NUMERAL}]{{0,2}}(?:块(?:钱|[二三四五六七八九]毛?(?![十个人年月点起节次]))|元(?![一二三]次|素|旦|气|音))"
)
_BARE = re.compile(
    rf"(?:首[单次月周]|体验(?:票|价|卡)?|试[读玩听学滑]一?[节次课]?|秒杀价?|最低价|铜板价|通票|次一共|前[二三]十名|今天|每人|只要)\D{{0,2}}?(?P<a>(?<![\d.])\d{{1,2}}(?:\.\d{{1,2}})?|[二三四五六七八九]十[一二三四五六七八九]?)"
    rf"(?![\d.,:%年月日天节次个人课元块岁分位张本件条架名套道种-]|[{NUMERAL}])"
)
_TRIAL = re.compile(r"体验|试|听|堂|节|次|课|引流|领|抢|学\d|包|周|首|月卡|讲|占|锁|盲盒|链接|券|营|先做|拼|明天涨|秒|卷|链")
_TRY = re.compile(r"体验|试[读玩学滑听打]|试一|首[次月周单节]|引流")
_UNIT_BEFORE = re.compile(
    r"(?:每|一)(?:节|次|课|小时|课时|位|张)课?(?:只要|仅)?$|分钟$|单次\s?$|费\s?$|[再各]?[加减降]$|满$|亏了$|赚了$|餐$"
)
_UNIT_AFTER = re.compile(
    r"\s?[/每一]\s?(?:课时|小时|h|人|位|本|张|碗|只|副|斤|个小?时|个月|月|节|次)|\s?(?:材料|含材料|工本|打印|邮|定金|押|场地|按次|鞋子|的)"
)
_PRICE_CUTS = tuple(
    re.compile(pattern)
    for pattern in (
        rf"原价?[^。;!?\d{NUMERAL}]{{0,6}}[\d{NUMERAL}][\d{NUMERAL}]{{0,5}}元?[^。;!?]{{0,16}}?(?:现|今天|直播|到手|活动|限时|班价|团|老带新|秒|降|锁|只要|\d{{2,4}})|\(原\d{{1,5}}|现价|秒杀|拼团|团购|团价|团立减|团[三]?减[\d{NUMERAL}]"
        rf"|成团(?=[^。;]{{0,6}}(?:减|省|价|每人|立))|返(?:现|利|[\d{NUMERAL}]{{2}})|砍价|限时(?:特价|优惠|抢)|特惠|抵\d{{1,5}}元|代金券|抵用券|零元|免费(?:送|领)\d{{0,3}}[节次课]|买[一二三1-3]送|膨胀|好友助力"
        r"|半价(?<!收半价)|打对折|打[一二三四五六七1-7]折|特价|清仓|改价|门店直降|各省\d|首月[^。;,]{0,6}减半|价减半|由\s?\d{3,5}\s?元?(?:调整为|降[到至为])|从\s?\d{3,5}\s?元?(?:调整为|降[到至为])|直播价|前\d{1,4}名[^。;]{0,3}\d{1,5}元|恢复原价|涨回",
        r"[二三四五六八2-8]人(?:(?:成)?团(?=[^。;]{0,8}(?:减|省|价|每人|\d))|(?:同报|同行|拼|以上)[^。;]{0,4}?(?:减|每人|省|优惠|单)|(?:同报|同行)?(?:每人|各)减)",
        r"[十两]人(?:同报|同行|以上)?(?:每人|各)减|\d{3,4}(?:变|→)\d{3,4}|\d(?<!\d\d)\s?抵\d|0(?<![\d.]0)\s?元|[\d二三四五六七八九两][\d百十千]{1,3}抵[\d一二三四五六七八九两]",
    )
)


def _fee(text: str, match: re.Match[str]) -> bool:
    """Whether an amount is what someone must pay."""
    first, stop = match.span()
    return not _NO_FEE.search(text, max(0, first - 10), first) and not _PER_LESSON.match(text, stop)


class PrepayExcess(Detector):
    """More than three months, 60 lessons or 5000 yuan asked at once."""

    signals = ("prepay_excess",)
    triggers = (
        "元", "块", "¥", "rmb", "课时", "费", "万", "千", "仟", "清", "价", "年卡", "年票", "包年", "/年", "一年", "全年", "学年", "半年",
        "年交", "年缴", "个月", "一位", "/人", "每人", "一期", "/期", "卡", "交", "付", "缴", "购", "预收", "含", "一学期", "收", "每次",
        "三年", "两年", "报名",
    )  # fmt: skip

    def find(self, text: str, context: Context) -> Iterator[SignalMatch]:
        """Amounts over the limit; lessons and periods over the limit, unless the fee is paid by month or lesson."""
        spread = bool(_SPREAD.search(text))
        if not spread or "月付" in text:
            yield from self._amounts(text)
        if spread:
            return
        for match in _UNIT_PRICE.finditer(text):
            yield from self._product(text, match)
        if _ONCE.search(text):
            for match in _LESSONS.finditer(text):
                lessons = number(match.group()[0] + match["r"])
                if LESSON_LIMIT < lessons <= _MOST_LESSONS:
                    yield SignalMatch("prepay_excess", f"一次性 {lessons:g} 课时（限 {LESSON_LIMIT} 课时）", *match.span())
            for match in (match for pattern in _PERIODS for match in pattern.finditer(text)):
                yield SignalMatch("prepay_excess", f"{match.group()}（限 3 个月）", *match.span())

    def _amounts(self, text: str) -> Iterator[SignalMatch]:
        for pattern in (_AMOUNT, _SPOKEN):
            for match in pattern.finditer(text):
                amount = number(match.group().replace(" ", ""))
                if (
                    AMOUNT_LIMIT < amount <= 300_000
                    and _fee(text, match)
                    and (pattern is _AMOUNT or _MONEY.match(text[match.end() :][:1] or ","))
                ):
                    yield SignalMatch("prepay_excess", f"一次性 {amount:g} 元（限 {AMOUNT_LIMIT} 元）", *match.span())

    def _product(self, text: str, price: re.Match[str]) -> Iterator[SignalMatch]:
        """A number of lessons and the price of each."""
        before = re.search(rf"(\d{{1,3}}|[{NUMERAL}]{{1,5}})个?$", text[max(0, price.start() - 6) : price.start()])
        total = number(before[1]) * number(price["n"]) if before else 0
        if total > AMOUNT_LIMIT:
            yield SignalMatch("prepay_excess", f"一次性 {total:g} 元（限 {AMOUNT_LIMIT} 元）", *price.span())


class LowPriceBait(Detector):
    """Trials for 0 to 99 yuan, struck-out prices, flash sales, group purchases and cash back."""

    signals = ("low_price_bait",)
    triggers = (
        "元", "块", "¥", "$", "价", "秒杀", "团", "返", "折", "减", "抵", "券", "助力", "膨胀", "免费", ".9", "清仓", "拼", "降", "现",
        "首次", "首单", "首月", "首周", "试", "通票", "前三", "充", "(原", "买",
    )  # fmt: skip

    def find(self, text: str, context: Context) -> Iterator[SignalMatch]:
        """Price cuts by name, and trial prices up to the limit."""
        for match in (match for pattern in _PRICE_CUTS for match in pattern.finditer(text)):
            yield SignalMatch("low_price_bait", f"促销：{match.group()}", *match.span())
        for match in (*_SMALL.finditer(text), *_SMALL_SPOKEN.finditer(text)):
            amount = _yuan(match.group())
            before, after = text[max(0, match.start() - 10) : match.start()], text[match.end() : match.end() + 12]
            if amount <= BAIT_LIMIT and _is_bait(amount, before, match.group(), after):
                yield SignalMatch("low_price_bait", f"{amount:g} 元（引流价不高于 {BAIT_LIMIT} 元）", *match.span())
        for match in _BARE.finditer(text):
            amount = number(match["a"])
            if 0 < amount <= BAIT_LIMIT:
                yield SignalMatch("low_price_bait", f"{amount:g} 元（引流价不高于 {BAIT_LIMIT} 元）", *match.span())


def _is_bait(amount: float, before: str, price: str, after: str) -> bool:
    """Whether a small price is that of a trial: said to be one, a token sum or one just under a round one, and no ordinary unit price."""
    if _TRY.search(before + after):
        return True
    return bool(amount <= 1 or amount % 1 or _TRIAL.search(before + price + after)) and not (
        _UNIT_BEFORE.search(before) or _UNIT_AFTER.match(after)
    )


def _yuan(price: str) -> float:
    """A small amount in yuan: 9.9元, 9块9, 二十九块九."""
    whole, _, tenths = price.lstrip("¥￥$").replace("元", "块").rstrip("毛钱").partition("块")
    return number(whole.strip()) + (number(tenths[:1]) / 10 if tenths else 0)
