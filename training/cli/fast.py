"""`jianke-train fast`: train, calibrate, save, and write the model card."""

from pathlib import Path
from typing import Annotated

import typer

from classifier.engines.artifact import FAST_WEIGHTS, HEADS, LAYOUT_VERSION, Manifest, file_hash
from classifier.engines.encoder import ENCODER_FILES
from classifier.pipeline import ENGINES, load
from classifier.text import compose, normalise
from training.augment import balanced_copies
from training.calibrate import calibrate
from training.card import write_card
from training.cascade import fit_cascade
from training.corpus import ROOT, corpus_files, corpus_hash, read_examples
from training.evaluate import evaluate
from training.faithfulness import faithfulness
from training.fast import train_fast

DEFAULT = ROOT / "models" / "default"


def fast(
    output: Annotated[Path, typer.Option(help="模型写到这个文件夹。")] = DEFAULT,
    gold: Annotated[list[Path] | None, typer.Option(help="另外的标注文件（JSONL），其指标也写入模型卡。")] = None,
    augment: Annotated[float, typer.Option(min=0.0, help="另加训练集多少倍的变形副本（轻、中、重各三分之一）。")] = 1.0,
) -> None:
    """训练快速引擎：同样的语料得到同样的权重；模型中有编码器的，重新拟合级联。"""
    files = corpus_files()
    examples = read_examples(files)
    by_split = {name: [example for example in examples if example.split == name] for name in ("train", "validation", "test")}
    weights = train_fast(by_split["train"], balanced_copies(by_split["train"], augment))
    output.mkdir(parents=True, exist_ok=True)
    weights.save(output)
    validation = by_split["validation"]
    batch = normalise([compose(example.record)[0] for example in validation], origins=False)
    temperatures, thresholds, triage = calibrate(
        weights.model().score(batch, [example.source for example in validation]).logits, validation
    )
    manifest = Manifest(
        LAYOUT_VERSION, output.name, {head: list(labels) for head, labels in HEADS.items()}, temperatures, thresholds, triage,
        corpus_hash(files), {FAST_WEIGHTS: file_hash(output / FAST_WEIGHTS)},
    )  # fmt: skip
    if all((output / name).is_file() for name in ENCODER_FILES):
        manifest = fit_cascade(output, manifest, weights, validation)
    manifest.write(output)
    sets = {"语料 · 验证集": validation, "语料 · 测试集": by_split["test"]}
    sets |= {str(path): read_examples([path]) for path in gold or []}
    engines = ENGINES if manifest.cascade else ("fast",)
    classifiers = {engine: load(output, engine=engine) for engine in engines}
    qualities = {
        f"{name} · {engine}": evaluate(items, list(classifier.assess_many((item.record for item in items), evidence=False)))
        for name, items in sets.items()
        for engine, classifier in classifiers.items()
    }
    evidence = faithfulness(classifiers["fast"], [example.record for example in by_split["test"]])
    write_card(output, classifiers[engines[0]], by_split, qualities, evidence)
    for name, quality in qualities.items():
        typer.echo(
            f"{name}: 类别 macro-F1 {quality.category_macro_f1:.3f}，科目 {quality.subjects.f1:.3f}，"
            f"变异 {quality.disguised.f1:.3f}，线索 {quality.signals.f1:.3f}"
        )
    typer.echo(f"模型 {manifest.version} → {output}")
