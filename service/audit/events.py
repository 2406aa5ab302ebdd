"""What is written down: one class an event, each with the state before and after."""

from dataclasses import dataclass, field
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to one subject. `before` and `after` hold only what changed, JSON-ready."""

    type: ClassVar[str]
    subject_kind: ClassVar[str]

    subject_id: str
    district: str
    before: dict[str, Any] | None = field(default=None, kw_only=True)
    after: dict[str, Any] | None = field(default=None, kw_only=True)


class CatalogCreated(Event):
    """A catalog was accepted."""

    type = "catalog.created"
    subject_kind = "catalog"


class CatalogFinished(Event):
    """Every row of a catalog has been assessed or found unusable."""

    type = "catalog.finished"
    subject_kind = "catalog"


class CatalogCancelled(Event):
    """A catalog was cancelled; rows already assessed stay."""

    type = "catalog.cancelled"
    subject_kind = "catalog"


class CatalogReassessed(Event):
    """A catalog's rows were queued again, for another model or engine."""

    type = "catalog.reassessed"
    subject_kind = "catalog"


class CatalogExported(Event):
    """Someone took a catalog's results out."""

    type = "catalog.exported"
    subject_kind = "catalog"


class ItemStored(Event):
    """A single predicted text was kept as an item."""

    type = "item.stored"
    subject_kind = "item"


class DecisionMade(Event):
    """A person decided, voted, concluded or appealed."""

    type = "decision.made"
    subject_kind = "item"


class InstitutionWritten(Event):
    """An institution was entered or changed."""

    type = "institution.written"
    subject_kind = "institution"


class AccountWritten(Event):
    """An account was made or changed; never with its password."""

    type = "account.written"
    subject_kind = "account"


class LoggedIn(Event):
    """A person logged in."""

    type = "account.logged_in"
    subject_kind = "account"


class KeyCreated(Event):
    """An API key was made."""

    type = "key.created"
    subject_kind = "key"


class KeyRevoked(Event):
    """An API key was revoked."""

    type = "key.revoked"
    subject_kind = "key"


class WebhookWritten(Event):
    """A webhook was made or changed."""

    type = "webhook.written"
    subject_kind = "webhook"
