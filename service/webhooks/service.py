"""Webhooks and their deliveries: making, changing, finding, retrying; all within the principal's district."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.access.roles import Principal
from service.audit import service as audit
from service.audit.events import WebhookWritten
from service.database.base import now
from service.errors import ServiceError
from service.security import derive
from service.settings import Settings
from service.webhooks.models import Delivery, Webhook
from service.webhooks.schemas import WebhookChange, WebhookIn

LEASE = timedelta(minutes=2)
"""How long a delivery belongs to the sender that claimed it; longer than any sending takes."""


def signing_secret(settings: Settings, webhook_id: str) -> str:
    """The secret with which a webhook's notices are signed; it follows from the installation's and is stored nowhere."""
    return derive(settings.secret_key, f"webhook:{webhook_id}")


def webhooks(session: Session, principal: Principal) -> Sequence[Webhook]:
    """Webhooks of the principal's district, oldest first."""
    statement = select(Webhook).where(Webhook.district.startswith(principal.district, autoescape=True))
    return session.scalars(statement.order_by(Webhook.created_at, Webhook.id)).all()


def webhook_for(session: Session, principal: Principal, identifier: str, *, lock: bool = False) -> Webhook:
    """The webhook. Raises ServiceError E411 where it is unknown or of another district."""
    webhook = session.get(Webhook, identifier, with_for_update=lock or None)
    if webhook is None or not principal.covers(webhook.district):
        raise ServiceError("E411", kind="回调", found=identifier)
    return webhook


def create_webhook(session: Session, principal: Principal, given: WebhookIn, request_id: str = "") -> Webhook:
    """A new webhook, to a URL that has been checked; its district is by default the principal's. Raises ServiceError E422."""
    district = given.district or principal.district
    principal.must_cover(district)
    values: dict[str, Any] = {"url": given.url, "event_types": sorted(set(given.event_types)), "district": district}
    webhook = Webhook(**values, created_by=principal.actor)
    session.add(webhook)
    session.flush()
    audit.append(session, principal.actor, WebhookWritten(webhook.id, district, after=values), request_id)
    return webhook


def change_webhook(session: Session, principal: Principal, identifier: str, change: WebhookChange, request_id: str = "") -> Webhook:
    """Change a webhook, to a URL that has been checked. Raises ServiceError E411 (no such webhook in the district)."""
    webhook = webhook_for(session, principal, identifier, lock=True)
    wanted = change.model_dump(exclude_none=True)
    if "event_types" in wanted:
        wanted["event_types"] = sorted(set(wanted["event_types"]))
    after = {name: value for name, value in wanted.items() if value != getattr(webhook, name)}
    before = {name: getattr(webhook, name) for name in after}
    for name, value in after.items():
        setattr(webhook, name, value)
    if after:
        audit.append(session, principal.actor, WebhookWritten(webhook.id, webhook.district, before=before, after=after), request_id)
    return webhook


def deliveries_page(session: Session, webhook: Webhook, state: str | None, before: int | None, limit: int) -> Sequence[Delivery]:
    """A webhook's deliveries, newest first, from the one made before the id `before`."""
    statement = select(Delivery).where(Delivery.webhook_id == webhook.id).order_by(Delivery.id.desc()).limit(limit)
    if state is not None:
        statement = statement.where(Delivery.state == state)
    if before is not None:
        statement = statement.where(Delivery.id < before)
    return session.scalars(statement).all()


def retry(session: Session, principal: Principal, webhook: Webhook, identifier: int, request_id: str = "") -> Delivery:
    """Send a delivery soon, with all its attempts anew; one that is about to be sent, or being sent, is left alone.

    Raises ServiceError E411 (the webhook has no such delivery), E432 (it has been delivered).
    """
    statement = select(Delivery).where(Delivery.id == identifier, Delivery.webhook_id == webhook.id).with_for_update(of=Delivery)
    delivery = session.scalar(statement)
    if delivery is None:
        raise ServiceError("E411", kind="通知", found=identifier)
    if delivery.state == "delivered":
        raise ServiceError("E432", found="通知已送达 delivered", expected="pending、failed")
    if delivery.state == "failed" or delivery.next_attempt_at > now() + LEASE:
        before = {"delivery_id": delivery.id, "state": delivery.state, "attempts": delivery.attempts}
        delivery.state, delivery.attempts, delivery.next_attempt_at = "pending", 0, now()
        after = {"delivery_id": delivery.id, "state": "pending", "attempts": 0}
        audit.append(session, principal.actor, WebhookWritten(webhook.id, webhook.district, before=before, after=after), request_id)
    return delivery
