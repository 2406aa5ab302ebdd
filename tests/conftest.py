from pathlib import Path

import pytest

from classifier import Classifier, load
from training.corpus import Example, corpus_files, read_examples

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def classifier() -> Classifier:
    return load(engine="fast")


@pytest.fixture(scope="session")
def examples() -> list[Example]:
    return read_examples(corpus_files())


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT
