import io
import json
import logging
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import select, text

from service.app import create_app
from service.audit.models import AuditEvent
from service.catalogs.models import Item
from service.database.base import now
from service.settings import Settings
from service.telemetry import mask_phones, set_up_logging
from service.webhooks.models import Delivery, Webhook

TEXT = "初二数学暑假班提分30分起，电话13812345678或+8615987654321"


class Log:
    """What the service writes as its log."""

    def __init__(self) -> None:
        self.stream = io.StringIO()

    @property
    def text(self) -> str:
        return self.stream.getvalue()

    def lines(self, message: str = "request") -> list[dict[str, object]]:
        return [line for line in map(json.loads, self.text.splitlines()) if line["message"] == message]


@pytest.fixture
def log() -> Iterator[Log]:
    """Logging as the service sets it up, into memory."""
    log, root = Log(), logging.getLogger()
    handlers, level = root.handlers[:], root.level
    set_up_logging("INFO")
    [handler] = root.handlers
    assert isinstance(handler, logging.StreamHandler)
    handler.setStream(log.stream)
    logging.getLogger("httpx2").setLevel("WARNING")  # the test's own client
    yield log
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.mark.parametrize("given", ["a", "req-1.2_3", "A" * 40])
def test_a_well_formed_request_id_is_kept(client, staff, runtime, log, given):
    answer = client.post("/v1/predict?store=true", json={"text": TEXT}, headers={**staff.key(), "X-Request-ID": given})
    assert answer.headers["x-request-id"] == given
    assert log.lines()[-1]["request_id"] == given
    with runtime.database.reading() as session:
        assert session.scalars(select(AuditEvent.request_id).order_by(AuditEvent.sequence.desc())).first() == given
    assert client.get("/nowhere", headers={"X-Request-ID": given}).json()["error"]["request_id"] == given


@pytest.mark.parametrize("given", [None, "", "a b", "A" * 41, "a/b", 'a"b', "号", "a\x7f"])
def test_any_other_request_id_is_replaced(client, log, given):
    answer = client.get("/nowhere", headers=None if given is None else {"X-Request-ID": given.encode()})
    made = answer.headers["x-request-id"]
    assert re.fullmatch(r"[0-9a-f]{32}", made)
    assert answer.json()["error"]["request_id"] == made and log.lines()[-1]["request_id"] == made
    assert client.get("/healthz").headers["x-request-id"] != made


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("13812345678", "138****5678"),
        ("电话13812345678。", "电话138****5678。"),
        ("13812345678/15987654321", "138****5678/159****4321"),
        ("+8613812345678", "+86138****5678"),
        ("+86 138-1234-5678", "+86 138****5678"),
        ("138 1234 5678", "138****5678"),
        ("12812345678", "12812345678"),
        ("1767225600123", "1767225600123"),
        ("330702198001011234", "330702198001011234"),
        ("1381234567", "1381234567"),
    ],
)
def test_the_middle_of_phone_numbers_is_hidden(given, expected):
    assert mask_phones(given) == expected


def test_a_request_is_one_line_that_does_not_tell_what_was_sent(client, staff, log):
    key = staff.key()
    client.post("/v1/predict?store=true&district=330702", json={"text": TEXT, "id": "秘-1"}, headers=key)
    [line] = log.lines()
    assert line["method"] == "POST" and line["route"] == "predict" and line["status"] == 200 and line["level"] == "INFO"
    assert str(line["actor"]).startswith("key:") and 0 < float(str(line["seconds"])) < 60
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", str(line["time"]))
    for secret in ("数学", "1381234", "1598765", "秘-1", key["Authorization"].removeprefix("Bearer "), "330702"):
        assert secret not in log.text


def test_bad_requests_do_not_tell_it_either(client, staff, log):
    key = staff.key()
    for body in ({"text": TEXT, "declared_category": TEXT}, {"text": TEXT * 1000}, {"text": [TEXT]}, TEXT):
        assert client.post("/v1/predict", json=body, headers=key).status_code == 422
    client.post("/v1/session", json={"name": "li", "password": TEXT})
    client.get(f"/v1/items/{TEXT}", headers=key)
    assert len(log.lines()) == 6
    for secret in ("数学", "1381234", "1598765"):
        assert secret not in log.text


def test_a_failing_database_does_not_tell_it_either(client, staff, runtime, log):
    """What SQLAlchemy says of a failed statement holds its parameters unless it is told not to."""
    key = staff.key()
    with runtime.database.writing() as session:
        session.execute(text("alter table items rename to gone"))
    answer = client.post("/v1/predict?store=true", json={"text": TEXT}, headers={**key, "X-Request-ID": "broken"})
    assert answer.status_code in (500, 503)
    assert "items" in log.text and "broken" in [line["request_id"] for line in log.lines()]
    for secret in ("数学", "1381234", "1598765"):
        assert secret not in log.text


def test_phone_numbers_in_errors_are_masked(log):
    try:
        raise ValueError("拨打13812345678")
    except ValueError:
        logging.getLogger("jianke").exception("failed for 13812345678", extra={"fields": {"note": "13812345678"}})
    assert log.text.count("138****5678") == 4 and "13812345678" not in log.text
    assert len(log.text.splitlines()) == 1


def figures(client: TestClient) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    answer = client.get("/metrics")
    assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/plain")
    families = text_string_to_metric_families(answer.text)
    return {(sample.name, tuple(sorted(sample.labels.items()))): sample.value for family in families for sample in family.samples}


def test_requests_are_timed_by_route_and_status(client, staff):
    key = staff.key()
    for _ in range(3):
        client.post("/v1/predict", json={"text": TEXT}, headers=key)
    client.post("/v1/predict", json={"text": ""}, headers=key)
    client.get("/v1/catalogs/unknown-id", headers=key)
    client.get("/no/such/place")
    known = figures(client)

    def count(method: str, route: str, status: int) -> float:
        return known["jianke_request_seconds_count", (("method", method), ("route", route), ("status", str(status)))]

    assert count("POST", "predict", 200) == 3 and count("POST", "predict", 422) == 1
    assert count("GET", "get_catalog", 404) == 1 and count("GET", "—", 404) == 1
    labels = {"method": "POST", "route": "predict", "status": "200"}
    edges = [
        value for (name, found), value in known.items() if name == "jianke_request_seconds_bucket" and labels.items() <= dict(found).items()
    ]
    assert len(edges) == 14 and edges == sorted(edges) and edges[-1] == 3
    texts = {found: value for (name, found), value in known.items() if name == "jianke_texts_total"}
    assert sum(texts.values()) == 3 and {dict(found)["category"] for found in texts} == {"subject"}


def test_gauges_tell_what_waits_and_how_the_shares_move(client, staff, runtime):
    key = staff.key(district="330702")
    table = "课程名称,课程简介\n数学思维,六年级分数应用题\n街舞,少儿街舞\n"
    assert client.post("/v1/catalogs", files={"file": ("c.csv", table.encode())}, headers=key).status_code == 202
    assessed = [("subject", "review", 0), ("non_subject", "auto", 0), ("non_subject", "auto", 9), ("non_subject", "auto", 20)]
    with runtime.database.writing() as session:
        for category, triage, days in [*assessed, ("out_of_scope", "review", 99)]:
            moment = now() - timedelta(days=days)
            values = {"queue_state": "assessed", "category": category, "triage": triage, "assessed_at": moment}
            session.add(Item(district="330702", values={"text": "课"}, **values))
        webhook = Webhook(url="https://hooks.example.cn/", event_types=[], active=False, created_by="test")
        session.add(webhook)
        session.flush()
        for state in ("pending", "pending", "delivered", "failed"):
            session.add(Delivery(webhook_id=webhook.id, event_type="decision.made", payload={}, state=state))
    known = figures(client)
    assert known["jianke_queue_items", ()] == 2 and 0 < known["jianke_queue_lag_seconds", ()] < 60
    assert known["jianke_webhook_pending", ()] == 2
    assert known["jianke_review_share", ()] == 0.5
    drift = {dict(labels)["category"]: value for (name, labels), value in known.items() if name == "jianke_category_drift"}
    assert drift == {"subject": 0.5, "non_subject": -0.5, "out_of_scope": 0.0}


def test_the_process_lives_without_credentials_or_database(settings, missing):
    answer = TestClient(create_app(settings.model_copy(update={"database_url": missing}))).get("/healthz")
    assert answer.status_code == 200 and answer.json() == {"status": "ok"}


def test_a_service_that_can_work_is_ready(client, staff):
    answer = client.get("/readyz")
    assert answer.status_code == 200
    ready = answer.json()
    assert ready["ready"] and ready["database"] == "ok" and ready["queue"] == 0 and ready["worker_lag_seconds"] == 0
    assert ready["model"] == client.post("/v1/predict", json={"text": TEXT}, headers=staff.key()).json()["versions"]["model"]


@pytest.fixture
def missing(database_url: str, tmp_path: Path) -> str:
    """The address of a database that is not there."""
    return f"sqlite:///{tmp_path}/no/such/folder.sqlite3" if database_url.startswith("sqlite") else database_url + "_missing"


def not_ready(settings: Settings) -> dict[str, object]:
    """The answer of a service with these settings; without its lifespan, since it could not start."""
    answer = TestClient(create_app(settings), raise_server_exceptions=False).get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["ready"] is False
    return answer.json()


def test_without_a_model_it_is_not_ready(settings, tmp_path):
    answer = not_ready(settings.model_copy(update={"model": tmp_path / "no-model"}))
    assert re.match(r"\[E20\d\] ", str(answer["model"])) and answer["database"] == "—"


def test_without_a_database_it_is_not_ready(settings, missing):
    broken = settings.model_copy(update={"database_url": missing})
    assert not_ready(broken)["database"] == "OperationalError"
    metrics = TestClient(create_app(broken), raise_server_exceptions=False).get("/metrics")
    assert metrics.status_code == 503 and metrics.json()["error"]["code"] == "E450"


@pytest.mark.parametrize("statement", ["update alembic_version set version_num = '0000'", "delete from alembic_version"])
def test_with_another_schema_it_is_not_ready(settings, runtime, statement):
    with runtime.database.writing() as session:
        session.execute(text(statement))
    assert not_ready(settings)["database"] == "请运行 jianke init"
