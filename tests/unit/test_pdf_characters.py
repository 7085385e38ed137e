"""Characters of a PDF page: what is asked of PDFium at once is what it says of each character alone."""

from __future__ import annotations

import ctypes
from pathlib import Path

import pypdfium2
import pypdfium2.raw as pdfium
import pytest
from fpdf import FPDF

from domain_sdk.extraction.pdf_characters import read_characters
from domain_sdk.extraction.pdf_places import PaperChars
from tests.document_files import unicode_pdf

TEXTS = ["Fee of 5 euros", "Efficient ﬁsh", "שלום abc", "a\x93b\x02c\x00d\ufffee", "日本語"]
Box = tuple[float, float, float, float]


def one_by_one(path: Path) -> list[tuple[int, Box]]:
    """Code and box (left, bottom, right, top) of each character but the ends of lines and what is none."""
    text_page = pypdfium2.PdfDocument(path)[0].get_textpage()
    found = []
    for index in range(text_page.count_chars()):
        code = pdfium.FPDFText_GetUnicode(text_page.raw, index)
        box = pdfium.FS_RECTF()
        pdfium.FPDFText_GetLooseCharBox(text_page.raw, index, ctypes.byref(box))
        if code not in (0, 10, 13, 0xFFFE, 0xFFFF):
            found.append((code, (box.left, box.bottom, box.right, box.top)))
    return found


def at_once(chars: PaperChars) -> list[tuple[int, Box]]:
    """The same of the page's characters."""
    boxes = zip(chars.left, chars.bottom, chars.right, chars.top, strict=True)
    return [(ord(char), box) for char, box in zip(chars.text, boxes, strict=True) if char != "\n"]


@pytest.mark.parametrize("text", TEXTS)
def test_characters_and_their_boxes_are_those_that_each_has_alone(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.pdf"
    unicode_pdf(path, text)
    assert at_once(read_characters(pypdfium2.PdfDocument(path)[0])) == one_by_one(path)


def test_characters_that_pdfium_gives_in_halves_are_whole(tmp_path: Path) -> None:
    path = unicode_pdf(tmp_path / "a.pdf", "\U0001d7d3 and 😀 twice 😀")
    assert read_characters(pypdfium2.PdfDocument(path)[0]).text.strip() == "\U0001d7d3 and 😀 twice 😀"


def test_a_hyphen_at_the_end_of_a_line_keeps_its_mark_and_place(tmp_path: Path) -> None:
    page = FPDF()
    page.add_page()
    page.set_font("helvetica", size=12)
    for line in ("An advance is re-", "paid within a week", "in bold"):
        page.set_font("helvetica", style="B" if "bold" in line else "", size=12)
        page.cell(0, 8, line, new_x="LMARGIN", new_y="NEXT")
    path = tmp_path / "a.pdf"
    page.output(str(path))
    chars = read_characters(pypdfium2.PdfDocument(path)[0])
    assert at_once(chars) == one_by_one(path)
    assert "\x02" in chars.text
    bold = "".join(char for char, is_bold in zip(chars.text, chars.is_bold, strict=True) if is_bold)
    assert bold.split() == ["in", "bold"]


def test_letters_that_are_drawn_alone_are_one_word_where_they_touch(tmp_path: Path) -> None:
    made = FPDF(unit="pt")
    made.add_page()
    made.set_font("helvetica", size=11)
    for left in (72, 240, 408):  # few words in columns: PDFium takes each letter for a line
        for line, text in enumerate(("column 1", "one")):
            for place, letter in enumerate(text):
                made.text(left + made.get_string_width(text[:place]), 72 + 15 * line, letter)
    made.output(str(tmp_path / "a.pdf"))
    page = pypdfium2.PdfDocument(tmp_path / "a.pdf")[0]
    assert "c\r\no" in page.get_textpage().get_text_range()
    assert read_characters(page).text.split() == ["column", "1", "one"] * 3
