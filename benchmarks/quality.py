"""Quality beside the peers a user would pick instead: same training split, same records, one run.

Usage: python benchmarks/quality.py [--gold FILE.jsonl …] [--write]     (--write puts the tables into benchmarks/README.md)
"""

import argparse
import logging
import platform
import subprocess
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import jieba
import numpy as np

from benchmarks.peers import all_peers
from classifier import Classifier, load
from classifier.pipeline import ENGINES
from classifier.records import Assessment
from training.checks import is_hard_negative
from training.corpus import ROOT, Example, corpus_files, read_examples
from training.evaluate import Quality, evaluate
from training.marks import write_between

RESAMPLES = 300
COLUMNS: dict[str, Callable[[Quality], float]] = {
    "类别 macro-F1": lambda q: q.category_macro_f1,
    "科目": lambda q: q.subjects.f1,
    "疑似变异": lambda q: q.disguised.f1,
    "变异 AP": lambda q: q.disguised_average_precision,
    "变异形式": lambda q: q.disguises.f1,
    "线索": lambda q: q.signals.f1,
    "学段": lambda q: q.stages.f1,
    "文本性质": lambda q: q.form_accuracy,
    "ECE ↓": lambda q: q.calibration_error,
    "翻转率 ↓": lambda q: q.flips,
    "误报率 ↓": lambda q: q.false_alarms,
    "平写准确率": lambda q: q.clean,
}


def interval(examples: Sequence[Example], answers: Sequence[Assessment]) -> tuple[float, float]:
    """95 % bootstrap interval of the category macro-F1."""
    labels = ("subject", "non_subject", "out_of_scope")
    gold = np.array([labels.index(example.category) for example in examples])
    said = np.array([labels.index(answer.category) for answer in answers])
    random = np.random.default_rng(0)
    scores = []
    for _ in range(RESAMPLES):
        rows = random.integers(0, len(gold), len(gold))
        counts = np.bincount(gold[rows] * 3 + said[rows], minlength=9).reshape(3, 3)
        present = counts.sum(axis=1) > 0
        scores.append(float(np.mean((2 * np.diag(counts) / np.maximum(counts.sum(axis=0) + counts.sum(axis=1), 1))[present])))
    return float(np.percentile(scores, 2.5)), float(np.percentile(scores, 97.5))


def table(sets: dict[str, list[Example]], answers: dict[str, dict[str, list[Assessment]]], rates: dict[str, float]) -> list[str]:
    """One table a set, best figure of each column in bold."""
    lines: list[str] = []
    for name, examples in sets.items():
        quality = {method: evaluate(examples, given[name]) for method, given in answers.items()}
        shown = [column for column in COLUMNS if any(COLUMNS[column](value) for value in quality.values())]
        lines += ["", f"### {name}（{len(examples)} 条）", "", "| 方法 | " + " | ".join(shown) + " | 95 % 区间 | 每秒条数 |"]
        lines.append("| --- |" + " ---: |" * (len(shown) + 2))
        for method, value in quality.items():
            cells = []
            for column in shown:
                figures = [COLUMNS[column](other) for other in quality.values()]
                best = min(figures) if "↓" in column else max(figures)
                cell = f"{COLUMNS[column](value) * 100:.1f}"
                cells.append(f"**{cell}**" if COLUMNS[column](value) == best else cell)
            low, high = interval(examples, answers[method][name])
            lines.append(f"| {method} | " + " | ".join(cells) + f" | {low * 100:.1f}–{high * 100:.1f} | {rates[method]:,.0f} |")
    return lines


def _ours(classifier: Classifier) -> Callable[[Sequence[Example]], list[Assessment]]:
    return lambda items: list(classifier.assess_many((item.record for item in items), evidence=False))


def main() -> None:
    """Train the peers, answer every set, print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gold", action="append", type=Path, default=[], help="further labelled records")
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    jieba.setLogLevel(logging.WARNING)
    examples = read_examples(corpus_files())
    train, validation, test = ([example for example in examples if example.split == split] for split in ("train", "validation", "test"))
    twins = {example.pair for example in test if example.pair}
    sets = {
        "测试集": test,
        "测试集 · 平写": [example for example in test if not example.pair],
        "测试集 · 变形及其平写孪生": [example for example in test if example.pair or example.id in twins],
        "测试集 · 难负例": [example for example in test if is_hard_negative(example)],
    } | {f"`{path.name}`": read_examples([path]) for path in arguments.gold}
    classifiers = {engine: load(engine=engine) for engine in ENGINES}
    methods: dict[str, Callable[[Sequence[Example]], list[Assessment]]] = {}
    for peer in all_peers():
        peer.fit(train, validation)
        methods[peer.name] = peer.assess
    for engine, classifier in classifiers.items():
        methods[f"(f) 鉴课 {engine}"] = _ours(classifier)
    answers, rates = {}, {}
    for name, method in methods.items():
        begun = time.perf_counter()
        whole = {example.id: answer for example, answer in zip(test, method(test), strict=True)}
        rates[name] = len(test) / (time.perf_counter() - begun)
        answers[name] = {
            label: [whole[item.id] for item in items] if label.startswith("测试集") else method(items) for label, items in sets.items()
        }
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, cwd=ROOT).stdout.strip()
    head = (
        f"`make bench-quality`，提交 {commit}，{datetime.now(UTC):%Y-%m-%d}，{platform.machine()}，训练集 {len(train)} 条，"
        f"模型 {classifiers['fast'].manifest.version}。百分数；粗体为该列最好；区间为类别 macro-F1 的自助法 95 % 区间。"
    )
    report = "\n".join([head, *table(sets, answers, rates)])
    print(report)
    if arguments.write:
        write_between(Path(__file__).with_name("README.md"), "quality", report)


if __name__ == "__main__":
    main()
