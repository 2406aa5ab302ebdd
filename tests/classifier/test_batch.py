import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import fastexcel
import openpyxl
import polars as pl
import pytest
import xlsxwriter

from classifier.batch import run
from classifier.errors import InputError, RunError
from classifier.report import RESULT_COLUMNS

TEXTS = ["三年级奥数，周六上午，加微信", "少儿街舞考级班", "成人会计取证"]


def jsonl(path: Path, records) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


def catalog(path: Path, rows, headings=("编号", "课程名称", "课程简介", "申报类别")) -> Path:
    book = xlsxwriter.Workbook(str(path), {"strings_to_formulas": False})
    page = book.add_worksheet()
    for number, row in enumerate([headings, *rows]):
        for column, cell in enumerate(row):
            page.write_string(number, column, cell)
    book.close()
    return path


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_jsonl_keeps_ids_and_order(classifier, tmp_path):
    source = jsonl(tmp_path / "in.jsonl", [{"id": f"r{number}", "text": text} for number, text in enumerate(TEXTS)])
    summary = run(classifier, [source], tmp_path / "out.jsonl")
    found = lines(tmp_path / "out.jsonl")
    assert [line["id"] for line in found] == ["r0", "r1", "r2"]
    assert [line["category"] for line in found] == ["subject", "non_subject", "out_of_scope"]
    assert found[0] == json.loads(json.dumps(classifier.assess(TEXTS[0]).to_dict() | {"id": "r0"}))
    assert summary.rows == 3 and summary.failed == 0


def test_the_workbook_keeps_columns_and_adds_ours(classifier, tmp_path):
    source = catalog(
        tmp_path / "in.xlsx", [["001", "素养课", "应用题与口算讲练", "非学科类"], ["002", "街舞", "少儿街舞考级班", "非学科类"]]
    )
    run(classifier, [source], tmp_path / "out.xlsx")
    book = openpyxl.load_workbook(tmp_path / "out.xlsx")
    page = book["鉴课结果"]
    headings = [cell.value for cell in page[1]]
    assert headings == ["编号", "课程名称", "课程简介", "申报类别", *RESULT_COLUMNS]
    row = dict(zip(headings, [cell.value for cell in page[2]], strict=True))
    assert row["编号"] == "001" and row["判定类别"] == "学科类" and "数学" in row["科目"] and row["需人工复核"] == "是"
    assert "申报为非学科类" in row["处理建议"] and "moe-2021-3/1b" in row["依据"] and "疑似学科类内容：数学；依据《" in row["证据"]
    assert page.freeze_panes == "A2" and page.auto_filter.ref and max(item.width for item in page.column_dimensions.values()) > 20
    colours = {page.cell(number, 5).fill.start_color.rgb for number in (2, 3)}
    assert len(colours) == 2
    summary = {row[0].value: row[1].value for row in book["汇总"].iter_rows()}
    assert summary["行数"] == "2" and summary["学科类"] == "1" and summary["模型"].startswith("default@sha256:")


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_csv_and_parquet_hold_the_same_columns(classifier, tmp_path, suffix):
    source = catalog(tmp_path / "in.xlsx", [["001", "数学", "应用题讲练", ""]])
    target = tmp_path / f"out.{suffix}"
    run(classifier, [source], target)
    frame = pl.read_csv(target, infer_schema=False) if suffix == "csv" else pl.read_parquet(target)
    assert frame.columns == ["编号", "课程名称", "课程简介", "申报类别", *RESULT_COLUMNS]
    assert frame.row(0, named=True)["判定类别"] == "学科类" and frame["编号"][0] == "001"


def test_bad_rows_are_reported_beside_the_good_ones(classifier, tmp_path):
    source = tmp_path / "in.jsonl"
    rows = ['{"id": "a", "text": "三年级奥数"}', "{坏", '{"id": "c", "text": "  "}', '{"id": "d", "text": "街舞", "declared": "甲"}']
    source.write_text("\n".join([*rows, '{"id": "a", "text": "街舞"}']), encoding="utf-8")
    summary = run(classifier, [source], tmp_path / "out.jsonl")
    found = lines(tmp_path / "out.jsonl")
    assert [line.get("error", {}).get("code") for line in found] == [None, "E110", "E111", "E113", None]
    assert [line["id"] for line in found] == ["a", "2", "c", "d", "a"]
    assert summary.failed == 3 and summary.rows == 5
    assert any("第 2 行" in problem and "E110" in problem for problem in summary.problems)
    assert any("E116" in problem and "第 1 行" in problem for problem in summary.problems)
    run(classifier, [source], tmp_path / "out.xlsx")
    rows = fastexcel.read_excel(tmp_path / "out.xlsx").load_sheet(0).to_polars()
    assert rows["处理建议"].to_list()[2].startswith("未处理：[E111]")


def test_nothing_in_a_cell_can_run_or_break_the_workbook(classifier, tmp_path):
    nasty = ['=HYPERLINK("http://x")三年级数学', "+1+1 英语", "-2 物理", "@SUM(A1) 化学", "数\x00学\x0b课", "讲题" * 20_000, "\ud800 奥数"]
    source = jsonl(tmp_path / "in.jsonl", [{"id": str(number), "text": text} for number, text in enumerate(nasty)])
    for suffix in ("xlsx", "csv", "parquet", "jsonl"):
        run(classifier, [source], tmp_path / f"out.{suffix}")
    page = openpyxl.load_workbook(tmp_path / "out.xlsx")["鉴课结果"]
    assert all(cell.data_type != "f" for row in page.iter_rows() for cell in row)
    assert page["B2"].value == nasty[0]
    assert "已截断" in page["B7"].value
    cells = pl.read_csv(tmp_path / "out.csv", infer_schema=False)["text"].to_list()
    assert all(cell[0] == "'" for cell in cells[:4])
    assert len(lines(tmp_path / "out.jsonl")) == len(nasty)


def test_several_inputs_say_where_a_row_came_from(classifier, tmp_path):
    one = catalog(tmp_path / "one.xlsx", [["1", "数学", "应用题", ""]])
    two = catalog(tmp_path / "two.xlsx", [["2", "街舞班", "少儿街舞", "江南"]], headings=("编号", "课程名称", "课程简介", "街道"))
    run(classifier, [one, two], tmp_path / "out.csv")
    frame = pl.read_csv(tmp_path / "out.csv", infer_schema=False)
    assert frame["来源文件"].to_list() == ["one.xlsx", "two.xlsx"]
    assert frame["街道"].to_list() == [None, "江南"]


def test_a_column_of_ours_that_is_already_there_is_kept(classifier, tmp_path):
    source = catalog(tmp_path / "in.xlsx", [["数学", "应用题", "旧"]], headings=("课程名称", "课程简介", "判定类别"))
    run(classifier, [source], tmp_path / "out.csv")
    frame = pl.read_csv(tmp_path / "out.csv", infer_schema=False)
    assert frame["判定类别"].to_list() == ["旧"] and frame["判定类别（鉴课）"].to_list() == ["学科类"]


def test_a_failing_run_leaves_the_old_file_and_no_partial_one(classifier, tmp_path):
    source = jsonl(tmp_path / "in.jsonl", [{"text": text} for text in TEXTS])
    target = tmp_path / "out.csv"
    target.write_text("旧", encoding="utf-8")

    def failing(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(classifier, [source], target, progress=failing)
    (tmp_path / "empty.jsonl").write_text("\n", encoding="utf-8")
    with pytest.raises(InputError):
        run(classifier, [tmp_path / "empty.jsonl"], target)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty.jsonl", "in.jsonl", "out.csv"]


def test_a_run_that_is_stopped_leaves_nothing_under_the_final_name(tmp_path):
    source = tmp_path / "in.jsonl"
    with source.open("w", encoding="utf-8") as stream:
        for number in range(60_000):
            stream.write(json.dumps({"id": str(number), "text": "五年级数学应用题讲练，周六上午，加微信报名"}) + "\n")
    command = [str(Path(sys.executable).parent / "jianke"), "classify", str(source), "-o", str(tmp_path / "out.csv")]
    for number in (signal.SIGINT, signal.SIGTERM):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 20
        while not list(tmp_path.glob(".out.csv.*.partial")) and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(number)
        assert process.wait(20) != 0
        assert [path.name for path in tmp_path.iterdir()] == ["in.jsonl"]


def test_outputs_that_cannot_be_written_are_named(classifier, tmp_path):
    source = jsonl(tmp_path / "in.jsonl", [{"text": "奥数"}])
    for target, code in ((tmp_path / "none" / "out.csv", "E301"), (tmp_path / "out.docx", "E102"), (source, "E302")):
        with pytest.raises((InputError, RunError)) as caught:
            run(classifier, [source], target)
        assert caught.value.code == code


def test_a_full_disk_is_named(classifier, tmp_path):
    source = jsonl(tmp_path / "in.jsonl", [{"text": "奥数"}] * 3000)
    command = [str(Path(sys.executable).parent / "jianke"), "classify", str(source)]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 2 and "E301" in done.stderr


def test_progress_counts_up_to_the_total(classifier, tmp_path):
    source = catalog(tmp_path / "in.xlsx", [[str(number), "数学", "应用题", ""] for number in range(600)])
    seen = []
    run(classifier, [source], tmp_path / "out.csv", progress=lambda done, total: seen.append((done, total)))
    assert seen[0] == (256, 600) and seen[-1] == (600, 600)
