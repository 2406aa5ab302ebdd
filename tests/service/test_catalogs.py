import io
import json

import openpyxl
import pytest

from classifier import Record, load
from service.catalogs.worker import Worker
from tests.conftest import ROOT

ROWS = [("K-1", "三年级数学思维，周六上午"), ("K-2", "少儿街舞基础班"), ("K-3", ""), ("K-4", "成人瑜伽")]


def csv_of(rows=ROWS, heading="编号,课程简介"):
    return "\n".join([heading, *(",".join(row) for row in rows)]).encode()


def upload(client, key, content=None, name="目录.csv", **form):
    return client.post("/v1/catalogs", files={"file": (name, csv_of() if content is None else content)}, data=form, headers=key)


def test_a_catalog_goes_from_upload_to_workbook(client, staff, work):
    key = staff.key()
    accepted = upload(client, key, district="330702")
    assert accepted.status_code == 202, accepted.text
    catalog = accepted.json()
    assert (catalog["state"], catalog["rows_total"], catalog["rows_failed"]) == ("queued", 4, 1)
    assert accepted.headers["location"] == f"/v1/catalogs/{catalog['id']}"
    assert work() == 3
    done = client.get(accepted.headers["location"], headers=key).json()
    assert (done["state"], done["rows_done"], done["remaining_seconds"]) == ("done", 3, 0.0) and done["rate"] > 0

    items = client.get(f"/v1/catalogs/{catalog['id']}/items", headers=key).json()["items"]
    classifier = load(engine="fast")
    for item, (identifier, text) in zip(items, ROWS, strict=True):
        assert item["external_id"] == identifier and item["values"] == {"编号": identifier, "课程简介": text}
        if text:
            assert item["assessment"] == json.loads(json.dumps(classifier.assess(Record(text, identifier)).to_dict()))
        else:
            assert item["queue_state"] == "failed" and item["error"]["code"] == "E111"

    book = client.get(f"/v1/catalogs/{catalog['id']}/export", headers=key)
    assert book.headers["content-disposition"].startswith("attachment; filename*=UTF-8''%E7%9B%AE%E5%BD%95")
    sheet = openpyxl.load_workbook(io.BytesIO(book.content))["鉴课结果"]
    rows = list(sheet.iter_rows(values_only=True))
    assert rows[0][:6] == ("编号", "课程简介", "复核状态", "复核结论", "复核意见", "判定类别")
    assert [row[5] for row in rows[1:]] == ["学科类", "非学科类", "", "不适用"]
    lines = client.get(f"/v1/catalogs/{catalog['id']}/export?format=jsonl", headers=key).text.splitlines()
    assert len(lines) == 4 and json.loads(lines[2])["error"]["code"] == "E111"


def test_items_are_paged_and_filtered(client, staff, work):
    key = staff.key()
    catalog = upload(client, key).json()["id"]
    work()
    seen, after = [], 0
    while after is not None:
        page = client.get(f"/v1/catalogs/{catalog}/items?limit=3&after={after}", headers=key).json()
        seen += [item["row"] for item in page["items"]]
        after = page["next"]
    assert seen == [2, 3, 4, 5]
    subject = client.get(f"/v1/catalogs/{catalog}/items?category=subject", headers=key).json()["items"]
    assert [item["external_id"] for item in subject] == ["K-1"]


def test_the_sample_workbook_and_jsonl(client, staff, work):
    key = staff.key()
    for name in ("catalog.xlsx", "ads.jsonl"):
        accepted = upload(client, key, (ROOT / "data" / "samples" / name).read_bytes(), name)
        assert accepted.status_code == 202, accepted.text
        work()
        catalog = client.get(accepted.headers["location"], headers=key).json()
        assert catalog["state"] == "done" and catalog["rows_done"] + catalog["rows_failed"] == catalog["rows_total"] > 5


def test_columns_can_be_named(client, staff):
    content = csv_of([("少儿街舞", "1")], "甲,乙")
    assert upload(client, staff.key(), content).json()["error"]["code"] == "E105"
    named = upload(client, staff.key(), content, columns='{"text": "甲"}')
    assert named.status_code == 202 and named.json()["columns"] == {"text": ["甲"]}
    wrong = upload(client, staff.key(), content, columns='{"texts": "甲"}')
    assert wrong.status_code == 422 and wrong.json()["error"]["code"] == "E410"


def test_cancelling_keeps_what_is_done(client, staff, runtime, work):
    key = staff.key()
    catalog = upload(client, key, csv_of([(str(number), "奥数班") for number in range(600)])).json()["id"]
    worker = Worker(runtime)
    assert worker.step() == runtime.settings.worker_batch
    worker.close()
    cancelled = client.post(f"/v1/catalogs/{catalog}/cancel", headers=key)
    assert cancelled.json()["state"] == "cancelled" and cancelled.json()["rows_done"] == 256
    assert work() == 0
    again = client.post(f"/v1/catalogs/{catalog}/cancel", headers=key)
    assert again.status_code == 409 and again.json()["error"]["code"] == "E432"
    left = client.get(f"/v1/catalogs/{catalog}/items?queue_state=cancelled&limit=1000", headers=key).json()["items"]
    assert len(left) == 344


def test_reassessment_keeps_both(client, staff, work):
    key, supervisor = staff.key(), staff.key("supervisor")
    catalog = upload(client, key, csv_of([("1", "奥数班"), ("2", "合唱团")])).json()["id"]
    work()
    item = client.get(f"/v1/catalogs/{catalog}/items", headers=key).json()["items"][0]["id"]
    again = client.post(f"/v1/catalogs/{catalog}/reassess?engine=auto", headers=supervisor)
    assert again.status_code == 202 and again.json()["state"] == "queued", again.text
    assert work() == 2
    assert client.get(f"/v1/catalogs/{catalog}", headers=key).json()["state"] == "done"
    assert [entry["engine"] for entry in client.get(f"/v1/items/{item}", headers=key).json()["assessments"]] == ["fast", "auto"]
    assert client.post(f"/v1/catalogs/{catalog}/reassess", headers=key).status_code == 403


def test_progress_events_end_with_the_catalog(client, staff, work):
    key = staff.key()
    catalog = upload(client, key).json()["id"]
    work()
    with client.stream("GET", f"/v1/catalogs/{catalog}/events", headers=key) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = [line for line in answer.iter_lines() if line.startswith("data: ")]
    assert json.loads(lines[-1].removeprefix("data: "))["state"] == "done"


def test_a_small_catalog_does_not_wait_for_a_large_one(client, staff, runtime):
    key = staff.key()
    large = upload(client, key, csv_of([(str(number), "奥数班") for number in range(1500)])).json()["id"]
    small = upload(client, key, csv_of([("1", "合唱团")])).json()["id"]
    worker = Worker(runtime)
    worker.step()
    worker.step()
    worker.close()
    states = {name: client.get(f"/v1/catalogs/{name}", headers=key).json()["state"] for name in (large, small)}
    assert states == {large: "running", small: "done"}


def test_a_row_that_breaks_the_classifier_does_not_hold_up_the_others(client, staff, runtime, work, monkeypatch):
    classifier = runtime.classifier("fast")
    assess_many = classifier.assess_many

    def breaks(records, **options):
        batch = list(records)
        if any("坏" in record.text for record in batch):
            raise RuntimeError("broken")
        return assess_many(batch, **options)

    monkeypatch.setattr(classifier, "assess_many", breaks)
    key = staff.key()
    catalog = upload(client, key, csv_of([("1", "奥数班"), ("2", "坏的"), ("3", "合唱团")])).json()["id"]
    work()
    items = client.get(f"/v1/catalogs/{catalog}/items", headers=key).json()["items"]
    assert [item["queue_state"] for item in items] == ["assessed", "failed", "assessed"]
    assert client.get(f"/v1/catalogs/{catalog}", headers=key).json()["state"] == "done"


@pytest.mark.parametrize(("content", "name", "code"), [(b"", "a.csv", "E104"), (b"PK\x03\x04", "a.xlsx", "E103"), (b"x", "a.doc", "E417")])
def test_files_that_cannot_be_used_say_why(client, staff, content, name, code):
    refused = upload(client, staff.key(), content, name)
    assert refused.json()["error"]["code"] == code, refused.text
    assert "/tmp" not in refused.json()["error"]["message"]
