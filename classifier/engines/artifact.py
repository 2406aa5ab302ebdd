"""The on-disk layout of a model: one manifest and the files it names, each with its hash."""

import hashlib
import json
import os
import sysconfig
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from safetensors.numpy import load_file

from classifier.errors import ModelError
from classifier.taxonomy import TAXONOMY

MANIFEST = "manifest.json"
FAST_WEIGHTS = "fast.safetensors"
LAYOUT_VERSION = 1

HEADS: dict[str, tuple[str, ...]] = {
    "category": tuple(TAXONOMY.categories),
    "form": tuple(TAXONOMY.forms),
    "subjects": tuple(TAXONOMY.subjects),
    "stages": tuple(TAXONOMY.stages),
    "disguised": ("disguised",),
    "disguises": tuple(TAXONOMY.disguises),
}
"""Every model head and its labels, in the order in which the model's outputs stand side by side."""


def head_slices() -> dict[str, slice]:
    """Where each head's outputs stand among all outputs."""
    slices, start = {}, 0
    for head, labels in HEADS.items():
        slices[head] = slice(start, start + len(labels))
        start += len(labels)
    return slices


@dataclass(frozen=True, slots=True)
class Cascade:
    """How the encoder takes part: where the fast engine's likeliest category is below `limit`, both engines' logits are mixed.

    share: the encoder's part of the mixture, 0 to 1. temperatures, thresholds: of the mixture. triage: limits of the
    automatic decision when the encoder takes part.
    """

    limit: float
    share: float
    temperatures: dict[str, float]
    thresholds: dict[str, list[float]]
    triage: dict[str, float]


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a model folder says of itself.

    heads: labels by head, as trained. temperatures: by head. thresholds: by head, one for each label (empty for the
    category and the form, which take the likeliest). triage: limits of the automatic decision.
    corpus: SHA-256 of the corpus files it was trained on. files: SHA-256 by file name. cascade: absent without encoder.
    """

    layout: int
    name: str
    heads: dict[str, list[str]]
    temperatures: dict[str, float]
    thresholds: dict[str, list[float]]
    triage: dict[str, float]
    corpus: str
    files: dict[str, str]
    cascade: Cascade | None = None

    @property
    def version(self) -> str:
        """Name and content hash: the same for the same weights, labels and thresholds."""
        content = json.dumps(asdict(self), sort_keys=True, ensure_ascii=False).encode()
        return f"{self.name}@sha256:{hashlib.sha256(content).hexdigest()[:16]}"

    def write(self, folder: Path) -> None:
        """Write manifest.json into `folder`."""
        content = json.dumps(asdict(self), ensure_ascii=False, indent=1, sort_keys=True)
        folder.joinpath(MANIFEST).write_text(content + "\n", encoding="utf-8")


def file_hash(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def default_folder() -> Path:
    """Where the shipped model lies: JIANKE_MODEL, the source tree, or the installation's data folder."""
    named = os.environ.get("JIANKE_MODEL")
    if named:
        return Path(named)
    source_tree = Path(__file__).resolve().parents[2] / "models" / "default"
    if source_tree.joinpath(MANIFEST).exists():
        return source_tree
    return Path(sysconfig.get_path("data")) / "share" / "jianke" / "models" / "default"


def read_manifest(folder: Path) -> Manifest:
    """Read and check a model's manifest. Raises ModelError E201 (missing), E202 (not a manifest), E203 (other labels)."""
    path = folder / MANIFEST
    if not path.is_file():
        raise ModelError("E201", path=folder)
    try:
        raw: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        cascade = raw.pop("cascade", None)
        manifest = Manifest(**raw, cascade=Cascade(**cascade) if cascade else None)
    except (ValueError, TypeError) as error:
        raise ModelError("E202", path=path, expected="manifest", found=str(error)) from error
    expected = {head: list(labels) for head, labels in HEADS.items()}
    if manifest.layout != LAYOUT_VERSION or manifest.heads != expected:
        changed = [head for head in expected if manifest.heads.get(head) != expected[head]] or [f"layout {manifest.layout}"]
        raise ModelError("E203", found=", ".join(changed), expected=f"layout {LAYOUT_VERSION}, taxonomy {TAXONOMY.version}")
    return manifest


def verify_file(folder: Path, manifest: Manifest, name: str) -> Path:
    """The path of one of the model's files. Raises ModelError E202 where it is not what the manifest says."""
    file = folder / name
    expected = manifest.files.get(name, "—")
    found = file_hash(file) if file.is_file() else "缺失 missing"
    if found != expected:
        raise ModelError("E202", path=file, expected=expected[:16], found=found[:16])
    return file


def read_weights(file: Path) -> dict[str, Any]:
    """The arrays of a safetensors file, by name."""
    arrays: dict[str, Any] = load_file(file)
    return arrays
