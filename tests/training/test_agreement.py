from dataclasses import replace

from training.agreement import kappas


def labels(**change):
    sound = {"category": "subject", "form": "ad", "subjects": ["mathematics"], "stages": [], "disguises": [], "signals": []}
    return sound | change


def test_full_agreement_is_one_and_disagreement_lowers_it(examples):
    other = labels(
        category="non_subject", form="course", subjects=["arts"], stages=["primary"], disguises=["childcare"], signals=["anxiety"]
    )
    same = [replace(examples[0], first=value, second=value) for value in (labels(), other)]
    assert kappas(same)["category"] == (1.0, 2) and kappas(same)["subjects"][0] == 1.0
    crossed = [replace(examples[0], first=labels(), second=other), replace(examples[0], first=other, second=labels())]
    assert kappas(crossed)["category"][0] < 0


def test_the_corpus_has_its_second_labels(examples):
    assert all(number >= len(examples) / 4 for _, number in kappas(examples).values())
    assert kappas(examples)["category"][0] > 0.9
