import json

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from classifier.engines.artifact import HEADS, head_slices  # noqa: E402
from classifier.engines.encoder import InputFormat, LogitMean  # noqa: E402
from classifier.text import compose, normalise  # noqa: E402
from tests.training.test_base_encoder import packed  # noqa: E402
from training.base_encoder import to_base  # noqa: E402
from training.encoder import OUTPUTS, Gold, Progress, Recipe, Trainer, new_encoder, parameter_groups, read_encoder  # noqa: E402
from training.encoder_quality import calibrated_manifest, folded_texts, plain_manifest, quality_of  # noqa: E402


@pytest.fixture
def base_folder(tmp_path):
    folder = tmp_path / "base"
    to_base(packed()).save(folder)
    return folder


@pytest.fixture
def few(examples):
    train = [example for example in examples if example.split == "train"][::60]
    return train + [example for example in examples if example.split == "validation"][::20]


def recipe(base_folder, **changes):
    return Recipe(**{"base": str(base_folder), "layers": 1, "epochs": 2, "batch": 8, "max_tokens": 16, "threads": 1} | changes)


def test_the_input_is_prefix_source_and_folded_fields():
    inputs = new_encoder(to_base(packed()), Recipe(layers=1, max_tokens=16)).inputs
    (window,) = inputs.windows(inputs.bodies(["数学"])[0], "")
    assert [inputs._tokenizer.id_to_token(number) for number in window.ids][:3] == ["<s>", "▁passage", ":"]
    assert len(inputs.head("sms")) > len(inputs.head(""))


def test_long_texts_are_windowed_not_cut():
    inputs = new_encoder(to_base(packed()), Recipe(layers=1)).inputs
    inputs.form = InputFormat("passage: ", 0, 2, 1, max_tokens=16, overlap=4)
    for length in range(0, 120):
        body = list(range(100, 100 + length))
        windows = inputs.windows(body, "")
        assert all(len(window.ids) <= 16 for window in windows)
        assert {number for window in windows for number in window.ids if number >= 100} == set(body)
        room = 16 - 2 - len(inputs.head(""))
        assert (len(windows) == 1) == (length <= room)


def test_window_logits_are_averaged_by_tokens():
    inputs = new_encoder(to_base(packed()), Recipe(layers=1, max_tokens=16)).inputs
    mean = LogitMean(1, OUTPUTS)
    batch = inputs.pad([*inputs.windows([5] * 8, ""), *inputs.windows([5] * 3, "")])
    lengths = batch.mask.sum(1)
    mean.add(batch, np.stack([np.full(OUTPUTS, 1.0), np.full(OUTPUTS, 2.0)]).astype(np.float32))
    assert np.allclose(mean.result(), (lengths[0] + 2 * lengths[1]) / lengths.sum())


def test_folded_texts_are_what_the_fast_engine_reads(examples):
    records = [example.record for example in examples[:20]]
    batch = normalise([compose(record)[0] for record in records], origins=False)
    assert folded_texts(records) == [
        batch.text()[first : stop - 1] for first, stop in zip(batch.starts[:-1].tolist(), batch.starts[1:].tolist(), strict=True)
    ]


def test_padding_does_not_change_logits():
    encoder = new_encoder(to_base(packed()), Recipe(layers=2, max_tokens=16))
    texts = ["数学", "学 a a 数 数学"]
    together = encoder.logits(texts, ["", ""])
    apart = np.concatenate([encoder.logits([text], [""]) for text in texts])
    assert np.allclose(together, apart, atol=1e-5)


def test_heads_learn_only_from_their_own_examples(examples):
    gold = Gold.of(examples)
    for head, wanted in (("disguises", {"subject"}), ("disguised", {"subject"}), ("subjects", {"subject", "non_subject"})):
        learned = gold.learned[head].numpy()
        assert {example.category for example, used in zip(examples, learned, strict=True) if used} == wanted
    outside = torch.tensor([number for number, example in enumerate(examples) if example.category == "out_of_scope"][:4])
    logits = torch.zeros(4, OUTPUTS, requires_grad=True)
    gold.loss(logits, outside, 0.0).backward()
    for head, place in head_slices().items():
        assert bool(logits.grad[:, place].any()) == (head in ("category", "form", "stages")), head


def test_lower_layers_learn_more_slowly():
    encoder = new_encoder(to_base(packed()), Recipe(layers=2))
    groups = parameter_groups(encoder.model, Recipe(layers=2))
    assert sum(len(group["params"]) for group in groups) == len(list(encoder.model.parameters()))
    rates = sorted({group["lr"] for group in groups})
    assert rates == pytest.approx([1.5e-4 * 0.81, 1.5e-4 * 0.9, 1.5e-4, 2e-3])


def test_training_saves_the_best_model_and_a_log(base_folder, few, tmp_path):
    folder = Trainer(few, recipe(base_folder), tmp_path / "run").run()
    encoder = read_encoder(folder)
    validation = [example for example in few if example.split == "validation"]
    records = [example.record for example in validation]
    logits = encoder.logits(folded_texts(records), [record.source for record in records])
    assert logits.shape == (len(records), OUTPUTS) and np.isfinite(logits).all()
    config = json.loads((folder / "encoder.json").read_text())
    assert config["heads"] == {head: list(labels) for head, labels in HEADS.items()}
    assert quality_of(validation, logits, plain_manifest()).short() == config["validation"]
    assert calibrated_manifest(logits, validation).temperatures.keys() == HEADS.keys()


@pytest.mark.parametrize("augment", [0.0, 0.5])
def test_a_run_that_was_cut_short_goes_on_as_if_it_had_not(base_folder, few, tmp_path, augment):
    whole = Trainer(few, recipe(base_folder, augment=augment), tmp_path / "whole")
    whole.run()
    cut = Trainer(few, recipe(base_folder, checkpoint_steps=3, augment=augment), tmp_path / "cut")

    class CutError(Exception):
        pass

    kept = cut._checkpoint

    def stop_after_first() -> None:
        kept()
        raise CutError

    cut._checkpoint = stop_after_first
    with pytest.raises(CutError):
        cut.run()
    again = Trainer(few, recipe(base_folder, checkpoint_steps=3, augment=augment), tmp_path / "cut")
    assert again.progress == Progress(0, 3)
    again.run()
    for one, other in zip(whole.encoder.model.parameters(), again.encoder.model.parameters(), strict=True):
        assert torch.allclose(one, other, atol=1e-6)
    with pytest.raises(ValueError, match="same recipe"):
        Trainer(few, recipe(base_folder, seed=1), tmp_path / "cut")


def test_a_share_of_the_texts_is_obfuscated_anew_each_epoch_and_tells_nothing_of_disguises(base_folder, few, tmp_path):
    trainer = Trainer(few, recipe(base_folder, augment=0.5, epochs=3), tmp_path / "run")
    count = len(trainer.train)
    (first, rows), (again, _), (second, _) = trainer._bodies(0), trainer._bodies(0), trainer._bodies(1)
    assert first == again and first != second
    assert (rows >= count).sum() == round(count / 2) and (rows % count == np.arange(count)).all()
    assert all(body == plain for body, plain, row in zip(first, trainer.bodies, rows, strict=True) if row < count)
    for head, learned in trainer.gold.learned.items():
        assert bool(learned[:count].any()), head
        assert learned[count:].tolist() == (learned[:count] & (head not in ("disguised", "disguises"))).tolist()


def test_a_run_may_start_from_a_trained_encoder(base_folder, few, tmp_path):
    first = Trainer(few, recipe(base_folder, epochs=1), tmp_path / "first").run()
    second = Trainer(few, recipe(base_folder, epochs=1, start=str(first)), tmp_path / "second")
    texts = ["数学", "学 a"]
    assert np.array_equal(second.encoder.logits(texts, ["", ""]), read_encoder(first).logits(texts, ["", ""]))


@pytest.mark.parametrize("mode", ["dynamic", "blocks", "mixed"])
def test_export_is_faithful(base_folder, few, tmp_path, mode):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    from classifier.engines.encoder import OnnxEncoder
    from training.encoder_export import export_encoder

    folder = Trainer(few, recipe(base_folder, epochs=1), tmp_path / "run").run()
    report = export_encoder(folder, tmp_path / "out", few, mode)
    assert report["fp32_parity"]["max_difference"] < 1e-4 and report["fp32_parity"]["category"] == 1.0
    logits = OnnxEncoder(tmp_path / "out", threads=1).logits(["数学"] * 3, ["", "sms", ""])
    assert logits.shape == (3, OUTPUTS)
    assert np.allclose(logits[0], logits[2]) and not np.allclose(logits[0], logits[1])
