import shutil
from importlib import resources

import pytest
from typer.testing import CliRunner

from classifier import InputError, Record, load
from classifier.cli.main import app
from classifier.rules import check_folder, load_ruleset
from classifier.rules.folder import read_folder
from tests.conftest import ROOT

SAMPLE = ROOT / "data" / "samples" / "rules"
TEXT = "四年级蓝鲸时光，每周六上午，家委会统一登记后私我"


@pytest.fixture(scope="module")
def local():
    return load(engine="fast", rules=SAMPLE)


@pytest.fixture
def folder(tmp_path):
    return shutil.copytree(SAMPLE, tmp_path / "rules")


def chance(assessment, subject):
    return next((item.probability for item in assessment.subjects if item.id == subject), 0.0)


def codes(folder):
    return [problem.code for problem in check_folder(folder)[1]]


def test_a_district_word_is_understood_without_training(classifier, local):
    before, after = classifier.assess(TEXT), local.assess(TEXT)
    assert chance(after, "mathematics") > max(0.6, chance(before, "mathematics") + 0.3) and after.disguised.verdict
    assert after.probabilities["subject"] > before.probabilities["subject"]
    shown = {(item.surface, item.finding): item.clauses for item in after.evidence}
    assert shown["蓝鲸时光", "mathematics"] == shown["蓝鲸时光", "coded_language"] == ("yl-2026/2",)
    assert after.triage == "review" and "local_cue" in after.reasons and "local_cue" not in before.reasons


def test_it_acts_as_a_shipped_word_of_its_finding_does(classifier, local):
    lexicon = local.rules.lexicon
    assert lexicon.groups == classifier.rules.lexicon.groups
    groups = {(cue.word, cue.finding): lexicon.groups[group] for cue, group in zip(lexicon.cues, lexicon.group_of_cue, strict=True)}
    assert groups["蓝鲸时光", "mathematics"] == ("mathematics", True) and groups["补给站", "general"] == ("general", False)


def test_a_word_is_shown_even_where_the_verdict_goes_another_way(local):
    assessment = local.assess("招聘：云上书房平台诚聘保安与保洁，五险一金")
    assert assessment.category == "out_of_scope"
    assert ("云上书房", "online_evasion") in {(item.surface, item.finding) for item in assessment.evidence}
    assert "local_cue" in assessment.reasons


def test_district_signals_run_beside_the_shipped_ones_and_cite_their_own_clause(classifier, local):
    text = "三年级数学提高班开班，班委先把人数统计好，加微信报名"
    assert "campus_channel" not in {signal.id for signal in classifier.assess(text).signals}
    found = {signal.id: signal for signal in local.assess(text).signals}
    assert found["campus_channel"].clauses == ("yl-2026/5",) and "contact_marketing" in found
    both = {signal.id: signal for signal in local.assess("三年级数学提高班开班，家委会统一登记，加微信").signals}
    assert both["campus_channel"].clauses[0] == "yl-2026/5" and len(both["campus_channel"].clauses) > 1
    silent = local.assess("三年级数学提高班开班，不通过家委会统一报名，加微信")
    assert "campus_channel" not in {signal.id for signal in silent.signals}


def test_borderline_words_go_to_review(classifier, local):
    text = "小学财商启蒙数学，认识钱币与找零"
    assert "borderline_family" not in classifier.assess(text).reasons
    assert "borderline_family" in local.assess(text).reasons


def test_classifiers_do_not_affect_each_other(classifier, local):
    assert load(engine="fast").assess(TEXT) == classifier.assess(TEXT)
    assert "yl-2026/2" in local.rules.policy.clauses and "yl-2026/2" not in classifier.rules.policy.clauses
    assert load_ruleset() is load_ruleset() and load(engine="fast", rules=SAMPLE).assess(TEXT) == local.assess(TEXT)


def test_texts_without_local_words_are_judged_as_before(classifier, local, examples):
    records = [example.record for example in examples[::40]]
    for one, other in zip(classifier.assess_many(records), local.assess_many(records), strict=True):
        assert (one.probabilities, one.subjects, one.triage, one.evidence) == (
            other.probabilities,
            other.subjects,
            other.triage,
            other.evidence,
        )


def test_the_frame_and_the_cascade_know_local_words_too(local):
    import polars as pl

    assert local.assess_frame(pl.DataFrame({"text": [TEXT]}))["subjects"].to_list() == [["mathematics"]]
    plain, own = (load(engine="encoder", rules=rules).assess(TEXT) for rules in (None, SAMPLE))
    assert own.probabilities["subject"] > plain.probabilities["subject"]
    assert chance(own, "mathematics") > chance(plain, "mathematics") + 0.3


def test_the_version_follows_the_content(folder):
    first = load_ruleset(folder).version
    assert first.startswith(load_ruleset().version + "+local@sha256:")
    (folder / "README.md").write_text("别的说明", encoding="utf-8")
    assert load_ruleset(folder).version == first
    with (folder / "cues" / "slang.tsv").open("a", encoding="utf-8") as stream:
        stream.write("鲸落\tphysics\t1\t\n")
    assert load_ruleset(folder).version != first


def test_words_that_look_misread_are_found_as_written(folder):
    rule = RULE.replace("包涨", "L1阶段").replace("三十分", "保分").replace("面L1阶段价", "L2阶段")
    (folder / "signals.toml").write_text(rule, encoding="utf-8")
    assert codes(folder) == []
    found = load(engine="fast", rules=folder).assess("三年级数学L1阶段班招生，加微信")
    assert "guarantee" in {signal.id for signal in found.signals}


def test_words_are_folded_and_a_bom_and_crlf_are_taken(folder):
    (folder / "cues" / "more.tsv").write_bytes("\ufeffＢＬＵＥ課\tphysics\t1\t\r\n".encode())
    assert "blue课" in {cue.word for cue in read_folder(folder).cues}


PHRASES = [entry for entry in resources.files("classifier.signals").joinpath("phrases").iterdir() if entry.name.endswith(".toml")]


@pytest.mark.parametrize("phrases", PHRASES, ids=lambda entry: entry.name)
def test_the_shipped_rules_pass_the_same_checks(tmp_path, phrases):
    (tmp_path / "signals.toml").write_text(phrases.read_text(encoding="utf-8"), encoding="utf-8")
    cues = resources.files("classifier.lexicon").joinpath("cues", "disguises.tsv").read_text(encoding="utf-8")
    (tmp_path / "cues").mkdir()
    (tmp_path / "cues" / "disguises.tsv").write_text(cues, encoding="utf-8")
    assert [problem for problem in check_folder(tmp_path)[1] if problem.code != "E129"] == []


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("鲸落\tphysics\t1", "E124"), ("鲸落 physics 1 ", "E124"), ("鲸落\tphysics\t1\t\t", "E124"), ("鲸落\tPhysik\t1\t", "E125"),
        ("鲸落\tguarantee\t1\t", "E125"), ("鲸落\tphysics\t1\tyl-2026/9", "E127"), ("鲸落\tphysics\t重\t", "E128"),
        ("鲸落\tphysics\t-1\t", "E128"), ("鲸落\tphysics\tnan\t", "E128"), ("鲸落\tphysics\t\t", "E128"), ("\u200b\tphysics\t1\t", "E130"),
        ("藍鯨時光\tmathematics\t0.5\t", "E129"), ("数学\tmathematics\t1\t", "E129"),
    ],
)  # fmt: skip
def test_a_wrong_line_is_named_with_its_place(folder, line, code):
    path = folder / "cues" / "more.tsv"
    path.write_text(f"# 说明\n\n{line}\n", encoding="utf-8")
    (folder / "cues" / "slang.tsv").rename(folder / "cues" / "a.tsv")
    (problem,) = check_folder(folder)[1]
    assert problem.code == code and "cues/more.tsv 第 3 行" in problem.chinese and "cues/more.tsv:3" in problem.english


RULE = """[[rule]]
signal = "guarantee"
words = ["包涨"]
must_match = ["包涨三十分"]
must_not_match = ["面包涨价"]
unless = ["面包"]
"""


@pytest.mark.parametrize(
    ("old", "new", "code", "row"),
    [
        ('"guarantee"', '"promise"', "E126", 2), ('["面包"]', '["面包("]', "E133", 6), ('["面包"]', '["面包.*"]', "E134", 6),
        ('["面包"]', "['面包.+']", "E134", 6), ('["面包"]', "['面{2,}包']", "E134", 6), ('["面包"]', "['面{,}包']", "E134", 6),
        ('["面包"]', "['面包.{0,500}']", "E134", 6), ('["包涨三十分"]', '["包张三十分"]', "E135", 4), ('["面包"]', '["馒头"]', "E135", 5),
        ('["包涨三十分"]', "[]", "E132", 4), ("words", "word", "E132", 3), ('["包涨"]', '"包涨"', "E132", 3),
        ('"guarantee"', "5", "E132", 2),
        ("unless", 'clauses = ["yl-2026/9"]\nunless', "E127", 6), ('["面包"]', '["面包"', "E131", 6),
    ],
)  # fmt: skip
def test_a_wrong_rule_is_named_with_its_place(folder, old, new, code, row):
    (folder / "signals.toml").write_text(RULE.replace(old, new), encoding="utf-8")
    problem = check_folder(folder)[1][0]
    assert problem.code == code and f"signals.toml 第 {row} 行" in problem.chinese, problem.chinese


def test_bounded_repetitions_and_literal_signs_are_taken(folder):
    rule = RULE.replace('["面包"]', r"""['面.{0,10}?包[+*]?', 'a\+\*\{3,\}', '[^]*+]b{3}']""").replace("signal", "# 注\nsignal")
    (folder / "signals.toml").write_text(rule, encoding="utf-8")
    assert codes(folder) == []


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ('verified = "yes"', 'verified = "sure"', "E132"), ('gist = "以', 'note = "以', "E132"), ("yl-2026/2", "moe-2021-3/1b", "E129"),
        ("yl-2026/2", "yl 2026/2", "E132"), ("[clause.", "[clauses.", "E132"),
    ],
)  # fmt: skip
def test_a_wrong_clause_is_named(folder, old, new, code):
    path = folder / "clauses.toml"
    path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    problem = check_folder(folder)[1][0]
    assert problem.code == code and "clauses.toml 第" in problem.chinese


def test_stray_files_and_other_encodings_are_named(folder):
    (folder / "signal.toml").write_text("", encoding="utf-8")
    (folder / "cues" / "b.tsv").write_bytes("鲸落\tphysics\t1\t\n".encode("gb18030"))
    (folder / ".hidden").write_text("", encoding="utf-8")
    (folder / "borderline.tsv").write_text("速读\tB-24\n鲸落\tB-99\n", encoding="utf-8")
    assert codes(folder) == ["E122", "E123", "E129", "E127"]


def test_all_problems_are_told_together_and_nothing_is_loaded(folder):
    (folder / "cues" / "more.tsv").write_text("鲸落\tPhysik\t重\tyl-2026/9\n", encoding="utf-8")
    (folder / "signals.toml").write_text(RULE.replace('"guarantee"', '"promise"') + RULE.replace("面包涨价", "包涨价"), encoding="utf-8")
    with pytest.raises(InputError) as caught:
        load(engine="fast", rules=folder)
    assert caught.value.code == "E121"
    for piece in (
        "有 5 处问题",
        "[E125] cues/more.tsv 第 1 行",
        "[E128]",
        "[E127]",
        "[E126] signals.toml 第 2 行",
        "[E135] signals.toml 第 11 行",
    ):
        assert piece in caught.value.chinese, piece


def test_a_missing_and_an_empty_folder_are_named(tmp_path):
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(InputError) as caught:
            load_ruleset(path)
        assert caught.value.code == "E120"


def test_the_commands_take_the_folder(folder):
    runner = CliRunner()
    assert "4 词、1 条线索规则" in runner.invoke(app, ["rules", "check", str(folder)]).output
    shown = runner.invoke(app, ["explain", TEXT, "--engine", "fast", "--rules", str(folder)]).output
    assert "《样例区校外培训巡查指引（虚构）》第五条" in shown and "未核实" in shown and "+local@sha256:" in shown
    (folder / "cues" / "more.tsv").write_text("鲸落\n", encoding="utf-8")
    failed = runner.invoke(app, ["rules", "check", str(folder)])
    assert failed.exception is not None and "cues/more.tsv 第 1 行" in str(failed.exception)


def test_the_workbook_cites_local_clauses(folder, tmp_path):
    out = tmp_path / "out.csv"
    (tmp_path / "in.csv").write_text(f"课程名称,课程简介\n蓝鲸,{TEXT}\n", encoding="utf-8")
    done = CliRunner().invoke(app, ["classify", str(tmp_path / "in.csv"), "-o", str(out), "--engine", "fast", "--rules", str(folder)])
    assert done.exit_code == 0
    assert "样例区校外培训巡查指引" in out.read_text(encoding="utf-8-sig")


def test_records_with_several_fields_are_taken(local):
    assessment = local.assess(Record("每周六上午", title="蓝鲸时光"))
    assert ("title", "蓝鲸时光") in {(item.field, item.surface) for item in assessment.evidence}
