import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from classifier.cli.explain import highlighted
from classifier.cli.main import app
from tests.conftest import ROOT

JIANKE = str(Path(sys.executable).parent / "jianke")
SAMPLES = ROOT / "data" / "samples"


def jianke(*arguments, **options):
    return subprocess.run([JIANKE, *map(str, arguments)], capture_output=True, text=True, **options)


def test_the_demo_prints_a_summary_and_where_the_workbook_lies(tmp_path):
    done = jianke("classify", SAMPLES / "catalog.xlsx", "-o", tmp_path / "out.xlsx")
    assert done.returncode == 0 and done.stdout == ""
    assert "【类别】" in done.stderr and str(tmp_path / "out.xlsx") in done.stderr and "第 26 行" in done.stderr


def test_the_pipe_is_jsonl_in_and_out_without_a_progress_bar():
    done = jianke("classify", input='{"id": "甲", "text": "初三化学推断题，周日上午"}\n')
    assert json.loads(done.stdout)["id"] == "甲" and done.stderr == ""


def test_gb18030_goes_to_standard_output():
    done = jianke("classify", SAMPLES / "ads-gb18030.csv", "--engine", "fast")
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["id"] for line in found] == [f"ad-{number}" for number in range(1, 9)]
    assert found[3]["category"] == "subject", "蔬学 and 鹰语 must be read as subjects"
    same = jianke("classify", SAMPLES / "ads.jsonl", "--engine", "fast")
    assert [json.loads(line)["category"] for line in same.stdout.splitlines()] == [line["category"] for line in found]


def test_columns_can_be_named(tmp_path):
    (tmp_path / "a.csv").write_text("甲,乙\n1,九年级电功率压轴题\n", encoding="utf-8")
    failed = jianke("classify", tmp_path / "a.csv")
    assert failed.returncode == 2 and "E105" in failed.stderr and "甲、乙" in failed.stderr and "expected" in failed.stderr
    done = jianke("classify", tmp_path / "a.csv", "--text-column", "乙", "--id-column", "甲")
    assert json.loads(done.stdout)["category"] == "subject"


def test_explain_marks_the_evidence_and_cites_clauses():
    done = jianke("explain", "初二数学一次函数专题，周六上午，扫码报名", "--declared", "非学科类")
    assert done.returncode == 0
    for piece in ("【", "判定　疑似学科类", "证据", "依据", "moe-2021-3/1b", "sj-2021/time", "建议　建议核查", "与申报类别不符"):
        assert piece in done.stdout, piece


def test_explain_can_answer_in_json_and_from_standard_input():
    done = jianke("explain", "--json", input="少儿拉丁考级班")
    assert json.loads(done.stdout)["category"] == "non_subject"


def test_highlights_are_merged():
    assert highlighted("一二三四五", [(1, 3), (2, 4)], ("【", "】")) == "一【二三四】五"
    assert highlighted("一二", [], ("<", ">")) == "一二"
    assert highlighted("一二", [(0, 1)], ("<", ">")) == "<一>二"


@pytest.mark.parametrize("arguments", [["--help"], ["classify", "--help"], ["explain", "--help"], ["--version"]])
def test_help_is_there(arguments):
    assert CliRunner().invoke(app, arguments).exit_code == 0


def test_an_unknown_engine_and_a_missing_file_end_with_a_code():
    assert "E204" in jianke("explain", "x", "--engine", "slow").stderr
    assert "E101" in jianke("classify", "none.xlsx").stderr
