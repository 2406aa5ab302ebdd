"""What webhooks and their deliveries look like to callers; the signing secret appears once, when a webhook is made."""

from datetime import datetime
from typing import Annotated, Literal, get_args

from pydantic import BaseModel, Field

from service.access.schemas import District
from service.webhooks.outbox import ANNOUNCED

EventType = Literal["catalog.finished", "decision.made"]
assert set(get_args(EventType)) == set(ANNOUNCED)
DeliveryState = Literal["pending", "delivered", "failed"]
Url = Annotated[
    str,
    Field(
        min_length=1,
        max_length=500,
        description="https 地址，主机须在 JIANKE_WEBHOOK_HOSTS 之列，且不指向内网",
        examples=["https://hooks.example.cn/jianke"],
    ),
]
EventTypes = Annotated[list[EventType], Field(min_length=1, max_length=len(ANNOUNCED), description="要通知的事件")]


class WebhookIn(BaseModel):
    """A new webhook."""

    url: Url
    event_types: EventTypes
    district: District = ""


class WebhookChange(BaseModel):
    """What to change; fields left out stay."""

    url: Url | None = None
    event_types: EventTypes | None = None
    active: bool | None = Field(None, description="停用后不再产生通知，未送出的等到重新启用")


class WebhookOut(BaseModel):
    """A webhook, without its secret."""

    id: str
    url: str
    event_types: list[EventType]
    district: str
    active: bool
    created_by: str
    created_at: datetime


class NewWebhookOut(WebhookOut):
    """A webhook that has just been made; `secret`, with which its notices are signed, is shown this once."""

    secret: str


class DeliveryOut(BaseModel):
    """One notice: `attempts` so far, and why the last of them failed."""

    id: int
    event_type: str
    state: DeliveryState
    attempts: int
    next_attempt_at: datetime
    last_error: str
    created_at: datetime
    delivered_at: datetime | None


class DeliveryPage(BaseModel):
    """Deliveries, newest first. `next`: pass it as `after` for the following page; None at the end."""

    deliveries: list[DeliveryOut]
    next: int | None
