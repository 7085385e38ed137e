"""Numbers that Word counts by itself stand before their paragraphs, as its reader sees and cites them."""

from __future__ import annotations

from pathlib import Path

import docx
import pytest
from docx.document import Document as WordDocument
from docx.oxml import parse_xml
from docx.text.paragraph import Paragraph

from domain_sdk.documents import read_documents

W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'


def level(place: int, kind: str, text: str, more: str = "") -> str:
    return f'<w:lvl w:ilvl="{place}"><w:start w:val="1"/><w:numFmt w:val="{kind}"/>{more}<w:lvlText w:val="{text}"/></w:lvl>'


CONTRACT = "".join(
    (
        level(0, "decimal", "%1.", '<w:pStyle w:val="Heading1"/>'),
        level(1, "decimal", "%1.%2", '<w:pStyle w:val="Heading2"/>'),
        level(2, "lowerLetter", "(%3)"),
        level(3, "lowerRoman", "(%4)"),
    )
)


def with_lists(levels: str, lists: str = "") -> WordDocument:
    """A document whose list 91 has these levels; `lists` are others of the same definition."""
    made = docx.Document()
    numbering = made.part.numbering_part.element
    numbering.insert(0, parse_xml(f'<w:abstractNum {W} w:abstractNumId="90">{levels}</w:abstractNum>'))
    for number, changes in ((91, ""), (92, lists)):
        numbering.append(parse_xml(f'<w:num {W} w:numId="{number}"><w:abstractNumId w:val="90"/>{changes}</w:num>'))
    return made


def numbered(paragraph: Paragraph, place: int, *, number: int = 91) -> None:
    mark = f'<w:numPr {W}><w:ilvl w:val="{place}"/><w:numId w:val="{number}"/></w:numPr>'
    paragraph._p.get_or_add_pPr().append(parse_xml(mark))


def lines(made: WordDocument, folder: Path) -> list[str]:
    made.save(str(folder / "a.docx"))
    (document,) = read_documents(folder / "a.docx")
    return [line for line in document.text.split("\n") if line.strip()]


def test_clauses_are_numbered_by_styles_and_by_themselves(tmp_path: Path) -> None:
    made = with_lists(CONTRACT)
    for name in ("Heading 1", "Heading 2"):
        made.styles[name].element.get_or_add_pPr().append(parse_xml(f'<w:numPr {W}><w:numId w:val="91"/></w:numPr>'))
    made.add_heading("Definitions", 1)
    made.add_heading("Termination", 1)
    made.add_heading("By the buyer", 2)
    for text, place in (("for breach;", 2), ("for insolvency", 2), ("of its parent;", 3), ("of its own.", 3)):
        numbered(made.add_paragraph(text), place)
    made.add_paragraph("Unnumbered between.")
    made.add_heading("By the seller", 2)
    numbered(made.add_paragraph("for non-payment."), 2)
    numbered(made.add_paragraph("Notices are in writing."), 1)
    assert lines(made, tmp_path) == [
        "# 1. Definitions",
        "# 2. Termination",
        "## 2.1 By the buyer",
        "(a) for breach;",
        "(b) for insolvency",
        "(i) of its parent;",
        "(ii) of its own.",
        "Unnumbered between.",
        "## 2.2 By the seller",
        "(a) for non-payment.",
        "2.3 Notices are in writing.",
    ]


def test_lists_by_style_keep_numbers_and_bullets(tmp_path: Path) -> None:
    made = docx.Document()
    for text, style in (("Fill in", "List Number"), ("Sign", "List Number"), ("in ink", "List Bullet"), ("Post", "List Number")):
        made.add_paragraph(text, style=style)
    assert lines(made, tmp_path) == ["1. Fill in", "2. Sign", "- in ink", "3. Post"]


def test_a_list_that_begins_anew_does_and_one_that_goes_on_goes_on(tmp_path: Path) -> None:
    anew = '<w:lvlOverride w:ilvl="0"><w:startOverride w:val="5"/></w:lvlOverride>'
    made = with_lists(CONTRACT, anew)
    for text, number in (("one", 91), ("two", 91), ("five", 92), ("six", 92), ("seven", 91)):
        numbered(made.add_paragraph(text), 0, number=number)
    assert lines(made, tmp_path) == ["1. one", "2. two", "5. five", "6. six", "7. seven"]


def test_a_level_is_counted_as_its_definition_says(tmp_path: Path) -> None:
    levels = (
        '<w:lvl w:ilvl="0"><w:start w:val="3"/><w:numFmt w:val="upperRoman"/><w:lvlText w:val="Article %1"/></w:lvl>'
        '<w:lvl w:ilvl="1"><w:start w:val="1"/><w:numFmt w:val="decimalZero"/><w:lvlRestart w:val="0"/><w:isLgl/>'
        '<w:lvlText w:val="§ %1.%2:"/></w:lvl>'
    )
    made = with_lists(levels)
    for text, place in (("Price", 0), ("Net.", 1), ("Gross.", 1), ("Term", 0), ("A year.", 1)):
        numbered(made.add_paragraph(text), place)
    assert lines(made, tmp_path) == ["Article III Price", "§ 3.1: Net.", "§ 3.2: Gross.", "Article IV Term", "§ 4.3: A year."]


@pytest.mark.parametrize(("kind", "count", "shown"), [
    ("lowerLetter", 27, "aa"), ("upperLetter", 3, "C"), ("lowerRoman", 49, "xlix"), ("upperRoman", 1994, "MCMXCIV"),
    ("ordinal", 12, "12th"), ("ordinal", 22, "22nd"), ("decimalZero", 7, "07"), ("chineseCounting", 4, "4"),
])  # fmt: skip
def test_numbers_are_written_in_their_kind(tmp_path: Path, kind: str, count: int, shown: str) -> None:
    made = with_lists(level(0, kind, "%1)").replace('start w:val="1"', f'start w:val="{count}"'))
    numbered(made.add_paragraph("text"), 0)
    assert lines(made, tmp_path) == [f"{shown}) text"]


def test_what_is_deleted_or_hidden_is_not_counted(tmp_path: Path) -> None:
    made = with_lists(CONTRACT)
    for text, mark in (("first", ""), ("gone", "del"), ("secret", "vanish"), ("second", "")):
        paragraph = made.add_paragraph()
        numbered(paragraph, 0)
        run = f"<w:r {W}><w:rPr>{'<w:vanish/>' if mark == 'vanish' else ''}</w:rPr><w:t>{text}</w:t></w:r>"
        if mark:
            paragraph._p.get_or_add_pPr().append(parse_xml(f"<w:rPr {W}><w:{mark}/></w:rPr>"))
        if mark == "del":
            run = f'<w:del {W} w:id="1" w:author="A">{run.replace("w:t>", "w:delText>")}</w:del>'
        paragraph._p.append(parse_xml(run))
    assert lines(made, tmp_path) == ["1. first", "2. second"]


def test_rows_are_numbered_in_cells_that_hold_nothing_else(tmp_path: Path) -> None:
    made = with_lists(CONTRACT)
    table = made.add_table(rows=3, cols=2)
    for row, text in enumerate(("Item", "Laptop", "Desk")):
        table.cell(row, 1).text = text
        if row:
            numbered(table.cell(row, 0).paragraphs[0], 0)
    assert lines(made, tmp_path) == ["|  | Item |", "| --- | --- |", "| 1. | Laptop |", "| 2. | Desk |"]


def test_a_paragraph_that_is_taken_out_of_its_styles_list_has_no_number(tmp_path: Path) -> None:
    made = docx.Document()
    made.add_paragraph("one", style="List Number")
    paragraph = made.add_paragraph("none", style="List Number")
    numbered(paragraph, 0, number=0)
    made.add_paragraph("two", style="List Number")
    assert lines(made, tmp_path) == ["1. one", "none", "2. two"]


def test_a_level_that_begins_elsewhere_does_so_each_time_that_it_begins_anew(tmp_path: Path) -> None:
    """ECMA-376, 17.9.26; an override for a level that is none changes nothing."""
    restart = '<w:lvlOverride w:ilvl="{}"><w:startOverride w:val="{}"/></w:lvlOverride>'
    made = with_lists(CONTRACT, restart.format(1, 5) + restart.format("x", 7))
    for text, place in (("A", 0), ("A first", 1), ("A second", 1), ("B", 0), ("B first", 1), ("B second", 1)):
        numbered(made.add_paragraph(text), place, number=92)
    assert lines(made, tmp_path) == ["1. A", "1.5 A first", "1.6 A second", "2. B", "2.5 B first", "2.6 B second"]
