"""Texts per second on one core beside peers, all in one run on the same texts; peak memory and cold start of the command line.

Usage: python benchmarks/speed.py [--write]     (--write puts the tables into benchmarks/README.md)
"""

import argparse
import logging
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS", "RAYON_NUM_THREADS"):
    os.environ[_name] = "1"

import fasttext
import jieba
import polars as pl
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from classifier import Classifier, Record, load
from classifier.cli.classify import settle_memory
from classifier.pipeline import BATCH
from classifier.text import compose, decode, fold
from training.corpus import ROOT, corpus_files, read_examples
from training.marks import write_between

LENGTHS = (40, 60, 150)
ROUNDS = 3


def texts_of(length: int, sources: list[str], wanted: int) -> list[str]:
    """`wanted` pieces of `length` characters cut from the sources one after another, all different."""
    joined = "，".join(sources)
    pieces = [joined[start : start + length] for start in range(0, len(joined) - length, length)]
    shifted = [joined[start : start + length] for start in range(length // 2, len(joined) - length, length)]
    return (pieces + shifted)[:wanted]


def peers(sources: list[str], labels: list[str]) -> Iterator[tuple[str, Callable[[list[str]], object]]]:
    """Name and prediction function of every peer, trained on the same texts; segmentation counts as prediction."""
    jieba.setLogLevel(logging.WARNING)
    jieba.initialize()
    linear = make_pipeline(TfidfVectorizer(tokenizer=jieba.lcut, token_pattern=None, ngram_range=(1, 2)), LogisticRegression(max_iter=300))
    linear.fit(sources, labels)
    yield "jieba + TF-IDF + 逻辑回归", linear.predict
    for name, cut in (("fastText（字）", list), ("fastText（jieba 词）", jieba.lcut)):
        with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as file:
            for text, label in zip(sources, labels, strict=True):
                file.write(f"__label__{label} {' '.join(cut(text)).replace(chr(10), ' ')}\n")
            file.flush()
            model = fasttext.train_supervised(file.name, epoch=25, wordNgrams=3, dim=50, thread=1, verbose=0, seed=1)

        def predict(texts: list[str], cut: Callable[[str], list[str]] = cut, model: object = model) -> object:
            return model.f.multilinePredict([" ".join(cut(text)).replace("\n", " ") + "\n" for text in texts], 1, 0.0, "strict")

        yield name, predict


def rate(function: Callable[[list[str]], object], texts: list[str]) -> float:
    """Median texts per second of a few rounds, after one that warms up; the collector is set as `jianke classify` sets it, for all alike."""
    function(texts[:200])
    settle_memory()
    seconds = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        function(texts)
        seconds.append(time.perf_counter() - begun)
    return len(texts) / statistics.median(seconds)


def stages(classifier: Classifier, texts: list[str]) -> dict[str, float]:
    """Processor seconds of decoding, signals, evidence, and of assess_many as a whole, over the same batches in one run."""
    spent = dict.fromkeys(("解码", "线索", "证据", "合计"), 0.0)
    for start in range(0, len(texts), BATCH):
        records = [Record(text) for text in texts[start : start + BATCH]]
        composed = [compose(record) for record in records]
        folded = fold([text for text, _ in composed])
        judged = classifier.judge([text for text, _ in composed], [""] * len(records), [""] * len(records), origins=True)
        clock = [time.process_time()]
        decode(folded)
        clock.append(time.process_time())
        signals = judged.signals()
        clock.append(time.process_time())
        segments = [parts for _, parts in composed]
        classifier._finder.find(records, segments, judged.batch, judged.text, judged.scores, judged.decisions, signals)
        clock.append(time.process_time())
        deque(classifier.assess_many(records), maxlen=0)
        clock.append(time.process_time())
        for name, begin, end in zip(spent, clock, clock[1:], strict=False):
            spent[name] += end - begin
    return spent


def stage_line(classifier: Classifier, texts: list[str], length: int) -> str:
    """What decoding, signals and evidence cost inside assess_many, in the round with the median share."""
    parts = ("解码", "线索", "证据")
    rounds = [stages(classifier, texts) for _ in range(ROUNDS)]
    shares = sorted(({name: spent[name] / spent["合计"] for name in parts} for spent in rounds), key=lambda each: sum(each.values()))
    middle = shares[len(shares) // 2]
    listed = "，".join(f"{name} {share:.0%}" for name, share in middle.items())
    return (
        f"{length} 字时 assess_many 的用时中，{listed}，合计 {sum(middle.values()):.0%}（要求低于 50%），其余为折叠、打分、判定与结果对象。"
    )


def cold_start() -> tuple[float, float]:
    """Seconds until `jianke explain` has answered in a fresh process (median), and its peak memory in MB."""
    command = [str(Path(sys.executable).parent / "jianke"), "explain", "三年级数学小班还剩两个位子，周六上午，加微信"]
    seconds = []
    for _ in range(5):
        begun = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        seconds.append(time.perf_counter() - begun)
    return statistics.median(seconds), resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


def measure() -> list[str]:
    """The report, line by line."""
    seconds, megabytes = cold_start()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    examples = read_examples(corpus_files())
    train = [example for example in examples if example.split == "train"]
    sources, labels = [example.text for example in train], [example.category for example in train]
    classifier = load(engine="fast")
    ours: list[tuple[str, Callable[[list[str]], object]]] = [
        (
            "鉴课 assess_frame（全部头，无证据、无线索）",
            lambda texts: classifier.assess_frame(pl.DataFrame({"text": texts}), signals=False),
        ),
        ("鉴课 assess_frame（全部头与线索）", lambda texts: classifier.assess_frame(pl.DataFrame({"text": texts}))),
        ("鉴课 assess_many（全部头、线索、证据）", lambda texts: sum(1 for _ in classifier.assess_many(texts))),
    ]
    pools = {length: texts_of(length, [example.text for example in examples], 6000) for length in LENGTHS}
    rates = {name: [rate(function, pools[length]) for length in LENGTHS] for name, function in [*peers(sources, labels), *ours]}
    reference, characters = rates["jieba + TF-IDF + 逻辑回归"], rates["fastText（字）"]
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, cwd=ROOT).stdout.strip()
    lines = [
        f"`make bench-speed`，提交 {commit}，{datetime.now(UTC):%Y-%m-%d}，{platform.machine()}，单核，"
        f"Python {platform.python_version()}，模型 {classifier.manifest.version}。",
        "",
        f"每秒文本数（{' / '.join(map(str, LENGTHS))} 字），括号内为对 jieba + TF-IDF + 逻辑回归的倍数；对手各有一个头（类别），鉴课算全部六个头。",
        "",
        "| 方法 | " + " | ".join(f"{length} 字" for length in LENGTHS) + " |",
        "| --- |" + " ---: |" * len(LENGTHS),
    ]
    for name, values in rates.items():
        cells = [f"{value:,.0f}（{value / base:.1f}×）" for value, base in zip(values, reference, strict=True)]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    frame, many = rates[ours[0][0]], rates[ours[2][0]]
    ratios = {
        "assess_frame ÷ jieba + TF-IDF + 逻辑回归（要求 ≥ 10）": [a / b for a, b in zip(frame, reference, strict=True)],
        "assess_frame ÷ fastText（字）（要求 ≥ 1）": [a / b for a, b in zip(frame, characters, strict=True)],
        "assess_many ÷ jieba + TF-IDF + 逻辑回归（要求 ≥ 2）": [a / b for a, b in zip(many, reference, strict=True)],
    }
    lines += ["", "| 倍数 | " + " | ".join(f"{length} 字" for length in LENGTHS) + " |", "| --- |" + " ---: |" * len(LENGTHS)]
    lines += [f"| {name} | " + " | ".join(f"{value:.1f}" for value in values) + " |" for name, values in ratios.items()]
    lines += ["", stage_line(classifier, pools[60], 60)]
    lines += ["", f"冷启动：`jianke explain` 首次回答 {seconds:.2f} 秒（要求 ≤ 1.2），内存峰值 {megabytes:.0f} MB（要求 ≤ 250）。"]
    return lines


def main() -> None:
    """Print the report; with --write also put it between the marks in benchmarks/README.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    report = "\n".join(measure())
    print(report)
    if arguments.write:
        write_between(Path(__file__).with_name("README.md"), "speed", report)


if __name__ == "__main__":
    main()
