"""Tables of PDF files against the rows that they were made from: cells keep their columns, however near they stand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from fpdf import FPDF

from tests.document_files import RATES
from tests.unit.test_document_formats import PROSE, only

Row = Sequence[str | tuple[str, int]]
"""The texts of the cells; with a number, of one that spans so many columns."""

PARTS = [
    ["Id", "Name", "Qty", "Unit"],
    ["A1", "Bolt M8", "12", "pcs"],
    ["A2", "Nut M8 zinc", "12", "pcs"],
    ["A3", "Washer 8", "1200", "pcs"],
]
PEOPLE = [
    ["Region", "Manager", "Open tickets", "Revenue"],
    ["North", "Ada Lovelace", "12", "4,711.00"],
    ["South", "Bo Diddley", "7", "310.50"],
]


def table_pdf(folder: Path, rows: Sequence[Row], widths: Sequence[int], *, borders: str = "ALL", align: str = "LEFT") -> None:
    pdf = FPDF()
    pdf.add_page()
    pdf.set_font("Helvetica", size=11)
    pdf.multi_cell(0, 6, PROSE, new_x="LMARGIN", new_y="NEXT")
    pdf.ln(6)
    with pdf.table(col_widths=tuple(widths), width=sum(widths), borders_layout=borders, text_align=align) as table:
        for values in rows:
            row = table.row()
            for value in values:
                text, columns = value if isinstance(value, tuple) else (value, 1)
                row.cell(text, colspan=columns)
    pdf.ln(6)
    pdf.multi_cell(0, 6, f"{PROSE} It ends here.")
    pdf.output(str(folder / "a.pdf"))


def rows_of(text: str) -> list[list[str]]:
    lines = [line for line in text.split("\n") if line.startswith("|") and "---" not in line]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


@pytest.mark.parametrize(
    ("rows", "widths", "align"),
    [(PARTS, (8, 23, 12, 11), "LEFT"), (PEOPLE, (30, 30, 26, 20), "RIGHT"), (PEOPLE, (20, 28, 28, 20), "CENTER")],
)
def test_columns_that_nearly_touch_are_parted_by_their_rules(
    tmp_path: Path, rows: list[list[str]], widths: tuple[int, ...], align: str
) -> None:
    table_pdf(tmp_path, rows, widths, align=align)
    document = only(tmp_path)
    assert rows_of(document.text) == rows
    assert document.tables == 1
    assert "It ends here." in document.text


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_rules_part_columns_whichever_way_the_page_is_turned(tmp_path: Path, degrees: int) -> None:
    import pypdfium2 as pdfium

    table_pdf(tmp_path, PARTS, (8, 23, 12, 11))
    document = pdfium.PdfDocument(tmp_path / "a.pdf")
    document[0].set_rotation(degrees)
    document.save(tmp_path / "turned.pdf")
    document.close()
    (tmp_path / "a.pdf").unlink()
    assert rows_of(only(tmp_path).text) == PARTS


@pytest.mark.parametrize("angle", [90, 180, 270])
def test_rules_of_a_table_that_is_drawn_sideways_part_its_columns(tmp_path: Path, angle: int) -> None:
    pdf = FPDF()
    pdf.add_page()
    pdf.set_font("Helvetica", size=11)
    with pdf.rotation(angle, x=pdf.w / 2, y=pdf.h / 2):
        pdf.set_y(pdf.h / 2 - 20)
        with pdf.table(col_widths=(8, 23, 12, 11), width=54, text_align="LEFT") as table:
            for row in PARTS:
                table.row(row)
    pdf.output(str(tmp_path / "a.pdf"))
    assert rows_of(only(tmp_path).text) == PARTS


@pytest.mark.parametrize("borders", ["ALL", "NONE", "HORIZONTAL_LINES"])
def test_a_table_with_room_between_its_columns_needs_no_rules(tmp_path: Path, borders: str) -> None:
    table_pdf(tmp_path, PEOPLE, (40, 40, 40, 40), borders=borders)
    assert rows_of(only(tmp_path).text) == PEOPLE


@pytest.mark.parametrize("align", ["LEFT", "CENTER", "RIGHT"])
def test_a_cell_across_columns_does_not_make_one_of_them(tmp_path: Path, align: str) -> None:
    rows: list[Row] = [
        ["Region", "Plan", "Actual", "Left"],
        ["North", "11", "22", "33"],
        ["Not counted: 1,200", ("1,234,567.00 to 2,345,678.00", 2), "9"],
        ["South", "44", "55", "66"],
    ]
    table_pdf(tmp_path, rows, (45, 30, 30, 30), align=align)
    found = rows_of(only(tmp_path).text)
    assert [found[0], found[1], found[3]] == [list(rows[0]), list(rows[1]), list(rows[3])]
    assert len({len(row) for row in found}) == 1


def test_empty_cells_stay_empty(tmp_path: Path) -> None:
    rows = [["Item", "Note", "Q1", "Q2"], ["Desk", "", "", "300"], ["Chair", "blue", "90", ""], ["Lamp", "", "40", ""]]
    table_pdf(tmp_path, rows, (30, 20, 20, 20))
    assert rows_of(only(tmp_path).text) == rows


def test_a_sentence_in_a_box_stays_a_sentence(tmp_path: Path) -> None:
    pdf = FPDF()
    pdf.add_page()
    pdf.set_font("Helvetica", size=11)
    pdf.multi_cell(0, 6, PROSE, border=1)
    pdf.output(str(tmp_path / "a.pdf"))
    assert only(tmp_path).text == PROSE


TERMS = [
    ["No.", "What it says", "Limit"],
    ["4.1", "An advance is paid before the trip and settled within a month of the return.", "300"],
    ["4.2", "Short one.", "10"],
    ["4.3", "Hotels are booked by the travel desk only; others are refunded up to the daily rate.", ""],
]


@pytest.mark.parametrize("align", ["LEFT", "CENTER", "RIGHT"])
@pytest.mark.parametrize("borders", ["ALL", "INTERNAL"])
def test_cells_of_several_lines_are_one_row(tmp_path: Path, align: str, borders: str) -> None:
    table_pdf(tmp_path, TERMS, (15, 60, 20), borders=borders, align=align)
    document = only(tmp_path)
    assert rows_of(document.text) == TERMS
    assert document.tables == 1
    assert document.text.count("settled within") == 3  # twice in the prose
    assert document.text.startswith("An advance is paid before the trip")
    assert document.text.endswith("It ends here.")


def test_cells_of_several_lines_beside_each_other_keep_their_words_together(tmp_path: Path) -> None:
    rows = [["Term", "Definition"], *[[f"Business day number {n} in the place of work", PROSE] for n in range(3)]]
    table_pdf(tmp_path, [[("Words and what they mean here", 2)], *rows], (40, 80))
    text = only(tmp_path).text
    assert rows_of(text) == rows
    assert "\n\nWords and what they mean here\n\n| Term | Definition |" in text


def test_a_frame_around_text_is_no_table(tmp_path: Path) -> None:
    pdf = FPDF()
    pdf.add_page()
    pdf.set_font("Helvetica", size=11)
    pdf.rect(5, 5, 200, 280)
    pdf.line(5, 20, 205, 20)
    pdf.line(8, 5, 8, 285)
    pdf.multi_cell(0, 6, PROSE * 12)
    pdf.output(str(tmp_path / "a.pdf"))
    document = only(tmp_path)
    assert document.tables == 0
    assert "|" not in document.text


def test_a_table_whose_rules_part_only_some_of_its_rows_and_columns_is_told_by_its_columns(tmp_path: Path) -> None:
    pdf = FPDF()
    pdf.add_page()
    pdf.set_font("Helvetica", size=11)
    rows = [["Item", "2022", "2023", "Change"], ["Sales", "14,544", "14,694", "1"], ["Profit", "1,701", "1,608", "(5)"]]
    for number, row in enumerate(rows):
        for column, text in enumerate(row):
            pdf.text(20 + 40 * column, 30 + 8 * number, text)
    pdf.rect(15, 22, 160, 28)
    pdf.line(135, 22, 135, 50)
    pdf.line(15, 33, 175, 33)
    pdf.output(str(tmp_path / "a.pdf"))
    assert rows_of(only(tmp_path).text) == rows


PERSONS = [["Name", "City"], ["Anna Smith", "Rome"], ["Bert Jones", "Paris"], ["Carl Maier", "Oslo"], ["Dora Weiss", "Bern"]]


def ruled_pdf(folder: Path, rows: list[list[str]], lines: Sequence[tuple[float, float, float, float]]) -> None:
    """Rows 8 apart from 30, columns 50 apart from 20, in a frame with a rule between columns, and these lines."""
    pdf = FPDF()
    pdf.add_page()
    pdf.set_font("Helvetica", size=11)
    width, bottom = 50 * len(rows[0]), 27 + 8 * len(rows)
    for number, row in enumerate(rows):
        for column, text in enumerate(row):
            pdf.text(20 + 50 * column, 30 + 8 * number, text)
    pdf.rect(17, 24, width, bottom - 24)
    for column in range(1, len(rows[0])):
        pdf.line(17 + 50 * column, 24, 17 + 50 * column, bottom)
    for line in lines:
        pdf.line(*line)
    pdf.output(str(folder / "a.pdf"))


@pytest.mark.parametrize("empty", [(), (2,), (3,)])
def test_rows_without_rules_between_them_are_rows(tmp_path: Path, empty: tuple[int, ...]) -> None:
    rows = [[name, "" if number in empty else city] for number, (name, city) in enumerate(PERSONS)]
    ruled_pdf(tmp_path, rows, [(17, 33, 117, 33)])
    assert rows_of(only(tmp_path).text) == rows


def test_cells_that_are_full_in_all_columns_are_one_row(tmp_path: Path) -> None:
    rows = [["Term", "Meaning"], *([f"Business day number {n} here", f"Not a Sunday or the {n}th feast"] for n in range(4, 7))]
    table_pdf(tmp_path, rows, (30, 40))
    assert rows_of(only(tmp_path).text) == rows


def test_rules_between_groups_of_rows_do_not_make_them_one(tmp_path: Path) -> None:
    ruled_pdf(tmp_path, PERSONS, [(17, 33, 117, 33), (17, 49, 117, 49)])
    assert rows_of(only(tmp_path).text) == PERSONS


def test_a_rule_that_parts_one_column_does_not_make_rows_of_others_one(tmp_path: Path) -> None:
    rows = [["Team", "Name", "City"], ["North", "Anna Smith", "Rome"], ["", "Bert Jones", ""], ["South", "Carl", "Oslo"]]
    ruled_pdf(tmp_path, rows, [(17, 33, 167, 33), (67, 41, 117, 41), (17, 49, 167, 49)])
    assert rows_of(only(tmp_path).text) == rows


def test_a_page_of_many_rules_is_read(tmp_path: Path) -> None:
    pdf = FPDF()
    pdf.add_page()
    pdf.set_font("Helvetica", size=11)
    pdf.text(20, 20, PROSE)
    for n in range(390):
        pdf.line(10 + n * 0.4, 25, 10 + n * 0.4, 270)
        pdf.line(10, 25 + n * 0.6, 190, 25 + n * 0.6)
    pdf.output(str(tmp_path / "a.pdf"))
    assert PROSE[:60] in only(tmp_path).text


def clauses_pdf(folder: Path, items: Sequence[tuple[str, str]]) -> None:
    """Marks at 20, what they say from 32 on, in lines of 150; then a sentence at 20 and the rates."""
    pdf = FPDF()
    pdf.add_page()
    pdf.set_left_margin(20)
    pdf.set_font("Helvetica", size=10)
    for mark, text in items:
        top = pdf.get_y()
        pdf.text(20, top + 3.5, mark)
        pdf.set_xy(32, top)
        pdf.multi_cell(150, 5, text, new_x="LMARGIN", new_y="NEXT")
    pdf.multi_cell(0, 5, "So far the clauses.", new_x="LMARGIN", new_y="NEXT")
    for row in RATES:
        for value in row:
            pdf.cell(40, 5, value)
        pdf.ln()
    pdf.output(str(folder / "a.pdf"))


@pytest.mark.parametrize(("marks", "shown"), [
    (("4.1", "4.2", "(a)", "(b)"), ("4.1", "4.2", "(a)", "(b)")),
    (("1.", "2.", "iv.", "10)"), ("1.", "2.", "iv.", "10)")),
    (("\x95",) * 4, ("-",) * 4),
])  # fmt: skip
def test_clauses_and_items_whose_marks_stand_apart_are_paragraphs_and_no_table(
    tmp_path: Path, marks: tuple[str, ...], shown: tuple[str, ...]
) -> None:
    said = (PROSE, "Hotels are booked by the travel desk.", f"{PROSE} {PROSE}", "two words.")
    clauses_pdf(tmp_path, list(zip(marks, said, strict=True)))
    document = only(tmp_path)
    items = [f"{mark} {text}" for mark, text in zip(shown, said, strict=True)]
    assert document.text.split("\n\n")[:5] == [*items, "So far the clauses."]
    assert rows_of(document.text) == [list(row) for row in RATES]


def test_rows_that_begin_with_numbers_of_items_are_rows(tmp_path: Path) -> None:
    rows = [["No.", "Item", "Cost"], ["1.", "Laptop", "1,200"], ["2.", "Desk", ""], ["3.", "Lamp", "40"]]
    table_pdf(tmp_path, rows, (30, 40, 20), borders="NONE")
    assert rows_of(only(tmp_path).text) == rows


def test_items_in_large_letters_are_paragraphs_and_what_they_stand_under_is_a_heading(tmp_path: Path) -> None:
    heads = ["Highlights of the year", "1. Outlook"]
    items = [
        "\x95 Net sales rose by 4%",
        "\x95 The plant in Leeds was closed",
        "\x95 Free cash flow of 850 million, which is more than in any year before, and more than the board had hoped for",
        "(a) the plan;",
        "2. The board met twice in the second half of the year.",
        "All of it is told again on the pages behind this one.",
    ]
    pdf = FPDF()
    pdf.add_page()
    pdf.set_left_margin(20)
    for size, text in ((18, heads[0]), *((14, it) for it in items), (18, heads[1]), *((10, PROSE) for _ in range(9))):
        pdf.set_font("Helvetica", size=size)
        pdf.multi_cell(0, size / 2, text, new_x="LMARGIN", new_y="NEXT")
        pdf.ln(size / 2)
    pdf.output(str(tmp_path / "a.pdf"))
    shown = [it.replace("\x95", "-") for it in items]
    assert only(tmp_path).text.split("\n\n")[:8] == [f"# {heads[0]}", *shown, f"# {heads[1]}"]


def test_small_print_of_tables_does_not_make_running_text_a_heading(tmp_path: Path) -> None:
    pdf = FPDF()
    pdf.add_page()
    pdf.set_font("Helvetica", size=14)
    pdf.cell(0, 8, "Result", new_x="LMARGIN", new_y="NEXT")
    pdf.set_font("Helvetica", size=10)
    for _ in range(3):
        pdf.multi_cell(0, 5, "A replay will be available", new_x="LMARGIN", new_y="NEXT")
        pdf.ln(5)
        pdf.multi_cell(0, 5, f"{PROSE} {PROSE}", new_x="LMARGIN", new_y="NEXT")
        pdf.ln(5)
    pdf.set_font("Helvetica", size=7)
    for number in range(30):
        for text in ("Net sales of the segment", f"{number}.25", "4,711.00", "310.50", "in millions", "of dollars"):
            pdf.cell(30, 4, text)
        pdf.ln()
    pdf.output(str(tmp_path / "a.pdf"))
    assert [it for it in only(tmp_path).text.split("\n") if it.startswith("#")] == ["## Result"]


def test_a_paragraph_in_large_letters_is_one_however_long_its_lines_are(tmp_path: Path) -> None:
    pdf = FPDF(format="A3")
    pdf.add_page()
    said = " ".join(
        f"The {name} clause applies to each participant who was granted shares under the plan"
        for name in ("first", "second", "third")
    )
    for size, text in ((9.5, f"(b) {said}"), *((8, PROSE) for _ in range(9))):
        pdf.set_font("Helvetica", size=size)
        pdf.multi_cell(0, size / 2, text, new_x="LMARGIN", new_y="NEXT")
        pdf.ln(8)
    pdf.output(str(tmp_path / "a.pdf"))
    assert only(tmp_path).text.split("\n\n")[0] == f"(b) {said}"
