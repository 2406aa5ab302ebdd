"""What institutions look like to callers."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, JsonValue

from service.access.schemas import District
from service.registry.credit_codes import is_credit_code

LicenceKind = Literal["subject", "non_subject", "none"]
Status = Literal["operating", "registered_non_profit", "converted_non_subject", "converted_care", "terminated"]

_EXAMPLE: dict[str, JsonValue] = {
    "name": "金华市婺城区启明培训学校",
    "credit_code": "52330702MJ9999999P",
    "district": "330702",
    "licence_kind": "non_subject",
    "status": "converted_non_subject",
    "fee_per_lesson": 80,
    "prepaid_total": 125000,
    "staff_count": 12,
    "qualified_staff_count": 9,
}


def _checked(code: str) -> str:
    if not is_credit_code(code):
        raise ValueError("统一社会信用代码不合 GB 32100-2015：应为 18 位，末位为校验码；请对照营业执照或登记证书核对")
    return code


Name = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00]*\S[^\x00]*$", description="机构名称")]
CreditCode = Annotated[
    str,
    Field(max_length=18, description="统一社会信用代码，GB 32100-2015"),
    BeforeValidator(lambda code: code.strip().upper() if isinstance(code, str) else code),
    AfterValidator(_checked),
]
Yuan = Annotated[float, Field(ge=0, le=1e12, allow_inf_nan=False)]
Heads = Annotated[int, Field(ge=0, le=1_000_000)]


class InstitutionIn(BaseModel):
    """A new institution of the register."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    name: Name
    credit_code: CreditCode
    district: District = Field("", description="行政区划代码，默认调用者的")
    licence_kind: LicenceKind = Field(description="许可类别：subject 学科类、non_subject 非学科类、none 无证")
    status: Status = Field("operating", description="三转一止的结果")
    fee_per_lesson: Yuan | None = Field(None, description="收费标准，元/课时")
    prepaid_total: Yuan | None = Field(None, description="预收费余额，元")
    staff_count: Heads | None = Field(None, description="教职工数")
    qualified_staff_count: Heads | None = Field(None, description="持证教师数")


class InstitutionChange(BaseModel):
    """What to change; fields left out, or null, stay. The credit code never changes."""

    name: Name | None = None
    district: Annotated[str, Field(pattern=r"^(\d{2}|\d{4}|\d{6})$")] | None = None
    licence_kind: LicenceKind | None = None
    status: Status | None = None
    fee_per_lesson: Yuan | None = None
    prepaid_total: Yuan | None = None
    staff_count: Heads | None = None
    qualified_staff_count: Heads | None = None


class InstitutionOut(BaseModel):
    """An institution. Figures are null where the register does not give them."""

    id: str
    name: str
    credit_code: str
    district: str
    licence_kind: LicenceKind
    status: Status
    fee_per_lesson: float | None
    prepaid_total: float | None
    staff_count: int | None
    qualified_staff_count: int | None
    created_at: datetime
    updated_at: datetime


class InstitutionPage(BaseModel):
    """Institutions by name. `next`: pass it as `after` for the following page; None at the end."""

    institutions: list[InstitutionOut]
    next: str | None


class RowError(BaseModel):
    """Why one row of a register could not be used; `row` as a person counts, the heading row included."""

    row: int
    code: str
    message: str


class ImportOut(BaseModel):
    """What an import did; a bad row does not spoil the rest."""

    created: int
    changed: int
    unchanged: int
    errors: list[RowError]
