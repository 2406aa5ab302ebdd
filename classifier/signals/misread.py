"""Characters that a reader of pictures takes for others: letters beside digits (l8:OO), and 曰 for 日."""

import re

_MISREAD = re.compile(r"(?<![a-z])[ol]{1,3}(?=[\d:])|(?<=[\d:])[ol]{1,3}(?![a-z])|曰")
_MEANT = str.maketrans({"o": "0", "l": "1", "曰": "日"})


def as_meant(text: str) -> str:
    """A folded text with such characters put right; its length does not change. A letter of a word (tel:, no1) stays."""
    return _MISREAD.sub(lambda match: match.group().translate(_MEANT), text)
