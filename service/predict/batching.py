"""Requests that arrive together are assessed together: one pass over a batch costs far less than a pass a text."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from classifier import Assessment, Classifier, Record

_LARGEST = 64


class MicroBatcher:
    """Gathers single records for one classifier, within one event loop.

    While one batch is assessed the next gathers; nobody waits for company. The fast engine runs on the event loop, since a
    handful of texts takes less time than handing them to a thread; engines that may ask the encoder run in a thread.
    """

    def __init__(self, classifier: Classifier, *, evidence: bool) -> None:
        """Assess with `classifier`, with or without evidence."""
        self.engine = classifier.engine
        self._classifier = classifier
        self._evidence = evidence
        self._waiting: list[tuple[Record, asyncio.Future[Assessment]]] = []
        self._running = False
        self._executor = None if classifier.engine == "fast" else ThreadPoolExecutor(1, "predict")

    async def assess(self, record: Record) -> Assessment:
        """The assessment of one record, made together with others that wait."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Assessment] = loop.create_future()
        self._waiting.append((record, future))
        if not self._running:
            self._running = True
            loop.call_soon(self._start, loop)
        return await future

    def _start(self, loop: asyncio.AbstractEventLoop) -> None:
        batch, self._waiting = self._waiting[:_LARGEST], self._waiting[_LARGEST:]
        records = [record for record, _ in batch]
        done = self._finisher(loop, [future for _, future in batch])
        if self._executor is None:
            outcome: asyncio.Future[list[Assessment]] = loop.create_future()
            try:
                outcome.set_result(self._assess(records))
            except Exception as error:
                outcome.set_exception(error)
            done(outcome)
        else:
            loop.run_in_executor(self._executor, self._assess, records).add_done_callback(done)

    def _assess(self, records: Sequence[Record]) -> list[Assessment]:
        return list(self._classifier.assess_many(records, evidence=self._evidence))

    def _finisher(
        self, loop: asyncio.AbstractEventLoop, futures: Sequence[asyncio.Future[Assessment]]
    ) -> Callable[[asyncio.Future[list[Assessment]]], None]:
        def finish(outcome: asyncio.Future[list[Assessment]]) -> None:
            error = outcome.exception()
            for number, future in enumerate(futures):
                if future.done():
                    continue
                if error is None:
                    future.set_result(outcome.result()[number])
                else:
                    future.set_exception(error)
            if self._waiting:
                loop.call_soon(self._start, loop)
            else:
                self._running = False

        return finish
