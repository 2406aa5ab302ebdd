import csv
import json

import openpyxl
import polars as pl
import pytest
import xlsxwriter
import xlwt
from msoffcrypto.format.ooxml import OOXMLFile

from classifier.errors import InputError
from classifier.tables import map_columns, read_table
from classifier.tables.columns import field_of, parse_declared

HEADINGS = ["编号", "机构名称", "课程名称", "课程简介", "申报类别", "收费", "上课时间", "上课地点"]
ROW = ["007", "甲学校", "数学", "同步讲练", "学科类", "2880", "周三 17:00", "东路 1 号"]


def rows_of(path, **options):
    return [row.values for row in read_table(path, **options).rows]


def write_xlsx(path, rows, sheet="目录", start=0):
    book = xlsxwriter.Workbook(str(path))
    page = book.add_worksheet(sheet)
    for number, row in enumerate(rows, start):
        page.write_row(number, 0, row)
    book.close()
    return path


def test_every_kind_of_table_gives_the_same_rows(tmp_path):
    expected = [dict(zip(HEADINGS, ROW, strict=True))]
    assert rows_of(write_xlsx(tmp_path / "a.xlsx", [HEADINGS, ROW])) == expected
    book = xlwt.Workbook()
    page = book.add_sheet("目录")
    for number, row in enumerate([HEADINGS, ROW]):
        for column, cell in enumerate(row):
            page.write(number, column, cell)
    book.save(str(tmp_path / "a.xls"))
    assert rows_of(tmp_path / "a.xls") == expected
    text = ",".join(HEADINGS) + "\r\n" + ",".join(ROW) + "\r\n"
    for name, content in {"plain": text.encode(), "bom": text.encode("utf-8-sig"), "gb": text.encode("gb18030")}.items():
        (tmp_path / f"{name}.csv").write_bytes(content)
        assert rows_of(tmp_path / f"{name}.csv") == expected
    (tmp_path / "a.jsonl").write_text(json.dumps(expected[0], ensure_ascii=False) + "\n", encoding="utf-8")
    assert rows_of(tmp_path / "a.jsonl") == expected
    pl.DataFrame(expected).write_parquet(tmp_path / "a.parquet")
    assert rows_of(tmp_path / "a.parquet") == expected


def test_a_title_above_the_headings_and_empty_rows_are_passed_over(tmp_path):
    path = write_xlsx(tmp_path / "a.xlsx", [["××区登记表"], [], HEADINGS, ROW, [], ROW])
    table = read_table(path)
    assert [row.number for row in table.rows] == [4, 6]


def test_an_institution_merged_over_rows_counts_for_each(tmp_path):
    path = write_xlsx(tmp_path / "a.xlsx", [HEADINGS, ROW, ["008", "", "英语", "单词", "", "", "", ""]])
    assert [values["机构名称"] for values in rows_of(path)] == ["甲学校", "甲学校"]


def test_formulas_give_their_last_value(tmp_path):
    book = xlsxwriter.Workbook(str(tmp_path / "a.xlsx"))
    page = book.add_worksheet()
    page.write_row(0, 0, ["课程名称", "课程简介"])
    page.write_string(1, 0, "数学")
    page.write_formula(1, 1, '="应用"&"题"', None, "应用题")
    book.close()
    assert rows_of(tmp_path / "a.xlsx")[0]["课程简介"] == "应用题"


def test_the_sheet_with_known_headings_is_taken_or_the_one_named(tmp_path):
    book = openpyxl.Workbook()
    book.active.append(["说明", "填表前请阅读"])
    for name, text in (("目录", "奥数"), ("二", "足球")):
        page = book.create_sheet(name)
        page.append(["课程名称", "课程简介"])
        page.append(["课", text])
    book.save(tmp_path / "a.xlsx")
    assert rows_of(tmp_path / "a.xlsx")[0]["课程简介"] == "奥数"
    assert rows_of(tmp_path / "a.xlsx", sheet="二")[0]["课程简介"] == "足球"
    with pytest.raises(InputError) as caught:
        read_table(tmp_path / "a.xlsx", "三")
    assert caught.value.code == "E107" and "目录" in caught.value.chinese


def test_semicolons_and_tabs_separate_too(tmp_path):
    (tmp_path / "a.csv").write_text("课程名称;课程简介\n数学;一,二\n", encoding="utf-8")
    (tmp_path / "b.csv").write_text("课程名称\t课程简介\n数学\t一,二\n", encoding="utf-8")
    assert rows_of(tmp_path / "a.csv") == rows_of(tmp_path / "b.csv") == [{"课程名称": "数学", "课程简介": "一,二"}]


def test_broken_json_lines_are_rows_with_an_error(tmp_path):
    (tmp_path / "a.jsonl").write_bytes('{"text": "好"}\n\n{坏\n[1]\n"x"\n'.encode() + b"\xff\xfe\n")
    rows = list(read_table(tmp_path / "a.jsonl").rows)
    assert [row.number for row in rows] == [1, 3, 4, 5, 6]
    assert [row.error and row.error.code for row in rows] == [None, "E110", "E110", "E110", "E110"]


@pytest.mark.parametrize("name", ["空.csv", "空.xlsx", "只有表头.csv", "只有表头.xlsx"])
def test_empty_tables_are_named(tmp_path, name):
    path = tmp_path / name
    rows = [] if name.startswith("空") else [HEADINGS]
    if name.endswith("csv"):
        path.write_text("".join(",".join(row) + "\n" for row in rows), encoding="utf-8")
    else:
        write_xlsx(path, rows)
    with pytest.raises(InputError) as caught:
        read_table(path)
    assert caught.value.code == "E104"


def test_unreadable_files_are_named(tmp_path):
    plain = write_xlsx(tmp_path / "plain.xlsx", [HEADINGS, ROW])
    with plain.open("rb") as source, (tmp_path / "locked.xlsx").open("wb") as target:
        OOXMLFile(source).encrypt("secret", target)
    (tmp_path / "broken.xlsx").write_bytes(b"PK\x03\x04 not a workbook")
    (tmp_path / "zero.xls").write_bytes(b"")
    mixed = "课程名称,课程简介\n数学,同步\n".encode("gb18030") + "语文,".encode() + b"\xff\xff\n"
    (tmp_path / "mixed.csv").write_bytes(mixed)
    (tmp_path / "broken.parquet").write_bytes(b"PAR1xx")
    (tmp_path / "text.docx").write_bytes(b"x")
    (tmp_path / "twice.csv").write_text("课程名称,课程名称\n数学,同步\n", encoding="utf-8")
    expected = {
        "locked.xlsx": "E103", "broken.xlsx": "E103", "zero.xls": "E103", "mixed.csv": "E106", "broken.parquet": "E108",
        "text.docx": "E102", "none.csv": "E101", "twice.csv": "E109",
    }  # fmt: skip
    for name, code in expected.items():
        with pytest.raises(InputError) as caught:
            read_table(tmp_path / name)
        assert caught.value.code == code, name
    with pytest.raises(InputError) as caught:
        read_table(tmp_path / "locked.xlsx")
    assert "加密" in caught.value.chinese


def test_usual_headings_are_known():
    known = {
        "课程名称": "title", "课程简介": "text", "培训内容": "text", "机构名称": "institution",
        "申报类别": "declared_category", "班型": "text",
        "收费（元）": "price", "上课时间": "timetable", "正文": "text", "text": "text",
        "Title": "title", "序 号": "id", "适用年级": "audience",
    }  # fmt: skip
    assert {heading: field_of(heading) for heading in known} == known
    assert field_of("联系人") is None


def test_declared_categories_in_the_districts_words():
    assert [parse_declared(value) for value in ("学科类", "非学科类", "体育", "艺术类", "subject", "non_subject", "", "未申报")] == [
        "subject", "non_subject", "non_subject", "non_subject", "subject", "non_subject", "", "",
    ]  # fmt: skip
    with pytest.raises(InputError) as caught:
        parse_declared("甲等")
    assert caught.value.code == "E113"


def test_columns_can_be_named_and_missing_ones_are_listed():
    mapping = map_columns(["说", "课程名称"], "a.csv", {"text": "说"})
    assert mapping.record({"说": "奥数题", "课程名称": "课"}, "5").text == "奥数题"
    with pytest.raises(InputError) as caught:
        map_columns(["说"], "a.csv", {"text": "写"})
    assert caught.value.code == "E107" and "说" in caught.value.chinese
    with pytest.raises(InputError) as caught:
        map_columns(["甲", "乙"], "a.csv")
    assert caught.value.code == "E105" and "甲、乙" in caught.value.chinese


def test_a_record_joins_texts_and_labels_bare_numbers():
    mapping = map_columns(["课程简介", "班型", "收费", "课时"], "a.csv")
    record = mapping.record({"课程简介": "奥数", "班型": "一对一", "收费": "2880", "课时": "48"}, "3")
    assert (record.id, record.text, record.price) == ("3", "奥数\n一对一", "收费：2880；课时：48")


def test_csv_with_nul_and_huge_cells_is_read(tmp_path):
    with (tmp_path / "a.csv").open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([["课程名称", "课程简介"], ["数学\x00", "讲" * 1_000_000]])
    assert len(rows_of(tmp_path / "a.csv")[0]["课程简介"]) == 1_000_000
