"""Agreement of the two labels that a part of the corpus has."""

from collections.abc import Sequence
from typing import Any

from sklearn.metrics import cohen_kappa_score

from training.corpus import Example

HEADS = ("category", "form", "disguised", "subjects", "stages", "disguises", "signals")


def _decisions(labels: dict[str, Any], head: str, names: Sequence[str]) -> list[str]:
    if head == "disguised":
        return [str(bool(labels["disguises"]))]
    if head in ("category", "form"):
        return [str(labels[head])]
    return [str(name in labels[head]) for name in names]


def kappas(examples: Sequence[Example]) -> dict[str, tuple[float, int]]:
    """Cohen's κ by head and the number of records behind it; lists count as one yes-or-no decision a label."""
    double = [example for example in examples if example.second]
    found = {}
    for head in HEADS:
        names = (
            sorted({name for example in double for name in (*example.first.get(head, ()), *example.second.get(head, ()))})
            if head != "disguised"
            else []
        )
        one = [decision for example in double for decision in _decisions(example.first, head, names)]
        two = [decision for example in double for decision in _decisions(example.second, head, names)]
        found[head] = (round(float(cohen_kappa_score(one, two)), 3) if one else 0.0, len(double))
    return found
