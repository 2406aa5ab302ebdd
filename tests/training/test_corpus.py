from dataclasses import replace

import pytest

from classifier.errors import InputError
from training.checks import NEAR_DUPLICATE, counts, coverage_gaps, label_errors, near_duplicates, split_leaks
from training.corpus import read_examples


def test_the_shipped_corpus_is_sound(examples):
    assert label_errors(examples) == []
    assert coverage_gaps(examples) == []
    assert split_leaks(examples) == []


def test_the_plain_twin_of_every_obfuscated_text_is_there(examples):
    by_id = {example.id: example for example in examples}
    pairs = [(example, by_id[example.pair]) for example in examples if example.pair]
    assert len(pairs) >= 300
    for obfuscated, plain in pairs:
        assert (obfuscated.category, obfuscated.split, obfuscated.subjects) == (plain.category, plain.split, plain.subjects)
        assert obfuscated.text != plain.text


def test_counts_follow_the_records(examples):
    counted = counts(examples)
    assert counted["texts"] == len(examples) == sum(counted[f"category.{name}"] for name in ("subject", "non_subject", "out_of_scope"))


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"category": "out_of_scope"}, "out_of_scope has no subjects"),
        ({"category": "non_subject"}, "non_subject has non-subject fields only"),
        ({"subjects": ("arts",)}, "subject has a school subject"),
        ({"form": "course", "signals": ("guarantee",)}, "advertising signals are for ads"),
        ({"source": "radio"}, "unknown source"),
        ({"split": "dev"}, "unknown split"),
        ({"pair": "none"}, "pair none is missing"),
    ],
)
def test_labels_against_the_standard_are_found(examples, change, problem):
    sound = next(example for example in examples if example.category == "subject" and example.form == "ad" and not example.pair)
    assert label_errors([sound]) == []
    assert any(problem in error for error in label_errors([replace(sound, **change)]))


def test_repeated_ids_and_missing_coverage_are_found(examples):
    assert any("repeated id" in error for error in label_errors([examples[0], examples[0]]))
    assert any(gap.startswith("texts:") for gap in coverage_gaps(examples[:100]))


def test_near_duplicates_across_splits_are_found(examples):
    one = next(example for example in examples if example.split == "train" and len(example.text) > 60)
    other = replace(one, id="copy", group="copy", split="test", text=one.text.replace("，", "、") + "！")
    assert near_duplicates([one, other])[0][2] >= NEAR_DUPLICATE
    assert any("copy" in leak for leak in split_leaks([one, other]))
    assert split_leaks([one, replace(one, id="copy", split="test")])


def test_labelled_files_from_elsewhere_are_read_and_their_faults_named(tmp_path):
    path = tmp_path / "gold.jsonl"
    path.write_text('{"id": "1", "text": "奥数", "category": "subject", "subjects": ["mathematics"], "set": "x"}\n', encoding="utf-8")
    assert read_examples([path])[0].subjects == ("mathematics",)
    for line, code in (('{"id": "1", "text": "奥数"}', "E117"), ('{"id": "1", "text": "a", "category": "maths"}', "E117"), ("[1]", "E110")):
        path.write_text(line + "\n", encoding="utf-8")
        with pytest.raises(InputError) as caught:
            read_examples([path])
        assert caught.value.code == code and "gold.jsonl:1" in caught.value.chinese


def test_the_datasets_library_opens_the_folder(root, tmp_path, monkeypatch, examples):
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.setenv("HF_DATASETS_OFFLINE", "1")
    from datasets import load_dataset

    opened = load_dataset(str(root / "data"), split="train", cache_dir=str(tmp_path))
    assert opened.num_rows == len(examples)
    assert {"id", "text", "category", "subjects", "split"} <= set(opened.column_names)
