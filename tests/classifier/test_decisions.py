import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from classifier.decisions import NON_SUBJECT, OUT_OF_SCOPE, SUBJECT, chosen_labels, decide
from classifier.engines.artifact import HEADS
from classifier.engines.calibration import sigmoid, softmax
from classifier.taxonomy import TAXONOMY

OUTPUTS = sum(len(labels) for labels in HEADS.values())
logits = hnp.arrays(np.float32, st.tuples(st.integers(1, 8), st.just(OUTPUTS)), elements=st.floats(-20, 20, width=32))


@given(logits)
def test_verdicts_follow_the_label_standard(classifier, values):
    decisions = decide(values, classifier.manifest)
    school = set(TAXONOMY.school_subjects)
    subjects = chosen_labels(HEADS["subjects"], decisions.subjects)
    for number, category in enumerate(decisions.category):
        if category == OUT_OF_SCOPE:
            assert not subjects[number]
        if category == NON_SUBJECT:
            assert subjects[number] and not set(subjects[number]) & school
        if category == SUBJECT:
            assert set(subjects[number]) & school
        assert decisions.disguised[number] == decisions.disguises[number].any()
        assert category == SUBJECT or not decisions.disguised[number]
    assert np.allclose(decisions.category_probabilities.sum(axis=1), 1, atol=1e-4)


def test_a_higher_temperature_is_less_sure():
    values = np.array([[2.0, 0.0, -1.0]], dtype=np.float32)
    assert softmax(values, 2.0).max() < softmax(values, 1.0).max()
    assert sigmoid(values, 2.0).max() < sigmoid(values, 1.0).max()
