"""Rounds of a review: an appeal begins a new one, and only decisions of the present one count."""

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import accumulate

from service.reviews.models import Decision


def round_numbers(decisions: Iterable[Decision]) -> list[int]:
    """The round of each decision, from 1; decisions in the order in which they were made."""
    return list(accumulate((int(decision.step == "appeal") for decision in decisions), initial=1))[1:]


def superseded_by(decisions: Iterable[Decision]) -> dict[int, int]:
    """For each superseded decision the one that took its place."""
    return {decision.supersedes: decision.id for decision in decisions if decision.supersedes is not None}


def standing(decisions: Sequence[Decision], step: str) -> list[Decision]:
    """The decisions of a step that count: those of the present round that have not been superseded."""
    replaced, numbers = superseded_by(decisions), round_numbers(decisions)
    return [
        decision
        for decision, number in zip(decisions, numbers, strict=True)
        if decision.step == step and decision.id not in replaced and number == numbers[-1]
    ]


def agreeing(votes: Sequence[Decision], majority: int) -> list[Decision]:
    """The votes for the category that at least `majority` name, else none."""
    for category, count in Counter(vote.category for vote in votes).items():
        if count >= majority:
            return [vote for vote in votes if vote.category == category]
    return []
