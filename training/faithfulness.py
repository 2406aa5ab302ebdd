"""Does the evidence hold up? What happens to a finding's probability when its evidence is taken away, or is all that is left.

Comprehensiveness: the mean drop after deleting the strongest spans of the finding, beside deleting as many random spans
of the same lengths. Sufficiency: the mean probability when only what is shown is kept.
"""

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np

from classifier.evidence import LIMIT
from classifier.pipeline import Classifier
from classifier.records import Assessment, Evidence, Record
from classifier.taxonomy import TAXONOMY

CUTS = {"1": 1, "3": 3, "全部": LIMIT}
"""How many of a finding's strongest spans are deleted, by the name of the column."""

_FIELDS = ("title", "text")
_NOTHING = "。"
Span = tuple[str, int, int]


@dataclass(frozen=True, slots=True)
class Question:
    """A yes-or-no finding: which findings' evidence speaks for it, which texts were judged so, and with what probability."""

    name: str
    findings: frozenset[str]
    judged: Callable[[Assessment], bool]
    probability: Callable[[Assessment], float]


QUESTIONS = (
    Question(
        "学科类",
        frozenset((*TAXONOMY.school_subjects, "subject")),
        lambda said: said.category == "subject",
        lambda said: said.probabilities["subject"],
    ),
    Question(
        "疑似变异",
        frozenset(TAXONOMY.disguises),
        lambda said: said.disguised.verdict,
        lambda said: said.disguised.probability,
    ),
)


@dataclass(frozen=True, slots=True)
class Faithfulness:
    """Figures of one question: texts judged so, and mean probabilities. drops, random_drops: by the names in CUTS.

    shown: share of the texts that show evidence of the finding; those without count with a drop of 0.
    """

    question: str
    texts: int
    shown: float
    before: float
    drops: dict[str, float]
    random_drops: dict[str, float]
    kept: float


def _spans(evidence: Iterable[Evidence]) -> list[Span]:
    return [(item.field, item.start, item.end) for item in evidence if item.field in _FIELDS]


def _pieces(record: Record, field: str, spans: Sequence[Span]) -> list[tuple[bool, str]]:
    """A field cut at the ends of its spans: whether each piece is in a span, and the piece."""
    value: str = getattr(record, field)
    inside = [False] * len(value)
    for _, start, end in (span for span in spans if span[0] == field):
        inside[start:end] = [True] * (end - start)
    return [(shown, "".join(value[place] for place in places)) for shown, places in groupby(range(len(value)), inside.__getitem__)]


def without(record: Record, spans: Sequence[Span]) -> Record:
    """The record with the spans deleted."""
    title, text = ("".join(piece for shown, piece in _pieces(record, field, spans) if not shown) for field in _FIELDS)
    return replace(record, title=title, text=text or _NOTHING)


def only(record: Record, spans: Sequence[Span]) -> Record:
    """The record with nothing but the spans, a comma for what stood between them."""
    title, text = ("，".join(piece for shown, piece in _pieces(record, field, spans) if shown) for field in _FIELDS)
    return replace(record, title=title, text=text or _NOTHING)


def random_spans(record: Record, spans: Sequence[Span], generator: random.Random) -> list[Span]:
    """As many spans of the same lengths at random places of the same fields."""
    places = []
    for field, start, end in spans:
        begin = generator.randint(0, len(getattr(record, field)) - (end - start))
        places.append((field, begin, begin + end - start))
    return places


def faithfulness(classifier: Classifier, records: Sequence[Record]) -> list[Faithfulness]:
    """Every question's figures; the same records give the same figures."""
    generator = random.Random(0)
    assessments = list(classifier.assess_many(records))
    found = []
    for question in QUESTIONS:
        rows = [(record, said) for record, said in zip(records, assessments, strict=True) if question.judged(said)]
        own = [_spans(item for item in said.evidence if item.finding in question.findings) for _, said in rows]
        changed: dict[str, list[Record]] = {"kept": [only(record, _spans(said.evidence)) for record, said in rows]}
        for name, number in CUTS.items():
            changed[f"cut {name}"] = [without(record, spans[:number]) for (record, _), spans in zip(rows, own, strict=True)]
            changed[f"random {name}"] = [
                without(record, random_spans(record, spans[:number], generator)) for (record, _), spans in zip(rows, own, strict=True)
            ]
        means = {name: _mean(classifier, question, items) for name, items in changed.items()}
        before = float(np.mean([question.probability(said) for _, said in rows])) if rows else 0.0
        found.append(
            Faithfulness(
                question.name,
                len(rows),
                sum(map(bool, own)) / max(1, len(rows)),
                before,
                {name: before - means[f"cut {name}"] for name in CUTS},
                {name: before - means[f"random {name}"] for name in CUTS},
                means["kept"],
            )
        )
    return found


def _mean(classifier: Classifier, question: Question, records: Sequence[Record]) -> float:
    """Mean probability of the finding over some records; 0 over none."""
    values = [question.probability(said) for said in classifier.assess_many(records, evidence=False)]
    return float(np.mean(values)) if values else 0.0


def rows(figures: Sequence[Faithfulness]) -> list[list[str]]:
    """The figures as a table, heading first, in percent."""
    heads = [f"{kind} {name}" for name in CUTS for kind in ("删去证据", "删去随机")]
    lines = [["判定", "条数", "有证据", "原概率", *heads, "只留证据"]]
    for item in figures:
        drops = [value for name in CUTS for value in (item.drops[name], item.random_drops[name])]
        cells = (item.shown, item.before, *(-drop for drop in drops), item.kept)
        lines.append([item.question, str(item.texts), *(f"{value * 100:.1f}" for value in cells)])
    return lines
