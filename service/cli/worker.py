"""`jianke worker`."""

import signal
import threading

from service.cli.starting import checked, settings


def worker() -> None:
    """启动一个判定进程，与服务分开运行；可在多台机器上各启动几个（PostgreSQL）。"""
    wanted = settings()
    from service.catalogs.worker import Worker
    from service.runtime import Runtime
    from service.supervision import Loop
    from service.telemetry import set_up_logging

    runtime = Runtime(wanted)
    checked(runtime.database)
    set_up_logging(wanted.log_level)
    runtime.classifier()
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    hand = Worker(runtime)
    loop = Loop("worker", hand.step, idle_seconds=0.2)
    loop.start()
    stopped.wait()
    loop.stop()
    loop.join(timeout=60)
    hand.close()
    runtime.close()
