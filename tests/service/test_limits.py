import io
import struct
import threading
import zipfile

import pytest
import xlwt
from fastapi.testclient import TestClient
from msoffcrypto.format.ooxml import OOXMLFile
from openpyxl import Workbook
from pydantic import ValidationError
from sqlalchemy import func, select

from service.access.models import Account, ApiKey
from service.app import create_app
from service.catalogs.models import Catalog, Item
from service.errors import ServiceError
from service.runtime import RateLimiter
from service.settings import Settings
from tests.service.conftest import Staff
from tests.service.samples import CSV, DISTRICT, OPEN, SETTINGS, World, operations, samples_of

POSTS = [
    operation
    for operation in operations(create_app(Settings(environment="development", database_url="sqlite://")))
    if operation.method == "POST" and operation.name not in OPEN
]


@pytest.fixture
def settings(settings):
    return settings.model_copy(
        update={**SETTINGS, "max_body_bytes": 2**20, "max_rows": 50, "max_batch": 20, "max_text": 1000, "max_unpacked_bytes": 2**23}
    )


def outcome(answer):
    return answer.status_code, answer.json()["error"]["code"] if answer.status_code >= 400 else ""


def upload(client, headers, content, name="目录.xlsx"):
    return client.post("/v1/catalogs", files={"file": (name, content)}, headers=headers)


def workbook(rows=({"课程名称": "街舞"},)):
    book, stream = Workbook(), io.BytesIO()
    book.active.append(list(rows[0]))
    for row in rows:
        book.active.append(list(row.values()))
    book.save(stream)
    return stream.getvalue()


def count_of(runtime, table):
    with runtime.database.reading() as session:
        return session.scalar(select(func.count()).select_from(table))


# Bodies


def test_a_declared_length_above_the_limit_is_refused_unread(app, staff):
    """No body follows, so an answer shows that none was waited for."""
    sent, received = [], []

    async def receive():
        received.append(1)
        raise AssertionError("the body was read")

    async def send(message):
        sent.append(message)

    import asyncio

    headers = [(b"content-type", b"application/json"), (b"content-length", str(2**20 + 1).encode())]
    headers += [(name.lower().encode(), value.encode()) for name, value in staff.key().items()]
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "path": "/v1/predict",
        "raw_path": b"/v1/predict",
        "query_string": b"",
        "headers": headers,
        "scheme": "http",
        "server": ("testserver", 80),
        "client": ("127.0.0.1", 1),
    }
    asyncio.run(app(scope, receive, send))
    assert sent[0]["status"] == 413 and b"E413" in sent[1]["body"] and received == []


@pytest.mark.parametrize("path", ["/v1/predict", "/v1/predict/batch", "/v1/catalogs", "/v1/session", "/v1/accounts"])
@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("repeatable", [False, True])
def test_large_bodies_are_refused_on_the_way(client, staff, path, streamed, repeatable):
    content = b'{"text":"' + b"a" * 2**20 + b'"}'
    kind = "multipart/form-data; boundary=x" if path == "/v1/catalogs" else "application/json"
    if path == "/v1/catalogs":
        content = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n' + content + b"\r\n--x--\r\n"
    taken = []

    def pieces():
        for start in range(0, len(content), 1 << 16):
            taken.append(start)
            yield content[start : start + (1 << 16)]

    headers = {**staff.key("admin"), "Content-Type": kind} | ({"Idempotency-Key": "x"} if repeatable else {})
    answer = client.post(path, content=pieces() if streamed else content, headers=headers)
    assert outcome(answer) == (413, "E413")


def test_a_body_of_just_the_limit_is_read(client, staff):
    content = b'{"text":"' + "课".encode() + b'"}'
    content += b" " * (2**20 - len(content))
    headers = {**staff.key(), "Content-Type": "application/json"}
    assert client.post("/v1/predict", content=content, headers=headers).status_code == 200
    assert client.post("/v1/predict", content=content + b" ", headers=headers).status_code == 413


# Rows, records, texts, requests


def test_rows_records_and_characters_are_limited(client, staff, runtime):
    key = staff.key()
    rows = "课程名称\n" + "街舞\n" * 50
    assert upload(client, key, rows.encode(), "a.csv").status_code == 202
    assert outcome(upload(client, key, (rows + "街舞\n").encode(), "a.csv")) == (413, "E414")
    assert count_of(runtime, Catalog) == 1 and count_of(runtime, Item) == 50, "a refused catalog leaves no rows"
    for size, expected in ((20, (200, "")), (21, (413, "E414"))):
        assert outcome(client.post("/v1/predict/batch", json={"records": [{"text": "课"}] * size}, headers=key)) == expected
    for size, expected in ((1000, (200, "")), (1001, (422, "E415"))):
        assert outcome(client.post("/v1/predict", json={"text": "课" * size}, headers=key)) == expected


def test_requests_of_a_key_are_limited_a_minute(settings):
    app = create_app(settings.model_copy(update={"rate_per_minute": 5}))
    with TestClient(app, raise_server_exceptions=False) as client:
        staff = Staff(client, app.state.runtime)
        one, two = staff.key(), staff.key()
        answers = [client.get("/v1/catalogs", headers=one) for _ in range(6)]
        assert [answer.status_code for answer in answers] == [200] * 5 + [429]
        assert answers[-1].json()["error"]["code"] == "E426" and 1 <= int(answers[-1].headers["retry-after"]) <= 12
        assert client.get("/v1/catalogs", headers=two).status_code == 200
        assert client.get("/healthz").status_code == 200


def test_the_limit_refills_evenly():
    moment = [0.0]
    limiter = RateLimiter(60, clock=lambda: moment[0])

    def allowed():
        try:
            limiter.spend("key:x")
        except ServiceError as error:
            assert error.code == "E426"
            return False
        return True

    assert [allowed() for _ in range(61)] == [True] * 60 + [False]
    moment[0] = 1.0
    assert [allowed(), allowed()] == [True, False]
    moment[0] = 1000.0
    assert [allowed() for _ in range(61)] == [True] * 60 + [False]


# Files


def bomb(size):
    """A workbook with one sheet of `size` zeros."""
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(workbook())) as good, zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for member in good.infolist():
            archive.writestr(member, good.read(member))
        archive.writestr("xl/worksheets/extra.xml", b"0" * size)
    return stream.getvalue()


def lying(content, size):
    """The same with a directory, and a local header, that declare one byte."""
    true, false = struct.pack("<I", size), struct.pack("<I", 1)
    assert content.count(true) == 2
    return content.replace(true, false)


def test_a_bomb_is_refused_before_it_unfolds(client, staff, monkeypatch):
    from service.catalogs import intake

    monkeypatch.setattr(intake, "read_table", lambda *_: pytest.fail("it was unfolded"))
    content = bomb(2**23 + 2**20)
    assert len(content) < 2**16
    assert outcome(upload(client, staff.key(), content)) == (413, "E416")


def test_a_bomb_with_a_lying_directory_is_refused_before_it_unfolds(client, staff, monkeypatch):
    from service.catalogs import intake

    monkeypatch.setattr(intake, "read_table", lambda *_: pytest.fail("it was unfolded"))
    size = 2**23 + 2**20
    assert outcome(upload(client, staff.key(), lying(bomb(size), size))) == (422, "E103")


@pytest.mark.parametrize("prefix", ["", "x:"])
def test_two_cells_far_apart_do_not_take_the_server_down(client, staff, prefix):
    """Calamine makes a table of everything between the first and the last cell: 17 thousand million cells here."""
    book, stream = Workbook(), io.BytesIO()
    book.active["A1"], book.active["A2"], book.active["XFD1048576"] = "课程名称", "街舞", "x"
    book.save(stream)
    if prefix:
        changed = io.BytesIO()
        with zipfile.ZipFile(stream) as old, zipfile.ZipFile(changed, "w") as new:
            for member in old.infolist():
                content = old.read(member)
                if member.filename.startswith("xl/worksheets"):
                    content = content.replace(b"<c r=", b"<x:c  s='0'\n r = ").replace(b"</c>", b"</x:c>")
                new.writestr(member.filename, content)
        stream = changed
    assert outcome(upload(client, staff.key(), stream.getvalue())) == (413, "E416")


def test_formatted_cells_far_away_do_no_harm(client, staff):
    from openpyxl.styles import Font

    book, stream = Workbook(), io.BytesIO()
    book.active["A1"], book.active["A2"] = "课程名称", "街舞"
    book.active["XFD1048576"].font = Font(bold=True)
    book.save(stream)
    assert upload(client, staff.key(), stream.getvalue()).json()["rows_total"] == 1


@pytest.mark.parametrize(
    "name", ["a.exe", "a.xls", "a", "", "a.", "a.xlsx.zip", "a.csv\0", "目录." + "长" * 300, "../../a.pdf", "a." + "x" * 200]
)
def test_other_suffixes_are_refused(client, staff, name):
    answer = upload(client, staff.key(), b"x", name)
    assert outcome(answer) in ({(415, "E417"), (422, "E410")} if name in ("", "a.csv\0") else {(415, "E417")}), answer.text


def encrypted():
    stream = io.BytesIO()
    OOXMLFile(io.BytesIO(workbook())).encrypt("secret", stream)
    return stream.getvalue()


def old_workbook():
    book, stream = xlwt.Workbook(), io.BytesIO()
    book.add_sheet("一").write(0, 0, "课程名称")
    book.save(stream)
    return stream.getvalue()


def without(member):
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(workbook())) as good, zipfile.ZipFile(stream, "w") as archive:
        for name in good.namelist():
            if name != member:
                archive.writestr(name, good.read(name))
    return stream.getvalue()


def locked_member():
    """A member that claims to be encrypted."""
    content = bytearray(workbook())
    for magic, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(magic) + offset] |= 1
    return bytes(content)


DAMAGED = {
    "empty": b"",
    "text": "课程名称\n街舞\n".encode(),
    "cut": workbook()[:-300],
    "cut early": workbook()[:200],
    "only the end": workbook()[-22:],
    "flipped": workbook()[:300] + bytes(200) + workbook()[500:],
    "encrypted": encrypted(),
    "encrypted member": locked_member(),
    "no workbook": without("xl/workbook.xml"),
    "no sheet": without("xl/worksheets/sheet1.xml"),
    "empty zip": b"PK\x05\x06" + bytes(18),
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_damaged_and_encrypted_workbooks_get_a_clear_error(client, staff, runtime, content):
    answer = upload(client, staff.key(), content, "秋季目录.xlsx")
    assert outcome(answer) in {(422, "E103"), (422, "E104")}, answer.text
    assert "秋季目录.xlsx" in answer.json()["error"]["message"], "the file's own name, not that of a temporary copy"
    assert "/tmp" not in answer.text
    assert count_of(runtime, Catalog) == 0


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("a.csv", b"\xff\xfe\x00\x81" * 30, "E106"),
        ("a.csv", "编号,说不清\n1,2\n".encode(), "E105"),
        ("a.csv", "正文,正文\n1,2\n".encode(), "E109"),
        ("a.csv", "正文\n".encode(), "E104"),
        ("a.csv", b"", "E104"),
        ("a.jsonl", b"", "E104"),
    ],
)
def test_tables_that_cannot_be_used_get_a_clear_error(client, staff, name, content, code):
    answer = upload(client, staff.key(), content, name)
    assert outcome(answer) == (422, code), answer.text
    assert "/tmp" not in answer.text


def test_nul_and_lone_surrogates_in_files_do_no_harm(client, staff, work):
    key = staff.key()
    lines = '{"text": "少儿街\\u0000舞", "id": "\\ud800\\u0000"}\n{"正文": "街舞", "\\u0000\\ud800": "x"}\nnull\n' + "[" * 3000 + "\n"
    made = upload(client, key, lines.encode(), "名\ud800.jsonl".encode("utf-8", "replace").decode())
    assert made.status_code in (202, 422), made.text
    if made.status_code == 202:
        work()
        assert client.get(f"/v1/catalogs/{made.json()['id']}/items", headers=key).status_code == 200
    table = "课程名称,\0\n街\0舞,\0\n".encode()
    assert upload(client, key, table, "a.csv").status_code in (202, 422)


def test_what_the_database_cannot_store_is_the_callers_fault(client, staff, runtime):
    """PostgreSQL has no NUL in its texts."""
    answer = client.get("/v1/catalogs?after=%00", headers=staff.key())
    assert outcome(answer) == ((404, "E411") if runtime.database.is_sqlite else (422, "E410"))


# Answers


def test_long_answers_are_gzipped_where_the_caller_takes_it(client, staff):
    key = staff.key()
    records = {"records": [{"text": "初二数学暑假班，15人小班，提分30分起，不过退费"}] * 20}
    packed = client.post("/v1/predict/batch", json=records, headers={**key, "Accept-Encoding": "gzip"})
    plain = client.post("/v1/predict/batch", json=records, headers={**key, "Accept-Encoding": "identity"})
    assert packed.headers["content-encoding"] == "gzip" and "content-encoding" not in plain.headers
    assert packed.json() == plain.json() and int(packed.headers["content-length"]) < len(plain.content) / 4
    assert "content-encoding" not in client.get("/healthz", headers={"Accept-Encoding": "gzip"}).headers


# Idempotency


@pytest.fixture
def world(client, runtime):
    return World(client, runtime)


@pytest.mark.parametrize("operation", POSTS, ids=lambda operation: operation.name)
def test_every_post_is_done_once_for_a_key(operation, world, staff):
    """The same request gets the same answer; another body is refused; another caller is another request."""
    allowed = set.intersection(*(set(policy.actions[action]) for policy, action in operation.permits))
    for number, sample in enumerate(samples_of(operation)):
        roles = allowed.intersection(*(policy.actions[action] for policy, action in sample.needs))
        path, body = world.path(operation, sample), sample.json and sample.json()
        client, headers = world.caller(staff, sample, min(roles))
        headers = {**headers, "Idempotency-Key": f"key-{number}"}
        fixed = {"json": body} if body else {}
        if sample.file:
            content = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n' + sample.file[1] + b"\r\n"
            for name, value in sample.data.items():
                content += f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
            fixed = {"content": content + b"--x--\r\n"}
            headers["Content-Type"] = "multipart/form-data; boundary=x"
        first = client.post(path, headers=headers, **fixed)
        assert first.status_code < 300, first.text
        again = client.post(path, headers=headers, **fixed)
        assert (again.status_code, again.json()) == (first.status_code, first.json())
        assert again.headers.get("idempotent-replay") == "true" and "idempotent-replay" not in first.headers
        other = {key: value + b"\r\n" if key == "content" else {**value, "other": 1} for key, value in fixed.items()} or {"content": b" "}
        assert outcome(client.post(path, headers=headers, **other)) == (422, "E430")
        client, other_headers = world.caller(staff, sample, min(roles))
        stranger = client.post(path, headers={**headers, **other_headers}, **fixed)
        assert "idempotent-replay" not in stranger.headers


@pytest.mark.parametrize("key", ["", "x" * 256])
def test_keys_are_of_a_sensible_length(client, staff, key):
    answer = client.post("/v1/predict", json={"text": "街舞"}, headers={**staff.key(), "Idempotency-Key": key})
    assert outcome(answer) == (422, "E410")


def test_failures_are_not_kept(client, staff, runtime):
    key = {**staff.key("admin"), "Idempotency-Key": "one"}
    bad = {"name": "a", "role": "reviewer", "district": DISTRICT, "password": "short"}
    for _ in range(2):
        answer = client.post("/v1/accounts", json=bad, headers=key)
        assert outcome(answer) == (422, "E410") and "idempotent-replay" not in answer.headers
    assert client.post("/v1/accounts", json=bad | {"password": "long enough now"}, headers=key).status_code == 201
    assert count_of(runtime, Account) == 1


def at_once(number, send):
    """Run `send` in so many threads, all begun together."""
    answers, barrier = [], threading.Barrier(number)

    def run():
        barrier.wait()
        answers.append(send())

    threads = [threading.Thread(target=run) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def test_requests_with_one_key_at_the_same_time_make_one_thing(client, staff, runtime):
    admin = staff.key("admin")
    before = count_of(runtime, ApiKey)
    body = {"name": "一", "scopes": ["predict"], "district": DISTRICT}
    answers = at_once(8, lambda: client.post("/v1/keys", json=body, headers={**admin, "Idempotency-Key": "same"}))
    assert [answer.status_code for answer in answers] == [201] * 8, [answer.text for answer in answers]
    assert len({answer.json()["key"] for answer in answers}) == 1 and count_of(runtime, ApiKey) == before + 1
    assert sum("idempotent-replay" not in answer.headers for answer in answers) == 1


def test_uploads_with_one_key_at_the_same_time_make_one_catalog(client, staff, runtime):
    headers = {**staff.key(), "Idempotency-Key": "same", "Content-Type": "multipart/form-data; boundary=x"}
    content = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n' + CSV + b"\r\n--x--\r\n"
    answers = at_once(6, lambda: client.post("/v1/catalogs", content=content, headers=headers))
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert count_of(runtime, Catalog) == 1 and count_of(runtime, Item) == 2


def test_one_name_at_the_same_time_makes_one_account(client, staff, runtime):
    """Without a key each is a request of its own: one is served, the others are told that the name is taken."""
    admin = staff.key("admin")
    body = {"name": "wang", "role": "expert", "district": DISTRICT, "password": "long enough now"}
    answers = at_once(6, lambda: client.post("/v1/accounts", json=body, headers=admin))
    assert sorted(map(outcome, answers)) == [(201, "")] + [(409, "E431")] * 5
    assert count_of(runtime, Account) == 1


# Settings


@pytest.mark.parametrize("secret", ["change-me", "", "x" * 31])
def test_default_and_short_secrets_are_refused_outside_development(secret):
    with pytest.raises(ServiceError) as refused:
        Settings(secret_key=secret)
    assert refused.value.code == "E401" and (len(secret) < 5 or secret == "change-me" or secret not in str(refused.value))
    assert Settings(environment="development", secret_key=secret or "change-me")
    assert Settings(secret_key="x" * 32).environment == "production"


@pytest.mark.parametrize(
    ("panel", "majority", "good"), [(3, 2, True), (1, 1, True), (5, 3, True), (4, 2, False), (3, 4, False), (3, 1, False)]
)
def test_the_majority_is_more_than_half_and_not_more_than_all(panel, majority, good):
    values = {"environment": "development", "expert_panel": panel, "expert_majority": majority}
    if good:
        assert Settings(**values)
        return
    with pytest.raises(ServiceError) as refused:
        Settings(**values)
    assert refused.value.code == "E402"


@pytest.mark.parametrize("values", [{"port": 0}, {"max_batch": 0}, {"lockout_attempts": 0}, {"environment": "test"}, {"session_hours": 0}])
def test_senseless_settings_are_refused(values):
    with pytest.raises(ValidationError):
        Settings(**{"environment": "development"} | values)


def test_settings_come_from_the_environment(monkeypatch):
    monkeypatch.setenv("JIANKE_SECRET_KEY", "s" * 40)
    monkeypatch.setenv("JIANKE_MAX_ROWS", "7")
    monkeypatch.setenv("JIANKE_WEBHOOK_HOSTS", '["hooks.example.cn"]')
    settings = Settings()
    assert settings.max_rows == 7 and settings.webhook_hosts == ("hooks.example.cn",) and settings.environment == "production"
