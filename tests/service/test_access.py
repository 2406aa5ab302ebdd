from datetime import timedelta
from http.cookies import SimpleCookie
from typing import get_args

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select, text, update

from service.access import credentials
from service.access.credentials import log_in
from service.access.models import Account, ApiKey, LoginSession
from service.access.roles import POLICIES, ROLES, SCOPES
from service.access.schemas import RoleName, ScopeName
from service.app import create_app
from service.database.base import now
from service.database.tables import METADATA
from service.deps import SESSION_COOKIE
from service.errors import ServiceError
from service.security import hash_token
from service.supervision import keep_house
from tests.service.conftest import PASSWORD, Staff

OTHER_PASSWORD = "an entirely different one"
KEY = {"name": "登记系统", "role": "pipeline", "scopes": ["predict", "catalogs"], "district": "330702"}
PERSON = {"name": "wang.li", "role": "reviewer", "district": "330702", "password": PASSWORD}


def code(answer):
    return answer.status_code, answer.json()["error"]["code"]


def every_cell(runtime):
    """All that the database holds, as one text."""
    with runtime.database.reading() as session:
        tables = [session.execute(select(table)).all() for table in METADATA.sorted_tables]
    return "\n".join(repr(row) for rows in tables for row in rows)


@pytest.fixture
def admin(staff):
    return staff.person("chief", "admin", "3307")


# Keys


def test_a_key_is_shown_once_and_kept_as_a_hash(admin, client, runtime):
    made = admin.post("/v1/keys", json=KEY, headers={"Idempotency-Key": "same"})
    assert made.status_code == 201, made.text
    key = made.json()["key"]
    secret = key.split("_", 2)[2]
    assert client.get("/v1/catalogs", headers={"Authorization": f"Bearer {key}"}).status_code == 200
    held = every_cell(runtime)
    assert hash_token(secret) in held
    assert secret not in held and key not in held
    shown = [admin.get("/v1/keys").text, admin.get("/v1/audit").text, admin.delete(f"/v1/keys/{made.json()['id']}").text]
    assert not any(secret in text for text in shown)


def test_a_repeated_request_gets_the_same_key(admin):
    first, again = (admin.post("/v1/keys", json=KEY, headers={"Idempotency-Key": "same"}) for _ in range(2))
    assert again.json() == first.json() and again.headers["idempotent-replay"] == "true"
    assert len(admin.get("/v1/keys").json()) == 1


def test_scopes_restrict_a_key_within_its_role(client, staff):
    narrow = staff.key("admin", scopes=("predict",))
    assert client.post("/v1/predict", json={"text": "少儿街舞"}, headers=narrow).status_code == 200
    for path in ("/v1/catalogs", "/v1/audit", "/v1/keys", "/v1/accounts"):
        assert code(client.get(path, headers=narrow)) == (403, "E421")
    assert code(client.get("/v1/audit", headers=staff.key("pipeline"))) == (403, "E421")


def test_a_key_gives_no_scope_that_it_lacks(client, staff, admin):
    narrow = staff.key("admin", scopes=("access", "predict"))
    wide = {"name": "宽", "role": "admin", "scopes": ["access", "audit"], "district": "3307"}
    assert code(client.post("/v1/keys", json=wide, headers=narrow)) == (403, "E421")
    assert client.post("/v1/keys", json=wide | {"scopes": ["predict"]}, headers=narrow).status_code == 201
    assert code(client.post("/v1/accounts", json=PERSON, headers=narrow)) == (403, "E421")
    account = admin.post("/v1/accounts", json=PERSON).json()["id"]
    assert code(client.patch(f"/v1/accounts/{account}", json={"password": OTHER_PASSWORD}, headers=narrow)) == (403, "E421")


@pytest.mark.parametrize("seconds", [0, 3600])
def test_a_revoked_key_stops_at_once(settings, database_url, seconds):
    app = create_app(settings.model_copy(update={"key_cache_seconds": seconds}))
    with TestClient(app, raise_server_exceptions=False) as client:
        staff = Staff(client, app.state.runtime)
        key, admin = staff.key(), staff.key("admin")
        identifier = key["Authorization"].split("_")[1]
        sent = {"json": {"text": "少儿街舞"}, "headers": {**key, "Idempotency-Key": "one"}}
        assert client.post("/v1/predict", **sent).status_code == 200
        revoked = client.delete(f"/v1/keys/{identifier}", headers=admin)
        assert revoked.status_code == 200 and revoked.json()["revoked_at"]
        assert code(client.get("/v1/catalogs", headers=key)) == (401, "E420")
        assert code(client.post("/v1/predict", **sent)) == (401, "E420"), "a stored answer goes to nobody without a valid key"
        again = client.delete(f"/v1/keys/{identifier}", headers=admin)
        assert again.json()["revoked_at"] == revoked.json()["revoked_at"]
        types = [event["type"] for event in client.get("/v1/audit", headers=admin).json()["events"]]
        assert types.count("key.revoked") == 1


def test_the_last_use_of_a_key_is_noted_by_the_housekeeper(client, staff, runtime, admin):
    used, unused = staff.key(), staff.key()
    begun = now()
    client.get("/v1/catalogs", headers=used)
    keep_house(runtime)
    with runtime.database.reading() as session:
        moments = [session.get_one(ApiKey, key["Authorization"].split("_")[1]).last_used_at for key in (used, unused)]
    assert moments[0] is not None and begun <= moments[0] <= now() and moments[1] is None
    assert [key["last_used_at"] is not None for key in admin.get("/v1/keys").json()].count(True) == 1


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", "Basic amo6eA==", "Bearer jk_", "Bearer jk_abc_def", "Bearer jk_abcdefabcdef_x_y", "Bearer 密钥"]
)
def test_other_headers_are_no_credentials(client, header):
    assert code(client.get("/v1/catalogs", headers={"Authorization": header.encode()})) == (401, "E420")


def test_a_wrong_secret_with_a_known_id_is_refused(client, staff):
    key = staff.key()["Authorization"]
    assert code(client.get("/v1/catalogs", headers={"Authorization": key[:-1] + ("a" if key[-1] != "a" else "b")})) == (401, "E420")


def test_a_bad_key_is_not_saved_by_a_good_cookie(staff):
    person = staff.person("li.na", "reviewer")
    assert code(person.get("/v1/catalogs", headers={"Authorization": "Bearer jk_abcdefabcdef_x"})) == (401, "E420")


# Accounts


def test_passwords_are_kept_as_argon2id(admin, runtime):
    made = admin.post("/v1/accounts", json=PERSON)
    assert made.status_code == 201 and "password" not in made.text
    with runtime.database.reading() as session:
        stored = session.scalar(text("select password_hash from accounts where name = 'wang.li'"))
    assert stored.startswith("$argon2id$") and PASSWORD not in every_cell(runtime)


@pytest.mark.parametrize("password", ["", "eleven char", "长" * 201])
def test_short_and_endless_passwords_are_refused(admin, password):
    assert code(admin.post("/v1/accounts", json=PERSON | {"password": password})) == (422, "E410")
    account = admin.post("/v1/accounts", json=PERSON).json()["id"]
    assert code(admin.patch(f"/v1/accounts/{account}", json={"password": password})) == (422, "E410")


def test_a_name_is_taken_once(admin):
    assert admin.post("/v1/accounts", json=PERSON).status_code == 201
    assert code(admin.post("/v1/accounts", json=PERSON)) == (409, "E431")


@pytest.mark.parametrize("change", [{"password": OTHER_PASSWORD}, {"role": "expert"}, {"district": "330703"}, {"disabled": True}])
def test_a_change_ends_the_persons_logins(admin, staff, client, change):
    person = staff.person("wang.li", "reviewer")
    account = next(row["id"] for row in admin.get("/v1/accounts").json() if row["name"] == "wang.li")
    assert person.get("/v1/session").status_code == 200
    assert admin.patch(f"/v1/accounts/{account}", json={"display_name": "王丽"}).json()["display_name"] == "王丽"
    assert person.get("/v1/session").status_code == 200, "a new display name ends nothing"
    assert admin.patch(f"/v1/accounts/{account}", json=change).status_code == 200
    assert code(person.get("/v1/session")) == (401, "E420")
    again = client.post("/v1/session", json={"name": "wang.li", "password": change.get("password", PASSWORD)})
    assert again.status_code == (401 if "disabled" in change else 200)
    old = client.post("/v1/session", json={"name": "wang.li", "password": PASSWORD})
    assert old.status_code == (200 if change.keys() & {"role", "district"} else 401)


def test_changes_are_in_the_audit_trail_without_passwords(admin):
    account = admin.post("/v1/accounts", json=PERSON).json()["id"]
    admin.patch(f"/v1/accounts/{account}", json={"password": OTHER_PASSWORD, "role": "expert"})
    events = admin.get(f"/v1/audit?subject_id={account}&type=account.written").json()["events"]
    assert [event["actor"] for event in events] == ["account:chief"] * 2
    assert events[1]["before"]["role"] == "reviewer" and events[1]["after"]["role"] == "expert" and events[1]["after"]["password_changed"]
    assert PASSWORD not in repr(events) and OTHER_PASSWORD not in repr(events) and "argon2" not in repr(events)


# Logging in


def cookie_of(answer):
    return SimpleCookie(answer.headers["set-cookie"])[SESSION_COOKIE]


@pytest.mark.parametrize("secure", [True, False])
def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(settings, secure):
    app = create_app(settings.model_copy(update={"cookie_secure": secure}))
    with TestClient(app, base_url="https://testserver") as client:
        Staff(client, app.state.runtime).person("wang.li", "reviewer")
        made = client.post("/v1/session", json={"name": "wang.li", "password": PASSWORD})
        cookie = cookie_of(made)
        assert cookie["httponly"] and cookie["samesite"].lower() == "strict" and cookie["path"] == "/"
        assert bool(cookie["secure"]) is secure and int(cookie["max-age"]) == 12 * 3600
        assert cookie.value not in made.text
        ended = client.delete("/v1/session", headers={"X-CSRF-Token": made.json()["csrf_token"]})
        assert ended.status_code == 204 and cookie_of(ended)["max-age"] == "0" and bool(cookie_of(ended)["secure"]) is secure


def test_changes_need_the_csrf_token_and_reads_do_not(staff):
    person = staff.person("chief", "admin")
    token = person.headers.pop("X-CSRF-Token")
    assert person.get("/v1/accounts").status_code == 200
    for wrong in ({}, {"X-CSRF-Token": ""}, {"X-CSRF-Token": token[:-1]}, {"X-CSRF-Token": "令牌".encode()}):
        assert code(person.post("/v1/accounts", json=PERSON, headers=wrong)) == (403, "E425")
        assert code(person.patch("/v1/accounts/x", json={}, headers=wrong)) == (403, "E425")
        assert code(person.delete("/v1/session", headers=wrong)) == (403, "E425")
    assert person.post("/v1/accounts", json=PERSON, headers={"X-CSRF-Token": token}).status_code == 201


def test_a_token_of_another_login_is_refused(staff):
    one, two = staff.person("one", "admin"), staff.person("two", "admin")
    assert code(one.post("/v1/accounts", json=PERSON, headers={"X-CSRF-Token": two.headers["X-CSRF-Token"]})) == (403, "E425")


def test_a_login_ends_with_log_out_and_with_time(staff, runtime):
    person = staff.person("wang.li", "reviewer")
    cookie = person.cookies[SESSION_COOKIE]
    assert person.delete("/v1/session").status_code == 204
    person.cookies.set(SESSION_COOKIE, cookie)
    assert code(person.get("/v1/session")) == (401, "E420")
    later = staff.person("li.na", "reviewer")
    assert later.get("/v1/session").json()["name"] == "li.na"
    with runtime.database.writing() as session:
        session.execute(update(LoginSession).values(expires_at=now() - timedelta(seconds=1)))
    assert code(later.get("/v1/session")) == (401, "E420")
    assert code(later.get("/v1/catalogs")) == (401, "E420")


def test_tokens_of_logins_are_kept_as_hashes(staff, runtime):
    person = staff.person("wang.li", "reviewer")
    held, token = every_cell(runtime), person.cookies[SESSION_COOKIE]
    assert hash_token(token) in held and token not in held


# Lock-out


def try_in(client, password, name="wang.li"):
    return client.post("/v1/session", json={"name": name, "password": password})


def test_failures_lock_the_account_for_a_while(client, staff, settings, runtime):
    staff.person("wang.li", "reviewer")
    for _ in range(settings.lockout_attempts):
        assert code(try_in(client, "wrong")) == (401, "E423")
    assert code(try_in(client, PASSWORD)) == (429, "E424"), "the right password does not open a locked account"
    with runtime.database.writing() as session:
        account = session.scalars(select(Account)).one()
        assert timedelta(0) < account.locked_until - now() <= timedelta(minutes=settings.lockout_minutes)
        account.locked_until = now() - timedelta(seconds=1)
    assert try_in(client, PASSWORD).status_code == 200


def test_a_success_in_between_starts_the_count_anew(client, staff, settings):
    staff.person("wang.li", "reviewer")
    for _ in range(2):
        for _ in range(settings.lockout_attempts - 1):
            assert code(try_in(client, "wrong")) == (401, "E423")
        assert try_in(client, PASSWORD).status_code == 200


def test_an_admin_unlocks(client, staff, admin, settings):
    staff.person("wang.li", "reviewer")
    account = next(row["id"] for row in admin.get("/v1/accounts").json() if row["name"] == "wang.li")
    for _ in range(settings.lockout_attempts):
        try_in(client, "wrong")
    assert admin.patch(f"/v1/accounts/{account}", json={"unlock": True}).json()["locked_until"] is None
    assert try_in(client, PASSWORD).status_code == 200


def test_no_name_password_or_state_is_given_away(client, staff, admin, runtime, monkeypatch):
    staff.person("wang.li", "reviewer")
    account = staff.person("gone", "reviewer") and next(row["id"] for row in admin.get("/v1/accounts").json() if row["name"] == "gone")
    admin.patch(f"/v1/accounts/{account}", json={"disabled": True})
    checked = []
    real = credentials.password_matches
    monkeypatch.setattr(credentials, "password_matches", lambda stored, given: checked.append(stored) or real(stored, given))
    answers = [try_in(client, "wrong"), try_in(client, "wrong", "nobody"), try_in(client, PASSWORD, "gone")]
    bodies = [{**answer.json()["error"], "request_id": ""} for answer in answers]
    assert {answer.status_code for answer in answers} == {401} and bodies[0] == bodies[1] == bodies[2]
    assert len(checked) == 3 and all(stored.startswith("$argon2id$") for stored in checked), "an unknown name costs a hash as well"


def test_the_database_is_free_while_a_password_is_hashed(runtime, staff, settings, monkeypatch):
    """Hashing takes long, on purpose; on SQLite an open write transaction would hold everyone up."""
    staff.person("wang.li", "reviewer")

    def matches(stored, given):
        with runtime.database.writing() as session:
            session.execute(update(Account).values(display_name="written meanwhile"))
        return False

    monkeypatch.setattr(credentials, "password_matches", matches)
    with pytest.raises(ServiceError) as refused:
        log_in(runtime.database, settings, "wang.li", "wrong")
    assert refused.value.code == "E423"


# Districts


def test_a_districts_admin_stays_within_the_district(admin, staff):
    chief = staff.person("province", "admin", "")
    elsewhere = chief.post("/v1/accounts", json=PERSON | {"name": "far", "district": "110101"}).json()["id"]
    everywhere = chief.get("/v1/accounts").json()
    province = next(row["id"] for row in everywhere if row["name"] == "province")
    key = chief.post("/v1/keys", json=KEY | {"district": ""}).json()["id"]
    assert {row["district"] for row in admin.get("/v1/accounts").json()} == {"3307"} and admin.get("/v1/keys").json() == []
    for account in (elsewhere, province):
        for change in ({"password": OTHER_PASSWORD}, {"disabled": True}, {"district": "330702"}, {"unlock": True}):
            assert code(admin.patch(f"/v1/accounts/{account}", json=change)) == (404, "E411")
    assert code(admin.delete(f"/v1/keys/{key}")) == (404, "E411")
    for district in ("", "33", "3301", "110101"):
        assert code(admin.post("/v1/accounts", json=PERSON | {"district": district})) == (403, "E422")
        assert code(admin.post("/v1/keys", json=KEY | {"district": district})) == (403, "E422")
    assert len(chief.get("/v1/accounts").json()) == len(everywhere)


def test_nobody_is_moved_out_of_the_admins_district(admin):
    account = admin.post("/v1/accounts", json=PERSON).json()["id"]
    for district in ("", "33", "110101"):
        assert code(admin.patch(f"/v1/accounts/{account}", json={"district": district})) == (403, "E422")
    assert admin.patch(f"/v1/accounts/{account}", json={"district": "330703"}).json()["district"] == "330703"


def test_an_admin_makes_admins_of_the_own_district_only(admin, client):
    assert admin.post("/v1/accounts", json=PERSON | {"role": "admin", "district": "330702"}).status_code == 201
    assert code(admin.post("/v1/accounts", json=PERSON | {"name": "x", "role": "admin", "district": ""})) == (403, "E422")


@pytest.mark.parametrize("role", ["pipeline", "reviewer", "expert", "supervisor"])
def test_nobody_else_manages_access(role, client, staff):
    headers = staff.key(role, "")
    assert code(client.post("/v1/accounts", json=PERSON, headers=headers)) == (403, "E421")
    assert code(client.post("/v1/keys", json=KEY, headers=headers)) == (403, "E421")
    assert code(client.get("/v1/accounts", headers=headers)) == (403, "E421")


def test_the_schemas_know_every_role_and_scope():
    assert get_args(RoleName) == tuple(ROLES) and get_args(ScopeName) == SCOPES == tuple(POLICIES)
