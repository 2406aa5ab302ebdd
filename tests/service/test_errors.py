import re

from service.errors import ServiceError
from tests.conftest import ROOT


def test_every_code_is_raised_somewhere_and_every_raised_code_exists():
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "service").rglob("*.py")]
    raised = {code for source in sources for code in re.findall(r'ServiceError\(\s*"(E4\d\d)"', source)}
    assert raised == set(ServiceError.messages)
