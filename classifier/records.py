"""What goes in and what comes out: Record and Assessment, plain frozen values."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from classifier.errors import InputError
from classifier.taxonomy import TAXONOMY


@dataclass(frozen=True, slots=True)
class Record:
    """One text to be judged, with what a registry or a pipeline knows of it.

    text: the raw text as met, kept as it is; every evidence span points into it.
    id: the caller's own id, echoed; made from the row where absent.
    title: the course name, where it stands apart from the description.
    declared_category: what the institution declared, `subject` or `non_subject`; empty when unknown.
    source: where the text was met (`catalog`, `sms`, …); empty when unknown.
    institution, audience, price, timetable, venue: further columns of a registry; they take part in the decision.
    """

    text: str
    id: str = ""
    title: str = ""
    declared_category: str = ""
    source: str = ""
    institution: str = ""
    audience: str = ""
    price: str = ""
    timetable: str = ""
    venue: str = ""

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> "Record":
        """Make a record from a JSON object; other keys are passed over. Raises InputError E111, E112 or E113."""
        known = {}
        for name in _RECORD_FIELDS:
            value = values.get(name)
            if value is None:
                continue
            if name == "id" and isinstance(value, int) and not isinstance(value, bool):
                value = str(value)
            if not isinstance(value, str):
                raise InputError("E112", field=name, found=type(value).__name__)
            known[name] = value
        if not known.get("text", "").strip() and not known.get("title", "").strip():
            raise InputError("E111", found=", ".join(sorted(map(str, values))) or "—")
        declared = known.get("declared_category", "")
        if declared and declared not in TAXONOMY.declarable:
            raise InputError("E113", found=declared)
        return cls(**{"text": "", **known})


_RECORD_FIELDS = tuple(field.name for field in fields(Record))


@dataclass(frozen=True, slots=True)
class Finding:
    """A label with its calibrated probability, between 0 and 1."""

    id: str
    probability: float


@dataclass(frozen=True, slots=True)
class Signal:
    """A violation signal: the parsed value that set it off, and the clauses it touches."""

    id: str
    value: str
    clauses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """A yes-or-no head."""

    verdict: bool
    probability: float


@dataclass(frozen=True, slots=True)
class Evidence:
    """A place in the original: `surface == getattr(record, field)[start:end]`, offsets in Unicode code points.

    finding: the label id that the span supports; origin: `cue`, `decoder`, `rule` or `model`; weight: larger is stronger,
    comparable within one assessment; normalized: the span as it was read after folding and decoding.
    """

    start: int
    end: int
    surface: str
    normalized: str
    finding: str
    origin: str
    weight: float
    clauses: tuple[str, ...]
    field: str = "text"


@dataclass(frozen=True, slots=True)
class Versions:
    """What made an assessment: package, model (name@hash), rules and policy."""

    jianke: str
    model: str
    rules: str
    policy: str


@dataclass(frozen=True, slots=True)
class Assessment:
    """The answer for one record: advice that a reviewer can check, never a final decision."""

    id: str
    category: str
    probabilities: dict[str, float]
    form: str
    subjects: tuple[Finding, ...]
    stages: tuple[Finding, ...]
    disguised: Verdict
    disguises: tuple[Finding, ...]
    signals: tuple[Signal, ...]
    declared_mismatch: bool
    triage: str
    reasons: tuple[str, ...]
    evidence: tuple[Evidence, ...]
    versions: Versions

    def to_dict(self) -> dict[str, Any]:
        """The assessment as JSON-ready values, in the contract's shape."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Assessment":
        """The assessment that `to_dict` gave these values."""
        several = {name: tuple(Finding(**item) for item in values[name]) for name in ("subjects", "stages", "disguises")}
        return cls(
            **{**values, **several}
            | {
                "disguised": Verdict(**values["disguised"]),
                "signals": tuple(Signal(**{**item, "clauses": tuple(item["clauses"])}) for item in values["signals"]),
                "reasons": tuple(values["reasons"]),
                "evidence": tuple(Evidence(**{**item, "clauses": tuple(item["clauses"])}) for item in values["evidence"]),
                "versions": Versions(**values["versions"]),
            }
        )
