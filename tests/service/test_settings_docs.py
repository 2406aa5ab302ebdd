"""What the service can be set to, asked for and can answer stands in README.md."""

import re

from service.access.roles import ROLES
from service.app import create_app
from service.errors import ServiceError, status_of
from service.settings import Settings
from tests.conftest import ROOT
from tests.service.samples import operations

README = (ROOT / "README.md").read_text(encoding="utf-8")
SECTION = README[README.index("\n## 服务\n") : README.index("\n## 标签\n")]
APP = create_app(Settings(_env_file=None, environment="development", database_url="sqlite:///:memory:"))


def shown(default):
    if default is None or default in ("", ()):
        return "空"
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def test_every_setting_is_documented_with_its_default():
    wanted = [f"| `JIANKE_{name.upper()}` | {shown(field.default)} | " for name, field in Settings.model_fields.items()]
    assert [row for row in wanted if row not in SECTION] == []


def test_no_setting_is_documented_that_does_not_exist():
    assert {name.lower() for name in re.findall(r"JIANKE_([A-Z_]+)", SECTION)} <= set(Settings.model_fields)


def test_every_route_is_documented():
    routes = [f"`{operation.method} {operation.path}`" for operation in operations(APP)]
    assert [route for route in routes if route not in SECTION] == []


def test_every_error_of_the_service_is_documented_with_its_status():
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in SECTION.splitlines() if line.startswith("| E4")]
    documented = {code: row[1] for row in rows for code in row[0].split()}
    assert set(ServiceError.messages) - set(documented) == set()
    for code in ServiceError.messages:
        error = ServiceError.__new__(ServiceError)
        error.code = code
        assert str(status_of(error)) in documented[code] or documented[code].startswith("启动"), code


def test_every_role_is_explained():
    assert all(f"`{role}` {name}" in SECTION for role, name in ROLES.items())
