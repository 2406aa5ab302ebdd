"""The states of the review workflow, and which step leads from which to which."""

from service.errors import ServiceError

STATES: dict[str, str] = {
    "": "未判定",
    "not_required": "无需复核",
    "pending": "待审",
    "initial": "初审",
    "expert": "专家鉴别",
    "concluded": "结论",
    "appeal": "申诉复核",
}
STEPS: dict[str, str] = {"initial": "初审", "refer": "提请专家鉴别", "expert": "专家投票", "conclusion": "作出结论", "appeal": "受理申诉"}
_ALLOWED: dict[str, dict[str, str]] = {
    "not_required": {"initial": "initial"},
    "pending": {"initial": "initial"},
    "initial": {"initial": "initial", "refer": "expert", "conclusion": "concluded"},
    "expert": {"expert": "expert", "conclusion": "concluded"},
    "concluded": {"appeal": "appeal"},
    "appeal": {"refer": "expert", "conclusion": "concluded"},
}


def next_state(state: str, step: str) -> str:
    """The state that `step` leads to. Raises ServiceError E432 where it is not allowed."""
    allowed = _ALLOWED.get(state, {})
    if step not in allowed:
        expected = "、".join(f"{STEPS[name]}（{name}）" for name in allowed) or "先完成判定"
        raise ServiceError("E432", found=f"{STATES[state]} → {STEPS[step]}", expected=expected)
    return allowed[step]


def state_after_assessment(triage: str) -> str:
    """Where an item starts once it has been assessed."""
    return "pending" if triage == "review" else "not_required"
