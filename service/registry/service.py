"""Institutions: entering, finding, and what their status forbids."""

from sqlalchemy.orm import Session

from service.access.roles import Principal
from service.errors import ServiceError
from service.registry.models import Institution

LICENCE_KINDS: dict[str, str] = {"subject": "学科类", "non_subject": "非学科类", "none": "无证"}
STATUSES: dict[str, str] = {
    "operating": "正常开办",
    "registered_non_profit": "转登非营利",
    "converted_non_subject": "转非学科",
    "converted_care": "转托管",
    "terminated": "终止办学",
}
_NO_SUBJECTS = ("converted_non_subject", "converted_care", "terminated")


def conflicts(status: str, category: str) -> bool:
    """Whether an institution of this status may not teach school subjects, and the text says it does."""
    return status in _NO_SUBJECTS and category == "subject"


def institution_for(session: Session, principal: Principal, identifier: str | None) -> Institution | None:
    """The institution, None where none is named. Raises ServiceError E411 where it is unknown or of another district."""
    if identifier is None:
        return None
    institution = session.get(Institution, identifier)
    if institution is None or not principal.covers(institution.district):
        raise ServiceError("E411", kind="机构", found=identifier)
    return institution
