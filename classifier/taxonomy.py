"""The labels, read once from taxonomy.toml, the one label file."""

import tomllib
from dataclasses import dataclass
from importlib import resources
from typing import Any


@dataclass(frozen=True, slots=True)
class Label:
    """One label: its id, Chinese name, definition, the policy clauses behind it, and its side or group where it has one."""

    id: str
    name: str
    definition: str
    clauses: tuple[str, ...] = ()
    side: str = ""
    group: str = ""
    forms: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Taxonomy:
    """All labels by head, each in the order of the file."""

    version: str
    categories: dict[str, Label]
    forms: dict[str, Label]
    subjects: dict[str, Label]
    stages: dict[str, Label]
    disguises: dict[str, Label]
    signals: dict[str, Label]
    triage: dict[str, Label]
    reasons: dict[str, Label]
    sources: dict[str, Label]

    @property
    def declarable(self) -> tuple[str, ...]:
        """What an institution can declare."""
        return ("subject", "non_subject")

    @property
    def school_subjects(self) -> tuple[str, ...]:
        """Ids on the subject side."""
        return tuple(label.id for label in self.subjects.values() if label.side == "subject")

    @property
    def quality_fields(self) -> tuple[str, ...]:
        """Ids on the non-subject side."""
        return tuple(label.id for label in self.subjects.values() if label.side == "non_subject")

    def __getitem__(self, label: str) -> Label:
        """Any label by its id; `other` is the subject, not the form."""
        heads = (self.categories, self.subjects, self.stages, self.disguises, self.signals, self.reasons, self.triage, self.forms)
        for group in heads:
            if label in group:
                return group[label]
        raise KeyError(label)


def _labels(table: dict[str, dict[str, Any]]) -> dict[str, Label]:
    return {
        name: Label(
            name,
            values["name"],
            values["definition"],
            tuple(values.get("clauses", ())),
            values.get("side", ""),
            values.get("group", ""),
            tuple(values.get("forms", ())),
        )
        for name, values in table.items()
    }


def _load() -> Taxonomy:
    raw = tomllib.loads(resources.files("classifier").joinpath("taxonomy.toml").read_text(encoding="utf-8"))
    heads = (_labels(raw[head]) for head in ("category", "form", "subject", "stage", "disguise", "signal", "triage", "reason", "source"))
    return Taxonomy(raw["version"], *heads)


TAXONOMY = _load()
