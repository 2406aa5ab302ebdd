"""/v1/webhooks."""

from fastapi import APIRouter

from service.idempotency import TransactionalRoute

router = APIRouter(prefix="/webhooks", tags=["webhooks 回调"], route_class=TransactionalRoute)
