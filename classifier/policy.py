"""The policy base: what may be cited, and whether it has been verified."""

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources

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
        source = f"《{self.document}》" if self.document else self.article
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
    clauses = {
        key: Clause(key, values["kind"], names.get(values["document"], ""), values["article"], values["gist"], values["verified"])
        for key, values in raw["clause"].items()
    }
    return Policy(raw["version"], clauses)
