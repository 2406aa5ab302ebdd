"""`jianke-train evaluate`: one HTML page of figures, pictures and errors for a labelled file."""

from pathlib import Path
from typing import Annotated

import typer

from classifier.pipeline import load
from training.corpus import corpus_files, read_examples
from training.faithfulness import faithfulness, rows
from training.report import html_report
from training.robustness import robustness, sample


def evaluate(
    gold: Annotated[Path | None, typer.Option(help="标注文件（JSONL，标注标准的字段）；不给则用语料的测试集。")] = None,
    output: Annotated[Path, typer.Option("-o", "--output", help="报告写到这个 HTML 文件。")] = Path("evaluation.html"),
    model: Annotated[Path | None, typer.Option(help="模型文件夹；默认用随附的模型。")] = None,
) -> None:
    """用标注数据评估模型，写成一页自足的 HTML。"""
    examples = read_examples([gold]) if gold else [item for item in read_examples(corpus_files()) if item.split == "test"]
    classifier = load(model)
    assessments = list(classifier.assess_many(example.record for example in examples))
    fast = load(model, engine="fast")
    evidence = faithfulness(fast, [example.record for example in examples])
    robust = robustness(sample(examples), {"fast": fast} | ({"auto": classifier} if classifier.manifest.cascade else {}))
    page = html_report(gold.name if gold else "语料测试集", examples, assessments, evidence, robust)
    output.write_text(page, encoding="utf-8")
    for line in rows(evidence):
        typer.echo("　".join(line))
    for one in robust:
        typer.echo(f"{one.engine} {one.strength}: 类别 macro-F1 {one.category_macro_f1:.3f}，翻转 {one.flips:.3f}，误报 {one.alarms:.3f}")
    typer.echo(f"{len(examples)} 条，报告：{output}")
