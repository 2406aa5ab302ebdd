from classifier.policy import VERIFIED_NAMES, load_policy


def test_the_base_is_whole():
    policy = load_policy()
    assert len(policy.clauses) > 200
    assert all(clause.gist and clause.verified in VERIFIED_NAMES for clause in policy.clauses.values())


def test_what_is_not_verified_says_so():
    for clause in load_policy().clauses.values():
        assert ("未核实" in clause.sentence()) == (clause.verified == "no") or "未核实" in clause.gist
        if clause.verified == "partial":
            assert "待核" in clause.sentence()


def test_known_statuses_of_the_policy_base():
    clauses = load_policy().clauses
    assert clauses["moe-2021-3/1b"].verified == "yes"
    assert clauses["pml/38"].verified == "partial"
    assert clauses["pre-law/2"].verified != "yes"
    assert clauses["N-13"].verified == "no"
