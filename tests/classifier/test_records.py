import json

import pytest

from classifier.errors import InputError
from classifier.records import Record


def test_a_mapping_becomes_a_record_and_other_keys_are_passed_over():
    record = Record.from_mapping({"id": 7, "text": "奥数", "declared_category": "non_subject", "category": "subject"})
    assert (record.id, record.text, record.declared_category) == ("7", "奥数", "non_subject")


@pytest.mark.parametrize(
    ("values", "code"),
    [({"text": "  "}, "E111"), ({"id": "1"}, "E111"), ({"text": 5}, "E112"), ({"text": "a", "declared_category": "艺术"}, "E113")],
)
def test_unusable_values_are_named(values, code):
    with pytest.raises(InputError) as caught:
        Record.from_mapping(values)
    assert caught.value.code == code


def test_an_assessment_has_the_contracts_shape(classifier):
    record = Record("三年级奥数，周六上午，加微信", id="r1", declared_category="non_subject")
    value = json.loads(json.dumps(classifier.assess(record).to_dict(), ensure_ascii=False))
    assert set(value) == {
        "id", "category", "probabilities", "form", "subjects", "stages", "disguised", "disguises", "signals",
        "declared_mismatch", "triage", "reasons", "evidence", "versions",
    }  # fmt: skip
    assert value["id"] == "r1" and value["category"] == "subject" and value["declared_mismatch"] is True
    assert set(value["disguised"]) == {"verdict", "probability"}
    assert set(value["versions"]) == {"jianke", "model", "rules", "policy"}
    assert {"start", "end", "surface", "normalized", "finding", "origin", "weight", "clauses"} <= set(value["evidence"][0])
    assert abs(sum(value["probabilities"].values()) - 1) < 1e-3
