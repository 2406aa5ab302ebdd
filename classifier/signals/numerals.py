"""Written numbers: digits, Chinese numerals and amounts as they are said (三千八, 两万二, 九块九)."""

import re

DIGITS = "零一二三四五六七八九"
NUMERAL = "零一二两三四五六七八九十百千万壹贰叁肆伍陆柒捌玖拾佰仟"
"""The characters that a written number may hold."""

_VALUES = {character: value for value, character in enumerate(DIGITS)} | {"两": 2}
_VALUES |= {character: value for value, character in enumerate("壹贰叁肆伍陆柒捌玖", 1)}
_UNITS = {"十": 10, "百": 100, "千": 1000, "万": 10000, "拾": 10, "佰": 100, "仟": 1000}

_WRITTEN = re.compile(r"(?P<n>[0-9][0-9,]{0,9}(?:\.[0-9]{1,4})?)\s?(?P<u>[万千]?)")


def number(text: str) -> float:
    """The value of a number in digits (5,800; 1.2万) or Chinese numerals; what is no number counts as 0.

    A last digit without a unit stands one place below the unit before it (三千八 is 3800), unless 零 precedes it.
    """
    written = _WRITTEN.fullmatch(text)
    if written:
        return float(written["n"].replace(",", "")) * _UNITS.get(written["u"], 1)
    if any(character not in NUMERAL for character in text):
        return 0.0
    total = section = digit = 0
    last, spoken = 1, False
    for character in text:
        if character in _VALUES:
            digit = digit * 10 + _VALUES[character] if last == 1 else _VALUES[character]
            spoken = character != "零" and (spoken or last > 10)
            if character == "零":
                last = 10
        elif character == "万":
            total, section, digit, last = (total + section + digit) * 10000, 0, 0, 10000
        elif character in _UNITS:
            section += (digit or 1) * _UNITS[character]
            digit, last = 0, _UNITS[character]
    if digit and last > 10 and spoken:
        digit *= last // 10
    return float(total + section + digit)
