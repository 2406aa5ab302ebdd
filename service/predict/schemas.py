"""What predict takes and gives. The assessment is the library's contract, unchanged."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from classifier import Record
from classifier.taxonomy import TAXONOMY
from service.errors import ErrorBody, ServiceError

_EXAMPLE: dict[str, JsonValue] = {
    "id": "330702-0017",
    "text": "六年级分数应用题专题，周日上午，小班",
    "title": "思维课",
    "declared_category": "non_subject",
    "source": "catalog",
}
Declared = Literal["", "subject", "non_subject"]
assert set(TAXONOMY.declarable) < {"", "subject", "non_subject"}


class RecordIn(BaseModel):
    """One text to be judged, with what the caller knows of it. `text` or `title` must not be empty."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    text: str = Field("", description="原文，证据位置以它为准")
    id: str = Field("", max_length=200, description="调用方的编号，原样返回")
    title: str = Field("", max_length=1000, description="课程名称")
    declared_category: Declared = Field("", description="登记的类别，不明则空")
    source: str = Field("", max_length=32, description="文本来源，如 catalog、sms、moments")
    institution: str = Field("", max_length=500)
    audience: str = Field("", max_length=1000)
    price: str = Field("", max_length=1000)
    timetable: str = Field("", max_length=1000)
    venue: str = Field("", max_length=1000)

    def record(self, max_text: int) -> Record:
        """The record. Raises ServiceError E415, InputError E111."""
        if len(self.text) > max_text:
            raise ServiceError("E415", found=len(self.text), expected=max_text)
        return Record.from_mapping(self.model_dump())


class FindingOut(BaseModel):
    """A label with its calibrated probability."""

    id: str
    probability: float


class VerdictOut(BaseModel):
    """A yes-or-no finding."""

    verdict: bool
    probability: float


class SignalOut(BaseModel):
    """A violation signal, its parsed value and the clauses it touches."""

    id: str
    value: str
    clauses: list[str]


class EvidenceOut(BaseModel):
    """A place in the original: `surface` is `field[start:end]`, in Unicode code points."""

    start: int
    end: int
    surface: str
    normalized: str
    finding: str
    origin: str
    weight: float
    clauses: list[str]
    field: str


class VersionsOut(BaseModel):
    """What made the assessment."""

    jianke: str
    model: str
    rules: str
    policy: str


class AssessmentOut(BaseModel):
    """The answer for one text: advice for a reviewer, never a decision."""

    id: str
    category: str = Field(description="subject 学科类、non_subject 非学科类、out_of_scope 不适用")
    probabilities: dict[str, float]
    form: str
    subjects: list[FindingOut]
    stages: list[FindingOut]
    disguised: VerdictOut
    disguises: list[FindingOut]
    signals: list[SignalOut]
    declared_mismatch: bool
    triage: str
    reasons: list[str]
    evidence: list[EvidenceOut]
    versions: VersionsOut


class StoredOut(AssessmentOut):
    """An assessment; `item_id` and `status_conflict` where it was kept as an item."""

    item_id: int | None = Field(None, description="store=true 时的条目编号")
    status_conflict: bool | None = Field(None, description="机构已转非学科等而内容疑似学科类")


class BatchIn(BaseModel):
    """Records to be judged, each by itself. They are checked one by one, so that a bad one does not spoil the rest."""

    records: list[dict[str, Any]] = Field(min_length=1, examples=[[_EXAMPLE]])


class BatchError(BaseModel):
    """Why one record could not be judged."""

    index: int
    id: str
    error: ErrorBody


class BatchOut(BaseModel):
    """Assessments in the order of the good records, and the bad ones beside them."""

    results: list[StoredOut]
    errors: list[BatchError]
