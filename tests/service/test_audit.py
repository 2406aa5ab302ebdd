import re
import sys
import threading

import pytest
from sqlalchemy import Row, delete, insert, select, text, update
from typer.testing import CliRunner

from classifier.cli.running import run
from service.audit import service
from service.audit.events import CatalogCancelled, CatalogCreated, DecisionMade, InstitutionWritten, ItemStored
from service.audit.models import AuditEvent
from service.catalogs.models import Item
from service.cli.audit import audit, verify_database
from service.database.base import now
from service.database.engine import Database
from service.errors import ServiceError
from service.reviews.models import Decision
from service.settings import Settings

LENGTH = 12


@pytest.fixture
def database(database_url: str) -> Database:
    """A database with a chain of twelve events."""
    database = Database(database_url)
    with database.writing() as session:
        for number in range(LENGTH):
            event = CatalogCreated(f"c-{number}", "330702", before={"n": number}, after={"n": number + 1, "名称": "目录", "e": [1.5, None]})
            service.append(session, "key:abc", event, f"r-{number}")
    yield database
    database.close()


def verified(database: Database, anchor: str = "") -> tuple[int, str]:
    with database.reading() as session:
        return service.verify(session, anchor)


def broken_at(database: Database, anchor: str = "") -> int:
    with pytest.raises(ServiceError) as caught:
        verified(database, anchor)
    assert caught.value.code == "E405"
    found = re.search(r"第 (\d+) 条", caught.value.chinese)
    assert found is not None
    return int(found[1])


def events(database: Database) -> list[Row]:
    with database.reading() as session:
        return list(session.execute(select(AuditEvent.__table__).order_by(AuditEvent.sequence)))


def test_an_untouched_chain_is_whole(database):
    rows = events(database)
    assert [row.sequence for row in rows] == list(range(1, LENGTH + 1))
    assert rows[0].previous_hash == service.GENESIS
    assert [row.previous_hash for row in rows[1:]] == [row.hash for row in rows[:-1]]
    assert verified(database) == (LENGTH, rows[-1].hash)
    for row in rows:
        assert verified(database, row.hash) == (LENGTH, rows[-1].hash)


def test_an_empty_chain_is_whole(database_url):
    database = Database(database_url)
    assert verified(database) == (0, service.GENESIS)
    database.close()


def test_writers_at_once_make_one_chain(database, database_url):
    """Threads with connections of their own, each with several events a transaction, some of which fail."""
    barrier = threading.Barrier(6)
    failures = []

    def write(number: int) -> None:
        own = Database(database_url)
        barrier.wait()
        for turn in range(10):
            try:
                with own.writing() as session:
                    for part in range(3):
                        service.append(session, f"writer-{number}", ItemStored(f"{turn}-{part}", "3307"))
                    if turn % 5 == 4:
                        raise ZeroDivisionError
            except ZeroDivisionError:
                failures.append(number)
        own.close()

    threads = [threading.Thread(target=write, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(failures) == 12
    length, last = verified(database)
    rows = events(database)
    assert length == len(rows) == LENGTH + 6 * 8 * 3 and last == rows[-1].hash
    assert len({row.previous_hash for row in rows}) == len(rows)


CHANGES: dict[str, object] = {
    "sequence": 1000,
    "at": now(),
    "actor": "key:other",
    "type": "catalog.cancelled",
    "district": "330703",
    "subject_kind": "item",
    "subject_id": "c-99",
    "before": {"n": 5.5},
    "after": {"n": 7, "名称": "目录", "e": [1.5, None, 0]},
    "request_id": "",
    "previous_hash": "1" * 64,
    "hash": "2" * 64,
}


def test_every_column_has_a_change():
    assert set(CHANGES) == {column.key for column in AuditEvent.__table__.columns}


@pytest.mark.parametrize("column", CHANGES)
@pytest.mark.parametrize("sequence", [1, 6, LENGTH])
def test_a_changed_column_is_found(database, column, sequence):
    with database.writing() as session:
        session.execute(update(AuditEvent).where(AuditEvent.sequence == sequence).values({column: CHANGES[column]}))
    assert broken_at(database) == sequence


@pytest.mark.parametrize("sequence", [1, 6, LENGTH - 1])
def test_a_removed_event_is_found(database, sequence):
    with database.writing() as session:
        session.execute(delete(AuditEvent).where(AuditEvent.sequence == sequence))
    assert broken_at(database) == sequence


@pytest.mark.parametrize("kept", [0, 5, LENGTH - 1])
def test_removed_newest_events_are_found_with_a_noted_hash(database, kept):
    _, anchor = verified(database)
    with database.writing() as session:
        session.execute(delete(AuditEvent).where(AuditEvent.sequence > kept))
    assert verified(database)[0] == kept
    assert broken_at(database, anchor) == kept


@pytest.mark.parametrize("place", [1, 6, LENGTH, LENGTH + 1])
def test_an_inserted_event_is_found(database, place):
    """Those behind it move up, and it is a copy of a genuine one."""
    rows = events(database)
    copy = {**rows[3]._mapping, "sequence": place}
    with database.writing() as session:
        for sequence in range(LENGTH, place - 1, -1):
            session.execute(update(AuditEvent).where(AuditEvent.sequence == sequence).values(sequence=sequence + 1))
        session.execute(insert(AuditEvent).values(copy))
    assert broken_at(database) == place


@pytest.mark.parametrize(("left", "right"), [(1, 2), (4, 9), (LENGTH - 1, LENGTH)])
def test_swapped_events_are_found(database, left, right):
    with database.writing() as session:
        for old, new in ((left, 500), (right, left), (500, right)):
            session.execute(update(AuditEvent).where(AuditEvent.sequence == old).values(sequence=new))
    assert broken_at(database) == left


def test_a_chain_written_anew_is_found_with_a_noted_hash(database):
    """Whoever can write to the database can make another whole chain, but not one with the noted hash."""
    _, anchor = verified(database)
    with database.writing() as session:
        previous = service.GENESIS
        for row in session.scalars(select(AuditEvent).order_by(AuditEvent.sequence)):
            row.actor, row.previous_hash = "key:other", previous
            row.hash = previous = service.hash_of(row)
    assert verified(database) == (LENGTH, previous)
    assert broken_at(database, anchor) == LENGTH


@pytest.mark.parametrize(("column", "value"), [("after", "{not json"), ("at", "yesterday"), ("before", b"\xff\xfe")])
def test_an_event_that_cannot_be_read_is_found(database, column, value):
    if not database.is_sqlite:
        pytest.skip("PostgreSQL checks the types itself")
    with database.writing() as session:
        session.execute(text(f'update audit_events set "{column}" = :value where sequence = 7'), {"value": value})
    assert broken_at(database) == 7


@pytest.mark.parametrize(
    "value", [1e16, 1e22, -0.0, 1.0, 100.0, 1e-7, 5e-324, 1.7976931348623157e308, 0.1, 2**63 - 1, "\u2028𝄞'\\", True, {}]
)
def test_values_come_back_as_they_were_hashed(database, value):
    with database.writing() as session:
        service.append(session, "a", InstitutionWritten("i-1", "330702", after={"fee": value, "b": {"z": [value], "a": 1}}))
    assert verified(database)[0] == LENGTH + 1


def test_a_long_chain_is_walked_page_by_page(database, monkeypatch):
    monkeypatch.setattr(service, "_PAGE", 5)
    assert verified(database)[0] == LENGTH
    with database.writing() as session:
        session.execute(delete(AuditEvent).where(AuditEvent.sequence == 6))
    assert broken_at(database) == 6


@pytest.fixture
def decided(database: Database) -> tuple[Database, int]:
    """Three decisions on an item, each with its event; gives the second one's id."""
    with database.writing() as session:
        item = Item(district="330702", values={"text": "课"})
        session.add(item)
        session.flush()
        before = ""
        for step, category in (("initial", "subject"), ("refer", ""), ("expert", "non_subject")):
            decision = Decision(
                item_id=item.id, step=step, category=category, subjects=["mathematics"], disguises=[], reviewer="account:wang"
            )
            session.add(decision)
            session.flush()
            after = {"decision_id": decision.id, "step": step, "category": category or before, "subjects": ["mathematics"]}
            event = DecisionMade(str(item.id), "330702", before={"category": before}, after=after)
            service.append(session, "account:wang", event)
            before = category or before
        identifiers = session.scalars(select(Decision.id).order_by(Decision.id)).all()
    return database, identifiers[1]


def test_decisions_agree_with_their_events(decided):
    database, _ = decided
    assert verified(database)[0] == LENGTH + 3


@pytest.mark.parametrize(
    ("column", "value"), [("category", "subject"), ("step", "conclusion"), ("subjects", ["english"]), ("reviewer", "account:li"), ("id", 9)]
)
@pytest.mark.parametrize("which", [-1, 0, 1])
def test_a_changed_decision_is_found(decided, column, value, which):
    database, middle = decided
    if (column, which) == ("category", -1):
        value = "out_of_scope"
    with database.writing() as session:
        session.execute(update(Decision).where(Decision.id == middle + which).values({column: value}))
    if (column, which) == ("category", 0):
        assert verified(database)[0] == LENGTH + 3  # the step gave no category, and the event tells the one that stood
    else:
        assert broken_at(database) == LENGTH + 2 + which


def test_a_decision_moved_to_another_item_is_found(decided):
    database, middle = decided
    with database.writing() as session:
        item = Item(district="330702", values={"text": "别的课"})
        session.add(item)
        session.flush()
        session.execute(update(Decision).where(Decision.id == middle).values(item_id=item.id))
    assert broken_at(database) == LENGTH + 2


def test_a_removed_decision_is_found(decided):
    database, middle = decided
    with database.writing() as session:
        session.execute(delete(Decision).where(Decision.id == middle))
    assert broken_at(database) == LENGTH + 2


def test_a_decision_without_an_event_is_found(decided):
    database, middle = decided
    with database.writing() as session:
        session.add(
            Decision(
                item_id=session.get_one(Decision, middle).item_id,
                step="conclusion",
                category="subject",
                subjects=[],
                disguises=[],
                reviewer="x",
            )
        )
    assert broken_at(database) == LENGTH + 3


def test_the_command_tells_the_length_and_the_last_hash(database, database_url, monkeypatch):
    monkeypatch.setenv("JIANKE_DATABASE_URL", database_url)
    monkeypatch.setenv("JIANKE_ENVIRONMENT", "development")
    length, last = verified(database)
    assert verify_database(Settings(environment="development", database_url=database_url)) == (length, last)
    for arguments in ([], ["--anchor", last]):
        told = CliRunner().invoke(audit, ["verify", *arguments])
        assert told.exit_code == 0, told.output
        assert f"{LENGTH} 条" in told.output and last in told.output


def test_the_command_ends_with_the_error_when_the_chain_is_broken(database, database_url, monkeypatch, capsys):
    monkeypatch.setenv("JIANKE_DATABASE_URL", database_url)
    monkeypatch.setenv("JIANKE_ENVIRONMENT", "development")
    with database.writing() as session:
        session.execute(update(AuditEvent).where(AuditEvent.sequence == 4).values(actor="x"))
    told = CliRunner().invoke(audit, ["verify"])
    assert told.exit_code != 0 and isinstance(told.exception, ServiceError)
    monkeypatch.setattr(sys, "argv", ["audit", "verify"])
    with pytest.raises(SystemExit) as ended:
        run(audit)
    assert ended.value.code == 2
    assert "错误 [E405] 审计链在第 4 条断开" in capsys.readouterr().err


def test_the_command_wants_this_versions_schema(tmp_path):
    settings = Settings(environment="development", database_url=f"sqlite:///{tmp_path / 'new.sqlite3'}")
    with pytest.raises(ServiceError) as caught:
        verify_database(settings)
    assert caught.value.code == "E403"


def write_events(runtime) -> None:
    with runtime.database.writing() as session:
        for number in range(6):
            district = "330702" if number % 2 else "330100"
            service.append(session, f"key:{number % 3}", CatalogCreated(f"c-{number}", district), f"r-{number}")
        service.append(session, "account:li", CatalogCancelled("c-1", "330702", before={"state": "running"}, after={"state": "cancelled"}))


def test_the_route_pages_and_filters(client, staff, runtime):
    admin = staff.key("admin", district="")
    write_events(runtime)

    def listed(**query: object) -> list[str]:
        answer = client.get("/v1/audit", params=query, headers=admin)
        assert answer.status_code == 200, answer.text
        return [event["subject_id"] for event in answer.json()["events"]]

    assert listed(subject_kind="catalog") == ["c-0", "c-1", "c-2", "c-3", "c-4", "c-5", "c-1"]
    assert listed(type="catalog.cancelled") == ["c-1"] and listed(actor="key:1") == ["c-1", "c-4"]
    assert listed(subject_kind="catalog", subject_id="c-1") == ["c-1", "c-1"] and listed(type="item.stored") == []
    seen, after = [], 0
    while after is not None:
        page = client.get("/v1/audit", params={"subject_kind": "catalog", "limit": 3, "after": after}, headers=admin).json()
        seen += page["events"]
        after = page["next"]
    assert len(seen) == 7 and [event["sequence"] for event in seen] == sorted({event["sequence"] for event in seen})
    assert seen[-1]["before"] == {"state": "running"} and seen[-1]["after"] == {"state": "cancelled"} and seen[-1]["actor"] == "account:li"
    for bad in ({"limit": 0}, {"limit": 1001}, {"after": -1}, {"after": 2**63}, {"type": "A"}, {"actor": "a\0"}, {"subject_id": "x" * 65}):
        assert client.get("/v1/audit", params=bad, headers=admin).json()["error"]["code"] == "E410"


def test_the_route_keeps_to_the_district(client, staff, runtime):
    write_events(runtime)
    for district, expected in (("3307", ["c-1", "c-3", "c-5", "c-1"]), ("330100", ["c-0", "c-2", "c-4"]), ("11", [])):
        answer = client.get("/v1/audit?subject_kind=catalog", headers=staff.key("supervisor", district=district)).json()
        assert [event["subject_id"] for event in answer["events"]] == expected


@pytest.mark.parametrize("role", ["pipeline", "reviewer", "expert", "supervisor", "admin"])
def test_the_route_is_for_supervisors_and_admins(client, staff, role):
    for ask in (staff.person(f"{role}.one", role).get, lambda path: client.get(path, headers=staff.key(role))):
        answer = ask("/v1/audit")
        if role in ("supervisor", "admin"):
            assert answer.status_code == 200
        else:
            assert answer.status_code == 403 and answer.json()["error"]["code"] == "E421"
    scoped = client.get("/v1/audit", headers=staff.key("admin", scopes=("predict",)))
    assert scoped.status_code == 403 and scoped.json()["error"]["code"] == "E421"
