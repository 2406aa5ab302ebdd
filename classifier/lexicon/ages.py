"""Stage cues from ages and grades: every written form of an age, a grade or a range of them, with its stages.

Ages follow the label standard: 3–6 preschool, 6–12 primary, 12–15 junior, 15–18 senior; a range has every stage that it
overlaps by a full year.
"""

from collections.abc import Iterator

STAGE_YEARS = {"preschool": (3, 6), "primary": (6, 12), "junior": (12, 15), "senior": (15, 18)}
_NUMERALS = "零一二三四五六七八九十"
_RANGE_SIGNS = ("-", "~", "到", "至", "--")
_FIRST_GRADE_AGE = 6


def _written(number: int) -> tuple[str, ...]:
    """A number from 1 to 18 in digits and in Chinese numerals."""
    tens, ones = divmod(number, 10)
    chinese = _NUMERALS[number] if number <= 10 else "十" + _NUMERALS[ones] if tens == 1 and ones else str(number)
    return (str(number), chinese)


def stages_of_ages(first: int, last: int) -> tuple[str, ...]:
    """Stages that the ages [first, last] overlap by a full year; a single age counts as that whole year."""
    stop = last if last > first else first + 1
    return tuple(stage for stage, (low, high) in STAGE_YEARS.items() if min(stop, high) - max(first, low) >= 1)


def _ranges(low: int, high: int, unit: str) -> Iterator[tuple[str, int, int]]:
    for first in range(low, high + 1):
        for form in _written(first):
            yield f"{form}{unit}", first, first
        for last in range(first + 1, high + 1):
            for sign in _RANGE_SIGNS:
                for one, other in zip(_written(first), _written(last), strict=True):
                    yield f"{one}{sign}{other}{unit}", first, last
                    yield f"{one}{unit}{sign}{other}{unit}", first, last


def stage_cues() -> list[tuple[str, str]]:
    """(word, stage) for every written age from 2 to 18 and every grade from one to nine, ranges included, each once."""
    found: dict[tuple[str, str], None] = {}
    for unit in ("岁", "周岁"):
        for word, first, last in _ranges(2, 18, unit):
            found.update(((word, stage), None) for stage in stages_of_ages(first, last))
    for word, first, last in _ranges(1, 9, "年级"):
        found.update(((word, stage), None) for stage in stages_of_ages(first + _FIRST_GRADE_AGE - 1, last + _FIRST_GRADE_AGE))
    return list(found)
