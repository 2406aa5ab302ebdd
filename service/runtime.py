"""What lives as long as the process: settings, database, classifiers, caches, counters."""

import math
import threading
import time
from collections.abc import Callable
from datetime import datetime

from starlette.concurrency import run_in_threadpool

from classifier import Classifier, load
from classifier.policy import Policy
from service.access.roles import Principal
from service.database.base import now
from service.database.engine import Database
from service.errors import ServiceError
from service.predict.batching import MicroBatcher
from service.settings import Settings
from service.telemetry import Metrics


class Runtime:
    """One a process, shared by all requests and by the workers inside the server."""

    def __init__(self, settings: Settings) -> None:
        """Open nothing yet: the database connects, and models are read, when first used."""
        self.settings = settings
        self.database = Database(settings.database_url)
        self.metrics = Metrics()
        self.principals = PrincipalCache(settings.key_cache_seconds)
        self.rates = RateLimiter(settings.rate_per_minute)
        self._classifiers: dict[str, Classifier] = {}
        self._batchers: dict[tuple[str, bool], MicroBatcher] = {}
        self._lock = threading.Lock()

    def classifier(self, engine: str | None = None) -> Classifier:
        """The classifier with the wanted engine, or that of the settings; read once. Raises ModelError E201–E205, InputError E120, E121."""
        name = engine or self.settings.engine
        found = self._classifiers.get(name)
        if found is None:
            with self._lock:
                found = self._classifiers.get(name) or load(self.settings.model, engine=name, rules=self.settings.rules)
                self._classifiers[name] = found
        return found

    @property
    def policy(self) -> Policy:
        """The clauses that assessments cite, those of the district's own rules among them."""
        return self.classifier().rules.policy

    async def batcher(self, engine: str | None, *, evidence: bool) -> MicroBatcher:
        """The batcher of single predictions with this engine."""
        name = engine or self.settings.engine
        found = self._batchers.get((name, evidence))
        if found is None:
            classifier = await run_in_threadpool(self.classifier, name)
            found = self._batchers.setdefault((name, evidence), MicroBatcher(classifier, evidence=evidence))
        return found

    def close(self) -> None:
        """Close what is open."""
        self.database.close()


class PrincipalCache:
    """Principals of API keys for a few seconds, so that a busy key does not ask the database for every request."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Keep a principal for `seconds`; a key revoked in another process may work that long."""
        self._seconds = seconds
        self._clock = clock
        self._known: dict[str, tuple[float, Principal]] = {}
        self._used: dict[str, datetime] = {}

    def get(self, token_hash: str) -> Principal | None:
        """The principal, unless unknown or too old."""
        known = self._known.get(token_hash)
        return known[1] if known is not None and self._clock() < known[0] else None

    def take_used(self) -> dict[str, datetime]:
        """Ids of the keys used since the last call, with the times, for `note_use`."""
        used, self._used = self._used, {}
        return used

    def put(self, token_hash: str, principal: Principal) -> None:
        """Remember a principal."""
        if len(self._known) > 10_000:
            self._known.clear()
        self._known[token_hash] = (self._clock() + self._seconds, principal)
        self._used[principal.actor.removeprefix("key:")] = now()

    def clear(self) -> None:
        """Forget all, after a change of keys."""
        self._known.clear()


class RateLimiter:
    """A token bucket a caller: a minute's worth at once, refilled evenly. Each process counts for itself."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        """Allow `per_minute` requests."""
        self._per_minute = per_minute
        self._clock = clock
        self._buckets: dict[str, tuple[float, float]] = {}

    def spend(self, actor: str) -> None:
        """Count one request. Raises ServiceError E426 when the bucket is empty."""
        moment = self._clock()
        tokens, last = self._buckets.get(actor, (float(self._per_minute), moment))
        tokens = min(float(self._per_minute), tokens + (moment - last) * self._per_minute / 60)
        if tokens < 1:
            self._buckets[actor] = (tokens, moment)
            wait = max(1, math.ceil((1 - tokens) * 60 / self._per_minute))
            error = ServiceError("E426", found=wait, expected=self._per_minute)
            error.retry_after = wait
            raise error
        if len(self._buckets) > 100_000:
            self._buckets.clear()
        self._buckets[actor] = (tokens - 1, moment)
