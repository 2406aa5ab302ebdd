"""What the corpus must be: coverage, labels that follow the standard, and no near-duplicate across the splits."""

import re
import tomllib
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from classifier.taxonomy import TAXONOMY
from classifier.text import fold
from training.corpus import CORPUS, SPLITS, Example

COVERAGE = CORPUS.parent / "coverage.toml"
NEAR_DUPLICATE = 0.6
"""Jaccard similarity of character trigrams from which two texts are near-duplicates."""

_TRIGRAM_BUCKETS = 1 << 20


_HARD_SLICES = ("honest_lookalike", "borderline_non_subject", "coded_innocent", "declared_right")


def is_hard_negative(example: Example) -> bool:
    """A text that invites a wrong finding: subject words without subject teaching, suspicious but honest or lawful."""
    return example.slice.startswith("hard_") or example.slice.removesuffix("_plain") in _HARD_SLICES


def is_mixed_or_contradicting(example: Example) -> bool:
    """Several courses in one text, or a content that contradicts the declaration."""
    contradicts = bool(example.declared_category) and example.declared_category != example.category
    return contradicts or example.slice == "mixed" or (example.category == "subject" and any(map(_is_quality_field, example.subjects)))


def _is_quality_field(subject: str) -> bool:
    return TAXONOMY.subjects[subject].side == "non_subject"


def counts(examples: Sequence[Example]) -> dict[str, int]:
    """Everything that coverage.toml sets a minimum for, counted."""
    counted: Counter[str] = Counter()
    for example in examples:
        counted.update((f"category.{example.category}", f"source.{example.source}", f"form.{example.form}"))
        for group, labels in (
            ("subject", example.subjects),
            ("stage", example.stages),
            ("disguise", example.disguises),
            ("signal", example.signals),
        ):
            counted.update(f"{group}.{label}" for label in labels)
    kinds: dict[str, Callable[[Example], bool]] = {
        "texts": lambda example: True,
        "hard_negatives": is_hard_negative,
        "obfuscated_pairs": lambda example: bool(example.pair),
        "short": lambda example: len(example.text) < 25,
        "long": lambda example: len(example.text) > 150,
        "mixed_or_contradicting": is_mixed_or_contradicting,
        "layout_noise": lambda example: example.slice in ("noise_ocr", "glued"),
        "second_labels": lambda example: bool(example.second),
    }
    counted.update({name: sum(map(holds, examples)) for name, holds in kinds.items()})
    return dict(counted)


def coverage_gaps(examples: Sequence[Example], path: Path = COVERAGE) -> list[str]:
    """What falls short of the minimums in coverage.toml, one line each; shares are of all texts."""
    wanted: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    counted = counts(examples)
    minimums: dict[str, int] = dict(wanted["minimum"])
    for group, number in wanted["each"].items():
        labels = getattr(TAXONOMY, f"{group}s")
        minimums |= {f"{group}.{label}": number for label in labels}
    minimums |= {name: int(share * len(examples)) for name, share in wanted["share"].items()}
    return [f"{name}: {counted.get(name, 0)} < {number}" for name, number in minimums.items() if counted.get(name, 0) < number]


def label_errors(examples: Sequence[Example]) -> list[str]:
    """Records whose labels contradict the standard, one line each."""
    found = []
    seen: set[str] = set()
    for example in examples:
        found += [f"{example.id}: {problem}" for problem in _problems(example)]
        if example.id in seen:
            found.append(f"{example.id}: repeated id")
        seen.add(example.id)
    found += [f"{example.id}: pair {example.pair} is missing" for example in examples if example.pair and example.pair not in seen]
    return found


def _problems(example: Example) -> list[str]:
    school, quality = set(TAXONOMY.school_subjects), set(TAXONOMY.quality_fields)
    subjects, conduct = set(example.subjects), {s for s in example.signals if TAXONOMY.signals[s].group == "conduct"}
    advertising = set(example.signals) - conduct
    rules = {
        "out_of_scope has no subjects, disguises or signals": example.category == "out_of_scope"
        and bool(subjects or example.disguises or example.signals),
        "non_subject has non-subject fields only": example.category == "non_subject" and (not subjects or bool(subjects & school)),
        "subject has a school subject": example.category == "subject" and not subjects & school,
        "disguises and conduct signals are for subject texts": example.category != "subject" and bool(example.disguises or conduct),
        "advertising signals are for ads": example.form != "ad" and bool(advertising),
        "unknown source": example.source not in TAXONOMY.sources,
        "unknown split": example.split not in SPLITS,
        "unknown subject": not subjects <= school | quality,
    }
    return [problem for problem, broken in rules.items() if broken]


def _trigrams(texts: Sequence[str]) -> csr_array:
    """Presence of hashed character trigrams of folded text without white space; shape (texts, buckets)."""
    rows: list[NDArray[np.int64]] = []
    for number, text in enumerate(texts):
        codes = np.frombuffer(re.sub(r"\s+", "", text).encode("utf-32-le", "surrogatepass"), dtype=np.uint32).astype(np.int64)
        grams = (
            np.unique((codes[:-2] * 961 + codes[1:-1] * 31 + codes[2:]) % _TRIGRAM_BUCKETS) if len(codes) > 2 else codes % _TRIGRAM_BUCKETS
        )
        rows.append(np.stack([np.full(len(grams), number), grams]))
    places = np.concatenate(rows, axis=1)
    return csr_array((np.ones(places.shape[1], dtype=np.float32), (places[0], places[1])), shape=(len(texts), _TRIGRAM_BUCKETS))


def near_duplicates(
    examples: Sequence[Example], threshold: float = NEAR_DUPLICATE, minimum_length: int = 12
) -> list[tuple[int, int, float]]:
    """Pairs of places in `examples` whose folded texts share so many trigrams: (first, second, similarity)."""
    batch = fold([example.title + " " + example.text for example in examples])
    whole = batch.text()
    texts = [whole[start : stop - 1] for start, stop in zip(batch.starts[:-1].tolist(), batch.starts[1:].tolist(), strict=True)]
    grams = _trigrams(texts)
    sizes = np.asarray(grams.sum(axis=1)).ravel()
    long_enough = np.array([len(text) >= minimum_length for text in texts])
    found = []
    for start in range(0, len(texts), 512):
        shared = (grams[start : start + 512] @ grams.T).tocoo()
        first, second = shared.row + start, shared.col
        similarity = shared.data / (sizes[first] + sizes[second] - shared.data)
        keep = (first < second) & (similarity >= threshold) & long_enough[first] & long_enough[second]
        found += list(zip(first[keep].tolist(), second[keep].tolist(), similarity[keep].round(3).tolist(), strict=True))
    return found


def split_leaks(examples: Sequence[Example]) -> list[str]:
    """Groups, pairs and near-duplicates that stand in more than one split, one line each."""
    splits: dict[str, set[str]] = {}
    for example in examples:
        splits.setdefault(example.group, set()).add(example.split)
    found = [f"group {group} stands in {', '.join(sorted(where))}" for group, where in splits.items() if len(where) > 1]
    for one, other, similarity in near_duplicates(examples):
        if examples[one].split != examples[other].split:
            found.append(f"{examples[one].id} ~ {examples[other].id} ({similarity}) stand in different splits")
    return found


def habits(examples: Sequence[Example]) -> dict[str, str]:
    """Figures of the habits that spoil a corpus, by category where that tells something."""
    openings = Counter(example.text[:4] for example in examples if len(example.text) > 12)
    figures = {"distinct 4-character openings / texts": f"{len(openings) / max(1, sum(openings.values())):.3f}"}
    patterns = {"phone": r"1[3-9]\d[\d*xX]{5,}|0\d{2,3}-\d", "price": r"\d ?元|[¥￥]|\d块", "emoji": r"[\U0001F300-\U0001FAFF☀-➿]"}
    for label in TAXONOMY.categories:
        texts = [example.text for example in examples if example.category == label]
        quartiles = np.percentile([len(text) for text in texts], (25, 50, 75)).astype(int).tolist() if texts else []
        shares = ", ".join(
            f"{name} {sum(bool(re.search(pattern, text)) for text in texts) / max(1, len(texts)):.2f}" for name, pattern in patterns.items()
        )
        figures[label] = f"length quartiles {quartiles}, {shares}"
    return figures
