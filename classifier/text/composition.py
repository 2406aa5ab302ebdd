"""A record's fields as one string, title first, each field on a line of its own, with the place of every field."""

from operator import attrgetter
from typing import NamedTuple

from classifier.records import Record

FIELDS = ("title", "text", "audience", "price", "timetable", "venue", "institution")
"""The fields that take part in a decision, in the order in which they are composed."""

SEPARATOR = "\n"

_values = attrgetter(*FIELDS)


class Segment(NamedTuple):
    """One field's place in the composed string: characters [start, start + length)."""

    field: str
    start: int
    length: int


def compose(record: Record) -> tuple[str, list[Segment]]:
    """Join the filled fields of a record; returns the composed string and where each field stands in it."""
    parts: list[str] = []
    segments: list[Segment] = []
    start = 0
    for field, value in zip(FIELDS, _values(record), strict=True):
        if value:
            parts.append(value)
            segments.append(Segment(field, start, len(value)))
            start += len(value) + 1
    return SEPARATOR.join(parts), segments


def locate(segments: list[Segment], start: int, end: int) -> tuple[str, int, int] | None:
    """The field and the [start, end) inside it of a composed span, cut at the field's end; None between fields."""
    for field, begin, length in segments:
        if begin <= start < begin + length:
            return field, start - begin, min(end - begin, length)
    return None
