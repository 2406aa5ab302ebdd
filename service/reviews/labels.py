"""Which labels a decision may carry."""

from collections.abc import Iterable

from classifier.taxonomy import TAXONOMY
from service.errors import ServiceError
from service.reviews.schemas import DecisionIn

WITHOUT_LABELS = ("refer", "appeal")


def check_labels(given: DecisionIn) -> None:
    """Raise ServiceError E410 unless the labels are the taxonomy's and fit the step, the category and one another."""
    if given.step in WITHOUT_LABELS:
        if given.category or given.subjects or given.disguises:
            raise ServiceError("E410", found=f"step = {given.step} 带有标签", expected="不带 category、subjects、disguises")
        return
    if given.category is None:
        raise ServiceError("E410", found="category 为空", expected="、".join(TAXONOMY.categories))
    _must_be_of(given.disguises, TAXONOMY.disguises, "disguises")
    subjects = {
        "subject": tuple(TAXONOMY.subjects),
        "non_subject": TAXONOMY.quality_fields,
        "out_of_scope": (),
    }[given.category]
    _must_be_of(given.subjects, subjects, f"category = {given.category} 的 subjects")
    if given.disguises and given.category != "subject":
        raise ServiceError("E410", found=f"category = {given.category} 带有 disguises", expected="只有学科类（subject）可有隐形变异形式")


def _must_be_of(labels: Iterable[str], allowed: Iterable[str], where: str) -> None:
    unknown = [label for label in labels if label not in allowed]
    if unknown:
        raise ServiceError("E410", found=f"{where} 含 {'、'.join(unknown)[:80]}", expected="、".join(allowed) or "空")


def in_order(labels: Iterable[str], head: Iterable[str]) -> list[str]:
    """The labels once each, in the taxonomy's order."""
    wanted = set(labels)
    return [label for label in head if label in wanted]
