"""The figures of the data card: counts, habits, agreement, and the learning curve."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from classifier.decisions import decide
from classifier.engines.artifact import HEADS, LAYOUT_VERSION, Manifest
from classifier.taxonomy import TAXONOMY
from classifier.text import compose, normalise
from training.agreement import kappas
from training.calibrate import calibrate
from training.checks import counts, habits
from training.corpus import CORPUS, Example
from training.fast import train_fast
from training.marks import write_between
from training.plots import learning_curve, svg

CARD = CORPUS.parent / "README.md"
CURVE = CORPUS.parent / "learning-curve.svg"
SHARES = (0.1, 0.2, 0.4, 0.6, 0.8, 1.0)
_HEAD_NAMES = {
    "category": "类别", "form": "文本性质", "disguised": "是否变异", "subjects": "科目", "stages": "学段", "disguises": "变异形式",
    "signals": "线索",
}  # fmt: skip


def _f1(gold: np.ndarray, said: np.ndarray) -> float:
    return float(2 * (gold & said).sum() / max(1, gold.sum() + said.sum()))


def _figures(train: Sequence[Example], validation: Sequence[Example], test: Sequence[Example]) -> dict[str, float]:
    """Quality of every head on the test split of a model trained on `train` and calibrated on `validation`."""
    model = train_fast(train)

    def logits(examples: Sequence[Example]) -> np.ndarray:
        batch = normalise([compose(example.record)[0] for example in examples], origins=False)
        return model.model().score(batch, [example.source for example in examples]).logits

    temperatures, thresholds, triage = calibrate(logits(validation), validation)
    heads = {head: list(labels) for head, labels in HEADS.items()}
    said = decide(logits(test), Manifest(LAYOUT_VERSION, "", heads, temperatures, thresholds, triage, "", {}))
    gold = np.array([HEADS["category"].index(example.category) for example in test])
    found = {"category": float(np.mean([_f1(gold == label, said.category == label) for label in range(3)]))}
    found["form"] = float(np.mean([HEADS["form"][place] == example.form for place, example in zip(said.form, test, strict=True)]))
    for head, chosen in (("subjects", said.subjects), ("stages", said.stages), ("disguises", said.disguises)):
        found[head] = _f1(np.array([[label in getattr(example, head) for label in HEADS[head]] for example in test]), chosen)
    found["disguised"] = _f1(np.array([bool(example.disguises) for example in test]), said.disguised)
    return found


def curve(examples: Sequence[Example]) -> tuple[list[int], dict[str, list[float]]]:
    """Training-set sizes and the test quality of every head at each; smaller sets are parts of larger ones."""
    splits = {name: [example for example in examples if example.split == name] for name in ("train", "validation", "test")}
    order = np.random.default_rng(0).permutation(len(splits["train"]))
    sizes = [int(share * len(order)) for share in SHARES]
    points = [_figures([splits["train"][place] for place in order[:size]], splits["validation"], splits["test"]) for size in sizes]
    return sizes, {head: [point[head] for point in points] for head in points[0]}


def _counts_table(examples: Sequence[Example]) -> list[str]:
    counted = counts(examples)
    kinds = {
        "texts": "全部", "hard_negatives": "难负例", "obfuscated_pairs": "变形文本（另有平写孪生）", "short": "少于 25 字",
        "long": "多于 150 字", "mixed_or_contradicting": "混合或与申报相反", "layout_noise": "版面噪声",
        "second_labels": "有第二次盲标",
    }  # fmt: skip
    lines = ["| 项 | 条数 |", "| --- | ---: |"]
    lines += [f"| {title} | {counted.get(name, 0)} |" for name, title in kinds.items()]
    lines += [f"| {label.name} | {counted.get(f'category.{label.id}', 0)} |" for label in TAXONOMY.categories.values()]
    groups = {
        "subject": TAXONOMY.subjects, "stage": TAXONOMY.stages, "disguise": TAXONOMY.disguises, "signal": TAXONOMY.signals,
        "source": TAXONOMY.sources,
    }  # fmt: skip
    titles = {"subject": "科目", "stage": "学段", "disguise": "变异形式", "signal": "线索", "source": "来源"}
    for group, labels in groups.items():
        shown = "，".join(f"{label.name} {counted.get(f'{group}.{label.id}', 0)}" for label in labels.values())
        lines.append(f"| {titles[group]} | {shown} |")
    return lines


def write_datacard(examples: Sequence[Example], card: Path = CARD, picture: Path = CURVE) -> None:
    """Put the figures into the data card and draw the learning curve beside it."""
    write_between(card, "counts", "\n".join(_counts_table(examples)))
    write_between(card, "habits", "\n".join(f"- {name}：{figure}" for name, figure in habits(examples).items()))
    agreed = ["| 项 | κ | 条数 |", "| --- | ---: | ---: |"]
    agreed += [f"| {_HEAD_NAMES[head]} | {kappa:.3f} | {number} |" for head, (kappa, number) in kappas(examples).items()]
    write_between(card, "agreement", "\n".join(agreed))
    sizes, heads = curve(examples)
    picture.write_text(svg(learning_curve(sizes, heads)), encoding="utf-8")
    lines = ["| 训练条数 | " + " | ".join(_HEAD_NAMES[head] for head in heads) + " |", "| ---: |" + " ---: |" * len(heads)]
    lines += [
        f"| {size} | " + " | ".join(f"{values[place] * 100:.1f}" for values in heads.values()) + " |" for place, size in enumerate(sizes)
    ]
    write_between(card, "curve", "\n".join(lines))
