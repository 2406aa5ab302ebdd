"""Putting notices into the outbox, in the transaction of what they tell of."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.audit.events import CatalogFinished, DecisionMade, Event
from service.database.base import now
from service.webhooks.models import Delivery, Webhook

ANNOUNCED: dict[str, type[Event]] = {event.type: event for event in (CatalogFinished, DecisionMade)}


def announce(session: Session, event: Event) -> None:
    """Queue a notice of the event for every active webhook that asked for its type and whose district covers it."""
    for webhook in session.scalars(select(Webhook).where(Webhook.active)):
        if event.type in webhook.event_types and event.district.startswith(webhook.district):
            payload = {
                "type": event.type,
                "at": now().isoformat(),
                "subject": {"kind": event.subject_kind, "id": event.subject_id, "district": event.district},
                "data": event.after or {},
            }
            session.add(Delivery(webhook_id=webhook.id, event_type=event.type, payload=payload))
