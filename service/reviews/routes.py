"""/v1/items and decisions on them."""

from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query

from service.access.roles import ItemPolicy, Principal
from service.catalogs.models import StoredAssessment
from service.catalogs.routes import item_out
from service.catalogs.schemas import ItemPage
from service.catalogs.service import ItemFilter, item_for, items_page
from service.deps import Permit, RequestId, RuntimeDep, SessionDep
from service.idempotency import TransactionalRoute
from service.reviews import service
from service.reviews.models import Decision
from service.reviews.rounds import round_numbers, standing, superseded_by
from service.reviews.schemas import (
    Category,
    DecisionAnswer,
    DecisionIn,
    DecisionOut,
    ItemDetail,
    ReviewState,
    StoredAssessmentOut,
    VotesOut,
)
from service.settings import Settings

router = APIRouter(prefix="/items", tags=["items 条目与复核"], route_class=TransactionalRoute)
Reader = Annotated[Principal, Depends(Permit(ItemPolicy, "read"))]
ItemId = Annotated[int, Path(ge=1, lt=2**63)]
Identifier = Annotated[str | None, Query(max_length=32, pattern=r"^[^\x00]*$")]


@router.get("", name="list_items", response_model=ItemPage)
def list_items(
    principal: Reader,
    session: SessionDep,
    catalog_id: Identifier = None,
    institution_id: Identifier = None,
    category: Annotated[Category | None, Query(description="系统建议的类别")] = None,
    review_state: Annotated[ReviewState | None, Query(description="复核状态")] = None,
    queue_state: Literal["queued", "assessed", "failed", "cancelled"] | None = None,
    triage: Literal["auto", "review"] | None = None,
    disguised: bool | None = None,
    status_conflict: Annotated[bool | None, Query(description="机构已转非学科等而内容疑似学科类")] = None,
    after: Annotated[int, Query(ge=0, lt=2**63)] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> ItemPage:
    """辖区内的条目与系统的最新建议，可按建议与复核状态筛选。"""
    wanted = ItemFilter(catalog_id, institution_id, category, review_state, queue_state, triage, disguised, status_conflict)
    page = items_page(session, principal, wanted, after, limit)
    return ItemPage(items=[item_out(*row) for row in page], next=page[-1][0].id if len(page) == limit else None)


@router.get("/{item_id}", name="get_item", response_model=ItemDetail)
def get_item(item_id: ItemId, principal: Reader, runtime: RuntimeDep, session: SessionDep) -> ItemDetail:
    """一个条目：历次判定、全部决定与专家票数；都只增不改。"""
    item = item_for(session, principal, item_id)
    assessments, decisions = service.assessments_of(session, item), service.decisions_of(session, item)
    latest = next((stored.payload for stored in assessments if stored.id == item.assessment_id), None)
    return ItemDetail(
        **item_out(item, latest).model_dump(),
        assessments=[_assessment_out(stored) for stored in assessments],
        decisions=_decisions_out(decisions),
        votes=_votes_out(decisions, runtime.settings),
    )


@router.post("/{item_id}/decision", name="decide", status_code=201, response_model=DecisionAnswer)
def decide(
    item_id: ItemId, given: DecisionIn, principal: Reader, runtime: RuntimeDep, session: SessionDep, request_id: RequestId
) -> DecisionAnswer:
    """复核的一步：初审、提请专家鉴别、专家投票、作出结论或受理申诉。只能由本人登录办理；已有的判定与决定不会被改动。"""
    ItemPolicy.check(principal, given.step)
    decided = service.decide(session, runtime.settings, principal, item_id, given, request_id)
    shown = {out.id: out for out in _decisions_out(service.decisions_of(session, decided.item))}
    conclusion = shown[decided.conclusion.id] if decided.conclusion else None
    return DecisionAnswer.model_validate(
        {"review_state": decided.item.review_state, "decision": shown[decided.decision.id], "conclusion": conclusion}
    )


def _assessment_out(stored: StoredAssessment) -> StoredAssessmentOut:
    values = {"id": stored.id, "engine": stored.engine, "created_at": stored.created_at, "assessment": stored.payload}
    return StoredAssessmentOut.model_validate(values)


def _decisions_out(decisions: Sequence[Decision]) -> list[DecisionOut]:
    replaced = superseded_by(decisions)
    shown = []
    for decision, number in zip(decisions, round_numbers(decisions), strict=True):
        values = {name: getattr(decision, name) for name in DecisionOut.model_fields if name not in ("round", "superseded_by")}
        shown.append(DecisionOut.model_validate(values | {"round": number, "superseded_by": replaced.get(decision.id)}))
    return shown


def _votes_out(decisions: Sequence[Decision], settings: Settings) -> VotesOut:
    votes = standing(decisions, "expert")
    counts = Counter(vote.category for vote in votes)
    return VotesOut.model_validate(
        {"cast": len(votes), "panel": settings.expert_panel, "majority": settings.expert_majority, "counts": counts}
    )
