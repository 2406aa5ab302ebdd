"""One immutable set of rules: everything that a classifier knows beside its model's weights."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from pathlib import Path

import ahocorasick_rs

from classifier.lexicon import Lexicon, load_lexicon
from classifier.policy import Policy, load_policy
from classifier.rules.folder import LocalRules, read_folder, shipped_borderline
from classifier.signals import DetectorSet, shipped_detectors
from classifier.signals.patterns import Pattern


class Borderline:
    """Words of the families that the law leaves to 鉴定, with the family's id in the policy base."""

    def __init__(self, families: Mapping[str, str]) -> None:
        """Build the automaton over the words, given as folded word → family."""
        self.families = dict(families)
        self._automaton = ahocorasick_rs.AhoCorasick(list(self.families))

    def places(self, text: str) -> list[int]:
        """Where such a word begins in a folded text or batch."""
        return [first for _, first, _ in self._automaton.find_matches_as_indexes(text)]


@dataclass(frozen=True, slots=True)
class RuleSet:
    """What a classifier is given; made once, shared freely, never changed."""

    lexicon: Lexicon
    detectors: DetectorSet
    borderline: Borderline
    policy: Policy
    version: str


def _shipped_version() -> str:
    """A hash of the shipped rules' files: it changes when a rule does."""
    digest = hashlib.sha256()
    for package in ("classifier.signals", "classifier.lexicon"):
        for folder in (resources.files(package), *(resources.files(package).joinpath(name) for name in ("cues", "phrases"))):
            if not folder.is_dir():
                continue
            for entry in sorted(folder.iterdir(), key=lambda item: item.name):
                if entry.name.endswith((".py", ".toml", ".tsv")):
                    digest.update(entry.name.encode() + b"\0" + entry.read_bytes())
    return f"rules@sha256:{digest.hexdigest()[:12]}"


@cache
def shipped_ruleset() -> RuleSet:
    """The rules that come with the package."""
    return RuleSet(load_lexicon(), DetectorSet(shipped_detectors()), Borderline(shipped_borderline()), load_policy(), _shipped_version())


def load_ruleset(folder: str | Path | None = None) -> RuleSet:
    """The shipped rules, with those of a district's folder beside them where one is named. Raises InputError E120, E121."""
    shipped = shipped_ruleset()
    return _joined(shipped, read_folder(Path(folder))) if folder else shipped


def _joined(shipped: RuleSet, local: LocalRules) -> RuleSet:
    """Both; a district's signals come first, so that its clauses are cited before the general ones."""
    clauses = shipped.policy.clauses | local.clauses
    return RuleSet(
        Lexicon(shipped.lexicon.cues[: shipped.lexicon.shipped], local.cues) if local.cues else shipped.lexicon,
        DetectorSet((*map(Pattern, local.signals), *shipped.detectors.detectors)) if local.signals else shipped.detectors,
        Borderline(shipped.borderline.families | local.borderline) if local.borderline else shipped.borderline,
        replace(shipped.policy, clauses=clauses) if local.clauses else shipped.policy,
        f"{shipped.version}+local@sha256:{local.digest[:12]}",
    )
