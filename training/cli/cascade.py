"""`jianke-train cascade`: put an exported encoder into the model and fit when it is asked."""

import shutil
from pathlib import Path
from typing import Annotated

import typer

from classifier.engines.encoder import ENCODER_FILES
from training.cli.fast import DEFAULT, fast


def cascade(
    encoder: Annotated[Path, typer.Argument(help="jianke-train encoder export 写出的文件夹。")],
    output: Annotated[Path, typer.Option(help="模型文件夹。")] = DEFAULT,
    gold: Annotated[list[Path] | None, typer.Option(help="另外的标注文件（JSONL），其指标也写入模型卡。")] = None,
) -> None:
    """把导出的编码器放进模型，在验证集上选定混合比例与何时动用，并重写模型卡。"""
    output.mkdir(parents=True, exist_ok=True)
    for name in ENCODER_FILES:
        shutil.copyfile(encoder / name, output / name)
    fast(output, gold)
