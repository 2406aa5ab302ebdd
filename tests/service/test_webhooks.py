import hashlib
import hmac
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import select

from service.app import create_app
from service.audit.events import CatalogFinished
from service.audit.models import AuditEvent
from service.database.base import now
from service.runtime import Runtime
from service.settings import Settings
from service.webhooks.models import Delivery, Webhook
from service.webhooks.outbox import announce
from service.webhooks.sending import Sender, wait_after
from service.webhooks.service import LEASE, signing_secret

EVENT = CatalogFinished("c-1", "330702", after={"state": "done", "名称": "婺城区目录"})


class Receiver:
    """A real HTTP server that notes what it is sent and answers as told."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.answers: list[tuple[int, dict[str, str], bytes]] = []
        self.pause = 0.0
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.requests.append((self.path, {name.lower(): value for name, value in self.headers.items()}, body))
                time.sleep(receiver.pause)
                status, headers, text = receiver.answers.pop(0) if receiver.answers else (204, {}, b"")
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(text)

            def do_GET(self) -> None:
                receiver.requests.append((self.path, {}, b""))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            request_queue_size = 64

        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,))
        self.thread.start()

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.stop()


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"webhook_hosts": ("127.0.0.1",), "webhook_allow_private": True, "webhook_attempts": 3})


@pytest.fixture
def client(app: FastAPI) -> TestClient:
    """Without the background sender, which would send between a test's own steps."""
    return TestClient(app, raise_server_exceptions=False)


class Clock:
    """The present time, and as much later as wanted."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return now() + self.ahead


@pytest.fixture
def hook(runtime: Runtime, receiver: Receiver) -> str:
    return make_hook(runtime, receiver.url)


def make_hook(runtime: Runtime, url: str, **values: object) -> str:
    with runtime.database.writing() as session:
        webhook = Webhook(url=url, event_types=["catalog.finished"], created_by="test", **values)
        session.add(webhook)
        session.flush()
        return webhook.id


def tell(runtime: Runtime, times: int = 1) -> None:
    with runtime.database.writing() as session:
        for _ in range(times):
            announce(session, EVENT)


def only_delivery(runtime: Runtime) -> Delivery:
    with runtime.database.reading() as session:
        return session.scalars(select(Delivery)).one()


def test_a_notice_can_be_verified_by_its_receiver(runtime, receiver, hook, settings):
    tell(runtime)
    assert Sender(runtime).step() == 1
    [(path, headers, body)] = receiver.requests
    secret = signing_secret(settings, hook)
    timestamp = headers["x-jianke-timestamp"]
    expected = "sha256=" + hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    assert headers["x-jianke-signature"] == expected and abs(time.time() - int(timestamp)) < 60
    assert path == "/hook" and headers["content-type"] == "application/json"
    assert headers["host"] == receiver.url.removeprefix("http://").removesuffix("/hook")
    assert headers["x-jianke-event"] == "catalog.finished"
    told = json.loads(body)
    assert told["subject"] == {"kind": "catalog", "id": "c-1", "district": "330702"} and told["data"] == EVENT.after
    assert body == json.dumps(told, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
    delivery = only_delivery(runtime)
    assert headers["x-jianke-delivery"] == str(delivery.id)
    assert (delivery.state, delivery.attempts, delivery.last_error) == ("delivered", 1, "") and delivery.delivered_at is not None
    assert Sender(runtime).step() == 0 and len(receiver.requests) == 1


def test_a_refused_notice_is_sent_again_later_with_the_same_id(runtime, receiver, hook):
    receiver.answers = [(500, {}, "出错\0了\n".encode() + b"x" * 5000)]
    tell(runtime)
    clock = Clock()
    sender = Sender(runtime, clock)
    assert sender.step() == 1
    delivery = only_delivery(runtime)
    assert (delivery.state, delivery.attempts) == ("pending", 1)
    assert delivery.last_error.startswith("HTTP 500 出错 了 xxx") and len(delivery.last_error) == len("HTTP 500 ") + 200
    assert sender.step() == 0
    clock.ahead = timedelta(seconds=13)
    assert sender.step() == 1
    assert only_delivery(runtime).state == "delivered"
    assert len({headers["x-jianke-delivery"] for _, headers, _ in receiver.requests}) == 1
    first, second = (int(headers["x-jianke-timestamp"]) for _, headers, _ in receiver.requests)
    assert 12 <= second - first <= 15


def test_a_receiver_that_is_down_gets_its_notice_when_it_is_back(runtime, receiver):
    gone = Receiver()
    gone.stop()
    make_hook(runtime, gone.url)
    tell(runtime)
    clock = Clock()
    assert Sender(runtime, clock).step() == 1
    delivery = only_delivery(runtime)
    assert delivery.state == "pending" and "ConnectError" in delivery.last_error
    with runtime.database.writing() as session:
        session.scalars(select(Webhook)).one().url = receiver.url
    clock.ahead = timedelta(seconds=13)
    assert Sender(runtime, clock).step() == 1
    assert only_delivery(runtime).state == "delivered" and len(receiver.requests) == 1


def test_a_slow_receiver_is_not_waited_for(runtime, receiver, hook, monkeypatch):
    monkeypatch.setattr("service.webhooks.sending._SECONDS", 0.3)
    receiver.pause = 1.0
    tell(runtime)
    begun = time.monotonic()
    Sender(runtime).step()
    assert time.monotonic() - begun < 0.9
    delivery = only_delivery(runtime)
    assert delivery.state == "pending" and "没有答复" in delivery.last_error


def test_a_redirect_is_not_followed(runtime, receiver, hook):
    receiver.answers = [(307, {"Location": receiver.url + "-elsewhere"}, b""), (303, {"Location": receiver.url}, b"")]
    tell(runtime)
    clock = Clock()
    Sender(runtime, clock).step()
    assert only_delivery(runtime).last_error == "HTTP 307"
    clock.ahead = timedelta(seconds=13)
    Sender(runtime, clock).step()
    assert only_delivery(runtime).last_error == "HTTP 303"
    assert [path for path, _, _ in receiver.requests] == ["/hook", "/hook"]


def test_waits_double_up_to_six_hours():
    for attempts in range(1, 30):
        usual = min(10 * 2 ** (attempts - 1), 21_600)
        waits = [wait_after(attempts).total_seconds() for _ in range(200)]
        assert 0.8 * usual <= min(waits) and max(waits) <= 1.2 * usual
        assert len(set(waits)) > 1
    assert wait_after(10**6) <= timedelta(hours=7.2)


def test_it_gives_up_after_the_attempts_and_says_why(runtime, receiver, hook):
    receiver.answers = [(503, {}, f"no {number}".encode()) for number in range(9)]
    tell(runtime)
    clock = Clock()
    sender, waits = Sender(runtime, clock), []
    for attempts in (1, 2, 3):
        assert sender.step() == 1
        delivery = only_delivery(runtime)
        assert delivery.attempts == attempts
        waits.append((delivery.next_attempt_at - clock()).total_seconds())
        clock.ahead += timedelta(seconds=waits[-1] + 1)
    assert waits[0] < waits[1] < waits[2]
    assert (delivery.state, delivery.last_error) == ("failed", "HTTP 503 no 2")
    clock.ahead = timedelta(days=30)
    assert sender.step() == 0


def test_two_senders_at_once_send_once(runtime, receiver, hook, app, settings):
    tell(runtime, 150)
    other = create_app(settings).state.runtime
    receiver.pause = 0.01
    barrier = threading.Barrier(4)

    def run(own: Runtime) -> None:
        sender = Sender(own)
        barrier.wait()
        deadline = time.monotonic() + 30
        while len(receiver.requests) < 150 and time.monotonic() < deadline:
            sender.step()

    threads = [threading.Thread(target=run, args=(own,)) for own in (runtime, other, runtime, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    other.close()
    sent = Counter(headers["x-jianke-delivery"] for _, headers, _ in receiver.requests)
    assert len(sent) == 150 and set(sent.values()) == {1}
    with runtime.database.reading() as session:
        assert {(row.state, row.attempts) for row in session.scalars(select(Delivery))} == {("delivered", 1)}


def test_a_notice_whose_sender_died_is_sent_after_its_lease(runtime, receiver, hook, monkeypatch):
    tell(runtime)
    clock = Clock()

    class Killed(BaseException):
        pass

    def die(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(Sender, "_note", die)
        Sender(runtime, clock).step()
    assert Sender(runtime, clock).step() == 0
    clock.ahead = LEASE + timedelta(seconds=1)
    assert Sender(runtime, clock).step() == 1
    delivery = only_delivery(runtime)
    assert (delivery.state, delivery.attempts) == ("delivered", 2) and len(receiver.requests) == 2


def test_nothing_is_locked_while_a_notice_is_sent(runtime, receiver, hook):
    receiver.pause = 1.0
    tell(runtime)
    thread = threading.Thread(target=Sender(runtime).step)
    thread.start()
    while not receiver.requests:
        time.sleep(0.01)
    begun = time.monotonic()
    tell(runtime)
    assert time.monotonic() - begun < 0.7
    assert thread.is_alive()
    thread.join()


def test_a_dead_receiver_does_not_hold_up_another(runtime, receiver, monkeypatch):
    monkeypatch.setattr("service.webhooks.sending._BATCH", 4)
    gone = Receiver()
    gone.stop()
    make_hook(runtime, gone.url)
    tell(runtime, 50)
    make_hook(runtime, receiver.url)
    tell(runtime, 2)
    Sender(runtime).step()
    assert len(receiver.requests) == 2


def test_a_webhook_that_is_switched_off_waits(runtime, receiver, hook):
    tell(runtime)
    with runtime.database.writing() as session:
        session.get_one(Webhook, hook).active = False
    tell(runtime)
    assert Sender(runtime).step() == 0
    with runtime.database.writing() as session:
        session.get_one(Webhook, hook).active = True
    assert Sender(runtime).step() == 1 and len(receiver.requests) == 1


def test_only_what_concerns_the_district_is_told(runtime, receiver):
    inside, everywhere = make_hook(runtime, receiver.url, district="3307"), make_hook(runtime, receiver.url)
    make_hook(runtime, receiver.url, district="3301")
    tell(runtime)
    with runtime.database.reading() as session:
        assert set(session.scalars(select(Delivery.webhook_id))) == {inside, everywhere}


def test_a_host_that_is_no_longer_allowed_is_not_sent_to(runtime, receiver, hook, settings):
    tell(runtime)
    stricter = create_app(settings.model_copy(update={"webhook_hosts": ()})).state.runtime
    assert Sender(stricter).step() == 1
    stricter.close()
    delivery = only_delivery(runtime)
    assert delivery.state == "pending" and "E440" in delivery.last_error and receiver.requests == []


def test_a_webhook_is_made_changed_and_listed(client, staff, runtime, receiver, settings):
    supervisor = staff.key("supervisor")
    made = client.post("/v1/webhooks", json={"url": receiver.url, "event_types": ["decision.made", "catalog.finished"]}, headers=supervisor)
    assert made.status_code == 201, made.text
    webhook = made.json()
    secret = webhook.pop("secret")
    assert webhook["district"] == "3307" and webhook["active"] and secret == signing_secret(settings, webhook["id"])
    assert client.get("/v1/webhooks", headers=supervisor).json() == [webhook]
    address = f"/v1/webhooks/{webhook['id']}"
    changed = client.patch(address, json={"active": False, "event_types": ["decision.made"]}, headers=supervisor)
    assert changed.json() == {**webhook, "active": False, "event_types": ["decision.made"]}
    assert client.patch(address, json={"active": False}, headers=supervisor).status_code == 200
    refused = client.patch(address, json={"url": "http://10.0.0.1/"}, headers=supervisor)
    assert refused.status_code == 422 and refused.json()["error"]["code"] == "E440"
    with runtime.database.reading() as session:
        events = session.scalars(select(AuditEvent).where(AuditEvent.type == "webhook.written").order_by(AuditEvent.sequence)).all()
        assert secret not in str([(event.before, event.after) for event in events])
    assert [(event.before, event.after) for event in events] == [
        (None, {"url": receiver.url, "event_types": ["catalog.finished", "decision.made"], "district": "3307"}),
        ({"active": True, "event_types": ["catalog.finished", "decision.made"]}, {"active": False, "event_types": ["decision.made"]}),
    ]


def test_a_webhook_belongs_to_a_district(client, staff, receiver):
    wanted = {"url": receiver.url, "event_types": ["decision.made"]}
    elsewhere = client.post("/v1/webhooks", json={**wanted, "district": "3301"}, headers=staff.key("admin"))
    assert elsewhere.status_code == 403 and elsewhere.json()["error"]["code"] == "E422"
    inside = client.post("/v1/webhooks", json={**wanted, "district": "330702"}, headers=staff.key("admin"))
    everywhere = client.post("/v1/webhooks", json=wanted, headers=staff.key("admin", district=""))
    assert inside.json()["district"] == "330702" and everywhere.json()["district"] == ""
    for webhook in (inside.json(), everywhere.json()):
        address, stranger = f"/v1/webhooks/{webhook['id']}", staff.key("admin", district="3301")
        assert client.get("/v1/webhooks", headers=stranger).json() == []
        for answer in (
            client.patch(address, json={"active": False}, headers=stranger),
            client.get(f"{address}/deliveries", headers=stranger),
            client.post(f"{address}/deliveries/1/retry", headers=stranger),
        ):
            assert answer.status_code == 404 and answer.json()["error"]["code"] == "E411"
    for role in ("pipeline", "reviewer", "expert"):
        assert client.get("/v1/webhooks", headers=staff.key(role)).json()["error"]["code"] == "E421"


@pytest.mark.parametrize(
    "change",
    [{"event_types": ["key.created"]}, {"event_types": []}, {"url": "https://x/" + "a" * 500}, {"district": "33070"}, {"url": None}],
)
def test_a_webhook_that_makes_no_sense_is_refused(client, staff, receiver, change):
    answer = client.post("/v1/webhooks", json={"url": receiver.url, "event_types": ["decision.made"], **change}, headers=staff.key("admin"))
    assert answer.status_code == 422 and answer.json()["error"]["code"] == "E410"


def test_deliveries_are_paged_filtered_and_retried(client, staff, runtime, receiver, hook):
    admin, address = staff.key("admin", district=""), f"/v1/webhooks/{hook}/deliveries"
    tell(runtime, 5)
    with runtime.database.writing() as session:
        rows = session.scalars(select(Delivery).order_by(Delivery.id)).all()
        rows[0].state, rows[0].attempts, rows[0].last_error = "failed", 3, "HTTP 500"
        rows[1].next_attempt_at = now() + timedelta(hours=5)
        rows[2].next_attempt_at = now() + timedelta(seconds=60)
        rows[3].state = "delivered"
        ids = [row.id for row in rows]
    first = client.get(address, params={"limit": 3}, headers=admin).json()
    rest = client.get(address, params={"limit": 3, "after": first["next"]}, headers=admin).json()
    assert [row["id"] for row in first["deliveries"] + rest["deliveries"]] == ids[::-1] and rest["next"] is None
    failed = client.get(address, params={"state": "failed"}, headers=admin).json()["deliveries"]
    assert [(row["id"], row["attempts"], row["last_error"]) for row in failed] == [(ids[0], 3, "HTTP 500")]

    def retried(number: int) -> dict[str, object]:
        return client.post(f"{address}/{ids[number]}/retry", headers=admin).json()

    assert (retried(0)["state"], retried(0)["attempts"]) == ("pending", 0)
    assert datetime.fromisoformat(str(retried(1)["next_attempt_at"])) <= now()
    assert datetime.fromisoformat(str(retried(2)["next_attempt_at"])) > now()
    assert retried(3)["error"]["code"] == "E432"
    assert client.post(f"{address}/{ids[-1] + 1}/retry", headers=admin).json()["error"]["code"] == "E411"
    other = make_hook(runtime, receiver.url)
    strange = client.post(f"/v1/webhooks/{other}/deliveries/{ids[0]}/retry", headers=admin)
    assert strange.status_code == 404 and strange.json()["error"]["code"] == "E411"
    events = client.get("/v1/audit?type=webhook.written", headers=admin).json()["events"]
    assert [event["after"]["delivery_id"] for event in events] == ids[:2]
    assert Sender(runtime).step() == 3 and len(receiver.requests) == 3


def test_a_finished_catalog_is_announced_by_the_running_service(app, receiver, runtime, work: Callable[[], int]):
    make_hook(runtime, receiver.url, district="33")
    with TestClient(app) as client:
        from tests.service.conftest import Staff

        table = "课程名称,课程简介\n数学思维,六年级分数应用题\n街舞,少儿街舞\n"
        sent = client.post("/v1/catalogs", files={"file": ("c.csv", table.encode())}, headers=Staff(client, runtime).key(district="330702"))
        assert sent.status_code == 202, sent.text
        work()
        deadline = time.monotonic() + 10
        while only_delivery(runtime).state != "delivered" and time.monotonic() < deadline:
            time.sleep(0.05)
    [(_, headers, body)] = receiver.requests
    assert headers["x-jianke-event"] == "catalog.finished"
    assert json.loads(body)["subject"]["id"] == sent.json()["id"] and json.loads(body)["data"]["rows_done"] == 2
