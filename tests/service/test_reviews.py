import threading
import time

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from service.catalogs.models import Item
from service.catalogs.service import item_for
from service.database.base import Base
from service.reviews.models import Decision
from service.webhooks.models import Delivery, Webhook
from tests.service.conftest import SYSTEM, Staff

SUBJECT = "初二数学暑假同步提高班，分数应用题与函数专题，周六上午9:00-11:00"
YES = {"category": "subject", "subjects": ["mathematics"]}
NO = {"category": "non_subject", "subjects": ["other"]}


@pytest.fixture
def item(client, staff) -> int:
    answer = client.post("/v1/predict?store=true&district=330702", json={"text": SUBJECT, "id": "a-1"}, headers=staff.key())
    assert answer.status_code == 200, answer.text
    return answer.json()["item_id"]


class People(dict[str, TestClient]):
    """Logged in when first named: the reviewer, the supervisor, or an expert by name."""

    def __init__(self, staff: Staff) -> None:
        self._staff = staff

    def __missing__(self, name: str) -> TestClient:
        account, role = {"reviewer": ("wang", "reviewer"), "supervisor": ("zhao", "supervisor")}.get(name, (name, "expert"))
        self[name] = self._staff.person(account, role)
        return self[name]


@pytest.fixture
def people(staff) -> People:
    return People(staff)


def decide(person, item: int, step: str, **values: object):
    return person.post(f"/v1/items/{item}/decision", json={"step": step, **values})


def done(person, item: int, step: str, **values: object) -> dict:
    answer = decide(person, item, step, **values)
    assert answer.status_code == 201, answer.text
    return answer.json()


def refused(person, item: int, step: str, **values: object) -> tuple[int, str]:
    answer = decide(person, item, step, **values)
    return answer.status_code, answer.json()["error"]["code"]


def to_experts(people, item: int) -> None:
    done(people["reviewer"], item, "initial", **YES)
    done(people["reviewer"], item, "refer", comment="内容与名称不符，请专家鉴别")


def detail(person, item: int) -> dict:
    answer = person.get(f"/v1/items/{item}")
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_from_first_review_to_the_experts_conclusion(people, item, runtime):
    with runtime.database.writing() as session:
        session.add(Webhook(url="https://example.org/hook", event_types=["decision.made"], district="33", created_by="account:zhao"))
    before = detail(people["reviewer"], item)
    assert before["review_state"] == "not_required" and before["decisions"] == [] and len(before["assessments"]) == 1
    first = done(people["reviewer"], item, "initial", **YES, disguises=["quality_label"], comment="应用题")
    assert first["review_state"] == "initial" and first["conclusion"] is None
    assert first["decision"]["reviewer"] == "account:wang" and first["decision"]["assessment_id"] == before["assessments"][0]["id"]
    assert done(people["reviewer"], item, "refer")["decision"]["category"] == ""
    one = done(people["e1"], item, "expert", category="subject", subjects=["technology", "mathematics", "mathematics"])
    assert one["review_state"] == "expert" and one["decision"]["subjects"] == ["mathematics", "technology"]
    done(people["e2"], item, "expert", **NO)
    assert detail(people["e3"], item)["votes"] == {"cast": 2, "panel": 3, "majority": 2, "counts": {"subject": 1, "non_subject": 1}}
    last = done(people["e3"], item, "expert", category="subject", subjects=["physics"], disguises=["childcare"])
    assert last["review_state"] == "concluded"
    conclusion = last["conclusion"]
    assert (conclusion["step"], conclusion["reviewer"], conclusion["category"]) == ("conclusion", "experts", "subject")
    assert conclusion["subjects"] == ["mathematics", "physics", "technology"] and conclusion["disguises"] == ["childcare"]
    assert conclusion["comment"] == "专家鉴别：已投 3 票，其中 2 票为学科类（共 3 席）"

    after = detail(people["supervisor"], item)
    assert [decision["step"] for decision in after["decisions"]] == ["initial", "refer", "expert", "expert", "expert", "conclusion"]
    changing = ("review_state", "decisions", "votes")
    assert {name: value for name, value in after.items() if name not in changing} == {
        name: value for name, value in before.items() if name not in changing
    }
    events = people["supervisor"].get(f"/v1/audit?subject_id={item}&type=decision.made").json()["events"]
    states = [(event["actor"], event["before"]["review_state"], event["after"]["review_state"]) for event in events]
    assert states == [
        ("account:wang", "not_required", "initial"),
        ("account:wang", "initial", "expert"),
        ("account:e1", "expert", "expert"),
        ("account:e2", "expert", "expert"),
        ("account:e3", "expert", "expert"),
        ("experts", "expert", "concluded"),
    ]
    assert [event["after"]["category"] for event in events] == ["subject", "subject", "subject", "non_subject", "subject", "subject"]
    assert events[4]["before"]["category"] == "non_subject"
    with runtime.database.reading() as session:
        notices = session.scalars(select(Delivery).order_by(Delivery.id)).all()
    assert [notice.payload["data"] for notice in notices] == [event["after"] for event in events]


def test_without_a_majority_the_supervisor_must_conclude(people, item):
    to_experts(people, item)
    done(people["e1"], item, "expert", **YES)
    done(people["e2"], item, "expert", **NO)
    assert done(people["e3"], item, "expert", category="out_of_scope")["review_state"] == "expert"
    assert refused(people["e4"], item, "expert", **YES) == (409, "E432")
    assert refused(people["reviewer"], item, "conclusion", **YES) == (403, "E421")
    concluded = done(people["supervisor"], item, "conclusion", **NO, comment="以棋类为主")
    assert concluded["review_state"] == "concluded" and concluded["decision"]["reviewer"] == "account:zhao"
    assert refused(people["e1"], item, "expert", **YES) == (409, "E432")


def test_a_full_panel_may_still_change_its_mind(people, item):
    to_experts(people, item)
    done(people["e1"], item, "expert", **YES)
    mine = done(people["e2"], item, "expert", **NO)["decision"]["id"]
    done(people["e3"], item, "expert", category="out_of_scope")
    changed = done(people["e2"], item, "expert", **YES, supersedes=mine)
    assert changed["review_state"] == "concluded" and changed["conclusion"]["comment"].startswith("专家鉴别：已投 3 票，其中 2 票为学科类")


def test_superseding_keeps_the_earlier_decision_and_takes_its_count(people, item):
    to_experts(people, item)
    first = done(people["e1"], item, "expert", **YES, comment="初看")["decision"]
    assert refused(people["e1"], item, "expert", **YES) == (409, "E433")
    second = done(people["e1"], item, "expert", **NO, supersedes=first["id"])["decision"]
    assert refused(people["e1"], item, "expert", **YES, supersedes=first["id"]) == (409, "E432")
    assert refused(people["e2"], item, "expert", **YES, supersedes=second["id"]) == (409, "E432")
    assert refused(people["e2"], item, "expert", **YES, supersedes=2**62) == (409, "E432")
    assert done(people["e2"], item, "expert", **YES)["review_state"] == "expert", "the superseded vote must not count"
    seen = detail(people["supervisor"], item)
    stored = {decision["id"]: decision for decision in seen["decisions"]}
    assert stored[first["id"]] == first | {"superseded_by": second["id"]} and stored[second["id"]]["supersedes"] == first["id"]
    assert seen["votes"]["counts"] == {"non_subject": 1, "subject": 1}


def test_a_first_review_is_corrected_by_superseding_only(people, staff, item):
    first = done(people["reviewer"], item, "initial", **NO)["decision"]
    assert refused(people["reviewer"], item, "initial", **YES) == (409, "E432")
    other = staff.person("li", "reviewer")
    assert refused(other, item, "initial", **YES, supersedes=first["id"]) == (409, "E432")
    done(other, item, "initial", **YES)
    done(people["reviewer"], item, "initial", **YES, supersedes=first["id"])
    assert refused(people["reviewer"], item, "refer", supersedes=first["id"]) == (409, "E432")
    assert [decision["category"] for decision in detail(other, item)["decisions"]] == ["non_subject", "subject", "subject"]


def test_an_appeal_opens_a_new_round(people, item):
    to_experts(people, item)
    old = done(people["e1"], item, "expert", **YES)["decision"]["id"]
    done(people["e2"], item, "expert", **YES)
    assert refused(people["reviewer"], item, "appeal") == (403, "E421")
    assert done(people["supervisor"], item, "appeal", comment="机构申诉")["review_state"] == "appeal"
    assert refused(people["e3"], item, "expert", **YES) == (409, "E432")
    assert done(people["reviewer"], item, "refer")["review_state"] == "expert"
    assert detail(people["e1"], item)["votes"]["cast"] == 0
    assert refused(people["e1"], item, "expert", **NO, supersedes=old) == (409, "E432")
    assert done(people["e3"], item, "expert", **YES)["review_state"] == "expert", "votes of the earlier round must not count"
    done(people["e1"], item, "expert", **NO)
    assert done(people["e4"], item, "expert", **NO)["conclusion"]["category"] == "non_subject"
    assert done(people["supervisor"], item, "appeal")["review_state"] == "appeal"
    assert done(people["supervisor"], item, "conclusion", category="out_of_scope")["review_state"] == "concluded"
    rounds = [decision["round"] for decision in detail(people["supervisor"], item)["decisions"]]
    assert rounds == [1] * 5 + [2] * 6 + [3] * 2


@pytest.mark.parametrize(
    ("role", "allowed"),
    [
        ("pipeline", set()),
        ("reviewer", {"initial", "refer"}),
        ("expert", {"expert"}),
        ("supervisor", {"initial", "refer", "conclusion", "appeal"}),
        ("admin", {"initial", "refer", "conclusion", "appeal"}),
    ],
)
def test_each_step_has_its_roles_and_keys_never_decide(staff, client, item, role, allowed):
    person, other, key = staff.person("one", role), staff.person("two", role, "3301"), staff.key(role)
    for step in ("conclusion", "appeal", "expert", "refer", "initial"):
        labels = {} if step in ("refer", "appeal") else YES
        answer = client.post(f"/v1/items/{item}/decision", json={"step": step, **labels}, headers=key)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "E421")
        assert refused(other, item, step, **labels) == ((404, "E411") if step in allowed else (403, "E421"))
        if step not in allowed:
            assert refused(person, item, step, **labels) == (403, "E421")
        elif step != "initial":
            assert refused(person, item, step, **labels) == (409, "E432")
        else:
            assert done(person, item, step, **labels)["review_state"] == "initial"
    assert other.get(f"/v1/items/{item}").json()["error"]["code"] == "E411"
    assert other.get("/v1/items").json()["items"] == []


WRONG_BODIES = (
    {"step": "initial"},
    {"step": "initial", "category": "subject", "subjects": ["alchemy"]},
    {"step": "initial", "category": "subject", "disguises": ["mathematics"]},
    {"step": "initial", "category": "non_subject", "subjects": ["mathematics"]},
    {"step": "initial", "category": "non_subject", "subjects": ["arts"], "disguises": ["quality_label"]},
    {"step": "initial", "category": "out_of_scope", "subjects": ["arts"]},
    {"step": "initial", "category": "out_of_scope", "disguises": ["childcare"]},
    {"step": "initial", "category": "other"},
    {"step": "refer", "category": "subject"},
    {"step": "vote", "category": "subject"},
    {"step": "initial", "category": "subject", "comment": "a\0b"},
    {"step": "initial", "category": "subject", "supersedes": 2**63},
)


def test_labels_must_be_known_and_consistent(staff, item):
    reviewer = staff.person("wang", "reviewer")
    for body in WRONG_BODIES:
        answer = reviewer.post(f"/v1/items/{item}/decision", json=body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (422, "E410"), body
    assert detail(reviewer, item)["decisions"] == []


def test_a_row_that_could_not_be_assessed_cannot_be_reviewed(client, staff, people, work):
    files = {"file": ("a.csv", "课程名称,申报类别\n,飞\n少儿街舞课,\n".encode())}
    catalog = client.post("/v1/catalogs", files=files, headers=staff.key()).json()["id"]
    work()
    failed = people["reviewer"].get(f"/v1/items?catalog_id={catalog}&queue_state=failed").json()["items"]
    assert len(failed) == 1
    assert refused(people["reviewer"], failed[0]["id"], "initial", **YES) == (409, "E432")


def test_items_are_filtered_and_paged(client, staff, people, work):
    key = staff.key()
    content = "课程名称,课程简介\n" + "".join(f"班{number},{SUBJECT if number % 2 else '少儿街舞，零基础'}\n" for number in range(6))
    catalog = client.post("/v1/catalogs", files={"file": ("a.csv", content.encode())}, headers=key).json()["id"]
    work()
    reviewer = people["reviewer"]

    def found(query: str) -> list[int]:
        return [item["id"] for item in reviewer.get(f"/v1/items?{query}").json()["items"]]

    every = found("")
    subject, other = found("category=subject"), found("category=non_subject")
    assert len(every) == 6 and sorted(subject + other) == every and len(subject) == 3
    assert found(f"catalog_id={catalog}&triage=auto&status_conflict=false") == [item for item in every if item in found("triage=auto")]
    assert found("catalog_id=unknown") == found("institution_id=unknown") == found("status_conflict=true") == []
    done(reviewer, subject[0], "initial", **YES)
    assert found("review_state=initial") == [subject[0]]
    page = reviewer.get("/v1/items?limit=4").json()
    assert [item["id"] for item in page["items"]] == every[:4] and page["next"] == every[3]
    assert found(f"limit=4&after={every[3]}") == every[4:]
    assert reviewer.get("/v1/items?review_state=unknown").status_code == 422
    assert reviewer.get(f"/v1/items/{2**63}").status_code == 422


def test_a_later_assessment_neither_changes_decisions_nor_is_changed_by_them(client, staff, people, work):
    files = {"file": ("a.csv", f"课程名称\n{SUBJECT}\n".encode())}
    catalog = client.post("/v1/catalogs", files=files, data={"engine": "fast"}, headers=staff.key()).json()["id"]
    work()
    item = people["reviewer"].get("/v1/items").json()["items"][0]["id"]
    before = detail(people["reviewer"], item)
    done(people["reviewer"], item, "initial", **NO)
    assert people["supervisor"].post(f"/v1/catalogs/{catalog}/reassess?engine=auto").status_code == 202
    work()
    after = detail(people["reviewer"], item)
    assert after["review_state"] == "initial" and [decision["category"] for decision in after["decisions"]] == ["non_subject"]
    assert [stored["engine"] for stored in after["assessments"]] == ["fast", "auto"]
    assert after["assessments"][0] == before["assessments"][0] and after["decisions"][0]["assessment_id"] == before["assessments"][0]["id"]


def test_a_conclusion_is_exported_and_a_single_vote_is_not(client, staff, people, work):
    catalog = client.post("/v1/catalogs", files={"file": ("a.csv", f"课程名称\n{SUBJECT}\n".encode())}, headers=staff.key()).json()["id"]
    work()
    item = people["reviewer"].get("/v1/items").json()["items"][0]["id"]
    to_experts(people, item)
    done(people["e1"], item, "expert", category="out_of_scope", comment="一票")
    assert "一票" not in people["reviewer"].get(f"/v1/catalogs/{catalog}/export?format=csv").text
    done(people["supervisor"], item, "conclusion", **NO, comment="主管结论")
    assert "主管结论" in people["reviewer"].get(f"/v1/catalogs/{catalog}/export?format=csv").text


def together(runtime, item: int, *calls) -> list[int]:
    """The statuses of calls that were all waiting for the item's row before the first could go on."""
    statuses: list[int] = []
    threads = [threading.Thread(target=lambda call=call: statuses.append(call().status_code)) for call in calls]
    with runtime.database.writing() as session:
        item_for(session, SYSTEM, item, lock=True)
        for thread in threads:
            thread.start()
        time.sleep(1)
        assert not statuses
    for thread in threads:
        thread.join(timeout=60)
    return sorted(statuses)


def test_two_simultaneous_decisions_cannot_take_the_same_transition(runtime, people, item):
    done(people["reviewer"], item, "initial", **YES)
    calls = [lambda person=people[name]: decide(person, item, "refer") for name in ("reviewer", "supervisor")]
    assert together(runtime, item, *calls) == [201, 409]
    assert [decision["step"] for decision in detail(people["supervisor"], item)["decisions"]] == ["initial", "refer"]


def test_simultaneous_votes_are_counted_one_after_the_other(runtime, people, item):
    to_experts(people, item)
    calls = [lambda person=people[name]: decide(person, item, "expert", **YES) for name in ("e1", "e2", "e3")]
    assert together(runtime, item, *calls) == [201, 201, 409]
    steps = [decision["step"] for decision in detail(people["supervisor"], item)["decisions"]]
    assert steps == ["initial", "refer", "expert", "expert", "conclusion"]


def test_a_vote_sent_twice_at_once_counts_once(runtime, people, item):
    to_experts(people, item)
    expert = people["e1"]
    assert together(runtime, item, *[lambda: decide(expert, item, "expert", **YES)] * 2) == [201, 409]


def test_a_refused_step_leaves_no_trace(runtime, people, item):
    to_experts(people, item)
    done(people["e1"], item, "expert", **YES)
    supervisor = people["supervisor"]

    def everything() -> dict[str, int]:
        with runtime.database.reading() as session:
            return {name: len(session.execute(select(table)).all()) for name, table in Base.metadata.tables.items()}

    before = everything()
    assert refused(people["e1"], item, "expert", **NO) == (409, "E433")
    assert refused(supervisor, item, "appeal") == (409, "E432")
    assert everything() == before
    with runtime.database.reading() as session:
        assert session.get_one(Item, item).review_state == "expert"
        assert len(session.scalars(select(Decision)).all()) == 3
