"""Counts of a run, for the workbook's second sheet and the end of a command."""

from collections import Counter
from dataclasses import dataclass, field

from classifier.errors import JiankeError
from classifier.records import Assessment, Versions
from classifier.report import Outcome
from classifier.taxonomy import TAXONOMY, Label

_PROBLEMS_LISTED = 200


@dataclass(slots=True)
class Summary:
    """What a run has met so far. `problems`: row by row, unusable rows and warnings."""

    versions: Versions
    inputs: tuple[str, ...]
    rows: int = 0
    failed: int = 0
    seconds: float = 0.0
    counts: dict[str, Counter[str]] = field(default_factory=lambda: {name: Counter() for name in _GROUPS})
    problems: list[str] = field(default_factory=list)

    def add(self, outcome: Outcome) -> None:
        """Count one outcome."""
        self.rows += 1
        if isinstance(outcome.result, JiankeError):
            self.failed += 1
            self.note(outcome.source, outcome.row, outcome.result)
            return
        result: Assessment = outcome.result
        self.counts["categories"][result.category] += 1
        self.counts["triage"][result.triage] += 1
        for group in ("subjects", "disguises", "signals"):
            self.counts[group].update(item.id for item in getattr(result, group))
        self.counts["reasons"].update(result.reasons)

    def note(self, source: str, row: int, error: JiankeError) -> None:
        """Remember a problem of one row; the text is kept for the first ones only."""
        if len(self.problems) < _PROBLEMS_LISTED:
            self.problems.append(f"{source} 第 {row} 行：[{error.code}] {error.chinese}")

    def lines(self) -> list[tuple[str, str]]:
        """Name and value, line by line; a heading has no value."""
        lines = [("运行", ""), ("输入", "、".join(self.inputs)), ("行数", str(self.rows)), ("未能处理", str(self.failed))]
        for group, (title, labels) in _GROUPS.items():
            lines.append((title, ""))
            counted = self.counts[group]
            lines += [
                (label.name, str(counted[label.id])) for label in labels.values() if counted[label.id] or group in ("categories", "triage")
            ]
        lines += [
            ("版本", ""),
            ("鉴课", self.versions.jianke),
            ("模型", self.versions.model),
            ("规则", self.versions.rules),
            ("政策库", self.versions.policy),
        ]
        lines.append(("说明", "以上为模型提示的疑似线索，供核查参考；是否属于学科类由教育行政部门鉴定"))
        if self.problems:
            lines += [("需要留意的行", ""), *((f"{number}", problem) for number, problem in enumerate(self.problems, 1))]
        return lines


_GROUPS: dict[str, tuple[str, dict[str, Label]]] = {
    "categories": ("类别", TAXONOMY.categories),
    "triage": ("处理方式", TAXONOMY.triage),
    "reasons": ("复核理由", TAXONOMY.reasons),
    "disguises": ("变异形式", TAXONOMY.disguises),
    "signals": ("违规线索", TAXONOMY.signals),
    "subjects": ("科目", TAXONOMY.subjects),
}
