import pickle
import re
import string

from classifier.errors import MESSAGES, InputError
from tests.conftest import ROOT


def test_both_languages_name_the_same_facts():
    for code, message in MESSAGES.items():
        chinese, english = (
            {name for _, name, _, _ in string.Formatter().parse(text) if name} for text in (message.chinese, message.english)
        )
        assert english <= chinese | {"path"}, code
        assert re.fullmatch(r"E[123]\d\d", code)


def test_every_code_is_raised_somewhere_and_every_raised_code_exists():
    sources = [
        path for folder in ("classifier", "service", "training") for path in (ROOT / folder).rglob("*.py") if path.name != "errors.py"
    ]
    raised = {code for path in sources for code in re.findall(r'Error\(\s*"(E[123]\d\d)"', path.read_text(encoding="utf-8"))}
    assert raised == set(MESSAGES)


def test_an_error_survives_the_way_between_processes():
    error = pickle.loads(pickle.dumps(InputError("E101", path="a.xlsx")))
    assert error.code == "E101" and "a.xlsx" in error.chinese and "[E101]" in str(error)
