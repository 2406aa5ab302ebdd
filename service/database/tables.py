"""Every table, imported in one place so that migrations and tests see them all."""

from service.access.models import Account, ApiKey, LoginSession
from service.audit.models import AuditEvent
from service.catalogs.models import Catalog, Item, StoredAssessment
from service.database.base import Base
from service.idempotency import IdempotentAnswer
from service.registry.models import Institution
from service.reviews.models import Decision
from service.webhooks.models import Delivery, Webhook

METADATA = Base.metadata

__all__ = [
    "METADATA",
    "Account",
    "ApiKey",
    "AuditEvent",
    "Catalog",
    "Decision",
    "Delivery",
    "IdempotentAnswer",
    "Institution",
    "Item",
    "LoginSession",
    "StoredAssessment",
    "Webhook",
]
