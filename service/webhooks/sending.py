"""Sending the outbox's notices: signed, to checked addresses, at least once.

A notice is a POST with a JSON body and these headers:

    X-Jianke-Event: decision.made
    X-Jianke-Delivery: 17                  the same at every attempt; a receiver drops those that it has seen
    X-Jianke-Timestamp: 1767225600         seconds since 1970, of this attempt
    X-Jianke-Signature: sha256=<hexadecimal HMAC-SHA256 of "<timestamp>.<body>", keyed by the webhook's secret>

A receiver checks the body's bytes as they came, before it parses them, in constant time, and refuses old timestamps:

    expected = "sha256=" + hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    genuine = hmac.compare_digest(expected, signature) and abs(time.time() - int(timestamp)) < 300

Any 2xx answer within five seconds is an acceptance. Notices may arrive out of order; each carries its time.
"""

import asyncio
import hashlib
import hmac
import logging
import random
import ssl
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

import httpx
import orjson
from sqlalchemy import func, select, update

from classifier import __version__
from classifier.errors import JiankeError
from service.database.base import now
from service.runtime import Runtime
from service.webhooks import addresses
from service.webhooks.models import Delivery, Webhook
from service.webhooks.service import LEASE, signing_secret

_BATCH = 64
_AT_ONCE = 4
_SECONDS = 5.0
_FIRST_WAIT = 10.0
_LONGEST_WAIT = 6 * 3600.0
_SHOWN = 200
_LOGGER = logging.getLogger("jianke.webhooks")


class RefusedError(Exception):
    """The receiver answered, but not with 2xx."""


@dataclass(frozen=True, slots=True)
class Notice:
    """A delivery claimed for one attempt, the attempt being counted in `attempts`."""

    id: int
    webhook_id: str
    url: str
    event_type: str
    body: bytes
    attempts: int


def signature(secret: str, timestamp: int, body: bytes) -> str:
    """The value of X-Jianke-Signature."""
    return "sha256=" + hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()


def wait_after(attempts: int) -> timedelta:
    """How long to wait after so many failures: ten seconds doubled each time, up to six hours, give or take a fifth."""
    seconds = min(_FIRST_WAIT * 2.0 ** min(attempts - 1, 20), _LONGEST_WAIT)
    return timedelta(seconds=seconds * random.uniform(0.8, 1.2))


class Sender:
    """Sends due notices.

    A short transaction claims notices for the time of a lease, skipping those that another sender is claiming; nothing is
    locked while they are sent; another short transaction notes the outcomes. If the process dies between the two, the
    notices are sent again once the lease is over.
    """

    def __init__(self, runtime: Runtime, clock: Callable[[], datetime] = now) -> None:
        """Send from the runtime's database."""
        self._runtime = runtime
        self._clock = clock

    def step(self) -> int:
        """Send what is due, at most a batch, all at once; give how many."""
        notices = self._claim() if self._has_work() else []
        if notices:
            self._note(notices, asyncio.run(self._send_all(notices)))
        return len(notices)

    def _has_work(self) -> bool:
        """Asked first, so that an idle sender never takes the write lock."""
        due = (Delivery.state == "pending", Delivery.next_attempt_at <= self._clock(), Webhook.active)
        with self._runtime.database.reading() as session:
            return session.scalar(select(Delivery.id).join(Webhook).where(*due).limit(1)) is not None

    def _claim(self) -> list[Notice]:
        """Take due notices, a few of every webhook: a dead receiver holds up no other, a weak one is not flooded."""
        moment = self._clock()
        due = (Delivery.state == "pending", Delivery.next_attempt_at <= moment)
        turn = func.row_number().over(partition_by=Delivery.webhook_id, order_by=(Delivery.next_attempt_at, Delivery.id))
        ranked = select(Delivery.id, turn.label("turn")).join(Webhook).where(*due, Webhook.active).subquery()
        first = select(ranked.c.id).where(ranked.c.turn <= _AT_ONCE).order_by(ranked.c.turn, ranked.c.id).limit(_BATCH)
        # `due` stands here again because PostgreSQL looks at it once more when it locks a row that has changed meanwhile
        statement = select(Delivery).where(Delivery.id.in_(first), *due).with_for_update(of=Delivery, skip_locked=True)
        with self._runtime.database.writing() as session:
            notices = []
            for delivery in session.scalars(statement):
                delivery.attempts += 1
                delivery.next_attempt_at = moment + LEASE
                body = orjson.dumps(delivery.payload, option=orjson.OPT_SORT_KEYS)
                webhook = delivery.webhook
                notices.append(Notice(delivery.id, webhook.id, webhook.url, delivery.event_type, body, delivery.attempts))
            return notices

    async def _send_all(self, notices: Sequence[Notice]) -> list[BaseException | None]:
        """All at once, with a thread for each look-up of a name, so that a slow one holds up no other."""
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(_BATCH, "webhook-names"))
        return await asyncio.gather(*map(self._send, notices), return_exceptions=True)

    async def _send(self, notice: Notice) -> None:
        """One attempt, to another of the host's addresses each time. Raises RefusedError, TimeoutError, ServiceError E440, httpx errors."""
        async with asyncio.timeout(_SECONDS):
            targets = await asyncio.to_thread(addresses.targets, notice.url, self._runtime.settings)
            await self._post(notice, targets[(notice.attempts - 1) % len(targets)])

    async def _post(self, notice: Notice, target: addresses.Target) -> None:
        """Each notice has a client of its own: connections are kept by address, and must not serve another name there."""
        timestamp = int(self._clock().timestamp())
        secret = signing_secret(self._runtime.settings, notice.webhook_id)
        headers = {
            "Host": target.host,
            "Content-Type": "application/json",
            "User-Agent": f"jianke/{__version__}",
            "Accept-Encoding": "identity",
            "X-Jianke-Event": notice.event_type,
            "X-Jianke-Delivery": str(notice.id),
            "X-Jianke-Timestamp": str(timestamp),
            "X-Jianke-Signature": signature(secret, timestamp, notice.body),
        }
        async with (
            httpx.AsyncClient(verify=self._tls, trust_env=False, follow_redirects=False, timeout=_SECONDS) as client,
            client.stream("POST", target.url, content=notice.body, headers=headers, extensions={"sni_hostname": target.name}) as response,
        ):
            if not response.is_success:
                raise RefusedError(f"HTTP {response.status_code} {await _beginning(response)}".rstrip())

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        """The usual authorities, or those of SSL_CERT_FILE."""
        return httpx.create_ssl_context()

    def _note(self, notices: Sequence[Notice], outcomes: Sequence[BaseException | None]) -> None:
        """Write down what became of each; a failure only where the notice has not been claimed or reset since."""
        with self._runtime.database.writing() as session:
            for notice, error in zip(notices, outcomes, strict=True):
                statement = update(Delivery).where(Delivery.id == notice.id)
                if error is None:
                    session.execute(statement.values(state="delivered", delivered_at=self._clock(), last_error=""))
                    continue
                final = notice.attempts >= self._runtime.settings.webhook_attempts
                values = {"state": "failed" if final else "pending", "last_error": _reason(error)}
                due = self._clock() + wait_after(notice.attempts)
                unchanged = (Delivery.state == "pending", Delivery.attempts == notice.attempts)
                session.execute(statement.where(*unchanged).values(**values, next_attempt_at=due))
                fields = {"webhook": notice.webhook_id, "delivery": notice.id, "attempts": notice.attempts, "final": final}
                _LOGGER.warning("notice not delivered", extra={"fields": {**fields, "error": type(error).__name__}})


async def _beginning(response: httpx.Response) -> str:
    """The first characters of an answer, on one line; no more of it is read than that takes."""
    raw = b""
    async for chunk in response.aiter_raw():
        raw += chunk
        if len(raw) >= 4 * _SHOWN:
            break
    text = "".join(character if character.isprintable() else " " for character in raw.decode("utf-8", "replace"))
    return " ".join(text.split())[:_SHOWN]


def _reason(error: BaseException) -> str:
    """Why an attempt failed, for the people who look after the webhook."""
    if isinstance(error, RefusedError):
        return str(error)
    if isinstance(error, JiankeError):
        return f"[{error.code}] {error.chinese}"
    if isinstance(error, TimeoutError | httpx.TimeoutException):
        return f"{_SECONDS:.0f} 秒内没有答复 no answer in {_SECONDS:.0f} seconds"
    return f"{type(error).__name__}: {error}"[: 2 * _SHOWN]
