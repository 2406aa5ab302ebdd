"""One good request for every operation, and objects in district 330702 for it; for tests that walk all routes."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Literal

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, iter_route_contexts
from fastapi.testclient import TestClient
from httpx import Response

from service.access.models import Account, ApiKey
from service.access.roles import ItemPolicy, Policy, PredictPolicy
from service.audit import service as audit
from service.audit.events import CatalogCreated
from service.catalogs.models import Catalog, Item
from service.database.base import new_id
from service.deps import Permit
from service.registry.credit_codes import check_character
from service.registry.models import Institution
from service.runtime import Runtime
from service.webhooks.models import Delivery, Webhook
from tests.service.conftest import PASSWORD, Staff

DISTRICT = "330702"
CSV = "编号,课程名称,课程简介\n1,思维课,六年级分数应用题\n2,街舞,零基础少儿街舞\n".encode()
HOOK = "https://127.0.0.1:9/hook"
SETTINGS: dict[str, Any] = {"webhook_hosts": ("127.0.0.1",), "webhook_allow_private": True}
_NUMBERS = count(1)

OPEN = {"healthz", "readyz", "metrics", "log_in", "get_session", "log_out"}
"""Routes that anyone may use: they hold nobody's data, or only that of the login they ask for."""


@dataclass(frozen=True)
class Operation:
    """A route of the app and the permissions that its dependencies ask for."""

    name: str
    method: str
    path: str
    permits: tuple[tuple[type[Policy], str], ...]


def _permits(dependant: Dependant) -> Iterator[tuple[type[Policy], str]]:
    for dependency in dependant.dependencies:
        if isinstance(dependency.call, Permit):
            yield dependency.call.policy, dependency.call.action
        yield from _permits(dependency)


def operations(app: FastAPI) -> list[Operation]:
    """Every operation of the app."""
    routes = [route for route in iter_route_contexts(app.routes) if isinstance(route.original_route, APIRoute)]
    return [Operation(route.name, method, route.path, tuple(_permits(route.dependant))) for route in routes for method in route.methods]


@dataclass(frozen=True)
class Sample:
    """One good request.

    reach: `object`: the path names one of district 330702, unknown to others; `place`: it would be made in 330702, which others
    may not; `list`: it lists objects of the caller's district, `shows` (a path parameter's name) among them; `anywhere`: no
    district is touched. needs: permissions that the handler asks for by itself. values: of the objects in the path, by
    parameter. people: only a person who is logged in may, not a key.
    """

    reach: Literal["object", "place", "list", "anywhere"]
    json: Callable[[], object] | None = None
    file: tuple[str, bytes] | None = None
    data: dict[str, str] = field(default_factory=dict)
    query: str = ""
    shows: str = ""
    needs: tuple[tuple[type[Policy], str], ...] = ()
    values: dict[str, dict[str, Any]] = field(default_factory=dict)
    people: bool = False


def _account() -> dict[str, str]:
    return {"name": f"person.{next(_NUMBERS)}", "role": "reviewer", "district": DISTRICT, "password": PASSWORD}


def _institution() -> dict[str, str]:
    body = f"52330702MJ{next(_NUMBERS):07d}"
    return {"name": "启明", "credit_code": body + check_character(body), "district": DISTRICT, "licence_kind": "non_subject"}


def _state(state: str) -> dict[str, dict[str, Any]]:
    return {"item_id": {"review_state": state}}


_WEBHOOK = {"url": HOOK, "event_types": ["catalog.finished"], "district": DISTRICT}
_KEY = {"name": "登记系统", "scopes": ["predict"], "district": DISTRICT}
_REGISTER = "机构名称,统一社会信用代码,行政区划代码,许可类别\n".encode()
_QUEUED = {"catalog_id": {"state": "queued"}}

SAMPLES: dict[str, list[Sample]] = {
    "predict": [
        Sample("anywhere", lambda: {"text": "少儿街舞"}),
        Sample("place", lambda: {"text": "少儿街舞"}, query=f"store=true&district={DISTRICT}", needs=((PredictPolicy, "store"),)),
    ],
    "predict_batch": [
        Sample("anywhere", lambda: {"records": [{"text": "少儿街舞"}]}),
        Sample(
            "place",
            lambda: {"records": [{"text": "少儿街舞"}]},
            query=f"store=true&district={DISTRICT}",
            needs=((PredictPolicy, "store"),),
        ),
    ],
    "create_catalog": [Sample("place", file=("目录.csv", CSV), data={"district": DISTRICT})],
    "list_catalogs": [Sample("list", shows="catalog_id")],
    "get_catalog": [Sample("object")],
    "list_catalog_items": [Sample("object")],
    "export_catalog": [Sample("object", query="format=csv")],
    "cancel_catalog": [Sample("object", values=_QUEUED)],
    "reassess_catalog": [Sample("object")],
    "catalog_events": [Sample("object")],
    "list_items": [Sample("list", shows="item_id")],
    "get_item": [Sample("object")],
    "decide": [
        Sample("object", lambda: {"step": "initial", "category": "subject"}, needs=((ItemPolicy, "initial"),), people=True),
        Sample("object", lambda: {"step": "refer"}, needs=((ItemPolicy, "refer"),), values=_state("initial"), people=True),
        Sample(
            "object",
            lambda: {"step": "expert", "category": "subject"},
            needs=((ItemPolicy, "expert"),),
            values=_state("expert"),
            people=True,
        ),
        Sample(
            "object",
            lambda: {"step": "conclusion", "category": "subject"},
            needs=((ItemPolicy, "conclusion"),),
            values=_state("initial"),
            people=True,
        ),
        Sample("object", lambda: {"step": "appeal"}, needs=((ItemPolicy, "appeal"),), values=_state("concluded"), people=True),
    ],
    "create_institution": [Sample("place", _institution)],
    "list_institutions": [Sample("list", shows="institution_id")],
    "get_institution": [Sample("object")],
    "change_institution": [Sample("object", lambda: {"status": "terminated"})],
    "import_institutions": [
        Sample(
            "anywhere",
            file=("名册.csv", _REGISTER + "启明,91330100716105852F,330702,non_subject\n".encode()),
        )
    ],
    "list_events": [Sample("list", query="type=catalog.created", shows="catalog_id")],
    "list_accounts": [Sample("list", shows="account_id")],
    "create_account": [Sample("place", _account)],
    "change_account": [Sample("object", lambda: {"display_name": "新名"})],
    "list_keys": [Sample("list", shows="key_id")],
    "create_key": [Sample("place", lambda: _KEY)],
    "revoke_key": [Sample("object")],
    "list_webhooks": [Sample("list", shows="webhook_id")],
    "create_webhook": [Sample("place", lambda: _WEBHOOK)],
    "change_webhook": [Sample("object", lambda: {"active": False})],
    "list_deliveries": [Sample("object")],
    "retry_delivery": [Sample("object", values={"delivery_id": {"state": "failed"}})],
}


def samples_of(operation: Operation) -> list[Sample]:
    """The samples of an operation; a route without any fails the test that walks."""
    assert operation.name in SAMPLES, (
        f"{operation.method} {operation.path} ({operation.name}) has no entry in SAMPLES of tests/service/samples.py: "
        "add a good request for it, and say how far it reaches"
    )
    return SAMPLES[operation.name]


@dataclass
class World:
    """Makes objects in district 330702, straight in the database, and sends samples."""

    client: TestClient
    runtime: Runtime

    def make(self, parameter: str, made: dict[str, Any], **values: object) -> str | int:
        """A new object for a path parameter; gives its id. `made`: ids of the objects before it in the path."""
        number = next(_NUMBERS)
        mine = {"district": DISTRICT}
        makers: dict[str, Callable[[], Any]] = {
            "catalog_id": lambda: Catalog(
                **mine,
                **{
                    "file_name": "目录.csv",
                    "engine": "fast",
                    "headings": ["text"],
                    "mapping": {"text": ["text"]},
                    "state": "done",
                    "rows_total": 0,
                    "created_by": "test",
                }
                | values,
            ),
            "item_id": lambda: Item(**mine, **{"values": {"text": "街舞"}, "queue_state": "assessed", "review_state": "pending"} | values),
            "institution_id": lambda: Institution(
                **mine, **{"name": "启明", "credit_code": f"{number:018d}", "licence_kind": "non_subject", "status": "operating"} | values
            ),
            "account_id": lambda: Account(**mine, **{"name": f"made.{number}", "role": "expert", "password_hash": "-"} | values),
            "key_id": lambda: ApiKey(
                **mine, **{"id": new_id()[:12], "name": "k", "role": "pipeline", "scopes": ["predict"], "secret_hash": "-"} | values
            ),
            "webhook_id": lambda: Webhook(**mine, **{"url": HOOK, "event_types": ["catalog.finished"], "created_by": "test"} | values),
            "delivery_id": lambda: Delivery(
                **{"webhook_id": made.get("webhook_id"), "event_type": "catalog.finished", "payload": {}} | values
            ),
        }
        assert parameter in makers, f"add a maker of {parameter} to World.make in tests/service/samples.py"
        with self.runtime.database.writing() as session:
            made_object = makers[parameter]()
            session.add(made_object)
            session.flush()
            if parameter == "catalog_id":
                audit.append(session, "test", CatalogCreated(made_object.id, DISTRICT))
            identifier: str | int = made_object.id
            return identifier

    def caller(self, staff: Staff, sample: Sample, role: str, district: str = "") -> tuple[TestClient, dict[str, str]]:
        """A client, and headers for it, of someone who may send the sample, if the role may."""
        if not sample.people:
            return self.client, staff.key(role, district)
        return staff.person(f"caller.{next(_NUMBERS)}", role, district), {}

    def path(self, operation: Operation, sample: Sample) -> str:
        """The operation's path, with new objects in it."""
        return operation.path.format(**self.objects(operation.path, sample.values)) + (f"?{sample.query}" if sample.query else "")

    def objects(self, path: str, values: dict[str, dict[str, Any]] | None = None) -> dict[str, Any]:
        """New objects for the parameters of a path."""
        made: dict[str, Any] = {}
        for parameter in [part[1:-1] for part in path.split("/") if part.startswith("{")]:
            made[parameter] = self.make(parameter, made, **(values or {}).get(parameter, {}))
        return made

    def send(
        self, operation: Operation, sample: Sample, headers: dict[str, str], *, path: str = "", client: TestClient | None = None
    ) -> Response:
        """Send a sample; by default to new objects."""
        return (client or self.client).request(
            operation.method,
            path or self.path(operation, sample),
            headers=headers,
            **({"json": sample.json()} if sample.json else {}),
            **({"files": {"file": sample.file}, "data": sample.data} if sample.file else {}),
        )
