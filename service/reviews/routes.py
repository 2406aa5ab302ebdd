"""/v1/items and decisions on them."""

from fastapi import APIRouter

from service.idempotency import TransactionalRoute

router = APIRouter(prefix="/items", tags=["items 条目与复核"], route_class=TransactionalRoute)
