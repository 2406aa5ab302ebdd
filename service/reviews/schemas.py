"""What decisions and items under review look like to callers."""

from datetime import datetime
from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from classifier.taxonomy import TAXONOMY
from service.catalogs.schemas import ItemOut
from service.predict.schemas import AssessmentOut
from service.reviews.states import STATES, STEPS

Step = Literal["initial", "refer", "expert", "conclusion", "appeal"]
ReviewState = Literal["not_required", "pending", "initial", "expert", "concluded", "appeal"]
Category = Literal["subject", "non_subject", "out_of_scope"]
assert get_args(Step) == tuple(STEPS) and ("", *get_args(ReviewState)) == tuple(STATES)
assert get_args(Category) == tuple(TAXONOMY.categories)

_EXAMPLE: dict[str, JsonValue] = {
    "step": "initial",
    "category": "subject",
    "subjects": ["mathematics"],
    "disguises": ["quality_label"],
    "comment": "“思维素养课”实为六年级分数应用题",
}
_Subject = Annotated[str, Field(max_length=32, json_schema_extra={"enum": list(TAXONOMY.subjects)})]
_Disguise = Annotated[str, Field(max_length=32, json_schema_extra={"enum": list(TAXONOMY.disguises)})]


class DecisionIn(BaseModel):
    """One step of the review. refer and appeal take no labels; every other step needs a category."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    step: Step = Field(description="initial 初审、refer 提请专家鉴别、expert 专家投票、conclusion 作出结论、appeal 受理申诉")
    category: Category | None = Field(None, description="初审、投票、结论必填；提请与申诉不填")
    subjects: list[_Subject] = Field([], max_length=len(TAXONOMY.subjects), description="科目或非学科领域")
    disguises: list[_Disguise] = Field([], max_length=len(TAXONOMY.disguises), description="隐形变异形式，仅学科类可填")
    comment: str = Field("", max_length=4000, pattern=r"^[^\x00]*$", description="意见")
    supersedes: int | None = Field(None, ge=1, lt=2**63, description="要取代的本人本轮同一步骤的决定；原决定保留")


class DecisionOut(BaseModel):
    """A decision. Only those of the latest round that are not superseded count. `assessment_id`: the suggestion of that time."""

    id: int
    round: int = Field(description="第几轮；受理申诉开始新一轮")
    step: Step
    category: Category | Literal[""]
    subjects: list[str]
    disguises: list[str]
    comment: str
    reviewer: str = Field(description="作出决定的账户；experts 为专家多数")
    assessment_id: int | None
    supersedes: int | None
    superseded_by: int | None
    created_at: datetime


class DecisionAnswer(BaseModel):
    """What was decided, and where the item stands now. `conclusion`: where this vote gave the experts their majority."""

    review_state: ReviewState
    decision: DecisionOut
    conclusion: DecisionOut | None


class StoredAssessmentOut(BaseModel):
    """One suggestion that was made for an item, with the engine asked for and the versions behind it."""

    id: int
    engine: str
    created_at: datetime
    assessment: AssessmentOut


class VotesOut(BaseModel):
    """How the experts' votes of this round stand: `cast` of `panel`, and the `majority` that concludes."""

    cast: int
    panel: int
    majority: int
    counts: dict[Category, int]


class ItemDetail(ItemOut):
    """An item with every suggestion and every decision, oldest first; none is ever overwritten."""

    assessments: list[StoredAssessmentOut]
    decisions: list[DecisionOut]
    votes: VotesOut
