"""An outcome in Chinese, for people: the workbook's columns and the advice."""

from dataclasses import dataclass

from classifier.errors import JiankeError
from classifier.policy import Policy
from classifier.records import Assessment, Evidence, Record
from classifier.taxonomy import TAXONOMY

RESULT_COLUMNS = (
    "判定类别", "置信度", "科目", "学段", "文本性质", "疑似隐形变异", "变异形式", "违规线索", "证据", "依据",
    "处理建议", "需人工复核", "复核理由",
)  # fmt: skip
_EVIDENCE_SHOWN = 6
_CLAUSES_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Outcome:
    """One row's outcome: an assessment, or the error that says why there is none. policy: has the clauses it cites."""

    source: str
    row: int
    identifier: str
    values: dict[str, str]
    record: Record | None
    result: Assessment | JiankeError
    policy: Policy


def names(labels: tuple[str, ...], joint: str = "、") -> str:
    """The Chinese names of label ids."""
    return joint.join(TAXONOMY[label].name for label in labels)


def advice(assessment: Assessment, declared: str) -> str:
    """What a reviewer is advised to do; the decision stays with the authority."""
    subjects = names(tuple(item.id for item in assessment.subjects))
    parts = []
    if assessment.declared_mismatch:
        parts.append(f"建议核查：申报为{TAXONOMY.categories[declared].name}，内容疑似{TAXONOMY.categories[assessment.category].name}")
    if assessment.disguised.verdict:
        parts.append(f"线索：疑似隐形变异，涉及{subjects}，建议核查名称、场所与实际授课内容")
    conduct = tuple(signal.id for signal in assessment.signals if TAXONOMY.signals[signal.id].group == "conduct")
    advertising = tuple(signal.id for signal in assessment.signals if TAXONOMY.signals[signal.id].group == "advertising")
    if conduct:
        parts.append(f"线索：{names(conduct)}，建议核实")
    if advertising:
        parts.append(f"广告线索：{names(advertising)}，可移送核查")
    if not parts:
        parts.append(
            {
                "subject": f"疑似学科类（{subjects}），按学科类管理要求处理",
                "non_subject": "暂未见学科内容，可按非学科类处理",
                "out_of_scope": "不属于面向未成年人的校外培训",
            }[assessment.category]
        )
    if assessment.triage == "review":
        parts.append("请人工复核")
    return "；".join(parts)


def _kind(finding: str) -> str:
    """What a piece of evidence is evidence of, in words that claim no more than a clue."""
    if finding in TAXONOMY.subjects:
        return "疑似学科类内容" if TAXONOMY.subjects[finding].side == "subject" else "疑似非学科类内容"
    groups = ((TAXONOMY.disguises, "疑似隐形变异"), (TAXONOMY.signals, "违规线索"), (TAXONOMY.stages, "涉及学段"))
    return next((kind for labels, kind in groups if finding in labels), "类别倾向")


def clue(item: Evidence, policy: Policy) -> str:
    """One piece of evidence as a sentence for a 线索 record: the words, how they were read, what they point at, on what basis."""
    read = f"（读作“{item.normalized}”）" if item.origin == "decoder" and item.surface != item.normalized else ""
    basis = policy.clauses[item.clauses[0]].sentence()
    return f"原文“{' '.join(item.surface.split())}”{read}，{_kind(item.finding)}：{TAXONOMY[item.finding].name}；依据{basis}。"


def cited_clauses(assessment: Assessment) -> list[str]:
    """Clause ids behind the findings, then those behind the evidence, strongest first, each once."""
    ids = [clause for signal in assessment.signals for clause in signal.clauses[:1]]
    ids += [clause for item in assessment.disguises for clause in TAXONOMY.disguises[item.id].clauses[:1]]
    ids += TAXONOMY.categories[assessment.category].clauses[:1]
    ids += [clause for item in assessment.evidence for clause in item.clauses]
    return list(dict.fromkeys(ids))


def result_cells(outcome: Outcome) -> dict[str, str]:
    """Our columns for one row; an unusable row has its error as advice."""
    if isinstance(outcome.result, JiankeError):
        empty = dict.fromkeys(RESULT_COLUMNS, "")
        return empty | {"处理建议": f"未处理：[{outcome.result.code}] {outcome.result.chinese}", "需人工复核": "是"}
    assessment, clauses = outcome.result, outcome.policy.clauses
    shown = [item for item in assessment.evidence if item.finding not in TAXONOMY.stages][:_EVIDENCE_SHOWN]
    return {
        "判定类别": TAXONOMY.categories[assessment.category].name,
        "置信度": f"{assessment.probabilities[assessment.category]:.2f}",
        "科目": names(tuple(item.id for item in assessment.subjects)),
        "学段": names(tuple(item.id for item in assessment.stages)),
        "文本性质": TAXONOMY.forms[assessment.form].name,
        "疑似隐形变异": "疑似" if assessment.disguised.verdict else "否",
        "变异形式": names(tuple(item.id for item in assessment.disguises)),
        "违规线索": "\n".join(f"{TAXONOMY.signals[signal.id].name}：{signal.value}" for signal in assessment.signals),
        "证据": "\n".join(clue(item, outcome.policy) for item in shown),
        "依据": "\n".join(f"{clause} {clauses[clause].sentence()}" for clause in cited_clauses(assessment)[:_CLAUSES_SHOWN]),
        "处理建议": advice(assessment, outcome.record.declared_category if outcome.record else ""),
        "需人工复核": "是" if assessment.triage == "review" else "否",
        "复核理由": names(assessment.reasons),
    }
