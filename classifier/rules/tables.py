"""A district's tab-separated tables: cues and borderline words, checked line by line."""

import math
from collections.abc import Collection, Iterator, Mapping

from classifier.errors import InputError
from classifier.lexicon import Cue, load_lexicon
from classifier.text import fold

CUE_COLUMNS = "词、标签、权重、条款编号"
BORDERLINE_COLUMNS = "词、项目编号"


def folded(word: str) -> str:
    """A word as texts are read: half width, lower case, simplified, without what folding deletes."""
    return fold([word]).text()[1:-1].strip()


def _rows(file: str, text: str, columns: str, problems: list[InputError]) -> Iterator[tuple[int, list[str]]]:
    """Line number and cells of every row with the right number of columns and a word; blank and # lines are passed over."""
    wanted = columns.count("、") + 1
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        cells = line.split("\t")
        if len(cells) != wanted:
            problems.append(InputError("E124", file=file, row=number, expected=wanted, columns=columns, found=len(cells)))
        elif not folded(cells[0]):
            problems.append(InputError("E130", file=file, row=number, found=repr(cells[0])))
        else:
            yield number, [folded(cells[0]), *(cell.strip() for cell in cells[1:])]


def unknown_clauses(ids: Collection[str], known: Collection[str], file: str, row: int, problems: list[InputError]) -> None:
    """A problem for every clause id that nothing defines."""
    problems += [InputError("E127", file=file, row=row, found=clause) for clause in ids if clause not in known]


def _weight(cell: str) -> float | None:
    """A weight above 0; None where the cell holds none."""
    try:
        weight = float(cell)
    except ValueError:
        return None
    return weight if 0 < weight < math.inf else None


def read_cues(file: str, text: str, clauses: Collection[str], seen: dict[tuple[str, str], str], problems: list[InputError]) -> list[Cue]:
    """The sound cues of one table. `seen`: (word, finding) → where it stands already; filled further."""
    findings = {finding for finding, _ in load_lexicon().groups}
    cues: list[Cue] = []
    for number, (word, finding, weight, cited) in _rows(file, text, CUE_COLUMNS, problems):
        before = len(problems)
        if finding not in findings:
            problems.append(InputError("E125", file=file, row=number, found=finding, expected="、".join(sorted(findings))))
        value = _weight(weight)
        if value is None:
            problems.append(InputError("E128", file=file, row=number, found=weight or "空"))
        unknown_clauses(cited.split(), clauses, file, number, problems)
        if (word, finding) in seen:
            problems.append(InputError("E129", file=file, row=number, found=f"{word} → {finding}", first=seen[word, finding]))
        seen.setdefault((word, finding), f"{file} 第 {number} 行")
        if value is not None and len(problems) == before:
            cues.append(Cue(word, finding, value, tuple(cited.split())))
    return cues


def read_borderline(
    file: str, text: str, clauses: Collection[str], shipped: Mapping[str, str], problems: list[InputError]
) -> dict[str, str]:
    """The sound borderline words of one table, folded word → family."""
    seen = dict.fromkeys(shipped, "随附的词表")
    found: dict[str, str] = {}
    for number, (word, family) in _rows(file, text, BORDERLINE_COLUMNS, problems):
        unknown_clauses([family], clauses, file, number, problems)
        if word in seen:
            problems.append(InputError("E129", file=file, row=number, found=word, first=seen[word]))
        seen.setdefault(word, f"{file} 第 {number} 行")
        found[word] = family
    return found
