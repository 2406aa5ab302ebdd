from training.augment import STRENGTHS
from training.report import html_report
from training.robustness import PLAIN, robustness, sample


def test_figures_of_every_strength_and_the_same_each_time(classifier, examples):
    part = sample([example for example in examples if example.split == "test"], 120)
    figures = robustness(part, {"fast": classifier})
    assert [one.strength for one in figures] == [PLAIN, *STRENGTHS] and all(one.records == 120 for one in figures)
    plain, light, medium, heavy = figures
    assert plain.flips == 0 and all(0 < one.flips < 0.25 for one in (light, medium, heavy))
    said = [assessment.category for assessment in classifier.assess_many(example.record for example in part)]
    wrong = [mine == "subject" for mine, gold in zip(said, part, strict=True) if gold.category != "subject"]
    assert plain.alarms == round(sum(wrong) / len(wrong), 4)
    assert figures == robustness(part, {"fast": classifier})
    page = html_report("试", part, list(classifier.assess_many(example.record for example in part)), [], figures)
    assert "<h2>抗变形</h2>" in page and page.count("<td>fast</td>") == 4


def test_a_sample_keeps_order_and_bounds(examples):
    part = sample(examples, 50)
    places = [examples.index(one) for one in part]
    assert len(part) == 50 and places == sorted(set(places)) and part == sample(examples, 50)
    assert sample(examples[:20], 50) == examples[:20]
