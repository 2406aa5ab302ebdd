"""`jianke explain`: one text, its evidence highlighted, clause by clause in Chinese."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from classifier.pipeline import load
from classifier.policy import Policy
from classifier.records import Assessment, Record
from classifier.report import advice, cited_clauses, clue, names
from classifier.tables.columns import parse_declared
from classifier.taxonomy import TAXONOMY

_COLOURED, _PLAIN = ("\x1b[1;33m", "\x1b[0m"), ("【", "】")
_ORIGINS = {"cue": "词表", "decoder": "解码", "rule": "规则", "model": "模型"}


def explain(
    text: Annotated[str | None, typer.Argument(help="要解释的文本；不给则从标准输入读。")] = None,
    title: Annotated[str, typer.Option(help="课程名称。")] = "",
    declared: Annotated[str, typer.Option(help="申报类别：学科类 或 非学科类。")] = "",
    engine: Annotated[str, typer.Option(help="引擎：auto、fast 或 encoder。")] = "auto",
    model: Annotated[Path | None, typer.Option(help="模型文件夹；默认用随附的模型。")] = None,
    rules: Annotated[Path | None, typer.Option(help="本地规则文件夹，与随附的规则并用。")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="输出 JSON 而不是文字。")] = False,
) -> None:
    """解释一条文本的判定：在原文中标出证据，逐条列出依据。."""
    record = Record(text if text is not None else sys.stdin.read().rstrip("\n"), "1", title, parse_declared(declared))
    classifier = load(model, engine=engine, rules=rules)
    assessment = classifier.assess(record)
    if as_json:
        typer.echo(json.dumps(assessment.to_dict(), ensure_ascii=False))
        return
    coloured = sys.stdout.isatty()
    for line in explanation(record, assessment, classifier.rules.policy, coloured):
        typer.echo(line)


def highlighted(text: str, spans: list[tuple[int, int]], marks: tuple[str, str]) -> str:
    """`text` with the two marks around every span; spans that touch share a pair."""
    opened, closed = marks
    merged: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    parts, place = [], 0
    for start, end in merged:
        parts += [text[place:start], opened, text[start:end], closed]
        place = end
    return "".join([*parts, text[place:]])


def explanation(record: Record, assessment: Assessment, policy: Policy, coloured: bool) -> list[str]:
    """The explanation, line by line."""
    result = assessment
    lines = []
    for field, heading in (("title", "名称"), ("text", "原文")):
        value: str = getattr(record, field)
        spans = [(item.start, item.end) for item in result.evidence if item.field == field]
        if value:
            lines.append(f"{heading}　{highlighted(value, spans, _COLOURED if coloured else _PLAIN)}")
    category = TAXONOMY.categories[result.category]
    lines += ["", f"判定　疑似{category.name}（置信度 {result.probabilities[result.category]:.2f}），{TAXONOMY.forms[result.form].name}"]
    for heading, items in (("科目", result.subjects), ("学段", result.stages), ("变异", result.disguises)):
        if items:
            lines.append(f"{heading}　" + "、".join(f"{TAXONOMY[item.id].name} {item.probability:.2f}" for item in items))
    lines += [f"线索　{TAXONOMY.signals[signal.id].name}：{signal.value}" for signal in result.signals]
    lines += ["", "证据"]
    lines += [
        f"　{clue(item, policy)}（{_ORIGINS[item.origin]}，权重 {item.weight:.2f}，{' '.join(item.clauses)}）" for item in result.evidence
    ] or ["　（无）"]
    lines += ["", "依据"]
    lines += [f"　{clause}　{policy.clauses[clause].sentence()}" for clause in cited_clauses(result)]
    lines += ["", f"建议　{advice(result, record.declared_category)}"]
    if result.reasons:
        lines.append(f"复核理由　{names(result.reasons)}")
    lines.append(f"版本　{result.versions.model}　{result.versions.rules}　政策库 {result.versions.policy}")
    return lines
