"""Every route, every role, every district: what happens is what the policies say."""

import json

import pytest

from service.access.roles import POLICIES, ROLES, SCOPES, Principal
from service.app import create_app
from service.settings import Settings
from tests.service.samples import DISTRICT, OPEN, SETTINGS, World, operations, samples_of

OPERATIONS = operations(create_app(Settings(environment="development", database_url="sqlite://")))
GUARDED = [operation for operation in OPERATIONS if operation.name not in OPEN]
NAMES = [operation.name for operation in GUARDED]
DISTRICTS = {"own": "3307", "other": "110101", "all": ""}


@pytest.fixture
def settings(settings):
    return settings.model_copy(update=SETTINGS)


@pytest.fixture
def world(client, runtime):
    return World(client, runtime)


def outcome(answer):
    return answer.status_code, answer.json()["error"]["code"] if answer.status_code >= 400 else ""


def refusals(operation, sample, principal):
    """The answers that the policies allow; none: it must succeed."""
    found = set()
    for policy, action in (*operation.permits, *sample.needs):
        if principal.role not in policy.actions[action] or policy.resource not in (principal.scopes or SCOPES):
            found.add((403, "E421"))
    if not principal.covers(DISTRICT):
        found |= {"object": {(404, "E411")}, "place": {(403, "E422")}}.get(sample.reach, set())
    return found


def identifiers(value):
    """Every id in a JSON value."""
    if isinstance(value, list):
        return {found for item in value for found in identifiers(item)}
    if isinstance(value, dict):
        own = {value[name] for name in ("id", "subject_id") if name in value}
        return own | {found for item in value.values() if isinstance(item, dict | list) for found in identifiers(item)}
    return set()


def test_every_route_asks_for_a_permission_or_is_open_on_purpose():
    unguarded = {operation.name for operation in OPERATIONS if not operation.permits}
    assert unguarded == OPEN, "a route has no Permit: give it one, or add it to OPEN in tests/service/samples.py with a reason"
    assert len(set(NAMES)) == len(NAMES)


@pytest.mark.parametrize("operation", GUARDED, ids=NAMES)
def test_roles_and_districts(operation, world, staff):
    for sample in samples_of(operation):
        for role in ROLES:
            for district in DISTRICTS.values():
                principal = Principal("", role, district, None if sample.people else frozenset(SCOPES))
                expected = refusals(operation, sample, principal)
                shown = world.make(sample.shows, {}) if sample.shows else None
                client, headers = world.caller(staff, sample, role, district)
                answer = world.send(operation, sample, headers, client=client)
                if expected:
                    assert outcome(answer) in expected, (role, district, answer.text)
                    continue
                assert answer.status_code < 300, (role, district, answer.text)
                if shown is not None:
                    assert (shown in identifiers(json.loads(answer.text))) is principal.covers(DISTRICT), (role, district)


@pytest.mark.parametrize("operation", GUARDED, ids=NAMES)
def test_without_credentials_scope_or_csrf_token_nothing_happens(operation, world, staff):
    resources = {policy.resource for policy, _ in operation.permits}
    roles = set.intersection(*(set(policy.actions[action]) for policy, action in operation.permits))
    person = staff.person("someone", min(roles))
    del person.headers["X-CSRF-Token"]
    for sample in samples_of(operation):
        assert outcome(world.send(operation, sample, {})) == (401, "E420")
        for resource in resources:
            rest = tuple(scope for scope in SCOPES if scope != resource)
            assert outcome(world.send(operation, sample, staff.key(min(roles), "", rest))) == (403, "E421")
        if operation.method != "GET":
            assert outcome(world.send(operation, sample, {}, client=person)) == (403, "E425")


@pytest.mark.parametrize("operation", [operation for operation in GUARDED if "{" in operation.path], ids=lambda operation: operation.name)
def test_what_does_not_exist_is_unknown_like_what_is_elsewhere(operation, world, staff):
    """Nothing tells an object of another district from one that is not there."""
    for sample in samples_of(operation):
        path = operation.path
        for part in operation.path.split("/"):
            if part.startswith("{"):
                path = path.replace(part, "1" if part in ("{item_id}", "{delivery_id}") else "000000000000")
        role = min(set.intersection(*(set(policy.actions[action]) for policy, action in (*operation.permits, *sample.needs))))
        client, headers = world.caller(staff, sample, role, "110101")
        missing = world.send(operation, sample, headers, client=client, path=path)
        elsewhere = world.send(operation, sample, headers, client=client)
        assert outcome(missing) == outcome(elsewhere) == (404, "E411")


def test_every_role_and_action_of_the_policies_is_known():
    for policy in POLICIES.values():
        for action, roles in policy.actions.items():
            assert roles and roles <= set(ROLES), (policy.resource, action)
        assert "admin" in set.union(*map(set, policy.actions.values()))
    used = {(policy, action) for operation in GUARDED for policy, action in operation.permits}
    used |= {need for operation in GUARDED for sample in samples_of(operation) for need in sample.needs}
    guarding = {policy for policy, _ in used}
    dead = {(policy.resource, action) for policy in guarding for action in policy.actions if (policy, action) not in used}
    assert dead == set(), "these actions guard nothing"
