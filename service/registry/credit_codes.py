"""Unified social credit codes of organisations, GB 32100-2015."""

import re

CHARACTERS = "0123456789ABCDEFGHJKLMNPQRTUWXY"
"""The standard's alphabet: no I, O, S, V, Z. A character's value is its place."""

_FORM = re.compile(rf"[{CHARACTERS}]{{2}}[0-9]{{6}}[{CHARACTERS}]{{10}}")
_LENGTH = 18


def check_character(body: str) -> str:
    """The last character that belongs to the first seventeen: weights are the powers of 3 modulo 31."""
    total = sum(CHARACTERS.index(character) * pow(3, place, 31) for place, character in enumerate(body))
    return CHARACTERS[-total % 31]


def is_credit_code(code: str) -> bool:
    """Whether length, characters, the division's digits and the check character are right; letters must be capitals."""
    return _FORM.fullmatch(code) is not None and check_character(code[: _LENGTH - 1]) == code[-1]
