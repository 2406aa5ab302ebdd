from classifier.engines.artifact import HEADS
from classifier.policy import load_policy
from classifier.taxonomy import TAXONOMY


def all_labels():
    groups = (TAXONOMY.categories, TAXONOMY.forms, TAXONOMY.subjects, TAXONOMY.stages, TAXONOMY.disguises, TAXONOMY.signals)
    return [label for group in (*groups, TAXONOMY.triage, TAXONOMY.reasons, TAXONOMY.sources) for label in group.values()]


def test_the_heads_have_the_standards_sizes():
    sizes = {head: len(labels) for head, labels in HEADS.items()}
    assert sizes == {"category": 3, "form": 3, "subjects": 15, "stages": 5, "disguised": 1, "disguises": 10}
    assert len(TAXONOMY.signals) == 16


def test_every_label_has_a_name_and_a_definition():
    assert all(label.name and label.definition for label in all_labels())


def test_every_cited_clause_is_in_the_policy_base():
    clauses = load_policy().clauses
    missing = [(label.id, clause) for label in all_labels() for clause in label.clauses if clause not in clauses]
    assert not missing


def test_every_signal_and_disguise_cites_a_clause_and_has_a_group():
    assert all(label.clauses for label in (*TAXONOMY.signals.values(), *TAXONOMY.disguises.values()))
    assert {label.group for label in TAXONOMY.signals.values()} == {"advertising", "conduct"}
    assert {label.side for label in TAXONOMY.subjects.values()} == {"subject", "non_subject"}
