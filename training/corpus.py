"""Reading the corpus, and the checks that it must pass."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from classifier.errors import InputError
from classifier.records import Record
from classifier.taxonomy import TAXONOMY

ROOT = Path(__file__).resolve().parents[1]
CORPUS = ROOT / "data" / "corpus"
SPLITS = ("train", "validation", "test")
SCORED = ("category", "form", "subjects", "stages", "disguises", "signals", "disguised")


@dataclass(frozen=True, slots=True)
class Example:
    """A corpus record: the fields of the label standard, and who wrote it, for which slice, in which group and split.

    pair: the id of the plain twin of an obfuscated text. first, second: the labels of the writer and of a blind second
    annotator, where there was one; the fields above are the settled labels. agreed: the fields that are scored.
    """

    id: str
    text: str
    source: str
    form: str
    category: str
    subjects: tuple[str, ...]
    stages: tuple[str, ...]
    disguises: tuple[str, ...]
    signals: tuple[str, ...]
    author: str
    slice: str
    group: str
    split: str
    title: str = ""
    declared_category: str = ""
    pair: str = ""
    first: dict[str, Any] = field(default_factory=dict)
    second: dict[str, Any] = field(default_factory=dict)
    agreed: tuple[str, ...] = SCORED

    @property
    def record(self) -> Record:
        """What the classifier is given of it."""
        return Record(self.text, self.id, self.title, self.declared_category, self.source)


_FIELDS = tuple(item.name for item in fields(Example))
_LISTS = ("subjects", "stages", "disguises", "signals")


def corpus_files(folder: Path = CORPUS) -> list[Path]:
    """The corpus files, in the order in which they are read."""
    return sorted(folder.glob("*.jsonl"))


def read_examples(files: Iterable[Path]) -> list[Example]:
    """Examples of corpus files or of any labelled records of the label standard, in their order.

    Raises InputError E110 (not an object), E117 (a field is missing or unknown to the taxonomy).
    """
    examples = []
    for file in files:
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
            if line.strip():
                examples.append(_example(file, number, line))
    return examples


def _example(file: Path, number: int, line: str) -> Example:
    try:
        raw: dict[str, Any] = json.loads(line)
        known = {name: raw[name] for name in _FIELDS if raw.get(name) is not None}
        known |= {name: tuple(known.get(name, ())) for name in _LISTS}
    except (ValueError, TypeError, AttributeError) as error:
        raise InputError("E110", row=f"{file.name}:{number}", found=str(error)[:80]) from error
    missing = [name for name in ("id", "text", "category") if name not in known]
    unknown = _unknown_labels(known)
    if missing or unknown:
        raise InputError("E117", row=f"{file.name}:{number}", found="、".join([*(f"缺 {name}" for name in missing), *unknown]))
    return Example(**{"source": "", "form": "other", "author": "", "slice": "", "group": known["id"], "split": "test"} | known)


def _unknown_labels(known: dict[str, Any]) -> list[str]:
    single = [(known.get("category"), TAXONOMY.categories), (known.get("form", "other"), TAXONOMY.forms)]
    several = [
        (known["subjects"], TAXONOMY.subjects),
        (known["stages"], TAXONOMY.stages),
        (known["disguises"], TAXONOMY.disguises),
        (known["signals"], TAXONOMY.signals),
    ]
    return [str(label) for label, labels in single if label not in labels] + [
        label for values, labels in several for label in values if label not in labels
    ]


def corpus_hash(files: Iterable[Path]) -> str:
    """SHA-256 over names and contents of the corpus files."""
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()
