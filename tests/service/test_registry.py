import io
import threading

import pytest
from openpyxl import Workbook
from sqlalchemy import text

from service.catalogs.models import Item
from service.catalogs.worker import Worker
from service.registry.credit_codes import CHARACTERS, check_character, is_credit_code
from service.registry.schemas import InstitutionChange
from service.registry.service import change_institution
from tests.service.conftest import SYSTEM

SUBJECT = "初二数学暑假同步提高班，分数应用题与函数专题，周六上午9:00-11:00"
DANCE = "少儿街舞兴趣班，零基础，周日下午"
REAL = ("9144030071526726XG", "914403001922038216", "91330100716105852F", "91110000802100433B")


def code(number: int) -> str:
    body = f"52330702MJ{number:07d}"
    return body + check_character(body)


def institution(number: int = 1, **values: object) -> dict[str, object]:
    return {
        "name": f"启明培训学校{number}",
        "credit_code": code(number),
        "district": "330702",
        "licence_kind": "non_subject",
    } | values


def catalog(client, key, institution_id: str, *texts: str) -> str:
    lines = "课程名称,课程简介\n" + "".join(f"课{number},{content}\n" for number, content in enumerate(texts))
    answer = client.post("/v1/catalogs", files={"file": ("目录.csv", lines.encode())}, data={"institution_id": institution_id}, headers=key)
    assert answer.status_code == 202, answer.text
    return answer.json()["id"]


def rows(runtime, institution_id: str) -> list[tuple[str, bool, str, str]]:
    with runtime.database.reading() as session:
        found = session.query(Item).filter_by(institution_id=institution_id).order_by(Item.id)
        return [(item.category, item.status_conflict, item.triage, item.review_state) for item in found]


def upload(client, key, content: bytes, name: str = "名册.csv"):
    return client.post("/v1/institutions/import", files={"file": (name, content)}, headers=key)


@pytest.mark.parametrize("real", REAL)
def test_real_credit_codes_are_accepted_and_slips_are_not(real):
    assert is_credit_code(real)
    slips = {real[:place] + other + real[place + 1 :] for place in range(18) for other in CHARACTERS + "IOSVZ" if other != real[place]}
    swapped = {real[:place] + real[place + 1] + real[place] + real[place + 2 :] for place in range(16)} - {real}
    assert not [
        slip for slip in slips | swapped | {real[:17], real + "0", real.lower() if real[-1].isalpha() else ""} if is_credit_code(slip)
    ]


def test_an_institution_is_entered_found_and_changed(client, staff):
    supervisor = staff.person("zhao", "supervisor")
    made = supervisor.post("/v1/institutions", json=institution(fee_per_lesson=80.5, staff_count=12))
    assert made.status_code == 201, made.text
    assert supervisor.get(made.headers["Location"]).json() == made.json()
    assert made.json()["status"] == "operating" and made.json()["qualified_staff_count"] is None
    path = f"/v1/institutions/{made.json()['id']}"
    changed = supervisor.patch(path, json={"status": "converted_care", "staff_count": 10, "fee_per_lesson": 80.5})
    assert changed.status_code == 200, changed.text
    assert (changed.json()["status"], changed.json()["staff_count"], changed.json()["fee_per_lesson"]) == ("converted_care", 10, 80.5)
    assert supervisor.patch(path, json={"status": "converted_care"}).status_code == 200
    events = supervisor.get("/v1/audit?type=institution.written").json()["events"]
    assert [event["actor"] for event in events] == ["account:zhao"] * 2
    assert events[0]["before"] is None and events[0]["after"]["credit_code"] == code(1)
    assert events[1]["before"] == {"status": "operating", "staff_count": 12}
    assert events[1]["after"] == {"status": "converted_care", "staff_count": 10, "items": 0}


def test_wrong_and_repeated_credit_codes_are_refused(client, staff):
    key = staff.key()
    assert client.post("/v1/institutions", json=institution(), headers=key).status_code == 201
    again = client.post("/v1/institutions", json=institution(name="另一家", credit_code=code(1).lower()), headers=key)
    assert again.status_code == 409 and again.json()["error"]["code"] == "E431"
    wrong = client.post("/v1/institutions", json=institution(credit_code=code(2)[:-1] + "I"), headers=key)
    assert wrong.status_code == 422 and wrong.json()["error"]["details"][0]["field"] == "body.credit_code"
    assert len(client.get("/v1/institutions", headers=key).json()["institutions"]) == 1


def test_roles_and_districts(client, staff):
    mine, theirs = staff.key("supervisor", "330702"), staff.key("supervisor", "330703")
    made = client.post("/v1/institutions", json=institution(), headers=mine).json()
    path = f"/v1/institutions/{made['id']}"
    for answer in (client.get(path, headers=theirs), client.patch(path, json={"status": "terminated"}, headers=theirs)):
        assert answer.status_code == 404 and answer.json()["error"]["code"] == "E411"
    for answer in (
        client.post("/v1/institutions", json=institution(2), headers=theirs),
        client.patch(path, json={"district": "330703"}, headers=mine),
    ):
        assert answer.status_code == 403 and answer.json()["error"]["code"] == "E422"
    for role in ("reviewer", "expert"):
        key = staff.key(role)
        assert client.get(path, headers=key).status_code == 200
        assert client.post("/v1/institutions", json=institution(3), headers=key).json()["error"]["code"] == "E421"
        assert client.patch(path, json={"status": "terminated"}, headers=key).json()["error"]["code"] == "E421"
        assert upload(client, key, b"x").json()["error"]["code"] == "E421"
    assert client.get("/v1/institutions", headers=theirs).json()["institutions"] == []
    assert client.get(path, headers=mine).json() == made


def test_pages_and_filters(client, staff):
    key = staff.key(district="33")
    for number in range(5):
        values = {
            "name": f"学校{number % 2}",
            "district": "330702" if number % 2 else "330703",
            "status": "terminated" if number < 2 else "operating",
        }
        assert client.post("/v1/institutions", json=institution(number, **values), headers=key).status_code == 201

    def found(query: str) -> list[str]:
        return [row["credit_code"] for row in client.get(f"/v1/institutions?{query}", headers=key).json()["institutions"]]

    assert sorted(found("district=330702")) == [code(1), code(3)]
    assert sorted(found("status=terminated&name=校1")) == [code(1)]
    assert found("name=%25") == [] and len(found("district=3307")) == 5
    seen, after = [], ""
    while True:
        page = client.get(f"/v1/institutions?limit=2{after}", headers=key).json()
        seen += [(row["name"], row["credit_code"]) for row in page["institutions"]]
        if page["next"] is None:
            break
        after = f"&after={page['next']}"
    assert sorted(code(number) for number in range(5)) == sorted(found for _, found in seen)
    assert [name for name, _ in seen] == ["学校0"] * 3 + ["学校1"] * 2
    assert client.get("/v1/institutions?after=unknown", headers=key).json()["error"]["code"] == "E411"


def test_conflicts_follow_the_status_from_upload_to_change_and_back(client, staff, runtime, work):
    supervisor, key = staff.person("zhao", "supervisor"), staff.key()
    made = client.post("/v1/institutions", json=institution(), headers=key).json()["id"]
    catalog(client, key, made, SUBJECT, DANCE)
    assert work() == 2
    before = rows(runtime, made)
    assert [row[:2] for row in before] == [("subject", False), ("non_subject", False)]
    assert before[0][2:] == ("auto", "not_required"), "this text must be one that needs no review by itself"
    path = f"/v1/institutions/{made}"
    assert supervisor.patch(path, json={"status": "registered_non_profit"}).status_code == 200
    assert rows(runtime, made) == before
    assert supervisor.patch(path, json={"status": "converted_non_subject"}).status_code == 200
    assert rows(runtime, made) == [("subject", True, "review", "pending"), before[1]]
    flagged = supervisor.get("/v1/catalogs?limit=1").json()["catalogs"][0]["id"]
    assert len(supervisor.get(f"/v1/catalogs/{flagged}/items?status_conflict=true").json()["items"]) == 1
    catalog(client, key, made, SUBJECT)
    assert work() == 1
    assert rows(runtime, made)[2] == ("subject", True, "review", "pending")
    assert supervisor.patch(path, json={"status": "operating"}).status_code == 200
    assert rows(runtime, made) == [*before, before[0]]
    event = supervisor.get("/v1/audit?type=institution.written").json()["events"][-1]
    assert event["before"] == {"status": "converted_non_subject"} and event["after"] == {"status": "operating", "items": 2}


def test_a_status_changed_during_an_assessment_is_not_missed(client, staff, runtime):
    key = staff.key()
    made = client.post("/v1/institutions", json=institution(), headers=key).json()["id"]
    catalog(client, key, made, SUBJECT)
    runtime.classifier()
    worker = Worker(runtime)
    thread = threading.Thread(target=worker.step)
    with runtime.database.writing() as session:
        change_institution(session, SYSTEM, made, InstitutionChange(status="terminated"), "")
        thread.start()
        thread.join(timeout=1)
        assert thread.is_alive(), "the worker should wait for the change"
    thread.join(timeout=30)
    worker.close()
    assert rows(runtime, made) == [("subject", True, "review", "pending")]


def test_a_register_is_imported_row_by_row(client, staff):
    key = staff.key(district="330702")
    known = client.post("/v1/institutions", json=institution(1, staff_count=5), headers=key).json()
    same = client.post("/v1/institutions", json=institution(2), headers=key).json()
    other = staff.key(district="330703")
    assert client.post("/v1/institutions", json=institution(3, district="330703"), headers=other).status_code == 201
    content = "\n".join(
        (
            "婺城区校外培训机构名册,,,,,,,,",
            "机构名称,统一社会信用代码,行政区划代码/区域,许可类别,三转一止结果,收费标准（元/课时）,预收费余额,教职工数,持证教师数",
            f"启明培训学校1,{code(1)},330702 婺城区,非学科类,转为非学科类,120元,1.2万,,8",
            f"启明培训学校2,{code(2)},330702,非学科类,正常开办,,,,",
            f'新校,{code(4).lower()},330702,学科类,终止,"1,200.5",,3,2',
            f"别区,{code(3)},330702,学科类,,,,,",
            f"坏码,{code(5)[:-1]}I,330702,学科类,,,,,",
            f"重复,{code(4)},330702,学科类,,,,,",
            f"坏状态,{code(6)},330702,学科类,飞走了,,,,",
            f"缺类别,{code(7)},330702,,,,,,",
            f"外区,{code(8)},330703,无证,,,,,",
            f",{code(9)},330702,无证,,,,,",
            f"半个人,{code(10)},330702,无证,,,,2.5,",
            f"无证小店,{code(11)},330702,无,,-3,,,",
            f"简校,{code(12)},,无,,,,,",
        )
    )
    answer = upload(client, key, content.encode("gb18030"))
    assert answer.status_code == 200, answer.text
    counts = {name: answer.json()[name] for name in ("created", "changed", "unchanged")}
    assert counts == {"created": 2, "changed": 1, "unchanged": 1}
    assert [(error["row"], error["code"]) for error in answer.json()["errors"]] == [
        (6, "E422"), (7, "E410"), (8, "E431"), (9, "E410"), (10, "E410"), (11, "E422"), (12, "E410"), (13, "E410"), (14, "E410"),
    ]  # fmt: skip
    messages = {error["row"]: error["message"] for error in answer.json()["errors"]}
    assert "飞走了" in messages[9] and "许可类别" in messages[10] and "机构名称" in messages[12]
    listed = {row["credit_code"]: row for row in client.get("/v1/institutions", headers=key).json()["institutions"]}
    assert set(listed) == {code(1), code(2), code(4), code(12)}
    now_known = listed[code(1)]
    assert now_known | {"updated_at": ""} == known | {
        "status": "converted_non_subject", "fee_per_lesson": 120, "prepaid_total": 12_000, "qualified_staff_count": 8, "updated_at": "",
    }  # fmt: skip
    assert listed[code(2)] == same
    assert (listed[code(4)]["status"], listed[code(4)]["fee_per_lesson"]) == ("terminated", 1200.5)
    assert listed[code(12)]["district"] == "330702"
    again = upload(client, key, content.encode()).json()
    assert {name: again[name] for name in counts} == {"created": 0, "changed": 0, "unchanged": 4}
    assert len(again["errors"]) == 9
    events = client.get("/v1/audit?type=institution.written", headers=staff.key("supervisor")).json()["events"]
    assert len(events) == 2 + 1 + 3


def test_a_workbook_is_imported_and_conflicts_follow(client, staff, runtime, work):
    key = staff.key()
    made = client.post("/v1/institutions", json=institution(1), headers=key).json()["id"]
    catalog(client, key, made, SUBJECT, DANCE)
    work()
    book = Workbook()
    book.active.append(["名册"])
    book.active.append(["序号", "统一社会信用代码*", "状态", "收费标准（元/课时）", "教职工数"])
    book.active.append([1, code(1), "转托管", 99.5, 12])
    stream = io.BytesIO()
    book.save(stream)
    answer = upload(client, key, stream.getvalue(), "名册.XLSX")
    assert answer.json() == {"created": 0, "changed": 1, "unchanged": 0, "errors": []}
    found = client.get(f"/v1/institutions/{made}", headers=key).json()
    assert (found["name"], found["status"], found["fee_per_lesson"], found["staff_count"]) == ("启明培训学校1", "converted_care", 99.5, 12)
    assert [row[1] for row in rows(runtime, made)] == [True, False]


@pytest.mark.parametrize(
    ("name", "content", "status", "expected"),
    [
        ("名册.docx", b"x", 415, "E417"),
        ("名册", b"x", 415, "E417"),
        ("名册.xlsx", b"not a workbook", 422, "E103"),
        ("名册.csv", "机构名称,状态\n甲,正常\n".encode(), 422, "E107"),
        ("名册.csv", b"", 422, "E104"),
        ("名册.csv", "统一社会信用代码,机构名称\n".encode(), 422, "E104"),
    ],
)
def test_tables_that_cannot_be_used_are_refused(client, staff, name, content, status, expected):
    answer = upload(client, staff.key(), content, name)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, expected), answer.text


def test_a_damaged_workbook_is_refused_wherever_the_damage_is(client, staff):
    book, stream, key = Workbook(), io.BytesIO(), staff.key()
    book.active.append(["机构名称", "统一社会信用代码"])
    book.active.append(["甲", code(1)])
    book.save(stream)
    content = stream.getvalue()
    for place in range(30, len(content), len(content) // 40):
        damaged = content[:place] + bytes(255 - byte for byte in content[place : place + 9]) + content[place + 9 :]
        answer = upload(client, key, damaged, "名册.xlsx")
        assert answer.status_code == 200 or answer.json()["error"]["code"] in ("E103", "E416"), answer.text


def test_an_import_is_all_there_or_not_at_all(client, staff, runtime):
    runtime.settings = runtime.settings.model_copy(update={"max_rows": 2})
    content = "机构名称,统一社会信用代码,许可类别\n" + "".join(f"校,{code(number)},无证\n" for number in range(3))
    key = staff.key()
    answer = upload(client, key, content.encode())
    assert answer.status_code == 413 and answer.json()["error"]["code"] == "E414"
    assert client.get("/v1/institutions", headers=key).json()["institutions"] == []


def test_simultaneous_imports_of_the_same_institutions_enter_each_once(client, staff, runtime):
    numbers = list(range(30))
    clients = [staff.person(f"p{number}", "supervisor") for number in range(2)]
    barrier, answers = threading.Barrier(2), []

    def run(person, order) -> None:
        content = "机构名称,统一社会信用代码,许可类别\n" + "".join(f"校{number},{code(number)},无证\n" for number in order)
        barrier.wait()
        answers.append(upload(person, {}, content.encode()))

    threads = [threading.Thread(target=run, args=pair) for pair in zip(clients, (numbers, numbers[::-1]), strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [answer.status_code for answer in answers] == [200, 200]
    assert sum(answer.json()["created"] for answer in answers) == 30
    with runtime.database.reading() as session:
        assert session.scalar(text("select count(*) from institutions")) == 30
