"""Request ids, structured logs without personal data, and metrics."""

import json
import logging
import re
import sys
import time
import uuid
from datetime import UTC, datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_PHONE = re.compile(r"(?<!\d)((?:86)?[ -]?1[3-9]\d)[ -]?\d{4}[ -]?(\d{4})(?!\d)")
_REQUEST_ID = re.compile(r"[\w.-]{1,40}", re.ASCII)
LOGGER = logging.getLogger("jianke")


def mask_phones(text: str) -> str:
    """Mobile numbers with their middle four digits hidden, also behind 86 and in groups."""
    return _PHONE.sub(r"\1****\2", text)


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, message, and the fields given as `extra={"fields": …}`."""

    def format(self, record: logging.LogRecord) -> str:
        """Phones are masked wherever they stand."""
        values: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            values["error"] = self.formatException(record.exc_info)
        return mask_phones(json.dumps(values, ensure_ascii=False))


def set_up_logging(level: str) -> None:
    """Log to standard error, JSON a line."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    logging.getLogger("uvicorn.access").disabled = True
    logging.getLogger("httpx").setLevel("WARNING")


class Metrics:
    """Prometheus metrics of one process; a registry of its own, so that several apps can live in one process."""

    def __init__(self) -> None:
        """Declare every metric."""
        self.registry = CollectorRegistry()
        edges = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
        self.latency = Histogram(
            "jianke_request_seconds", "Time to answer", ["method", "route", "status"], buckets=edges, registry=self.registry
        )
        self.texts = Counter("jianke_texts", "Texts assessed", ["category", "engine", "triage"], registry=self.registry)
        self.queue = Gauge("jianke_queue_items", "Items that wait for assessment", registry=self.registry)
        self.lag = Gauge("jianke_queue_lag_seconds", "Age of the oldest waiting item", registry=self.registry)
        self.deliveries = Gauge("jianke_webhook_pending", "Webhook notices that wait", registry=self.registry)
        self.drift = Gauge(
            "jianke_category_drift",
            "Share of a category in the last day less its share in the 30 days before",
            ["category"],
            registry=self.registry,
        )
        self.review = Gauge("jianke_review_share", "Share of the last day's items that need a person", registry=self.registry)


class TelemetryMiddleware:
    """Give every request an id, log it once and time it, by its operation's id. A well-formed X-Request-ID is kept."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        """Wrap an ASGI app."""
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"x-request-id"), "")
        request_id = given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        state = scope.setdefault("state", {})
        state["request_id"] = request_id
        status = 500
        begun = time.perf_counter()

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", request_id.encode())]
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        finally:
            seconds = time.perf_counter() - begun
            route = getattr(scope.get("route"), "name", "—")
            self._metrics.latency.labels(scope["method"], route, status).observe(seconds)
            if LOGGER.isEnabledFor(logging.INFO):
                fields = {"request_id": request_id, "method": scope["method"], "route": route, "status": status}
                LOGGER.info("request", extra={"fields": {**fields, "seconds": round(seconds, 4), "actor": state.get("actor", "")}})
