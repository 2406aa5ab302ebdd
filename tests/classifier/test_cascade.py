import json
import shutil

import numpy as np
import pytest

from classifier import ModelError, Record, load
from classifier.engines.artifact import MANIFEST, default_folder
from classifier.engines.encoder import ONNX, InputEncoder, OnnxEncoder
from training.evaluate import evaluate

SURE = "初中数学八年级下册同步：一次函数、勾股定理、二次根式，例题讲练与单元测试讲评"
UNSURE = "课上把想到的先说出来，再落到纸上，最后一起看看"


@pytest.fixture(scope="module")
def auto():
    return load(engine="auto")


@pytest.fixture
def model_copy(tmp_path):
    return shutil.copytree(default_folder(), tmp_path / "model")


def test_the_encoder_is_asked_only_where_the_fast_engine_is_unsure(auto, classifier, monkeypatch):
    asked = []
    encode = type(auto)._encode

    def watching(self, texts, sources):
        asked.extend(texts)
        return encode(self, texts, sources)

    monkeypatch.setattr(type(auto), "_encode", watching)
    sure, unsure = auto.assess_many([SURE, UNSURE])
    assert asked == [UNSURE.replace("，", ",")]
    assert sure.probabilities == classifier.assess(SURE).probabilities
    assert unsure.probabilities != classifier.assess(UNSURE).probabilities


def test_the_encoder_is_read_when_it_is_first_asked():
    fresh = load(engine="auto")
    fresh.assess(SURE)
    assert "_encoder" not in vars(fresh)
    fresh.assess(UNSURE)
    assert "_encoder" in vars(fresh)


def test_the_cascade_is_better_than_the_fast_engine_alone(auto, classifier, examples):
    test = [example for example in examples if example.split == "test"][::2]
    records = [example.record for example in test]
    both, alone = (evaluate(test, list(engine.assess_many(records, evidence=False))) for engine in (auto, classifier))
    assert both.category_macro_f1 > alone.category_macro_f1 and both.subjects.f1 > alone.subjects.f1


def test_batches_change_the_encoders_answer_little_and_its_label_not(auto):
    others = [f"少儿街舞第{number}课，律动与成品舞" for number in range(30)]
    alone = auto.assess(UNSURE)
    among = list(auto.assess_many([*others, UNSURE]))[-1]
    assert among.category == alone.category
    assert among.probabilities == pytest.approx(alone.probabilities, abs=0.05)


def test_evidence_stays_sound_with_the_encoder():
    record = Record(UNSURE, title="创意表达课")
    for item in load(engine="encoder").assess(record).evidence:
        assert getattr(record, item.field)[item.start : item.end] == item.surface


def test_long_texts_are_read_in_windows_and_not_cut():
    folder = default_folder()
    inputs, body = InputEncoder.read(folder), [9] * 1000
    windows = inputs.windows(body, "sms")
    room = inputs.form.max_tokens
    assert len(windows) > 3 and all(len(window.ids) <= room for window in windows)
    step = len(windows[0].ids) - 2 - len(inputs.head("sms")) - inputs.form.overlap
    assert (len(windows) - 1) * step + len(windows[-1].ids) >= len(body)
    end = "。初二物理浮力压强例题讲解，周末提分班"
    plain = "环境优雅，老师亲切，交通方便。" * 80
    encoder = OnnxEncoder(folder)
    one, other = encoder.logits([plain, plain + end], ["", ""])
    assert not np.allclose(one, other, atol=0.2)


def test_a_changed_encoder_is_refused_when_asked_and_a_missing_one_by_name(model_copy):
    with (model_copy / ONNX).open("ab") as stream:
        stream.write(b"x")
    broken = load(model_copy, engine="auto")
    assert broken.assess(SURE).category == "subject"
    with pytest.raises(ModelError) as caught:
        broken.assess(UNSURE)
    assert caught.value.code == "E202"
    path = model_copy / MANIFEST
    manifest = json.loads(path.read_text(encoding="utf-8"))
    manifest["cascade"] = None
    path.write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(ModelError) as caught:
        load(model_copy, engine="encoder")
    assert caught.value.code == "E205"
    assert load(model_copy).assess(UNSURE) == load(model_copy, engine="fast").assess(UNSURE)
