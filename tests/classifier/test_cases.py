"""Short texts of our own in the wording of published enforcement cases: what an inspector would want pointed at is shown.

`case`: the number in the policy base. `shown`: findings or signals, of each of which (or of its alternatives, | between)
there must be evidence or a signal.
"""

import json

import pytest

from classifier import load
from tests.conftest import ROOT

CASES = [json.loads(line) for line in (ROOT / "tests" / "classifier" / "cases.jsonl").read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def auto():
    return load()


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["case"]))
def test_what_an_inspector_looks_for_is_shown(auto, case):
    assessment = auto.assess(case["text"])
    found = {item.finding for item in assessment.evidence} | {signal.id for signal in assessment.signals}
    assert assessment.category == case["category"]
    assert [wanted for wanted in case["shown"] if not found & set(wanted.split("|"))] == []
