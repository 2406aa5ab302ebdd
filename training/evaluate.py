"""Quality figures of a classifier on labelled records: one function, used by training, the model card and the tests."""

from collections.abc import Sequence
from dataclasses import dataclass

from classifier.records import Assessment
from classifier.taxonomy import TAXONOMY
from training.corpus import Example


@dataclass(frozen=True, slots=True)
class Ratio:
    """Precision, recall, F1 and the number of gold items behind them."""

    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True, slots=True)
class Quality:
    """Figures of one set of records.

    flips: share of obfuscated texts judged otherwise than their plain twins. clean: category accuracy on the texts that
    are not obfuscated; innocent: those of them that are no subject training; false_alarms: share of the innocent
    judged `subject`. The three belong together: each alone is easily bought.
    """

    records: int
    category_macro_f1: float
    categories: dict[str, Ratio]
    subjects: Ratio
    disguised: Ratio
    disguised_average_precision: float
    disguises: Ratio
    signals: Ratio
    signal_labels: dict[str, Ratio]
    stages: Ratio
    form_accuracy: float
    calibration_error: float
    auto_share: float
    auto_accuracy: float
    pairs: int
    flips: float
    clean: float
    innocent: int
    false_alarms: float


def ratio(hits: int, said: int, gold: int) -> Ratio:
    """From counts of correct, predicted and gold items."""
    precision = hits / said if said else 0.0
    recall = hits / gold if gold else 0.0
    f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    return Ratio(round(precision, 4), round(recall, 4), round(f1, 4), gold)


def set_ratio(pairs: Sequence[tuple[frozenset[str], frozenset[str]]]) -> Ratio:
    """Micro figures over (gold, predicted) sets."""
    return ratio(sum(len(g & p) for g, p in pairs), sum(len(p) for _, p in pairs), sum(len(g) for g, _ in pairs))


def calibration_error(confident: Sequence[tuple[float, bool]], bins: int = 10) -> float:
    """Expected calibration error of (confidence, right) pairs, equal-width bins."""
    sums = [[0.0, 0.0] for _ in range(bins)]
    for confidence, right in confident:
        place = min(int(confidence * bins), bins - 1)
        sums[place][0] += confidence
        sums[place][1] += right
    return round(sum(abs(said - hit) for said, hit in sums) / max(1, len(confident)), 4)


def average_precision(scored: Sequence[tuple[float, bool]]) -> float:
    """Mean precision at each positive, over (score, is positive) pairs ranked by score; 0 where there is none."""
    hits, area = 0, 0.0
    for rank, (_, positive) in enumerate(sorted(scored, key=lambda pair: -pair[0]), 1):
        hits += positive
        area += positive * hits / rank
    return round(area / hits, 4) if hits else 0.0


def _ids(items: Sequence[object]) -> frozenset[str]:
    return frozenset(item.id if hasattr(item, "id") else str(item) for item in items)


def evaluate(examples: Sequence[Example], assessments: Sequence[Assessment]) -> Quality:
    """Compare assessments with the settled labels, in the same order."""
    rows = list(zip(examples, assessments, strict=True))
    right = [gold.category == said.category for gold, said in rows]
    categories = {
        label: ratio(
            sum(gold.category == label == said.category for gold, said in rows),
            sum(said.category == label for _, said in rows),
            sum(gold.category == label for gold, _ in rows),
        )
        for label in TAXONOMY.categories
    }
    present = [value.f1 for value in categories.values() if value.support]
    sets = {
        head: [(_ids(getattr(gold, head)), _ids(getattr(said, head))) for gold, said in rows if head in gold.agreed]
        for head in ("subjects", "disguises", "signals", "stages")
    }
    by_signal = {label: set_ratio([(gold & {label}, said & {label}) for gold, said in sets["signals"]]) for label in TAXONOMY.signals}
    judged = [(bool(gold.disguises), said.disguised.verdict) for gold, said in rows if "disguised" in gold.agreed]
    forms = [gold.form == said.form for gold, said in rows if "form" in gold.agreed]
    auto = [ok for (_, said), ok in zip(rows, right, strict=True) if said.triage == "auto"]
    by_id = {gold.id: said for gold, said in rows}
    twins = [(said, by_id[gold.pair]) for gold, said in rows if gold.pair in by_id]
    clean = [(gold, said) for gold, said in rows if not gold.pair]
    innocent = [said for gold, said in clean if gold.category != "subject"]
    return Quality(
        records=len(rows),
        category_macro_f1=round(sum(present) / max(1, len(present)), 4),
        categories=categories,
        subjects=set_ratio(sets["subjects"]),
        disguised=ratio(sum(g and p for g, p in judged), sum(p for _, p in judged), sum(g for g, _ in judged)),
        disguised_average_precision=average_precision(
            [(said.disguised.probability, bool(gold.disguises)) for gold, said in rows if "disguised" in gold.agreed]
        ),
        disguises=set_ratio(sets["disguises"]),
        signals=set_ratio(sets["signals"]),
        signal_labels=by_signal,
        stages=set_ratio(sets["stages"]),
        form_accuracy=round(sum(forms) / max(1, len(forms)), 4),
        calibration_error=calibration_error([(max(said.probabilities.values()), ok) for (_, said), ok in zip(rows, right, strict=True)]),
        auto_share=round(len(auto) / max(1, len(rows)), 4),
        auto_accuracy=round(sum(auto) / max(1, len(auto)), 4),
        pairs=len(twins),
        flips=round(sum(one.category != other.category for one, other in twins) / max(1, len(twins)), 4),
        clean=round(sum(gold.category == said.category for gold, said in clean) / max(1, len(clean)), 4),
        innocent=len(innocent),
        false_alarms=round(sum(said.category == "subject" for said in innocent) / max(1, len(innocent)), 4),
    )
