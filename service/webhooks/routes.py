"""/v1/webhooks: where notices go, and what became of them."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query

from service.access.roles import Principal, WebhookPolicy
from service.deps import Permit, RequestId, RuntimeDep, SessionDep
from service.idempotency import TransactionalRoute
from service.webhooks import addresses, service
from service.webhooks.schemas import DeliveryOut, DeliveryPage, DeliveryState, NewWebhookOut, WebhookChange, WebhookIn, WebhookOut

router = APIRouter(prefix="/webhooks", tags=["webhooks 回调"], route_class=TransactionalRoute)
Manager = Annotated[Principal, Depends(Permit(WebhookPolicy, "manage"))]
WebhookId = Annotated[str, Path(max_length=32, pattern=r"^[^\x00]*$")]
DeliveryId = Annotated[int, Path(ge=1, lt=2**63)]


@router.get("", name="list_webhooks", response_model=list[WebhookOut])
def list_webhooks(principal: Manager, session: SessionDep) -> list[WebhookOut]:
    """辖区内的回调。"""
    return [WebhookOut.model_validate(webhook, from_attributes=True) for webhook in service.webhooks(session, principal)]


@router.post("", name="create_webhook", status_code=201, response_model=NewWebhookOut)
def create_webhook(given: WebhookIn, principal: Manager, runtime: RuntimeDep, session: SessionDep, request_id: RequestId) -> NewWebhookOut:
    """新建回调，district 默认为调用者的辖区；验签用的密钥只在这里显示一次。"""
    addresses.targets(given.url, runtime.settings)
    webhook = service.create_webhook(session, principal, given, request_id)
    values = WebhookOut.model_validate(webhook, from_attributes=True).model_dump()
    return NewWebhookOut(**values, secret=service.signing_secret(runtime.settings, webhook.id))


@router.patch("/{webhook_id}", name="change_webhook", response_model=WebhookOut)
def change_webhook(
    webhook_id: WebhookId, change: WebhookChange, principal: Manager, runtime: RuntimeDep, session: SessionDep, request_id: RequestId
) -> WebhookOut:
    """修改地址或事件，停用或启用。未送出的通知改送新地址，密钥不变。"""
    if change.url is not None:
        addresses.targets(change.url, runtime.settings)
    webhook = service.change_webhook(session, principal, webhook_id, change, request_id)
    return WebhookOut.model_validate(webhook, from_attributes=True)


@router.get("/{webhook_id}/deliveries", name="list_deliveries", response_model=DeliveryPage)
def list_deliveries(
    webhook_id: WebhookId,
    principal: Manager,
    session: SessionDep,
    state: DeliveryState | None = None,
    after: Annotated[int | None, Query(ge=1, lt=2**63)] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> DeliveryPage:
    """回调的通知，新的在前：状态、次数与最近一次失败的原因。"""
    webhook = service.webhook_for(session, principal, webhook_id)
    page = service.deliveries_page(session, webhook, state, after, limit)
    deliveries = [DeliveryOut.model_validate(delivery, from_attributes=True) for delivery in page]
    return DeliveryPage(deliveries=deliveries, next=page[-1].id if len(page) == limit else None)


@router.post("/{webhook_id}/deliveries/{delivery_id}/retry", name="retry_delivery", response_model=DeliveryOut)
def retry_delivery(
    webhook_id: WebhookId, delivery_id: DeliveryId, principal: Manager, session: SessionDep, request_id: RequestId
) -> DeliveryOut:
    """立即再送一条失败或等待中的通知，次数重新计算。"""
    webhook = service.webhook_for(session, principal, webhook_id)
    return DeliveryOut.model_validate(service.retry(session, principal, webhook, delivery_id, request_id), from_attributes=True)
