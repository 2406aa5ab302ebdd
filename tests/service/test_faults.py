"""What was promised for bad days: processes killed, the database gone, the disk full, clients gone, workers side by side."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import func, select

from service.app import create_app
from service.catalogs.models import Item, StoredAssessment
from service.catalogs.worker import Worker
from service.database.engine import Database
from service.database.schema import migrate
from service.runtime import Runtime
from service.settings import Settings
from tests.service import postgres
from tests.service.conftest import Staff
from tests.service.test_catalogs import csv_of, upload

ROWS = 1500
TEXTS = csv_of([(str(number), f"初二数学提优第{number}讲，周六上午") for number in range(ROWS)])


def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


@contextmanager
def process(settings: Settings, command: str, **more: str) -> Iterator[subprocess.Popen[bytes]]:
    """A `jianke` process of its own on the settings' database; killed at the end if it still runs."""
    environment = {
        **os.environ,
        "JIANKE_ENVIRONMENT": "development",
        "JIANKE_DATABASE_URL": settings.database_url,
        "JIANKE_ENGINE": "fast",
        "JIANKE_WORKER_BATCH": "50",
        "JIANKE_LOG_LEVEL": "ERROR",
        **more,
    }
    program = "from classifier.cli.main import main; main()"
    running = subprocess.Popen([sys.executable, "-c", program, command], env=environment, cwd=Path(__file__).resolve().parents[2])
    try:
        yield running
    finally:
        running.kill()
        running.wait()


def assessed_once(runtime: Runtime, catalog: str) -> tuple[int, int]:
    """Items of the catalog that are assessed, and all its assessments."""
    with runtime.database.reading() as session:
        items = session.scalar(select(func.count()).where(Item.catalog_id == catalog, Item.queue_state == "assessed"))
        stored = session.scalar(select(func.count(StoredAssessment.id)).join(Item, Item.id == StoredAssessment.item_id))
        return items or 0, stored or 0


def test_a_killed_worker_loses_nothing_and_repeats_nothing(client, staff, runtime, settings):
    key = staff.key()
    address = upload(client, key, TEXTS).headers["location"]

    def done() -> int:
        return int(client.get(address, headers=key).json()["rows_done"])

    with process(settings, "worker") as worker:
        until(lambda: done() > 0)
        worker.send_signal(signal.SIGKILL)
        worker.wait()
    before = done()
    assert 0 < before < ROWS
    with process(settings, "worker"):
        until(lambda: done() == ROWS)
    assert client.get(address, headers=key).json()["state"] == "done"
    assert assessed_once(runtime, address.rsplit("/", 1)[1]) == (ROWS, ROWS)


def test_a_killed_server_goes_on_where_it_was(client, staff, runtime, settings):
    key = staff.key()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    base = f"http://127.0.0.1:{port}"

    def ready() -> bool:
        try:
            return httpx.get(f"{base}/readyz").status_code == 200
        except httpx.TransportError:
            return False

    with process(settings, "serve", JIANKE_PORT=str(port)) as server, httpx.Client(base_url=base) as over_http:
        until(ready)
        accepted = upload(over_http, key, TEXTS)
        address = accepted.headers["location"]
        until(lambda: over_http.get(address, headers=key).json()["rows_done"] > 0)
        server.send_signal(signal.SIGKILL)
        server.wait()
    assert client.get(address, headers=key).json()["state"] == "running"
    with process(settings, "serve", JIANKE_PORT=str(port)):
        until(ready)
        until(lambda: client.get(address, headers=key).json()["state"] == "done")
    assert assessed_once(runtime, accepted.json()["id"]) == (ROWS, ROWS)


def test_two_workers_share_a_catalog_without_doing_anything_twice(client, staff, runtime):
    key = staff.key()
    catalog = upload(client, key, TEXTS).json()["id"]
    workers = [Worker(runtime), Worker(runtime)]

    def work(worker: Worker) -> None:
        until(lambda: worker.step() == 0 and client.get(f"/v1/catalogs/{catalog}", headers=key).json()["state"] == "done")

    threads = [threading.Thread(target=work, args=[worker]) for worker in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for worker in workers:
        worker.close()
    assert assessed_once(runtime, catalog) == (ROWS, ROWS)
    counted = sum(sample.value for metric in runtime.metrics.texts.collect() for sample in metric.samples if sample.name.endswith("_total"))
    assert counted == ROWS


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 256 KiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)], capture_output=True)
    if mounted.returncode:
        pytest.skip("挂载小磁盘需要 root：请以 root 运行这一项")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_is_said_and_leaves_nothing_behind(settings, small_disk):
    app = create_app(settings)
    with TestClient(app, raise_server_exceptions=False) as client:
        key = Staff(client, app.state.runtime).key()
        catalog = upload(client, key, csv_of([(str(number), "初二数学提优" * 20) for number in range(1500)])).json()["id"]
        worker = Worker(app.state.runtime)
        while worker.step():
            pass
        worker.close()
        app.state.runtime.settings = settings.model_copy(update={"temp_dir": small_disk})
        for kind in ("csv", "jsonl"):
            refused = client.get(f"/v1/catalogs/{catalog}/export?format={kind}", headers=key)
            assert refused.status_code == 507 and refused.json()["error"]["code"] == "E451", refused.text[:200]
            assert list(small_disk.iterdir()) == []
        full = upload(client, key, csv_of([(str(number), "初二数学提优" * 20) for number in range(1500)]))
        assert full.status_code == 507 and full.json()["error"]["code"] == "E451", full.text[:200]
        assert list(small_disk.iterdir()) == []
        app.state.runtime.settings = settings
        assert client.get(f"/v1/catalogs/{catalog}/export?format=csv", headers=key).status_code == 200


def test_a_client_gone_mid_upload_leaves_nothing(client, staff, settings):
    key = staff.key()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with (
        tempfile.TemporaryDirectory() as folder,
        process(settings, "serve", JIANKE_PORT=str(port), JIANKE_TEMP_DIR=folder, JIANKE_WORKERS="0"),
    ):

        def listening() -> bool:
            with socket.socket() as caller:
                return caller.connect_ex(("127.0.0.1", port)) == 0

        until(listening)
        with socket.create_connection(("127.0.0.1", port)) as caller:
            head = f"POST /v1/catalogs HTTP/1.1\r\nHost: x\r\nAuthorization: {key['Authorization']}\r\nContent-Length: 100000\r\n"
            part = '--b\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n课程简介\r\n奥数班\r\n'
            caller.sendall(f"{head}Content-Type: multipart/form-data; boundary=b\r\n\r\n{part}".encode())
        time.sleep(0.5)
        assert httpx.get(f"http://127.0.0.1:{port}/readyz").status_code == 200
        assert list(Path(folder).iterdir()) == []
    assert client.get("/v1/catalogs", headers=key).json()["catalogs"] == []


def test_a_database_restarted_underneath(tmp_path):
    if postgres.binaries() is None:
        pytest.skip(postgres.MISSING)
    with tempfile.TemporaryDirectory(prefix="jianke-postgres-", dir="/tmp") as folder, postgres.running(Path(folder)) as server:
        database = Database(server.url("postgres"))
        migrate(database)
        database.close()
        settings = Settings(
            environment="development", database_url=server.url("postgres"), engine="fast", workers=1, worker_batch=50, temp_dir=tmp_path
        )
        app = create_app(settings)
        with TestClient(app, raise_server_exceptions=False) as client:
            key = Staff(client, app.state.runtime).key()
            address = upload(client, key, TEXTS).headers["location"]
            until(lambda: client.get(address, headers=key).json()["rows_done"] > 0)
            server.stop()
            app.state.runtime.principals.clear()
            refused = client.get(address, headers=key)
            assert refused.status_code == 503 and refused.json()["error"]["code"] == "E450"
            assert client.get("/readyz").status_code == 503 and client.get("/healthz").status_code == 200
            server.start()
            until(lambda: client.get(address, headers=key).json().get("state") == "done")
            assert assessed_once(app.state.runtime, address.rsplit("/", 1)[1]) == (ROWS, ROWS)
