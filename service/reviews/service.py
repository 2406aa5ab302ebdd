"""Deciding on items: every step is a row of its own, checked against the states, with the item locked."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from classifier.taxonomy import TAXONOMY
from service.access.roles import Principal
from service.audit import service as audit
from service.audit.events import DecisionMade
from service.catalogs.models import Item, StoredAssessment
from service.catalogs.service import item_for
from service.errors import ServiceError
from service.reviews.labels import check_labels, in_order
from service.reviews.models import Decision
from service.reviews.rounds import agreeing, standing
from service.reviews.schemas import DecisionIn
from service.reviews.states import STEPS, next_state
from service.settings import Settings
from service.webhooks.outbox import announce

EXPERTS = "experts"


@dataclass(frozen=True, slots=True)
class Decided:
    """What a step did: the item, its new decision, and the experts' conclusion where the step gave them a majority."""

    item: Item
    decision: Decision
    conclusion: Decision | None


def decisions_of(session: Session, item: Item) -> list[Decision]:
    """Every decision on an item, oldest first."""
    return list(session.scalars(select(Decision).where(Decision.item_id == item.id).order_by(Decision.id)))


def assessments_of(session: Session, item: Item) -> list[StoredAssessment]:
    """Every suggestion made for an item, oldest first."""
    return list(session.scalars(select(StoredAssessment).where(StoredAssessment.item_id == item.id).order_by(StoredAssessment.id)))


def decide(session: Session, settings: Settings, principal: Principal, item_id: int, given: DecisionIn, request_id: str) -> Decided:
    """Take one step of an item's review. The suggestions stay as they are.

    Raises ServiceError E410 (labels), E411 (no such item in the district), E421 (not a person), E432 (not possible in this
    state, or nothing that may be superseded), E433 (a second vote).
    """
    if not principal.account_id:
        raise ServiceError("E421", found="API 密钥作决定", expected="本人登录的账户")
    check_labels(given)
    item = item_for(session, principal, item_id, lock=True)
    earlier = decisions_of(session, item)
    state = next_state(item.review_state, given.step)
    _check_own(earlier, principal.actor, given)
    if given.step == "expert" and given.supersedes is None and len(standing(earlier, "expert")) >= settings.expert_panel:
        raise ServiceError("E432", found=f"专家已投满 {settings.expert_panel} 票而无多数", expected="作出结论（conclusion）")
    decision = Decision(
        item_id=item.id,
        assessment_id=item.assessment_id,
        step=given.step,
        category=given.category or "",
        subjects=in_order(given.subjects, TAXONOMY.subjects),
        disguises=in_order(given.disguises, TAXONOMY.disguises),
        comment=given.comment,
        reviewer=principal.actor,
        supersedes=given.supersedes,
    )
    _keep(session, item, earlier, decision, state, request_id)
    present = [*earlier, decision]
    conclusion = _majority(settings, present) if given.step == "expert" else None
    if conclusion is not None:
        _keep(session, item, present, conclusion, next_state(state, conclusion.step), request_id)
    return Decided(item, decision, conclusion)


def _check_own(earlier: Sequence[Decision], actor: str, given: DecisionIn) -> None:
    """A person has one standing decision a step and round; another must supersede it. Raises ServiceError E432, E433."""
    present = standing(earlier, given.step) if given.step != "appeal" else []
    own = next((decision.id for decision in present if decision.reviewer == actor), None)
    if given.supersedes == own:
        return
    if given.supersedes is not None:
        expected = f"本人本轮同一步骤尚未被取代的决定{own or '（没有）'}"
        raise ServiceError("E432", found=f"supersedes = {given.supersedes}", expected=expected)
    if given.step == "expert":
        raise ServiceError("E433", found=actor.removeprefix("account:"))
    raise ServiceError("E432", found=f"本人已有{STEPS[given.step]}意见", expected=f"以 supersedes = {own} 取代")


def _majority(settings: Settings, decisions: Sequence[Decision]) -> Decision | None:
    """The conclusion that the experts' votes make, None while there is no majority; it has every label an agreeing vote names."""
    votes = standing(decisions, "expert")
    agreed = agreeing(votes, settings.expert_majority)
    if not agreed:
        return None
    category = agreed[0].category
    return Decision(
        item_id=agreed[0].item_id,
        assessment_id=agreed[-1].assessment_id,
        step="conclusion",
        category=category,
        subjects=in_order((label for vote in agreed for label in vote.subjects), TAXONOMY.subjects),
        disguises=in_order((label for vote in agreed for label in vote.disguises), TAXONOMY.disguises),
        comment=f"专家鉴别：已投 {len(votes)} 票，其中 {len(agreed)} 票为{TAXONOMY[category].name}（共 {settings.expert_panel} 席）",
        reviewer=EXPERTS,
    )


def _keep(session: Session, item: Item, earlier: Sequence[Decision], decision: Decision, state: str, request_id: str) -> None:
    """Store a decision, move the item on, and tell of it. The event's `category` is the latest that anyone gave."""
    category = next((known.category for known in reversed(earlier) if known.category), "")
    before = {"review_state": item.review_state, "category": category}
    session.add(decision)
    item.review_state = state
    session.flush()
    after = {
        "review_state": state,
        "decision_id": decision.id,
        "step": decision.step,
        "category": decision.category or category,
        "subjects": decision.subjects,
        "disguises": decision.disguises,
        "supersedes": decision.supersedes,
    }
    event = DecisionMade(str(item.id), item.district, before=before, after=after)
    audit.append(session, decision.reviewer, event, request_id)
    announce(session, event)
