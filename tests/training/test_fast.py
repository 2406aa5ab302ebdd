import numpy as np

from classifier.engines.artifact import FAST_WEIGHTS, HEADS, default_folder, file_hash, read_manifest
from classifier.text import compose, normalise
from training.augment import balanced_copies, without_disguises
from training.corpus import corpus_files, corpus_hash
from training.evaluate import evaluate
from training.fast import learned_rows, targets, train_fast


def test_the_shipped_model_was_made_from_the_shipped_corpus():
    assert read_manifest(default_folder()).corpus == corpus_hash(corpus_files())


def test_training_twice_gives_the_same_weights(examples):
    part = [example for example in examples if example.split == "train"][::6]
    one, other = (train_fast(part, balanced_copies(part, 0.5)) for _ in range(2))
    for name, array in one.arrays().items():
        assert np.array_equal(array, other.arrays()[name]), name
    plain = train_fast(part)
    assert np.array_equal(plain.buckets, one.buckets) and not np.array_equal(plain.weights, one.weights)


def test_what_is_saved_is_what_was_trained(examples, tmp_path):
    from classifier.engines.artifact import read_weights
    from classifier.engines.fast import FastModel
    from classifier.lexicon import load_lexicon

    part = [example for example in examples if example.split == "train"][::8]
    weights = train_fast(part)
    weights.save(tmp_path)
    assert file_hash(tmp_path / FAST_WEIGHTS)
    batch = normalise([compose(example.record)[0] for example in part[:50]], origins=False)
    sources = [example.source for example in part[:50]]
    loaded = FastModel(read_weights(tmp_path / FAST_WEIGHTS), load_lexicon())
    assert np.array_equal(weights.model().score(batch, sources).logits, loaded.score(batch, sources).logits)


def test_targets_have_a_column_a_label(examples):
    part = examples[:20]
    assert targets(part, "category").shape == (20,)
    for head in ("subjects", "stages", "disguised", "disguises"):
        assert targets(part, head).shape == (20, len(HEADS[head]))


def test_disguises_are_not_learned_from_examples_that_do_not_tell(examples):
    part = examples[::200]
    assert len(learned_rows("disguised", part)) and not len(learned_rows("disguised", [without_disguises(one) for one in part]))
    assert len(learned_rows("subjects", part)) == len(learned_rows("subjects", [without_disguises(one) for one in part]))


def test_smoke_evaluation_of_the_shipped_model(classifier, examples):
    test = [example for example in examples if example.split == "test"]
    quality = evaluate(test, list(classifier.assess_many(example.record for example in test)))
    assert quality.category_macro_f1 >= 0.84
    assert quality.subjects.f1 >= 0.76 and quality.stages.f1 >= 0.80 and quality.disguised.f1 >= 0.70
    assert quality.calibration_error <= 0.06 and quality.auto_accuracy >= 0.96
