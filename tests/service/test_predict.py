import json

from classifier import Record, load

TEXT = "初二数学暑假班，15人小班，提分30分起，不过退费。周六上午9:00-11:00"


def test_the_assessment_is_the_librarys(client, staff):
    answer = client.post("/v1/predict", json={"text": TEXT, "id": "a-1"}, headers=staff.key())
    assert answer.status_code == 200, answer.text
    assert answer.json() == json.loads(json.dumps(load(engine="fast").assess(Record(TEXT, "a-1")).to_dict()))
    assert answer.json()["category"] == "subject" and answer.json()["evidence"]


def test_evidence_can_be_left_out(client, staff):
    answer = client.post("/v1/predict?evidence=false", json={"text": TEXT}, headers=staff.key())
    assert answer.json()["evidence"] == [] and answer.json()["category"] == "subject"


def test_a_bad_record_stands_beside_the_good_ones(client, staff):
    records = [{"text": TEXT, "id": "1"}, {"text": " "}, {"text": 5}, {"text": "少儿街舞课", "id": "4"}, {"text": "字" * 20_001}]
    answer = client.post("/v1/predict/batch", json={"records": records}, headers=staff.key()).json()
    assert [result["id"] for result in answer["results"]] == ["1", "4"]
    assert [(error["index"], error["error"]["code"]) for error in answer["errors"]] == [(1, "E111"), (2, "E410"), (4, "E415")]


def test_too_many_records_are_refused(client, staff):
    answer = client.post("/v1/predict/batch", json={"records": [{"text": "课"}] * 1001}, headers=staff.key())
    assert answer.status_code == 413 and answer.json()["error"]["code"] == "E414"


def test_predictions_are_kept_only_when_asked(client, staff):
    key = staff.key()
    client.post("/v1/predict", json={"text": TEXT}, headers=key)
    stored = client.post("/v1/predict?store=true&district=330702", json={"text": TEXT, "id": "kept"}, headers=key)
    assert stored.status_code == 200, stored.text
    events = client.get("/v1/audit?type=item.stored", headers=staff.key("supervisor")).json()["events"]
    assert [event["subject_id"] for event in events] == [str(stored.json()["item_id"])]


def test_another_district_is_refused(client, staff):
    answer = client.post("/v1/predict?store=true&district=110101", json={"text": TEXT}, headers=staff.key())
    assert answer.status_code == 403 and answer.json()["error"]["code"] == "E422"


def test_the_same_key_gives_the_same_answer_once(client, staff):
    headers = {**staff.key(), "Idempotency-Key": "one"}
    first = client.post("/v1/predict?store=true", json={"text": TEXT}, headers=headers)
    again = client.post("/v1/predict?store=true", json={"text": TEXT}, headers=headers)
    assert again.json() == first.json() and again.headers["idempotent-replay"] == "true"
    other = client.post("/v1/predict?store=true", json={"text": "别的"}, headers=headers)
    assert other.status_code == 422 and other.json()["error"]["code"] == "E430"


def test_without_credentials_nothing_is_judged(client):
    answer = client.post("/v1/predict", json={"text": TEXT})
    assert answer.status_code == 401 and answer.json()["error"]["code"] == "E420"
