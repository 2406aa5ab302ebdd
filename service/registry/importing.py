"""Taking a register in: a table of institutions, entered or changed row by row by their credit codes."""

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from sqlalchemy import select
from sqlalchemy.orm import Session

from classifier.errors import InputError, JiankeError
from classifier.tables import read_table
from service.access.roles import Principal
from service.audit import service as audit
from service.audit.events import InstitutionWritten
from service.errors import ServiceError, clean
from service.limits import refuse_bomb
from service.registry import service
from service.registry.credit_codes import is_credit_code
from service.registry.models import Institution
from service.registry.schemas import ImportOut, InstitutionChange, InstitutionIn, RowError
from service.settings import Settings

SUFFIXES = (".xlsx", ".csv")
HEADINGS: dict[str, tuple[str, ...]] = {
    "name": ("机构名称", "机构全称", "培训机构名称", "培训机构", "单位名称", "学校名称", "名称", "name"),
    "credit_code": ("统一社会信用代码", "社会信用代码", "信用代码", "统一信用代码", "credit_code"),
    "district": ("行政区划代码", "区划代码", "行政区划", "行政区划代码/区域", "区域", "所属区域", "所属区县", "区县", "district"),
    "licence_kind": ("许可类别", "许可证类别", "办学许可类别", "办学类别", "办学类型", "机构类别", "类别", "licence_kind"),
    "status": ("状态", "三转一止结果", "三转一止", "状态/三转一止结果", "机构状态", "办学状态", "status"),
    "fee_per_lesson": ("收费标准", "课时费", "收费", "fee_per_lesson"),
    "prepaid_total": ("预收费余额", "预收费", "预收费资金余额", "预收资金余额", "prepaid_total"),
    "staff_count": ("教职工数", "教职工人数", "员工数", "从业人员数", "staff_count"),
    "qualified_staff_count": ("持证教师数", "持证教师人数", "持教师资格证人数", "有教师资格人数", "qualified_staff_count"),
}
"""The usual headings of each field, without spaces, colons and remarks in brackets; the first that is filled counts."""

_FIELD_OF = {heading: name for name, headings in HEADINGS.items() for heading in headings}
_KINDS = {"学科": "subject", "非学科": "non_subject", "无": "none", "无许可": "none", "无许可证": "none"}
_STATUSES = {
    "正常": "operating",
    "在办": "operating",
    "开办": "operating",
    "转为非营利": "registered_non_profit",
    "转非营利": "registered_non_profit",
    "转登记为非营利": "registered_non_profit",
    "转登为非营利": "registered_non_profit",
    "转为非学科": "converted_non_subject",
    "转为托管": "converted_care",
    "终止": "terminated",
    "注销": "terminated",
    "已注销": "terminated",
    "已终止": "terminated",
}
_NUMBER = re.compile(r"[¥￥]?(\d[\d,]*(?:\.\d+)?)(万)?(?:元|人|名)?(?:/课时|每课时)?")
_BATCH = 500


@dataclass(frozen=True, slots=True)
class RegisterRow:
    """One usable row: its number, the credit code, and what the other filled cells say."""

    number: int
    credit_code: str
    values: dict[str, Any]


def _plain(text: str) -> str:
    return re.sub(r"[\s*:]+|\(.*?\)", "", unicodedata.normalize("NFKC", text)).casefold()


def _field_of(heading: str) -> str | None:
    return _FIELD_OF.get(_plain(heading))


def _chosen(names: Mapping[str, str], aliases: Mapping[str, str]) -> Callable[[str], str]:
    """A reader of a label by its id, its Chinese name or an alias; a closing 类, 性 or 机构 does not matter."""
    known = {name: name for name in names} | {chinese.removesuffix("类"): name for name, chinese in names.items()} | dict(aliases)

    def read(cell: str) -> str:
        plain = re.sub(r"(机构|性|类)+$", "", _plain(cell))
        if plain not in known:
            raise ServiceError("E410", found=cell[:40], expected="、".join(names.values()))
        return known[plain]

    return read


def _number(cell: str) -> float:
    match = _NUMBER.fullmatch(re.sub(r"\s+", "", unicodedata.normalize("NFKC", cell)))
    if match is None:
        raise ServiceError("E410", found=cell[:40], expected="不小于 0 的数")
    return float(match[1].replace(",", "")) * (10_000 if match[2] else 1)


def _count(cell: str) -> int:
    number = _number(cell)
    if not number.is_integer():
        raise ServiceError("E410", found=cell[:40], expected="整数")
    return int(number)


def _district(cell: str) -> str:
    match = re.search(r"(?<!\d)(?:\d{6}|\d{4}|\d{2})(?!\d)", unicodedata.normalize("NFKC", cell))
    if match is None:
        raise ServiceError("E410", found=cell[:40], expected="2、4 或 6 位行政区划代码，如 330702 婺城区")
    return match[0]


_READERS: dict[str, Callable[[str], Any]] = {
    "district": _district,
    "licence_kind": _chosen(service.LICENCE_KINDS, _KINDS),
    "status": _chosen(service.STATUSES, _STATUSES),
    "fee_per_lesson": _number,
    "prepaid_total": _number,
    "staff_count": _count,
    "qualified_staff_count": _count,
}


def read_register(path: Path, file_name: str, settings: Settings) -> tuple[list[RegisterRow], list[RowError]]:
    """The usable rows of a table, and why the others are not.

    Raises ServiceError E414, E416, E417, InputError E103-E109 where the table as a whole cannot be read.
    """
    suffix = Path(file_name).suffix.lower()
    if suffix not in SUFFIXES:
        raise ServiceError("E417", found=suffix or "无后缀", expected="、".join(SUFFIXES))
    refuse_bomb(path, settings.max_unpacked_bytes)
    table = read_table(path, known=_field_of)
    headings = {_plain(heading): heading for heading in table.headings}
    columns = {name: [headings[alias] for alias in aliases if alias in headings] for name, aliases in HEADINGS.items()}
    if not columns["credit_code"]:
        raise InputError("E107", column="统一社会信用代码", found="、".join(table.headings))
    rows: list[RegisterRow] = []
    errors: list[RowError] = []
    first: dict[str, int] = {}
    for count, row in enumerate(table.rows, 1):
        if count > settings.max_rows:
            raise ServiceError("E414", found=f"> {settings.max_rows}", expected=settings.max_rows)
        try:
            usable = _read_row(row.number, {name: _filled(row.values, names) for name, names in columns.items()})
            if usable.credit_code in first:
                raise ServiceError("E431", found=f"{usable.credit_code}（第 {first[usable.credit_code]} 行）", expected="统一社会信用代码")
        except JiankeError as error:
            errors.append(_row_error(row.number, error))
            continue
        first[usable.credit_code] = row.number
        rows.append(usable)
    return rows, errors


def _filled(values: Mapping[str, str], columns: list[str]) -> str:
    return next((cell for column in columns if (cell := clean(values[column]).replace("\0", "").strip())), "")


def _read_row(number: int, cells: Mapping[str, str]) -> RegisterRow:
    code = _plain(cells["credit_code"]).upper()
    if not is_credit_code(code):
        raise ServiceError("E410", found=f"统一社会信用代码 {cells['credit_code'][:40] or '空'}", expected="18 位，末位校验码相符")
    values: dict[str, Any] = {"name": cells["name"]} if cells["name"] else {}
    for name, read in _READERS.items():
        if cells[name]:
            values[name] = read(cells[name])
    try:
        InstitutionChange.model_validate(values)
    except ValidationError as invalid:
        raise _invalid(invalid) from invalid
    return RegisterRow(number, code, values)


def _invalid(error: ValidationError) -> ServiceError:
    first = error.errors()[0]
    field = ".".join(map(str, first["loc"]))
    return ServiceError("E410", found=f"{HEADINGS.get(field, (field,))[0]}：{first['msg']}", expected="符合接口文档的值")


def _row_error(number: int, error: JiankeError) -> RowError:
    return RowError(row=number, code=error.code, message=clean(error.chinese))


def import_register(session: Session, principal: Principal, rows: list[RegisterRow], errors: list[RowError], request_id: str) -> ImportOut:
    """Enter the rows that are new, change those that are known; cells left empty change nothing.

    Rows are written in the order of their codes and events come last, so that two imports cannot wait for each other.
    """
    answer = ImportOut(created=0, changed=0, unchanged=0, errors=list(errors))
    events: list[InstitutionWritten] = []
    for row, known in _with_known(session, rows):
        try:
            event = _write(session, principal, row, known)
        except JiankeError as error:
            answer.errors.append(_row_error(row.number, error))
            continue
        if event is None:
            answer.unchanged += 1
            continue
        answer.created += known is None
        answer.changed += known is not None
        events.append(event)
    for event in events:
        audit.append(session, principal.actor, event, request_id)
    answer.errors.sort(key=lambda error: error.row)
    return answer


def _with_known(session: Session, rows: list[RegisterRow]) -> Iterator[tuple[RegisterRow, Institution | None]]:
    """Each row with the institution of its code, locked."""
    source = iter(sorted(rows, key=lambda row: row.credit_code))
    while batch := list(islice(source, _BATCH)):
        codes = [row.credit_code for row in batch]
        found = session.scalars(
            select(Institution).where(Institution.credit_code.in_(codes)).order_by(Institution.credit_code).with_for_update()
        )
        known = {institution.credit_code: institution for institution in found}
        yield from ((row, known.get(row.credit_code)) for row in batch)


def _write(session: Session, principal: Principal, row: RegisterRow, known: Institution | None) -> InstitutionWritten | None:
    if known is not None:
        principal.must_cover(known.district)
        return service.alter(session, principal, known, InstitutionChange.model_validate(row.values))
    try:
        given = InstitutionIn.model_validate(row.values | {"credit_code": row.credit_code})
    except ValidationError as invalid:
        raise _invalid(invalid) from invalid
    return service.enter(session, principal, given)[1]
