"""The OpenAPI document is stable, and what the service answers is what it says, whatever is sent."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import schemathesis
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.python.asgi import shutdown_lifespans
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance, status_code_conformance

from service.app import create_app
from service.database.schema import migrate
from service.errors import ErrorEnvelope
from service.openapi import document
from service.settings import Settings
from tests.conftest import ROOT
from tests.service.conftest import Staff
from tests.service.samples import SETTINGS, World, operations, samples_of

FILE = ROOT / "docs" / "openapi.json"
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
EXAMPLES = 20

_FOLDER = TemporaryDirectory(prefix="jianke-openapi-")
APP = create_app(
    Settings(
        environment="development",
        database_url=f"sqlite:///{_FOLDER.name}/jianke.sqlite3",
        temp_dir=Path(_FOLDER.name),
        engine="fast",
        workers=0,
        cookie_secure=False,
        rate_per_minute=1_000_000,
        **SETTINGS,
    )
)
SCHEMA = schemathesis.openapi.from_dict(APP.openapi())
SCHEMA.app = APP
FUZZED = [result.ok() for result in SCHEMA.get_all_operations()]
RUNS = [(operation, GenerationMode.POSITIVE) for operation in FUZZED] + [
    (operation, GenerationMode.NEGATIVE)
    for operation in FUZZED
    if operation.body or operation.query or operation.path_parameters or operation.headers
]
OPERATIONS = operations(APP)


@pytest.fixture(scope="module")
def world():
    migrate(APP.state.runtime.database)
    yield World(TestClient(APP, raise_server_exceptions=False), APP.state.runtime)
    shutdown_lifespans()
    _FOLDER.cleanup()


@pytest.fixture(scope="module")
def admin(world):
    return Staff(world.client, world.runtime).key("admin", "")


@pytest.fixture(scope="module")
def person(world):
    return Staff(world.client, world.runtime).person("fuzzer", "admin", "")


def test_the_document_is_the_committed_one():
    assert document() == FILE.read_text(encoding="utf-8"), (
        "the API differs from docs/openapi.json; if that is meant, run: python -m service.openapi > docs/openapi.json"
    )


def test_operation_ids_are_unique_and_named_after_their_handlers():
    paths = json.loads(document())["paths"]
    ids = [operation["operationId"] for methods in paths.values() for operation in methods.values()]
    assert len(set(ids)) == len(ids) == len(OPERATIONS)
    assert set(ids) == {operation.name for operation in OPERATIONS}
    assert [name for methods in paths.values() for name, operation in methods.items() if not operation.get("description")] == []


def test_every_error_is_declared_as_the_one_envelope():
    schema = json.loads(document())
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            errors = {status: answer for status, answer in operation["responses"].items() if status[0] in "45"}
            if path.startswith("/v1/"):
                assert errors.keys() >= {"4XX", "5XX"}, (method, path)
                kinds = {str(answer["content"]["application/json"]["schema"]) for answer in errors.values()}
                assert kinds == {"{'$ref': '#/components/schemas/ErrorEnvelope'}"}, (method, path)
    assert "HTTPValidationError" not in schema["components"]["schemas"]
    assert set(schema["components"]["securitySchemes"]) == {"apiKey", "login"}


def is_envelope(answer):
    assert answer.headers["content-type"] == "application/json", answer.text
    error = ErrorEnvelope.model_validate_json(answer.content).error
    assert answer.json().keys() == {"error"} and error.code and error.message and error.message_en
    assert error.request_id == answer.headers["x-request-id"]
    return error.code


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_every_error_is_sent_in_the_one_envelope(operation, world, admin):
    path = operation.path
    for part in path.split("/"):
        if part.startswith("{"):
            path = path.replace(part, "1")
    send = world.client.request
    assert is_envelope(send("PUT", path)) == "E412"
    if path.startswith("/v1") and operation.name != "log_in":
        assert is_envelope(send(operation.method, path)) == "E420"
        assert is_envelope(send(operation.method, path, headers={"Authorization": "Bearer no"})) == "E420"
    if operation.method in ("POST", "PATCH") and any(sample.json or sample.file for sample in samples_or_login(operation)):
        for content in (b"{", b"\xff", b"[]", b"null", b'"\\ud800"', b'{"\\ud800": 1}', b"[" * 100_000, b"1e999", b"9" * 5000):
            answer = send(operation.method, path, content=content, headers={**admin, "Content-Type": "application/json"})
            assert (400 <= answer.status_code < 500 and is_envelope(answer)) or operation.method == "PATCH"
    if "1" in path.split("/"):
        assert is_envelope(send(operation.method, path, headers=admin, json={})) in ("E410", "E411")


def samples_or_login(operation):
    return samples_of(operation) if operation.permits else []


def test_what_is_nowhere_is_in_the_envelope_too(world):
    for path in ("/", "/v1", "/v2/predict", "/v1/predict/", "/%00", "/v1/catalogs/a/b/c"):
        assert is_envelope(world.client.get(path)) == "E412"


@pytest.mark.parametrize(("operation", "mode"), RUNS, ids=lambda value: getattr(value, "label", None) or value.value)
def test_answers_are_as_declared_whatever_is_sent(operation, mode, world, admin, person):
    """No 5xx; every status, type and body as in the document. Half of the requests go to objects that exist, half come from a person."""
    calls = 0

    @settings(max_examples=EXAMPLES, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy(generation_mode=mode))
    def run(case):
        nonlocal calls
        calls += 1
        if calls % 2:
            case.path_parameters = world.objects(operation.path)
        headers = admin
        if calls % 4 < 2 and operation.label != "DELETE /v1/session":
            headers, case.cookies = {"X-CSRF-Token": person.headers["X-CSRF-Token"]}, dict(person.cookies)
        response = case.call(headers=headers)
        case.validate_response(response, checks=CHECKS)

    run()
    assert calls
