"""What runs beside the requests: workers, the sender of notices, housekeeping. Each in a thread of its own."""

import logging
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

from starlette.concurrency import run_in_threadpool

from service.access.credentials import note_use
from service.catalogs.worker import Worker
from service.idempotency import forget_old_answers
from service.runtime import Runtime
from service.webhooks.sending import Sender

_LOGGER = logging.getLogger("jianke.background")
_IDLE_SECONDS = 0.2
_HOUSEKEEPING_SECONDS = 30.0


class Loop(threading.Thread):
    """Repeats a step until stopped: at once while there is work, after a pause when there is none or it failed."""

    def __init__(self, name: str, step: Callable[[], int], idle_seconds: float) -> None:
        """`step` gives the number of things done."""
        super().__init__(name=name, daemon=True)
        self._step = step
        self._idle_seconds = idle_seconds
        self._stopped = threading.Event()

    def run(self) -> None:
        """Until stopped; a failure is logged, waited after, and tried again."""
        failures = 0
        while not self._stopped.is_set():
            try:
                done, failures = self._step(), 0
            except Exception:
                failures += 1
                _LOGGER.exception("%s failed", self.name)
                self._stopped.wait(min(30.0, 0.5 * 2**failures))
                continue
            if not done:
                self._stopped.wait(self._idle_seconds)

    def stop(self) -> None:
        """Ask it to end after the present step."""
        self._stopped.set()


@asynccontextmanager
async def background(runtime: Runtime) -> AsyncIterator[None]:
    """Run everything while the server runs; work in hand is finished at the end."""
    workers = [Worker(runtime) for _ in range(runtime.settings.workers)]
    loops = [Loop(f"worker-{number}", worker.step, _IDLE_SECONDS) for number, worker in enumerate(workers)]
    loops.append(Loop("webhooks", Sender(runtime).step, 1.0))
    loops.append(Loop("housekeeping", lambda: keep_house(runtime), _HOUSEKEEPING_SECONDS))
    await run_in_threadpool(runtime.classifier)
    for loop in loops:
        loop.start()
    try:
        yield
    finally:
        await run_in_threadpool(_end, loops, workers)
        await run_in_threadpool(keep_house, runtime)


def _end(loops: list[Loop], workers: list[Worker]) -> None:
    for loop in loops:
        loop.stop()
    for loop in loops:
        loop.join(timeout=30)
    for worker in workers:
        worker.close()


def keep_house(runtime: Runtime) -> int:
    """Note when keys were used; forget old idempotent answers."""
    used = runtime.principals.take_used()
    with runtime.database.writing() as session:
        note_use(session, used)
        forget_old_answers(session, timedelta(hours=runtime.settings.idempotency_hours))
    return 0
