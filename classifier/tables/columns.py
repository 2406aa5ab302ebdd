"""Which column of a registry's table holds which field of a record."""

import re
import tomllib
from collections.abc import Mapping as MappingType
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import resources

from classifier.errors import InputError
from classifier.records import Record
from classifier.taxonomy import TAXONOMY

HEADINGS: dict[str, list[str]] = tomllib.loads(resources.files("classifier.tables").joinpath("headings.toml").read_text(encoding="utf-8"))
"""The usual headings of each record field."""

_FIELD_OF = {heading: name for name, headings in HEADINGS.items() for heading in headings}
_LABELLED = ("audience", "price", "timetable", "venue")
_NON_SUBJECT = re.compile(r"非学科|体育|艺术|科技|文化|音乐|美术|舞蹈|素质|综合实践|non[_\- ]?subject")
_SUBJECT = re.compile(r"学科|subject")


def _plain(heading: str) -> str:
    return re.sub(r"[\s*＊:：_]+", "", heading).casefold() if not heading.isascii() else heading.strip().casefold()


def field_of(heading: str) -> str | None:
    """The record field that a heading usually names, or None."""
    plain = _plain(heading)
    if plain in _FIELD_OF:
        return _FIELD_OF[plain]
    return _FIELD_OF.get(re.sub(r"[(（].*?[)）]", "", plain))


def parse_declared(value: str) -> str:
    """`subject`, `non_subject`, or "" for nothing. Raises InputError E113 for anything else."""
    plain = value.strip().casefold()
    if not plain or plain in ("未申报", "无", "-", "—", "待定"):
        return ""
    if _NON_SUBJECT.search(plain):
        return TAXONOMY.declarable[1]
    if _SUBJECT.search(plain):
        return TAXONOMY.declarable[0]
    raise InputError("E113", found=value.strip()[:20])


@dataclass(frozen=True, slots=True)
class Mapping:
    """The columns of each field, in the table's order; several columns of one field are joined."""

    columns: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def record(self, values: MappingType[str, str], identifier: str) -> Record:
        """The record of one row; `identifier` is used where the row has no id. Raises InputError E111, E113.

        Several text columns are joined by a line break, and evidence offsets count in the joined text. Columns of
        audience, price, timetable and venue keep their heading, since a bare number says little.
        """
        parts: dict[str, str] = {}
        for name, columns in self.columns.items():
            filled = [
                (column, values[column].strip() if name != "text" else values[column])
                for column in columns
                if values.get(column, "").strip()
            ]
            if name in _LABELLED:
                parts[name] = "；".join(f"{column}：{value}" for column, value in filled)
            elif name in ("id", "source", "declared_category"):
                parts[name] = filled[0][1] if filled else ""
            else:
                parts[name] = "\n".join(value for _, value in filled)
        if not parts.get("text", "").strip() and not parts.get("title", "").strip():
            raise InputError("E111", found="、".join(column for column, value in values.items() if value.strip()) or "空行")
        parts["id"] = parts.get("id") or identifier
        parts["declared_category"] = parse_declared(parts.get("declared_category", ""))
        return Record(**{"text": "", **parts})


def map_columns(headings: Sequence[str], path: object, chosen: MappingType[str, str] | None = None) -> Mapping:
    """Find each field's columns by their usual headings; `chosen` names columns outright (field → heading).

    Raises InputError E107 (a named column is missing) or E105 (neither text nor title found).
    """
    chosen = {name: heading for name, heading in (chosen or {}).items() if heading}
    for heading in chosen.values():
        if heading not in headings:
            raise InputError("E107", column=heading, found="、".join(headings))
    found: dict[str, list[str]] = {name: [heading] for name, heading in chosen.items()}
    taken = set(chosen.values())
    for heading in headings:
        name = field_of(heading)
        if name and name not in chosen and heading not in taken:
            found.setdefault(name, []).append(heading)
    if "text" not in found and "title" not in found:
        raise InputError("E105", path=path, found="、".join(heading or "（空）" for heading in headings))
    return Mapping({name: tuple(columns) for name, columns in found.items()})
