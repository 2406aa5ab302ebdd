"""How an engine stands obfuscated wording: the same texts judged plain and as the training obfuscator hides them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random

from classifier.pipeline import Classifier
from training.augment import STRENGTHS, obfuscated
from training.corpus import Example
from training.evaluate import evaluate

SAMPLE = 400
PLAIN = "plain"


@dataclass(frozen=True, slots=True)
class Robustness:
    """One engine's figures at one strength, or on the plain texts.

    flips: share of the texts judged otherwise than plain; alarms: share of the texts that are not `subject` judged to be so.
    """

    engine: str
    strength: str
    records: int
    category_macro_f1: float
    flips: float
    alarms: float


def sample(examples: Sequence[Example], limit: int = SAMPLE, seed: int = 0) -> list[Example]:
    """At most `limit` of the examples, in their order; the same examples give the same sample."""
    if len(examples) <= limit:
        return list(examples)
    return [examples[place] for place in sorted(Random(seed).sample(range(len(examples)), limit))]


def robustness(examples: Sequence[Example], classifiers: Mapping[str, Classifier]) -> list[Robustness]:
    """Figures of each engine on the plain texts and at every strength; texts are hidden by seeds of their own ids."""
    versions = {PLAIN: list(examples)} | {
        strength: [obfuscated(example, strength, Random(f"robustness/{strength}/{example.id}")) for example in examples]
        for strength in STRENGTHS
    }
    found = []
    for engine, classifier in classifiers.items():
        plain: list[str] = []
        for strength, texts in versions.items():
            said = list(classifier.assess_many((example.record for example in texts), evidence=False))
            categories = [assessment.category for assessment in said]
            plain = plain or categories
            flips = sum(one != other for one, other in zip(categories, plain, strict=True)) / max(1, len(plain))
            others = [category for category, gold in zip(categories, texts, strict=True) if gold.category != "subject"]
            alarms = others.count("subject") / max(1, len(others))
            macro = evaluate(texts, said).category_macro_f1
            found.append(Robustness(engine, strength, len(texts), macro, round(flips, 4), round(alarms, 4)))
    return found
