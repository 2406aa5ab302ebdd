"""From a trained encoder to what ships: ONNX, parity with torch asserted, int8, accuracy and speed measured again."""

import json
import shutil
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classifier.engines.artifact import file_hash, head_slices
from classifier.engines.encoder import ENCODER_CONFIG, ONNX, TOKENIZER, OnnxEncoder
from training.corpus import Example, read_examples
from training.encoder_quality import assessments, calibrated_manifest, folded_texts, quality_of

MAX_DIFFERENCE = 1e-3
_PARITY_TEXTS = 128
_BLOCK = 128
QUANTISATIONS = ("dynamic", "blocks", "mixed")


def export_onnx(model: Path, target: Path) -> None:
    """Write the fp32 graph of the encoder in `model`, batch and length free."""
    import torch

    from training.encoder import read_encoder

    encoder = read_encoder(model, attention="eager")
    ids = torch.randint(5, 1000, (3, 17))
    mask = torch.ones_like(ids)
    mask[1, 9:] = 0
    free = {0: torch.export.Dim("batch"), 1: torch.export.Dim("tokens")}
    torch.onnx.export(
        encoder.model, (ids, mask), str(target), dynamo=True, external_data=False, input_names=["input_ids", "attention_mask"],
        output_names=["logits"], dynamic_shapes={"input_ids": free, "attention_mask": free},
    )  # fmt: skip


def quantise(source: Path, target: Path, mode: str = "blocks") -> None:
    """Write the int8 graph of an fp32 one, in one of QUANTISATIONS.

    dynamic: weights one scale a channel, activations one scale a batch: fastest, but the wide activations before a
    layer's feed-forward output cost accuracy, and a text's logits depend on its neighbours in the batch. blocks: weights
    and activations one scale a block of 128 (MatMulNBits): nearly fp32, a third slower. mixed: blocks for the
    feed-forward outputs, dynamic for all else. Tables of embeddings are int8 in each.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic

    if mode not in QUANTISATIONS:
        raise ValueError(f"expected one of {', '.join(QUANTISATIONS)}; found {mode}")
    with tempfile.TemporaryDirectory() as folder:
        if mode != "dynamic":
            blocked = Path(folder) / "blocks.onnx"
            _quantise_blocks(source, blocked, only_contracting=mode == "mixed")
            source = blocked
        quantize_dynamic(source, target, per_channel=True, weight_type=QuantType.QInt8)


def _quantise_blocks(source: Path, target: Path, *, only_contracting: bool) -> None:
    """8-bit blocks for every matrix product with a weight, or only for those whose output is narrower than their input."""
    import onnx
    from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer

    graph = onnx.load(source)
    shapes = {weight.name: tuple(weight.dims) for weight in graph.graph.initializer}
    left = []
    for node in graph.graph.node:
        if node.op_type == "MatMul" and only_contracting:
            rows, columns = shapes.get(node.input[1], (0, 0))
            if rows <= columns:
                left.append(node.name)
    quantizer = MatMulNBitsQuantizer(graph, bits=8, block_size=_BLOCK, is_symmetric=True, accuracy_level=4, nodes_to_exclude=left)
    quantizer.process()
    quantizer.model.save_model_to_file(str(target), False)


def agreement(one: NDArray[np.float32], other: NDArray[np.float32]) -> dict[str, float]:
    """Largest difference of two logits matrices, and the share of labels on which they agree (each head uncalibrated)."""
    same = {}
    for head, place in head_slices().items():
        left, right = one[:, place], other[:, place]
        equal = left.argmax(1) == right.argmax(1) if head in ("category", "form") else ((left > 0) == (right > 0)).ravel()
        same[head] = round(float(equal.mean()), 4)
    return {"max_difference": float(f"{np.abs(one - other).max():.3g}"), **same}


def _inputs(examples: Sequence[Example]) -> tuple[list[str], list[str]]:
    return folded_texts([example.record for example in examples]), [example.source for example in examples]


def export_encoder(model: Path, output: Path, examples: Sequence[Example], mode: str = "blocks") -> dict[str, Any]:
    """Write encoder.onnx (int8), tokenizer.json and encoder.json into `output`; returns what was verified.

    Raises ValueError where ONNX and torch differ by more than MAX_DIFFERENCE in any logit.
    """
    from training.encoder import read_encoder

    output.mkdir(parents=True, exist_ok=True)
    for name in (TOKENIZER, ENCODER_CONFIG):
        shutil.copyfile(model / name, output / name)
    validation = [example for example in examples if example.split == "validation"]
    longest = sorted(validation, key=lambda example: -len(example.text))[:4]
    inputs = _inputs([*validation[:: max(1, len(validation) // _PARITY_TEXTS)], *longest])
    with tempfile.TemporaryDirectory() as folder:
        full = Path(folder) / "fp32.onnx"
        export_onnx(model, full)
        expected = read_encoder(model).logits(*inputs)
        parity = agreement(expected, OnnxEncoder(output, full).logits(*inputs))
        if parity["max_difference"] > MAX_DIFFERENCE:
            raise ValueError(f"expected ONNX within {MAX_DIFFERENCE} of torch; found {parity}; try another torch or opset")
        quantise(full, output / ONNX, mode)
    found = agreement(expected, OnnxEncoder(output).logits(*inputs))
    return {
        "texts_compared": len(inputs[0]), "fp32_parity": parity, "quantisation": mode, "int8_agreement": found,
        "sha256": file_hash(output / ONNX),
        "bytes": {name: (output / name).stat().st_size for name in (ONNX, TOKENIZER)},
    }  # fmt: skip


def speed(encoder: OnnxEncoder, length: int, texts: int = 256) -> float:
    """Texts a second at `length` characters, tokenising included."""
    sample = "三年级数学思维周末小班，名师讲解应用题与口算，报名请咨询。老师陪读写作业，环境温馨，接送方便，"
    folded = [(sample[place % 7 :] * (length // 20))[:length] for place in range(texts)]
    encoder.logits(folded[:32], [""] * 32)
    began = time.perf_counter()
    encoder.logits(folded, [""] * texts)
    return round(texts / (time.perf_counter() - began), 1)


def measure(model: Path, output: Path, examples: Sequence[Example], gold: Sequence[Path], threads: int = 2) -> dict[str, Any]:
    """Figures of torch fp32 and ONNX int8, each calibrated on validation, and the speed.

    Writes NAME.pred.jsonl for every file of `gold`, as score.py reads it.
    """
    from training.encoder import read_encoder

    sets = {name: [example for example in examples if example.split == name] for name in ("validation", "test")}
    sets |= {file.stem: read_examples([file]) for file in gold}
    exported = OnnxEncoder(output, threads=threads)
    report: dict[str, Any] = {}
    for engine, encoder in (("fp32", read_encoder(model)), ("int8", exported)):
        logits = {name: encoder.logits(*_inputs(items)) for name, items in sets.items()}
        manifest = calibrated_manifest(logits["validation"], sets["validation"])
        report[engine] = {name: quality_of(items, logits[name], manifest).short() for name, items in sets.items()}
        report[engine]["calibration"] = {"temperatures": manifest.temperatures, "thresholds": manifest.thresholds}
        for file in gold:
            lines = (json.dumps(said.to_dict(), ensure_ascii=False) for said in assessments(sets[file.stem], logits[file.stem], manifest))
            output.joinpath(f"{file.stem}.{engine}.pred.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    for name, items in sets.items():
        unknown = exported.logits(_inputs(items)[0], [""] * len(items))
        report["int8"][f"{name}_without_source"] = quality_of(items, unknown, manifest).short()
    report["texts_per_second"] = {str(length): speed(exported, length) for length in (40, 60, 150)}
    return report
