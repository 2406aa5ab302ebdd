"""Institutions: entering, finding, changing, and what their status forbids."""

from collections.abc import Sequence
from typing import Any, get_args

from sqlalchemy import case, false, select, tuple_, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from service.access.roles import Principal
from service.audit import service as audit
from service.audit.events import InstitutionWritten
from service.catalogs.models import Item, StoredAssessment
from service.database.base import now
from service.errors import ServiceError
from service.registry.models import Institution
from service.registry.schemas import InstitutionChange, InstitutionIn, LicenceKind, Status

LICENCE_KINDS: dict[str, str] = {"subject": "学科类", "non_subject": "非学科类", "none": "无证"}
STATUSES: dict[str, str] = {
    "operating": "正常开办",
    "registered_non_profit": "转登非营利",
    "converted_non_subject": "转非学科",
    "converted_care": "转托管",
    "terminated": "终止办学",
}
assert get_args(LicenceKind) == tuple(LICENCE_KINDS) and get_args(Status) == tuple(STATUSES)
_NO_SUBJECTS = ("converted_non_subject", "converted_care", "terminated")


def conflicts(status: str, category: str) -> bool:
    """Whether an institution of this status may not teach school subjects, and the text says it does."""
    return status in _NO_SUBJECTS and category == "subject"


def institution_by_id(session: Session, principal: Principal, identifier: str) -> Institution:
    """The institution. Raises ServiceError E411 where it is unknown or of another district."""
    return _covered(session.get(Institution, identifier), principal, identifier)


def institution_for(session: Session, principal: Principal, identifier: str | None) -> Institution | None:
    """The institution that something is to be kept for, None where none is named; its status stands until the commit.

    Raises ServiceError E411 where it is unknown or of another district.
    """
    if identifier is None:
        return None
    return _covered(session.get(Institution, identifier, with_for_update={"read": True}), principal, identifier)


def _covered(institution: Institution | None, principal: Principal, identifier: str) -> Institution:
    if institution is None or not principal.covers(institution.district):
        raise ServiceError("E411", kind="机构", found=identifier)
    return institution


def institutions_page(
    session: Session, principal: Principal, *, district: str, status: str | None, name: str, after: str | None, limit: int
) -> Sequence[Institution]:
    """Institutions of the principal's district by name, from the one after the id `after`.

    district: a code's prefix; name: part of a name. Raises ServiceError E411 where `after` is unknown.
    """
    statement = select(Institution).order_by(Institution.name, Institution.id).limit(limit)
    for prefix in filter(None, (principal.district, district)):
        statement = statement.where(Institution.district.startswith(prefix, autoescape=True))
    if status is not None:
        statement = statement.where(Institution.status == status)
    if name:
        statement = statement.where(Institution.name.contains(name, autoescape=True))
    if after is not None:
        last = institution_by_id(session, principal, after)
        statement = statement.where(tuple_(Institution.name, Institution.id) > tuple_(last.name, last.id))
    return session.scalars(statement).all()


def create_institution(session: Session, principal: Principal, given: InstitutionIn, request_id: str) -> Institution:
    """A new institution. Raises ServiceError E422 (another district), E431 (the credit code is known)."""
    institution, event = enter(session, principal, given)
    audit.append(session, principal.actor, event, request_id)
    return institution


def change_institution(session: Session, principal: Principal, identifier: str, change: InstitutionChange, request_id: str) -> Institution:
    """Change an institution, and judge its items again by its new status.

    Raises ServiceError E411 (no such institution in the district), E422 (moved to another district).
    """
    institution = _covered(session.get(Institution, identifier, with_for_update=True), principal, identifier)
    event = alter(session, principal, institution, change)
    if event is not None:
        audit.append(session, principal.actor, event, request_id)
    return institution


def enter(session: Session, principal: Principal, given: InstitutionIn) -> tuple[Institution, InstitutionWritten]:
    """A new institution, and the event to be written down. Raises ServiceError E422, E431."""
    values = given.model_dump() | {"district": given.district or principal.district}
    principal.must_cover(values["district"])
    institution = Institution(**values)
    try:
        with session.begin_nested():
            session.add(institution)
    except IntegrityError as error:
        raise ServiceError("E431", found=f"机构 {given.credit_code}", expected="统一社会信用代码") from error
    return institution, InstitutionWritten(institution.id, institution.district, after=values)


def alter(session: Session, principal: Principal, institution: Institution, change: InstitutionChange) -> InstitutionWritten | None:
    """Change a locked institution; the event to be written down, None where nothing changes. Raises ServiceError E422."""
    wanted = change.model_dump(exclude_none=True)
    before = {name: getattr(institution, name) for name, value in wanted.items() if getattr(institution, name) != value}
    if not before:
        return None
    after: dict[str, Any] = {name: wanted[name] for name in before}
    principal.must_cover(after.get("district", institution.district))
    for name, value in after.items():
        setattr(institution, name, value)
    institution.updated_at = now()
    if "status" in after:
        after["items"] = _judge_again(session, institution)
    return InstitutionWritten(institution.id, institution.district, before=before, after=after)


def _judge_again(session: Session, institution: Institution) -> int:
    """Set the conflict with the institution's status on its items, and what follows from it; give how many changed.

    Items whose review has begun keep their state of review.
    """
    conflict = Item.category == "subject" if institution.status in _NO_SUBJECTS else false()
    suggested = select(StoredAssessment.payload["triage"].as_string()).where(StoredAssessment.id == Item.assessment_id).scalar_subquery()
    triage = case((conflict, "review"), else_=suggested)
    changed = session.execute(
        update(Item)
        .where(Item.institution_id == institution.id, Item.assessment_id.is_not(None), Item.status_conflict != conflict)
        .values(
            status_conflict=conflict,
            triage=triage,
            review_state=case(
                (Item.review_state.not_in(("pending", "not_required")), Item.review_state),
                (triage == "review", "pending"),
                else_="not_required",
            ),
        )
        .execution_options(synchronize_session=False)
        .returning(Item.id)
    )
    return len(changed.all())
