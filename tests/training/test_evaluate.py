from dataclasses import replace

from training.evaluate import calibration_error, evaluate, ratio, set_ratio


def test_ratios():
    assert ratio(1, 2, 4).f1 == 0.3333
    assert set_ratio([(frozenset("ab"), frozenset("bc"))]).precision == 0.5
    assert calibration_error([(0.75, True), (0.75, False), (0.75, True), (0.75, True)]) == 0.0


def test_flips_and_false_alarms(classifier, examples):
    part = [example for example in examples if example.category == "non_subject" and not example.pair][:3]
    said = list(classifier.assess_many(example.record for example in part))
    alarmed = [replace(said[0], category="subject"), *(replace(item, category="non_subject") for item in said[1:])]
    quality = evaluate(part, alarmed)
    assert (quality.clean, quality.innocent, quality.false_alarms, quality.pairs) == (0.6667, 3, 0.3333, 0)
    twins = [replace(part[0], pair=part[1].id), part[1], replace(part[2], category="subject")]
    quality = evaluate(twins, alarmed)
    assert (quality.clean, quality.innocent, quality.false_alarms, quality.pairs, quality.flips) == (0.5, 1, 0.0, 1, 1.0)


def test_perfect_answers_score_one_and_unscored_fields_do_not_count(classifier, examples):
    part = [example for example in examples if example.split == "test"][:60]
    said = list(classifier.assess_many(example.record for example in part))
    lists = ("subjects", "stages", "disguises", "signals")
    own = [
        replace(
            gold, category=answer.category, form=answer.form, **{name: tuple(item.id for item in getattr(answer, name)) for name in lists}
        )
        for gold, answer in zip(part, said, strict=True)
    ]
    perfect = evaluate(own, said)
    assert (perfect.category_macro_f1, perfect.subjects.f1, perfect.form_accuracy, perfect.signals.f1) == (1, 1, 1, 1)
    wrong = [replace(gold, form="other" if gold.form != "other" else "ad", agreed=("category", "subjects")) for gold in own]
    assert evaluate(wrong, said).form_accuracy == 0 and evaluate(wrong, said).subjects.f1 == 1
    assert evaluate(wrong, said).stages.support == 0
