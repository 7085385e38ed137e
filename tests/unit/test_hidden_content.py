"""What authors hide in their files is left out and counted; notes are read as notes, slides in the order they are shown."""

from __future__ import annotations

import zipfile
from pathlib import Path

import docx
import openpyxl
import pptx
from pptx.util import Inches

from domain_sdk.documents import Document, read_documents
from tests.document_files import picture_of


def read(path: Path) -> Document:
    (document,) = read_documents(path)
    return document


def test_hidden_sheets_rows_and_columns_are_left_out_and_counted(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    for row in (("Item", "Cost", "Margin"), ("Laptop", 1200, 7101), ("Secret", 1, 7102), ("Desk", 300, 7103)):
        book.active.append(row)
    book.active.row_dimensions[3].hidden = True
    book.active.column_dimensions["C"].hidden = True
    for name, state in (("Salaries", "hidden"), ("Rates", "veryHidden")):
        sheet = book.create_sheet(name)
        sheet.append((f"{name} figure", 4711))
        sheet.append(("more", 4712))
        sheet.sheet_state = state
    book.save(tmp_path / "book.xlsx")
    document = read(tmp_path / "book.xlsx")
    assert all(word in document.text for word in ("Laptop", "1200", "Desk", "300"))
    assert not any(word in document.text for word in ("Secret", "710", "Margin", "Salaries", "Rates", "471"))
    assert document.hidden == {"hidden sheets": 2, "hidden rows": 1, "hidden columns": 1}


def test_rows_and_columns_without_size_and_cells_whose_format_shows_nothing_are_hidden(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    for row in (("Item", "Cost", "Margin"), ("Laptop", 1200, 7101), ("Secret", 1, 7102), ("Desk", 300, 7103), (4711, "4712", 1)):
        book.active.append(row)
    book.active.row_dimensions[3].height = 77
    book.active.column_dimensions["C"].width = 77
    for place in ("A5", "B5"):
        book.active[place].number_format = ";;;"
    book.save(tmp_path / ".book.xlsx")
    with zipfile.ZipFile(tmp_path / ".book.xlsx") as old, zipfile.ZipFile(tmp_path / "book.xlsx", "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name).replace(b'="77"', b'="0"'))
    document = read(tmp_path / "book.xlsx")
    assert document.text == "## Sheet\n\n| Item | Cost |\n| --- | --- |\n| Laptop | 1200 |\n| Desk | 300 |"
    assert document.hidden == {"hidden rows": 1, "hidden columns": 1, "cells whose format shows nothing": 2}


def test_text_that_word_does_not_show_is_left_out_and_counted(tmp_path: Path) -> None:
    made = docx.Document()
    paragraph = made.add_paragraph("The price is fixed ")
    paragraph.add_run("but may be doubled ").font.hidden = True
    paragraph.add_run("until May.")
    made.save(str(tmp_path / "a.docx"))
    document = read(tmp_path / "a.docx")
    assert document.text.strip() == "The price is fixed until May."
    assert document.hidden == {"hidden pieces of text": 1}


def presentation() -> pptx.presentation.Presentation:
    made = pptx.Presentation()
    for title in ("Opening", "Figures", "Reserve"):
        made.slides.add_slide(made.slide_layouts[5]).shapes.title.text = title
    return made


def test_notes_of_slides_are_read_as_notes_and_hidden_slides_are_not(tmp_path: Path) -> None:
    made = presentation()
    made.slides[1].notes_slide.notes_text_frame.text = "Say that costs fell"
    made.slides[2].notes_slide.notes_text_frame.text = "Nobody sees this"
    made.slides[2]._element.set("show", "0")
    made.save(str(tmp_path / "deck.pptx"))
    document = read(tmp_path / "deck.pptx")
    first, second, third = document.pages
    assert "Opening" in document.text[first.start : second.start]
    slide = document.text[second.start : third.start]
    assert slide.index("Figures") < slide.index("Speaker notes: Say that costs fell")
    assert "Reserve" not in document.text
    assert "Nobody" not in document.text
    assert document.hidden == {"hidden slides": 1}


def test_slides_are_in_the_order_in_which_they_are_shown(tmp_path: Path) -> None:
    made = presentation()
    slides = made.slides._sldIdLst
    slides.append(slides[0])
    made.slides[2].notes_slide.notes_text_frame.text = "Good morning"
    made.save(str(tmp_path / "deck.pptx"))
    document = read(tmp_path / "deck.pptx")
    assert [document.text.index(title) for title in ("Figures", "Reserve", "Opening", "Good morning")] == sorted(
        document.text.index(title) for title in ("Figures", "Reserve", "Opening", "Good morning")
    )
    assert "Opening" in document.text[document.pages[2].start :]


def test_a_slide_that_is_only_a_picture_without_words_is_counted_as_lost(tmp_path: Path) -> None:
    made = presentation()
    picture_of("").save(tmp_path / "picture.png")
    made.slides.add_slide(made.slide_layouts[6]).shapes.add_picture(str(tmp_path / "picture.png"), Inches(1), Inches(1))
    (tmp_path / "picture.png").unlink()
    made.save(str(tmp_path / "deck.pptx"))
    assert read(tmp_path / "deck.pptx").empty_pages == (4,)


def test_what_a_page_hides_is_not_read_and_what_follows_is(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text(
        "<body style='display:none'><div style='color:red; display: NONE'>secret <div>inner</div> more</div>"
        "<p hidden>gone<p>shown one<span hidden=''>secret</span> and two<img hidden>"
        "<table><tr><td>a<td>b<tr hidden><td>secret<td>x<tr><td>c<td>d</table>end"
    )
    text = read(tmp_path / "a.html").text
    assert not any(word in text for word in ("secret", "inner", "more", "gone"))
    assert "shown one and two" in text
    assert "| c | d |" in text
    assert text.rstrip().endswith("end")


def test_comments_of_markdown_are_left_out_and_counted_and_those_in_code_are_code(tmp_path: Path) -> None:
    code = "```html\n<!-- shown -->\n```"
    (tmp_path / "a.md").write_text(
        f"# Head\n\nText <!-- of\nthe board --> here, `<!-- too -->`.\n\n{code}\n\n<!-- never ends\n\n# Secret\n"
    )
    document = read(tmp_path / "a.md")
    assert document.text.strip() == f"# Head\n\nText  here, `<!-- too -->`.\n\n{code}"
    assert document.hidden == {"comments in Markdown": 2}


def test_what_an_open_document_text_hides_is_left_out_and_what_stands_beside_it_is_read(tmp_path: Path) -> None:
    names = {"office": "office:1.0", "text": "text:1.0", "style": "style:1.0"}
    spaces = " ".join(f'xmlns:{short}="urn:oasis:names:tc:opendocument:xmlns:{name}"' for short, name in names.items())
    note = "<office:annotation><creator xmlns='http://purl.org/dc/elements/1.1/'>Bo</creator><text:p>Why?</text:p></office:annotation>"
    body = (
        f"<text:p>Shown{note} text.</text:p><text:section text:display='none'><text:p>SECRET</text:p></text:section>"
        "<text:p>Before <text:hidden-text text:string-value='SECRET'>SECRET</text:hidden-text>after</text:p>"
    )
    text = f"<office:body><office:text>{body}</office:text></office:body>"
    page = "<style:master-page><style:header><text:p>Draft of May</text:p></style:header></style:master-page>"
    with zipfile.ZipFile(tmp_path / "a.odt", "w") as file:
        file.writestr("content.xml", f"<office:document-content {spaces}>{text}</office:document-content>")
        file.writestr("styles.xml", f"<office:document-styles {spaces}>{page}</office:document-styles>")
    document = read(tmp_path / "a.odt")
    assert document.text.split("\n\n") == ["Shown text.", "Before after", "Header: Draft of May", "Comment by Bo: Why?"]
    assert document.hidden == {"hidden pieces of text": 2}
