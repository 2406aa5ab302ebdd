from dataclasses import replace

from training.faithfulness import faithfulness
from training.plots import confusion, learning_curve, reliability, risk_coverage, svg
from training.report import html_report
from training.robustness import robustness


def test_the_report_is_one_page_that_loads_nothing_from_elsewhere(classifier, examples):
    part = [example for example in examples if example.split == "test"][:120]
    part[0] = replace(
        part[0], text=part[0].text + "<script>【原文】", category="out_of_scope" if part[0].category == "subject" else "subject"
    )
    records = [example.record for example in part]
    page = html_report(
        "试", part, list(classifier.assess_many(records)), faithfulness(classifier, records), robustness(part[:40], {"fast": classifier})
    )
    assert (
        page.count("<svg") == 3
        and "<h2>切片</h2>" in page
        and "<h2>证据是否站得住</h2>" in page
        and "误报率" in page
        and "<h2>抗变形</h2>" in page
        and "逐标签" in page
    )
    assert "http-equiv" not in page and "src=" not in page and "<script>" not in page
    assert "最差的错误" in page and 'class="error"' in page


def test_pictures_are_the_same_for_the_same_data():
    confident = [(0.55, False), (0.95, True), (0.85, True)]
    for draw in (reliability, risk_coverage):
        assert svg(draw(confident)) == svg(draw(confident))
    import numpy as np

    assert svg(confusion(np.eye(3), ["a", "b", "c"])).startswith("<svg")
    assert svg(learning_curve([10, 20], {"category": [0.5, 0.6]})).startswith("<svg")
