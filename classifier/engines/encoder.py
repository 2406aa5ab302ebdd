"""The encoder engine: a small transformer in ONNX, its stated input format, windows over long texts, batches.

One input is `prefix + source name + "："` (the name and its colon only where the source is known), then the record's
fields in the order of compose(), folded and decoded. Prefix with source, and folded fields, are tokenised apart. A text longer than
`max_tokens` is read in overlapping windows, each with the same head; its logits are their mean, weighted by tokens.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from classifier.engines.artifact import HEADS
from classifier.taxonomy import TAXONOMY

TOKENIZER = "tokenizer.json"
ENCODER_CONFIG = "encoder.json"
ONNX = "encoder.onnx"
ENCODER_FILES = (ONNX, TOKENIZER, ENCODER_CONFIG)
_OUTPUTS = sum(map(len, HEADS.values()))
BATCH = 32


@dataclass(frozen=True, slots=True)
class InputFormat:
    """How a text becomes token ids; saved as encoder.json beside the model, with the heads in the order of the outputs.

    begin, end, padding: token ids. overlap: tokens that neighbouring windows share.
    """

    prefix: str
    begin: int
    end: int
    padding: int
    max_tokens: int = 256
    overlap: int = 32

    def save(self, folder: Path, **facts: Any) -> None:  # noqa: ANN401 - JSON values
        """Write encoder.json: the format, the heads, the source names, and `facts` about the model."""
        names = {label.id: label.name for label in TAXONOMY.sources.values()}
        content = {"input": asdict(self), "heads": {head: list(labels) for head, labels in HEADS.items()}, "sources": names, **facts}
        folder.joinpath(ENCODER_CONFIG).write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read encoder.json of a folder."""
        return cls(**json.loads(folder.joinpath(ENCODER_CONFIG).read_text(encoding="utf-8"))["input"])


@dataclass(frozen=True, slots=True)
class Window:
    """Token ids of one window of text number `owner`."""

    owner: int
    ids: list[int]


@dataclass(frozen=True, slots=True)
class TokenBatch:
    """Windows side by side. ids, mask: int64, (windows, longest); owners: int64, (windows,)."""

    ids: NDArray[np.int64]
    mask: NDArray[np.int64]
    owners: NDArray[np.int64]


class InputEncoder:
    """Texts to token ids in the stated format."""

    def __init__(self, tokenizer: Tokenizer, form: InputFormat) -> None:
        """Take the tokenizer that belongs to the model, and the format."""
        self.form = form
        self._tokenizer = tokenizer
        self.head = lru_cache(maxsize=None)(self._head)

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read tokenizer.json and encoder.json of a folder."""
        return cls(Tokenizer.from_file(str(folder / TOKENIZER)), InputFormat.read(folder))

    def _head(self, source: str) -> tuple[int, ...]:
        name = TAXONOMY.sources[source].name + "：" if source in TAXONOMY.sources else ""
        return tuple(self._tokenizer.encode(self.form.prefix + name, add_special_tokens=False).ids)

    def bodies(self, folded: Sequence[str]) -> list[list[int]]:
        """Token ids of folded texts, without head and special tokens."""
        return [encoding.ids for encoding in self._tokenizer.encode_batch(list(folded), add_special_tokens=False)]

    def windows(self, body: list[int], source: str, owner: int = 0) -> list[Window]:
        """The windows of one text; one window where it fits."""
        head = self.head(source)
        room = self.form.max_tokens - 2 - len(head)
        starts = [0, *range(room - self.form.overlap, len(body) - self.form.overlap, room - self.form.overlap)]
        return [Window(owner, [self.form.begin, *head, *body[start : start + room], self.form.end]) for start in starts]

    def pad(self, windows: Sequence[Window]) -> TokenBatch:
        """Windows as one rectangle, padded to the longest."""
        width = max(len(window.ids) for window in windows)
        ids = np.full((len(windows), width), self.form.padding, dtype=np.int64)
        mask = np.zeros_like(ids)
        for row, window in enumerate(windows):
            ids[row, : len(window.ids)] = window.ids
            mask[row, : len(window.ids)] = 1
        return TokenBatch(ids, mask, np.array([window.owner for window in windows], dtype=np.int64))

    def batches(self, folded: Sequence[str], sources: Sequence[str], size: int = BATCH) -> Iterator[TokenBatch]:
        """All windows of folded texts in batches of like length; `sources` holds "" where the source is unknown."""
        windows = [
            window
            for owner, (body, source) in enumerate(zip(self.bodies(folded), sources, strict=True))
            for window in self.windows(body, source, owner)
        ]
        windows.sort(key=lambda window: len(window.ids))
        for start in range(0, len(windows), size):
            yield self.pad(windows[start : start + size])


class LogitMean:
    """Collects window logits and gives each text the mean of its windows, weighted by tokens."""

    def __init__(self, texts: int, outputs: int) -> None:
        """Make room for `texts` rows of `outputs` logits."""
        self._sums = np.zeros((texts, outputs), dtype=np.float64)
        self._weights = np.zeros((texts, 1), dtype=np.float64)

    def add(self, batch: TokenBatch, logits: NDArray[np.float32]) -> None:
        """Add the logits of a batch of windows."""
        tokens = batch.mask.sum(axis=1, keepdims=True)
        np.add.at(self._sums, batch.owners, logits * tokens)
        np.add.at(self._weights, batch.owners, tokens)

    def result(self) -> NDArray[np.float32]:
        """Logits, float32, shape (texts, outputs), in the order of head_slices()."""
        return np.asarray(self._sums / self._weights, dtype=np.float32)


class OnnxEncoder:
    """An exported encoder: an ONNX Runtime session and the inputs it wants."""

    def __init__(self, folder: Path, file: Path | None = None, threads: int = 2) -> None:
        """Read encoder.onnx (or another `file`), tokenizer.json and encoder.json of a folder."""
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self._session = onnxruntime.InferenceSession(str(file or folder / ONNX), options)
        self._inputs = InputEncoder.read(folder)

    def logits(self, texts: Sequence[str], sources: Sequence[str]) -> NDArray[np.float32]:
        """Logits of folded and decoded texts, shape (texts, outputs), ordered as head_slices(); sources hold "" where unknown."""
        mean = LogitMean(len(texts), _OUTPUTS)
        for batch in self._inputs.batches(texts, sources):
            mean.add(batch, self._session.run(["logits"], {"input_ids": batch.ids, "attention_mask": batch.mask})[0])
        return mean.result()
