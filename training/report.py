"""The evaluation report: one self-contained HTML page for any labelled file, ours or a district's."""

import html
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from classifier.cli.explain import highlighted
from classifier.records import Assessment
from classifier.taxonomy import TAXONOMY, Label
from training.corpus import Example
from training.evaluate import Quality, Ratio, evaluate, set_ratio
from training.faithfulness import Faithfulness
from training.faithfulness import rows as faithfulness_rows
from training.plots import confusion, reliability, risk_coverage, svg
from training.robustness import PLAIN, Robustness

WORST = 40
_MARKS = ("\x02", "\x03")
_STYLE = """
body{font:15px/1.6 "Noto Sans CJK SC","Microsoft YaHei",sans-serif;max-width:1080px;
margin:2em auto;padding:0 1em;color:#222}
table{border-collapse:collapse;margin:1em 0}td,th{border:1px solid #ccc;padding:.25em .6em;text-align:right}
td:first-child,th:first-child{text-align:left}th{background:#eef2f6}figure{display:inline-block;margin:.5em}
mark{background:#ffe08a}.error{border-left:4px solid #c0392b;padding:.2em .8em;margin:.8em 0;background:#fafafa}
.small{color:#666;font-size:13px}
"""
Row = tuple[Example, Assessment]


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    cells = "".join(f"<th>{html.escape(cell)}</th>" for cell in head)
    body = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><tr>{cells}</tr>{body}</table>"


def _percent(value: float) -> str:
    return f"{value * 100:.1f}"


def _ratio(name: str, ratio: Ratio) -> list[str]:
    return [name, _percent(ratio.precision), _percent(ratio.recall), _percent(ratio.f1), str(ratio.support)]


def _length(example: Example) -> str:
    size = len(example.text)
    return next(name for name, limit in (("< 25 字", 25), ("25–80 字", 80), ("80–150 字", 150), ("> 150 字", 10**9)) if size < limit)


SLICES: dict[str, Callable[[Example], Sequence[str]]] = {
    "来源": lambda example: [TAXONOMY.sources[example.source].name if example.source in TAXONOMY.sources else "未注明"],
    "长度": lambda example: [_length(example)],
    "学段": lambda example: [TAXONOMY.stages[stage].name for stage in example.stages] or ["未注明"],
    "变形": lambda example: ["变形" if example.pair else "平写"],
    "切片": lambda example: [example.slice or "未注明"],
}


def _overall(quality: Quality) -> str:
    figures = {
        "类别 macro-F1": quality.category_macro_f1, "科目": quality.subjects.f1, "学段": quality.stages.f1,
        "文本性质": quality.form_accuracy,
        "疑似变异": quality.disguised.f1, "变异 AP": quality.disguised_average_precision, "变异形式": quality.disguises.f1,
        "线索": quality.signals.f1, "ECE": quality.calibration_error, "自动比例": quality.auto_share, "自动准确率": quality.auto_accuracy,
    }  # fmt: skip
    shown = {name: _percent(value) for name, value in figures.items()}
    if quality.pairs:
        shown[f"翻转率（{quality.pairs} 对）"] = _percent(quality.flips)
    if quality.innocent:
        shown[f"误报率（{quality.innocent} 条非学科）"] = _percent(quality.false_alarms)
    shown["平写准确率"] = _percent(quality.clean)
    return _table(list(shown), [list(shown.values())])


def _per_label(rows: Sequence[Row], quality: Quality) -> str:
    lines = [_ratio(TAXONOMY.categories[label].name, ratio) for label, ratio in quality.categories.items()]
    heads: tuple[tuple[str, dict[str, Label]], ...] = (
        ("subjects", TAXONOMY.subjects), ("stages", TAXONOMY.stages), ("disguises", TAXONOMY.disguises), ("signals", TAXONOMY.signals),
    )  # fmt: skip
    for head, labels in heads:
        scored = [(set(getattr(gold, head)), {item.id for item in getattr(said, head)}) for gold, said in rows if head in gold.agreed]
        for label in labels.values():
            pairs = [(frozenset(gold & {label.id}), frozenset(said & {label.id})) for gold, said in scored]
            lines.append(_ratio(label.name, set_ratio(pairs)))
    return _table(["标签", "精确率", "召回率", "F1", "条数"], lines)


def _slices(rows: Sequence[Row]) -> str:
    parts = []
    for name, values_of in SLICES.items():
        groups: dict[str, list[Row]] = defaultdict(list)
        for row in rows:
            for value in values_of(row[0]):
                groups[value].append(row)
        if len(groups) < 2:
            continue
        lines = []
        for value, members in sorted(groups.items(), key=lambda item: -len(item[1])):
            quality = evaluate([gold for gold, _ in members], [said for _, said in members])
            right = sum(gold.category == said.category for gold, said in members) / len(members)
            lines.append([value, str(len(members)), _percent(right), _percent(quality.subjects.f1), _percent(quality.disguised.f1)])
        parts.append(_table([name, "条数", "类别准确率", "科目 F1", "疑似变异 F1"], lines))
    return "".join(parts)


def _evidence(figures: Sequence[Faithfulness]) -> str:
    heading, *lines = faithfulness_rows(figures)
    return (
        "<p>快速引擎：删去该判定最强的几条证据，或删去同样条数、同样长短的随机文字，概率平均的变化；以及只保留所列证据时的概率。</p>"
        + _table(heading, lines)
    )


def _worst(rows: Sequence[Row]) -> str:
    wrong = [row for row in rows if row[0].category != row[1].category]
    parts = []
    for gold, said in sorted(wrong, key=lambda row: row[1].probabilities[row[0].category])[:WORST]:
        spans = [(item.start, item.end) for item in said.evidence if item.field == "text"]
        marked = html.escape(highlighted(gold.text, spans, _MARKS)).replace(_MARKS[0], "<mark>").replace(_MARKS[1], "</mark>")
        title = f"<b>{html.escape(gold.title)}</b>　" if gold.title else ""
        parts.append(
            f'<div class="error"><span class="small">{html.escape(gold.id)}　应为 {TAXONOMY.categories[gold.category].name}，'
            f"判为 {TAXONOMY.categories[said.category].name} {said.probabilities[said.category]:.2f}</span><br>{title}{marked}</div>"
        )
    return f"<p>共 {len(wrong)} 条类别不符，列出最有把握的错误。</p>" + "".join(parts)


def _robustness(figures: Sequence[Robustness]) -> str:
    names = {PLAIN: "原文", "light": "轻", "medium": "中", "heavy": "重"}
    rows = [
        [one.engine, names[one.strength], str(one.records), *map(_percent, (one.category_macro_f1, one.flips, one.alarms))]
        for one in figures
    ]
    return _table(["引擎", "变形", "条数", "类别 macro-F1", "翻转率", "误报率（判为学科类）"], rows)


def html_report(
    name: str,
    examples: Sequence[Example],
    assessments: Sequence[Assessment],
    evidence: Sequence[Faithfulness],
    robust: Sequence[Robustness],
) -> str:
    """The whole page; nothing in it is loaded from elsewhere.

    evidence: how well the evidence holds up on these examples; robust: quality on obfuscated copies of some of them.
    """
    rows = list(zip(examples, assessments, strict=True))
    quality = evaluate(examples, assessments)
    labels = list(TAXONOMY.categories)
    counts = np.zeros((len(labels), len(labels)))
    for gold, said in rows:
        counts[labels.index(gold.category), labels.index(said.category)] += 1
    confident = [(max(said.probabilities.values()), gold.category == said.category) for gold, said in rows]
    pictures = "".join(
        f"<figure>{svg(figure)}</figure>" for figure in (confusion(counts, labels), reliability(confident), risk_coverage(confident))
    )
    versions = assessments[0].versions
    sections = (
        ("总览", _overall(quality) + pictures),
        ("逐标签", _per_label(rows, quality)),
        ("切片", _slices(rows)),
        ("抗变形", _robustness(robust)),
        ("证据是否站得住", _evidence(evidence)),
        ("最差的错误", _worst(rows)),
    )  # fmt: skip
    body = "".join(f"<h2>{title}</h2>{content}" for title, content in sections)
    return (
        f'<!doctype html><html lang="zh"><meta charset="utf-8"><title>鉴课评估：{html.escape(name)}</title><style>{_STYLE}</style>'
        f"<h1>鉴课评估：{html.escape(name)}</h1><p>{len(rows)} 条。模型 {versions.model}，{versions.rules}，"
        f"政策库 {versions.policy}。百分数。</p>{body}</html>\n"
    )
