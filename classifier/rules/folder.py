"""A district's rules folder: what may lie in it, read and checked as a whole."""

import hashlib
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from classifier.errors import InputError
from classifier.lexicon import Cue, load_lexicon
from classifier.policy import Clause, load_policy
from classifier.rules.documents import read_clauses, read_signals
from classifier.rules.tables import read_borderline, read_cues
from classifier.signals.patterns import Rule

CUES, SIGNALS, BORDERLINE, CLAUSES = "cues", "signals.toml", "borderline.tsv", "clauses.toml"
KNOWN = f"{CUES}/*.tsv、{SIGNALS}、{BORDERLINE}、{CLAUSES}"
NOTES = (".md", ".txt")


@dataclass(frozen=True, slots=True)
class LocalRules:
    """The content of a folder. digest: SHA-256 over its rule files, in hexadecimal."""

    cues: tuple[Cue, ...]
    signals: tuple[Rule, ...]
    borderline: dict[str, str]
    clauses: dict[str, Clause]
    digest: str

    def counts(self) -> str:
        """What there is, in Chinese."""
        numbers = {"词": self.cues, "条线索规则": self.signals, "个边界项目的词": self.borderline, "条条款": self.clauses}
        return "、".join(f"{len(items)} {name}" for name, items in numbers.items())


def shipped_borderline() -> dict[str, str]:
    """The borderline words that come with the package, folded word → family."""
    text = resources.files("classifier.lexicon").joinpath(BORDERLINE).read_text(encoding="utf-8")
    rows = (line.split("\t") for line in text.splitlines() if line and not line.startswith("#"))
    return {word: family for word, family in rows}


def _files(folder: Path, problems: list[InputError]) -> dict[str, bytes]:
    """The rule files by their name inside the folder; others are a problem, except notes and hidden files."""
    found: dict[str, bytes] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_dir() or any(part.startswith(".") for part in path.relative_to(folder).parts) or path.suffix.lower() in NOTES:
            continue
        if name in (SIGNALS, BORDERLINE, CLAUSES) or (path.parent == folder / CUES and path.suffix == ".tsv"):
            found[name] = path.read_bytes()
        else:
            problems.append(InputError("E122", file=name, expected=KNOWN))
    return found


def _decoded(name: str, content: bytes, problems: list[InputError]) -> str:
    """The text of a file; what precedes a byte that is not UTF-8 is not read either."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        problems.append(InputError("E123", file=name, row=content.count(b"\n", 0, error.start) + 1, found=error.reason))
        return ""


def check_folder(folder: Path) -> tuple[LocalRules, list[InputError]]:
    """The sound rules of a folder, and everything that is wrong with it. Raises InputError E120 where there is nothing to check."""
    if not folder.is_dir():
        raise InputError("E120", path=folder, expected=KNOWN, found="不是文件夹" if folder.exists() else "不存在")
    problems: list[InputError] = []
    files = _files(folder, problems)
    if not files and not problems:
        raise InputError("E120", path=folder, expected=KNOWN, found="没有规则文件")
    texts = {name: _decoded(name, content, problems) for name, content in files.items()}
    shipped = load_policy().clauses
    clauses = read_clauses(CLAUSES, texts.get(CLAUSES, ""), shipped, problems)
    citable = shipped.keys() | clauses.keys()
    seen = {(cue.word, cue.finding): "随附的词表" for cue in load_lexicon().cues}
    cues = [cue for name, text in texts.items() if name.startswith(CUES) for cue in read_cues(name, text, citable, seen, problems)]
    signals = read_signals(SIGNALS, texts.get(SIGNALS, ""), citable, problems)
    borderline = read_borderline(BORDERLINE, texts.get(BORDERLINE, ""), citable, shipped_borderline(), problems)
    digest = hashlib.sha256()
    for name, content in files.items():
        digest.update(name.encode() + b"\0" + content + b"\0")
    return LocalRules(tuple(cues), tuple(signals), borderline, clauses, digest.hexdigest()), problems


def read_folder(folder: Path) -> LocalRules:
    """The rules of a folder. Raises InputError E120 (nothing there), E121 with all problems together."""
    rules, problems = check_folder(folder)
    if problems:
        listed = "\n".join(f"  [{problem.code}] {problem.chinese}" for problem in problems)
        raise InputError("E121", path=folder, number=len(problems), problems=listed)
    return rules
