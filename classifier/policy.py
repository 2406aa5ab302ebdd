"""The policy base: what may be cited, and whether it has been verified."""

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources

_REFERENCE = re.compile(r"([a-z0-9]+(?:-[a-z0-9]+)*)(?:/[a-z0-9-]+)?\s?")
"""A clause's or a document's id inside an article, which stands for the document's name."""

VERIFIED_NAMES = {"yes": "", "partial": "（条号或细节待核）", "no": "（未核实，仅供参考）"}


@dataclass(frozen=True, slots=True)
class Clause:
    """Something that can be cited by its id: a clause, an advertising rule, a threshold or a family of the decision table."""

    id: str
    kind: str
    document: str
    article: str
    gist: str
    verified: str

    def sentence(self) -> str:
        """The clause in Chinese, as a reviewer may paste it; what is not verified is said."""
        source = f"《{self.document}》{self.article}" if self.document else self.article
        return f"{source}{'：' if source else ''}{self.gist}{VERIFIED_NAMES[self.verified]}"


@dataclass(frozen=True, slots=True)
class Policy:
    """The policy base of one version."""

    version: str
    clauses: dict[str, Clause]


@cache
def load_policy() -> Policy:
    """Read policy.toml once."""
    raw = tomllib.loads(resources.files("classifier").joinpath("policy.toml").read_text(encoding="utf-8"))
    names = {key: document["name"] for key, document in raw["document"].items()}

    def named(reference: re.Match[str]) -> str:
        return f"《{names[reference[1]]}》" if reference[1] in names else reference[0]

    clauses = {
        key: Clause(
            key,
            values["kind"],
            names.get(values["document"], ""),
            _REFERENCE.sub(named, values["article"]),
            values["gist"],
            values["verified"],
        )
        for key, values in raw["clause"].items()
    }
    return Policy(raw["version"], clauses)
