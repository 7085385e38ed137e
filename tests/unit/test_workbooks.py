"""Workbooks as they are shown, and within bounded memory: values by their formats, cells over rows, tables apart."""

from __future__ import annotations

import zipfile
from datetime import date, datetime, time
from pathlib import Path

import openpyxl
import pytest
from openpyxl.utils.datetime import CALENDAR_MAC_1904

from domain_sdk.documents import Document, passages
from domain_sdk.extraction.worker import Extractor
from tests.unit.test_document_formats import only


def book_of(
    folder: Path, *rows: tuple[object, ...], formats: dict[str, str] | None = None, merged: tuple[str, ...] = ()
) -> Document:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    for place, code in (formats or {}).items():
        book.active[place].number_format = code
    for span in merged:
        book.active.merge_cells(span)
    book.save(folder / "a.xlsx")
    return only(folder)


def cell_of(folder: Path, value: object, code: str) -> str:
    text = book_of(folder, ("Head", "Value"), ("x", value), formats={"B2": code}).text
    return text.rstrip(" |").rpartition("| x | ")[2]


@pytest.mark.parametrize(
    ("value", "code", "shown"),
    [
        (date(2024, 3, 15), "yyyy-mm-dd", "2024-03-15"),
        (datetime(2024, 3, 15, 13, 30), "dd/mm/yyyy hh:mm", "2024-03-15 13:30"),
        (datetime(2024, 3, 15, 13, 30, 5), "m/d/yy h:mm", "2024-03-15 13:30:05"),
        (time(9, 5), "h:mm AM/PM", "09:05"),
        (60, "yyyy-mm-dd", "1900-02-29"),
        (59, 'd" of "mmm', "1900-02-28"),
        (0.125, "0.0%", "12.5%"),
        (0.07, "0%", "7%"),
        (1234567.891, '#,##0.00 "days"', "1234567.891 days"),
        (1234.5, "[$€-407] #,##0.00", "€ 1234.5"),
        (-1234.5, "#,##0.00 [$€-407]", "-1234.5 €"),
        (1234.5, '_("$"* #,##0.00_);_("$"* \\(#,##0.00\\);_("$"* "-"??_);_(@_)', "$1234.5"),
        (-12, "[Red][$CHF-807]\\ #,##0;[Blue]-0", "-CHF 12"),
        (3, "£0;(£0)", "£3"),
        (20, 'General" °C"', "20 °C"),
        (1200000, '0.0,,"M"', "1200000"),
        (1500, '[>=1000]0,"k";0', "1500"),
        (5, "+0;-0", "5"),
        (5, "0_ ;[Red]0\\ ", "5"),
        (1234, "00000", "01234"),
        (123456789, "000-00-0000", "123-45-6789"),
        (491701234567, "(000) 000-0000", "(49170) 123-4567"),
        (1234.5, "00000", "1234.5"),
        (5, "[Red]0.0", "5"),
        (0.1 + 0.2, "General", "0.3"),
        (0.0000001, "General", "0.0000001"),
        (45366, "0", "45366"),
        (-3, "yyyy-mm-dd", "-3"),
        (2958465.99999999, "yyyy-mm-dd", "2958465.99999999"),
        (26.5 / 24, "[h]:mm", "26:30"),
        (26.5 / 24, "[hh]:mm:ss", "26:30"),
        (1.5 / 24, "[m]", "90"),
        (90 / 86400, "[ss]", "90"),
        (-1, "[h]:mm", "-1"),
        (26.5 / 24, "[Blue][h]:mm", "26:30"),
        (True, "General", "TRUE"),
        ("#DIV/0!", "General", "#DIV/0!"),
        ("a | b\nc", "@", "a \\| b c"),
    ],
)
def test_a_value_is_shown_as_its_format_says_and_keeps_its_digits(tmp_path: Path, value: object, code: str, shown: str) -> None:
    assert cell_of(tmp_path, value, code) == shown


def test_days_count_from_1904_where_the_workbook_says_so(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.epoch = CALENDAR_MAC_1904
    for row in (("Day", "Count"), (date(2024, 3, 15), 1)):
        book.active.append(row)
    book.save(tmp_path / "a.xlsx")
    assert "| 2024-03-15 | 1 |" in only(tmp_path).text


def test_days_that_no_calendar_has_keep_their_digits(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.epoch = CALENDAR_MAC_1904
    for row in (("Day", "Count"), (2957003, 1), (2957004, 2)):
        book.active.append(row)
    for place in ("A2", "A3"):
        book.active[place].number_format = "yyyy-mm-dd"
    book.save(tmp_path / "a.xlsx")
    assert "| 9999-12-31 | 1 |\n| 2957004 | 2 |" in only(tmp_path).text


def test_a_formula_whose_value_was_not_saved_is_shown_and_counted(tmp_path: Path) -> None:
    document = book_of(tmp_path, ("a", "b"), (1, "=A2*2"))
    assert "| 1 | =A2*2 |" in document.text
    assert document.unread == {"formulas whose value was not saved": 1}


def test_titles_are_no_heads_and_a_cell_over_rows_stands_in_each(tmp_path: Path) -> None:
    rows = (("Results of May", None, None), ("Quarter", None, "Cost"), ("Q1", None, 1), (None, None, 2), ("Q2", None, 3))
    document = book_of(tmp_path, *rows, merged=("A1:C1", "A3:A4"))
    table = "| Quarter | Cost |\n| --- | --- |\n| Q1 | 1 |\n| Q1 | 2 |\n| Q2 | 3 |"
    assert document.text == f"## Sheet\n\nResults of May\n\n{table}"


def test_names_above_numbers_behind_an_empty_row_begin_another_table_and_groups_do_not(tmp_path: Path) -> None:
    group = (("City", "Rate"), ("Paris", 120), (None, None), ("Rome", 100))
    other = ((None, None), ("Staff", None), ("Name", "Age"), ("Ann", 30))
    assert book_of(tmp_path, *group, *other).text.split("\n\n")[1:] == [
        "| City | Rate |\n| --- | --- |\n| Paris | 120 |\n| Rome | 100 |",
        "Staff",
        "| Name | Age |\n| --- | --- |\n| Ann | 30 |",
    ]


def test_cells_far_apart_cost_no_more_than_near_ones(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active["A1"], book.active["XFD1"], book.active["XFD1048576"] = "near", "far", "farthest"
    book.save(tmp_path / "a.xlsx")
    assert only(tmp_path).text == "## Sheet\n\n| near | far |\n| --- | --- |\n|  | farthest |"


def test_rows_of_few_cells_below_a_wide_head_cost_little(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.append([f"n{n}" for n in range(16_384)])
    for number in range(2, 302):
        book.active.cell(number, 1, "left")
        book.active.cell(number, 3 if number < 202 else 16_384, "right")
    book.save(tmp_path / "a.xlsx")
    document = only(tmp_path)
    assert "| left |  | right |\n" in document.text
    assert len(document.text) < 4_000_000
    assert document.text.count("| left |") + document.unread["rows of sheets with too many empty cells"] == 300


def test_cells_over_all_rows_do_not_multiply_without_end(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.append(["words " * 5_000, "Number"])
    for number in range(400):
        book.active.append([None, number])
    book.active.merge_cells("A1:A401")
    book.save(tmp_path / "a.xlsx")
    document = only(tmp_path)
    assert len(document.text) < 6_000_000
    assert document.text.endswith("| 399 |")
    assert document.unread["rows below cells over too many rows"] > 0


def test_a_row_of_thousands_of_columns_is_cut_into_passages(tmp_path: Path) -> None:
    document = book_of(tmp_path, tuple(f"name{n}" for n in range(2000)), tuple(f"value{n}" for n in range(2000)))
    cut = list(passages(document))
    assert max(len(it.text.split()) for it in cut) <= 400
    for n in (0, 777, 1999):
        assert sum(f"value{n} " in f"{it.text} " for it in cut) == 1


def test_a_workbook_of_much_text_is_read_in_little_memory(tmp_path: Path) -> None:
    note = "row {0} " + "some words of a note " * 30
    cells = f'<c r="A{{0}}" t="inlineStr"><is><t>{note}</t></is></c><c r="B{{0}}"><v>{{0}}</v></c>'
    row = f'<row r="{{0}}">{cells}</row>'
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    book = openpyxl.Workbook()
    book.save(tmp_path / ".empty.xlsx")
    with zipfile.ZipFile(tmp_path / ".empty.xlsx") as old, zipfile.ZipFile(tmp_path / "a.xlsx", "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            if name != "xl/worksheets/sheet1.xml":
                new.writestr(name, old.read(name))
        with new.open("xl/worksheets/sheet1.xml", "w") as sheet:
            sheet.write(f'<worksheet xmlns="{main}"><sheetData>'.encode())
            sheet.writelines(row.format(number).encode() for number in range(1, 40_001))
            sheet.write(b"</sheetData></worksheet>")
    with Extractor(memory_bytes=400 << 20) as extractor:
        found = extractor.read(tmp_path / "a.xlsx")
    assert len(found.text) > 24_000_000
    assert found.text.endswith("| 40000 |")
