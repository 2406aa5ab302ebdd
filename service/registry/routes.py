"""/v1/institutions."""

from fastapi import APIRouter

from service.idempotency import TransactionalRoute

router = APIRouter(prefix="/institutions", tags=["institutions 机构"], route_class=TransactionalRoute)
