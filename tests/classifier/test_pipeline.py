import json
import shutil
import tracemalloc
from dataclasses import asdict

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classifier import InputError, ModelError, Record, load
from classifier.engines.artifact import FAST_WEIGHTS, MANIFEST, default_folder
from classifier.pipeline import BATCH
from classifier.text import normalise

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=80)
SCHOOL = st.sampled_from(
    ["三年级", "蔬学", "shu xue", "🔢", "数*學", "周六上午", "➕v", "保過", "6800元", "老地方", "\n", "\u200b", "\ud800"]
)
MIXED = st.lists(SCHOOL | ANY_TEXT.map(lambda text: text[:6]), max_size=14).map("".join)


@settings(max_examples=200, deadline=None)
@given(ANY_TEXT | MIXED)
def test_any_unicode_string_goes_through_the_whole_pipeline(classifier, text):
    batch = normalise([text])
    inner = slice(batch.starts[0], batch.starts[1] - 1)
    origin, ends = batch.origin[inner], batch.ends[inner]
    assert (np.diff(origin) >= 0).all() and (np.diff(ends) >= 0).all() and (ends > origin).all()
    assert not len(origin) or (origin[0] >= 0 and ends[-1] <= len(text))
    if not text.strip():
        with pytest.raises(InputError):
            classifier.assess(text)
        return
    for item in classifier.assess(text).evidence:
        assert item.field == "text" and item.surface == text[item.start : item.end] != ""


@settings(max_examples=25, deadline=None)
@given(MIXED.filter(str.strip))
def test_any_unicode_string_goes_through_the_encoder_too(encoder, text):
    assessment = encoder.assess(text)
    assert sum(assessment.probabilities.values()) == pytest.approx(1, abs=1e-3)
    assert all(item.surface == text[item.start : item.end] for item in assessment.evidence)


@pytest.fixture(scope="module")
def encoder():
    return load(engine="encoder")


def test_text_and_record_give_the_same(classifier):
    text = "九年级化学酸碱盐专题，周二放学后"
    assert classifier.assess(text) == classifier.assess(Record(text))


def test_batches_do_not_change_an_assessment(classifier, examples):
    records = [example.record for example in examples[: BATCH + 40]]
    together = list(classifier.assess_many(records))
    for place in (0, 17, BATCH - 1, BATCH, BATCH + 39):
        alone = classifier.assess(records[place])
        assert alone.category == together[place].category and alone.signals == together[place].signals
        assert alone.probabilities == pytest.approx(together[place].probabilities, abs=2e-4)
        assert [item.surface for item in alone.evidence] == [item.surface for item in together[place].evidence]


def test_streaming_reads_no_further_than_a_batch_and_keeps_memory_flat(classifier):
    pulled = 0

    def source(number):
        nonlocal pulled
        for place in range(number):
            pulled += 1
            yield Record(f"五年级英语第{place}课，单词听写，周三放学后")

    stream = classifier.assess_many(source(10_000))
    next(stream)
    assert pulled == BATCH

    def peak(number):
        tracemalloc.start()
        for _ in classifier.assess_many(source(number)):
            pass
        _, highest = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return highest

    peak(BATCH)
    assert peak(BATCH * 12) < peak(BATCH * 2) * 1.3


def test_the_frame_agrees_with_the_stream(classifier, examples):
    records = [example.record for example in examples]
    fields = ("id", "text", "title", "declared_category", "source")
    frame = pl.DataFrame([{name: asdict(record)[name] for name in fields} for record in records], schema=dict.fromkeys(fields, pl.String))
    result = classifier.assess_frame(frame)
    assert result.height == frame.height
    for row, said in zip(result.iter_rows(named=True), classifier.assess_many(records, evidence=False), strict=True):
        assert (row["id"], row["category"], row["form"], row["triage"]) == (said.id, said.category, said.form, said.triage)
        for head in ("subjects", "stages", "disguises", "signals"):
            assert set(row[head]) == {item.id for item in getattr(said, head)}
        assert row["disguised"] == said.disguised.verdict and row["declared_mismatch"] == said.declared_mismatch
        assert set(row["reasons"]) == set(said.reasons)
        assert row["probability_subject"] == pytest.approx(said.probabilities["subject"], abs=2e-4)


def test_the_frame_takes_further_columns_and_leaves_signals_out_when_asked(classifier):
    frame = pl.DataFrame({"title": ["素养课", None], "text": ["口算与应用题讲练", "少儿拉丁"], "price": ["收费：6800 元", ""]})
    assert classifier.assess_frame(frame)["signals"].to_list()[0] == ["prepay_excess"]
    assert "signals" not in classifier.assess_frame(frame, signals=False).columns
    assert classifier.assess_frame(frame.head(0)).height == 0


def test_a_frame_without_text_is_refused(classifier):
    with pytest.raises(InputError) as caught:
        classifier.assess_frame(pl.DataFrame({"甲": ["a"]}))
    assert caught.value.code == "E105"
    with pytest.raises(InputError) as caught:
        classifier.assess_frame(pl.DataFrame({"text": ["a", " "]}))
    assert caught.value.code == "E111" and "2" in caught.value.chinese


def test_a_record_without_text_is_refused(classifier):
    with pytest.raises(InputError) as caught:
        list(classifier.assess_many([Record(" \n", id="x7")]))
    assert caught.value.code == "E111" and "x7" in str(caught.value)


def test_other_columns_take_part(classifier):
    bare = classifier.assess(Record("四年级同步提高，例题讲练", id="a"))
    full = classifier.assess(Record("四年级同步提高，例题讲练", id="a", timetable="上课时间：周六 9:00-20:50", price="收费：年费 6800 元"))
    assert {signal.id for signal in full.signals} - {signal.id for signal in bare.signals} >= {
        "holiday_schedule",
        "prepay_excess",
        "late_schedule",
    }
    assert {item.field for item in full.evidence} >= {"timetable", "price"}


@pytest.fixture
def model_copy(tmp_path):
    return shutil.copytree(default_folder(), tmp_path / "model")


def test_a_missing_model_an_unknown_engine_and_changed_files_are_named(tmp_path, model_copy):
    with pytest.raises(ModelError) as caught:
        load(tmp_path / "none")
    assert caught.value.code == "E201"
    with pytest.raises(ModelError) as caught:
        load(engine="magic")
    assert caught.value.code == "E204"
    with (model_copy / FAST_WEIGHTS).open("ab") as stream:
        stream.write(b"x")
    with pytest.raises(ModelError) as caught:
        load(model_copy)
    assert caught.value.code == "E202"


def test_a_model_with_other_labels_is_refused(model_copy):
    path = model_copy / MANIFEST
    manifest = json.loads(path.read_text(encoding="utf-8"))
    manifest["heads"]["stages"] = ["primary"]
    path.write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(ModelError) as caught:
        load(model_copy)
    assert caught.value.code == "E203" and "stages" in str(caught.value)
