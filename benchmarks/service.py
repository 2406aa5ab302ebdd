"""The service against a route that does nothing, and against the command line, in one run: python -m benchmarks.service [--write]."""

import argparse
import asyncio
import itertools
import json
import os
import random
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil

from training.corpus import corpus_files, read_examples

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "benchmarks" / "README.md"
BEGIN, END = "<!-- service -->", "<!-- /service -->"
ROWS = 100_000
ENVIRONMENT = {"JIANKE_ENVIRONMENT": "development", "JIANKE_LOG_LEVEL": "WARNING", "JIANKE_RATE_PER_MINUTE": "100000000"}


def serve() -> None:
    """Run the service with one more route: the same body, the same permission, a constant answer."""
    from typing import Annotated

    import uvicorn
    from fastapi import APIRouter, Depends, Response

    from service.access.roles import PredictPolicy, Principal
    from service.app import create_app
    from service.deps import Permit
    from service.idempotency import TransactionalRoute
    from service.predict.schemas import RecordIn
    from service.telemetry import set_up_logging

    router = APIRouter(route_class=TransactionalRoute)
    runner = Annotated[Principal, Depends(Permit(PredictPolicy, "run"))]

    @router.post("/v1/constant", name="constant")
    async def constant(record: RecordIn, principal: runner) -> Response:
        return Response(b'{"category":"subject"}', media_type="application/json")

    app = create_app()
    app.include_router(router)
    settings = app.state.runtime.settings
    set_up_logging(settings.log_level)
    uvicorn.run(app, host=settings.host, port=settings.port, log_config=None, access_log=False)


def jianke(folder: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a `jianke` command in `folder`."""
    program = [sys.executable, "-c", "from classifier.cli.main import main; main()", *arguments]
    environment = {**os.environ, **ENVIRONMENT, "PYTHONPATH": str(ROOT), **more}
    return subprocess.run(program, cwd=folder, env=environment, check=True, capture_output=True, text=True)


@contextmanager
def server(folder: Path, engine: str, workers: int) -> Iterator[tuple[str, psutil.Process]]:
    """A server on a free port: its address and its process."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {**os.environ, **ENVIRONMENT, "PYTHONPATH": str(ROOT), "JIANKE_ENGINE": engine, "JIANKE_WORKERS": str(workers)}
    program = [sys.executable, "-m", "benchmarks.service", "--serve"]
    process = subprocess.Popen(program, cwd=folder, env={**environment, "JIANKE_PORT": str(port)})
    base = f"http://127.0.0.1:{port}"
    try:
        for _ in range(200):
            try:
                if httpx.get(f"{base}/readyz").status_code == 200:
                    break
            except httpx.TransportError:
                pass
            time.sleep(0.1)
        yield base, psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait()


def requests_per_second(base: str, route: str, key: str, texts: list[str], folder: Path, seconds: int = 8) -> float:
    """wrk, 32 connections, cycling through the texts."""
    bodies = ",".join(json.dumps(json.dumps({"text": text}, ensure_ascii=False), ensure_ascii=False) for text in texts)
    script = folder / "post.lua"
    script.write_text(
        f"local bodies = {{{bodies}}}\nlocal at = 0\nrequest = function()\n  at = at % #bodies + 1\n"
        f'  return wrk.format("POST", nil, {{["Authorization"]="Bearer {key}", ["Content-Type"]="application/json"}}, bodies[at])\nend\n',
        encoding="utf-8",
    )
    command = ["wrk", "-t1", "-c32", f"-d{seconds}s", "-s", str(script), f"{base}{route}"]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    if "Non-2xx" in output:
        raise SystemExit(output)
    found = re.search(r"Requests/sec:\s+([\d.]+)", output)
    assert found, output
    return float(found[1])


async def latencies(base: str, route: str, key: str, texts: list[str], rate: float, seconds: float) -> list[float]:
    """Seconds from when each request was due until its answer was whole, at a steady rate, whatever the answers do."""
    host, port = base.removeprefix("http://").split(":")
    idle: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
    for _ in range(32):
        idle.put_nowait(await asyncio.open_connection(host, int(port)))
    taken: list[float] = []

    async def ask(text: str, due: float) -> None:
        reader, writer = await idle.get()
        body = json.dumps({"text": text}).encode()
        head = f"POST {route} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nContent-Type: application/json\r\n"
        writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        answer = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        assert answer.startswith("http/1.1 200"), answer
        length = re.search(r"content-length: (\d+)", answer)
        await reader.readexactly(int(length[1]) if length else 0)
        taken.append(time.perf_counter() - due)
        idle.put_nowait((reader, writer))

    begun = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for number, text in zip(range(int(rate * seconds)), itertools.cycle(texts), strict=False):
            due = begun + number / rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            group.create_task(ask(text, due))
    return taken


def p99(values: list[float]) -> float:
    """The 99th percentile, in milliseconds."""
    return statistics.quantiles(values, n=100)[98] * 1000


def catalog(base: str, process: psutil.Process, key: str, file: Path) -> tuple[float, float, float, float]:
    """Seconds until accepted, rows a second, and memory in MiB before and at its highest while it works."""
    headers = {"Authorization": f"Bearer {key}"}
    before = process.memory_info().rss / 2**20
    begun = time.perf_counter()
    accepted = httpx.post(f"{base}/v1/catalogs", files={"file": (file.name, file.read_bytes())}, headers=headers, timeout=60)
    seconds = time.perf_counter() - begun
    accepted.raise_for_status()
    start = process.memory_info().rss / 2**20
    highest, state = start, {}
    while state.get("state") != "done":
        time.sleep(1)
        highest = max(highest, process.memory_info().rss / 2**20)
        state = httpx.get(f"{base}{accepted.headers['location']}", headers=headers, timeout=60).json()
    return seconds, state["rate"], max(before, start), highest


def measure(folder: Path) -> list[str]:
    """Every figure, as lines of Markdown."""
    made = jianke(folder, "init").stdout
    key = re.search(r"jk_\S+", made)
    assert key, made
    examples = read_examples(corpus_files())
    texts = [example.text for example in examples if 40 <= len(example.text) <= 80][:500]
    lines = ["| 项 | 数值 | 对照 | 比 |", "| --- | ---: | ---: | ---: |"]
    with server(folder, "fast", 0) as (base, _):
        for route in ("/v1/constant", "/v1/predict"):
            requests_per_second(base, route, key[0], texts, folder, 2)
        constant = requests_per_second(base, "/v1/constant", key[0], texts, folder)
        predict = requests_per_second(base, "/v1/predict", key[0], texts, folder)
        bare = requests_per_second(base, "/v1/predict?evidence=false", key[0], texts, folder)
        half = asyncio.run(latencies(base, "/v1/predict", key[0], texts, predict / 2, 10))
    lines.append(f"| `/predict`，fast，请求/秒 | {predict:,.0f} | 同一应用返回常量 {constant:,.0f} | {predict / constant:.2f} |")
    lines.append(f"| `/predict?evidence=false`，请求/秒 | {bare:,.0f} | 同上 | {bare / constant:.2f} |")
    lines.append(f"| `/predict`，fast，{predict / 2:,.0f} 请求/秒时的 p99 | {p99(half):.1f} ms | | |")
    with server(folder, "auto", 0) as (base, _):
        asyncio.run(latencies(base, "/v1/predict", key[0], texts, 5, 2))
        steady = asyncio.run(latencies(base, "/v1/predict", key[0], texts, 20, 15))
    lines.append(f"| `/predict`，auto，20 请求/秒时的 p99 | {p99(steady):.0f} ms | | |")
    file = folder / "catalog.csv"
    random.seed(0)
    rows = (f'{number},"{random.choice(texts).replace(chr(34), "")} 第{number}期"' for number in range(ROWS))
    file.write_text("编号,课程简介\n" + "\n".join(rows), encoding="utf-8")
    begun = time.perf_counter()
    jianke(folder, "classify", str(file), "-o", str(folder / "out.jsonl"), "--engine", "fast")
    command_line = ROWS / (time.perf_counter() - begun)
    with server(folder, "fast", 1) as (base, process):
        seconds, rate, before, highest = catalog(base, process, key[0], file)
    lines.append(f"| 目录 {ROWS:,} 行，受理 | {seconds:.1f} 秒 | | |")
    lines.append(
        f"| 目录判定，行/秒（SQLite，服务内的判定线程） | {rate:,.0f} | 命令行写 JSONL {command_line:,.0f} | {rate / command_line:.2f} |"
    )
    lines.append(f"| 判定时的内存，受理后与最高 | {highest:,.0f} MiB | {before:,.0f} MiB | {highest / before:.2f} |")
    return lines


def main() -> None:
    """Measure, print, and with --write put the table into benchmarks/README.md."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--serve", action="store_true")
    options = parser.parse_args()
    if options.serve:
        serve()
        return
    if shutil.which("wrk") is None:
        raise SystemExit("需要 wrk：apt-get install wrk")
    with tempfile.TemporaryDirectory() as folder:
        table = "\n".join(measure(Path(folder)))
    print(table)
    if options.write:
        text = README.read_text(encoding="utf-8")
        README.write_text(f"{text.split(BEGIN)[0]}{BEGIN}\n{table}\n{END}{text.split(END)[1]}", encoding="utf-8")


if __name__ == "__main__":
    main()
