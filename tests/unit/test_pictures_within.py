"""Pictures within documents are read, those that are not are counted, and no slide or page that holds only one is a success."""

from __future__ import annotations

import io
from pathlib import Path

import docx
import openpyxl
import pptx
import pytest
from fpdf import FPDF
from openpyxl.drawing.image import Image as SheetImage
from PIL.Image import Image, linear_gradient, new
from pptx.util import Inches

from domain_sdk.documents import Document, DocumentProblem, passages, read_documents
from domain_sdk.extraction import ocr
from domain_sdk.extraction.office import read_office
from domain_sdk.extraction.pdf import read_pdf
from domain_sdk.extraction.pictures import Pictures
from tests.document_files import picture_of
from tests.unit.test_document_formats import PROSE, needs_tesseract, only, read

SAID = "The ceiling is 4711 euros"


def picture(text: str = SAID) -> io.BytesIO:
    file = io.BytesIO()
    picture_of(text, (800, 200)).save(file, "PNG")
    file.seek(0)
    return file


def slides(path: Path) -> Path:
    deck = pptx.Presentation()
    deck.slides.add_slide(deck.slide_layouts[6]).shapes.add_picture(picture(), 0, 0, Inches(8))
    deck.slides.add_slide(deck.slide_layouts[5]).shapes.title.text = "Numbers"
    deck.save(str(path))
    return path


def test_a_picture_in_a_word_document_is_read_where_it_stands(tmp_path: Path) -> None:
    needs_tesseract()
    word = docx.Document()
    word.add_paragraph("Before.")
    word.add_picture(picture())
    word.add_paragraph("After.")
    word.save(str(tmp_path / "a.docx"))
    document = only(tmp_path)
    before, said, after = (document.text.index(it) for it in ("Before.", f"Picture: {SAID}", "After."))
    assert before < said < after
    assert document.recognition > 60
    assert not document.unread


def test_a_slide_that_holds_only_a_picture_is_read(tmp_path: Path) -> None:
    needs_tesseract()
    slides(tmp_path / "a.pptx")
    document = only(tmp_path)
    assert (1, f"Picture: {SAID}") in {(it.page, it.text.split("\n\n")[-1]) for it in passages(document)}
    assert document.empty_pages == ()


def test_without_recognition_a_slide_that_holds_only_a_picture_is_lost_and_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ocr, "is_available", lambda: False)
    found = read_office(slides(tmp_path / "a.pptx"), "application/vnd.openxmlformats-officedocument.presentationml.presentation")
    assert found.empty_pages == (1,)
    assert list(found.unread.values()) == [1]


def test_a_picture_on_a_sheet_is_read_under_the_name_of_the_sheet(tmp_path: Path) -> None:
    needs_tesseract()
    book = openpyxl.Workbook()
    book.active.title = "Limits"
    book.active.append(("City", "Rate"))
    book.active.append(("Paris", 120))
    book.create_sheet("Only a picture").add_image(SheetImage(picture()), "B2")
    book.save(tmp_path / "a.xlsx")
    assert ("Only a picture", f"Picture: {SAID}") in {(it.heading, it.text) for it in passages(only(tmp_path))}


def test_a_picture_beside_text_on_a_pdf_page_is_read(tmp_path: Path) -> None:
    needs_tesseract()
    pdf = FPDF()
    for number in (1, 2):
        pdf.add_page()
        pdf.set_font("Helvetica", size=11)
        pdf.multi_cell(0, 6, f"{PROSE} {PROSE} {PROSE} Number {number}.", new_x="LMARGIN", new_y="NEXT")
        if number == 2:
            pdf.image(picture(), x=20, y=120, w=150)
    pdf.output(str(tmp_path / "a.pdf"))
    document = only(tmp_path)
    assert document.text.count(SAID) == 1
    assert document.text.index(SAID) > document.pages[1].start
    assert document.recognition > 60


def test_text_that_lies_on_its_own_scan_is_read_once(tmp_path: Path) -> None:
    needs_tesseract()
    pdf = FPDF()
    pdf.add_page()
    pdf.image(picture(f"{SAID}\nfor every journey"), x=0, y=20, w=200)
    pdf.set_font("Helvetica", size=11)
    with pdf.local_context(text_mode="INVISIBLE"):
        pdf.set_xy(20, 40)
        pdf.multi_cell(0, 6, f"{SAID} for every journey")
    pdf.output(str(tmp_path / "a.pdf"))
    assert only(tmp_path).text.count("4711") == 1


def test_pictures_beyond_the_time_of_a_file_are_counted() -> None:
    needs_tesseract()
    now = iter(range(0, 10_000, 200))
    pictures = Pictures(clock=lambda: float(next(now)))
    said = [pictures.text_in(picture(f"{SAID} number {number}").getvalue()) for number in range(4)]
    assert [bool(text) for text in said] == [True, True, False, False]
    assert list(pictures.unread.values()) == [2]


def test_a_picture_that_stands_on_every_slide_is_recognised_once() -> None:
    needs_tesseract()
    told: list[int] = []
    pictures = Pictures(lambda: told.append(1))
    assert {pictures.text_in(picture().getvalue()) for _ in range(5)} == {f"Picture: {SAID}"}
    assert len(told) == 1


@pytest.mark.parametrize("data", [b"", b"\x89PNG\r\n\x1a\n broken", b"\x01\0\0\0 an enhanced metafile", b"<svg/>"])
def test_a_picture_that_cannot_be_opened_is_counted_and_stops_nothing(data: bytes) -> None:
    pictures = Pictures()
    assert pictures.text_in(data) == ""
    assert list(pictures.unread.values()) == [1]


def test_bullets_and_patterns_say_nothing_and_are_no_loss() -> None:
    from PIL import Image

    needs_tesseract()
    pictures = Pictures()
    assert pictures.text_of(Image.new("L", (16, 16), 0)) == pictures.text_of(Image.effect_noise((300, 300), 90)) == ""
    assert pictures.unread == {}


def recognitions(path: Path) -> tuple[int, str]:
    """How many pictures of a PDF file were recognised, and its text: what is told of is each page, and each such picture."""
    told: list[tuple[int, int]] = []
    found = read_pdf(path, lambda done, count: told.append((done, count)))
    return len(told) - len(found.pages), found.text


def pages_with(path: Path, image: io.BytesIO | Image, *, pages: int = 1, w: float = 150, h: float = 0) -> Path:
    pdf = FPDF()
    for number in range(pages):
        pdf.add_page()
        pdf.set_font("Helvetica", size=11)
        pdf.multi_cell(0, 6, f"{PROSE} {PROSE} Number {number}.", new_x="LMARGIN", new_y="NEXT")
        pdf.image(image, x=20, y=150, w=w, h=h)
    pdf.output(str(path))
    return path


def test_a_picture_that_stands_on_every_page_is_recognised_once_and_told_of_on_each(tmp_path: Path) -> None:
    needs_tesseract()
    count, text = recognitions(pages_with(tmp_path / "a.pdf", picture(), pages=4))
    assert (count, text.count(f"Picture: {SAID}")) == (1, 4)


def test_pictures_at_one_place_that_say_other_things_are_all_recognised(tmp_path: Path) -> None:
    needs_tesseract()
    pdf = FPDF()
    for number in (1, 2):
        pdf.add_page()
        pdf.set_font("Helvetica", size=11)
        pdf.multi_cell(0, 6, PROSE)
        pdf.image(picture(f"The ceiling is 471{number} euros"), x=20, y=150, w=150)
    pdf.output(str(tmp_path / "a.pdf"))
    count, text = recognitions(tmp_path / "a.pdf")
    assert (count, "4711" in text, "4712" in text) == (2, True, True)


@pytest.mark.parametrize("millimetres", [(40, 4), (4, 40), (12, 12)])
def test_a_picture_too_small_for_a_line_of_words_is_not_recognised(tmp_path: Path, millimetres: tuple[int, int]) -> None:
    needs_tesseract()
    width, height = millimetres
    assert recognitions(pages_with(tmp_path / "a.pdf", picture(), w=width, h=height))[0] == 0


@pytest.mark.parametrize("shade", [1, 255])
def test_a_picture_of_one_colour_or_a_gentle_shade_is_not_recognised(tmp_path: Path, shade: int) -> None:
    needs_tesseract()
    image = linear_gradient("L").point(lambda grey: grey % (shade + 1) + (255 - shade)).resize((800, 400))
    assert recognitions(pages_with(tmp_path / "a.pdf", image))[0] == 0


def test_faint_and_single_words_in_a_picture_are_recognised() -> None:
    needs_tesseract()
    faint = picture_of(SAID, (800, 200)).convert("L").point(lambda grey: 200 + grey // 5)
    assert Pictures().text_of(faint) == f"Picture: {SAID}"
    assert Pictures().text_of(picture_of("Oslo", (2000, 1500)).convert("L")) == "Picture: Oslo"


def test_words_that_only_the_mask_of_a_picture_holds_are_recognised(tmp_path: Path) -> None:
    from PIL import ImageOps

    needs_tesseract()
    image = new("RGBA", (800, 200), "black")
    image.putalpha(ImageOps.invert(picture_of(SAID, (800, 200)).convert("L")))
    count, text = recognitions(pages_with(tmp_path / "a.pdf", image))
    assert (count, text.count(SAID)) == (1, 1)


def test_a_document_of_nothing_but_pictures_that_are_not_read_is_a_problem(tmp_path: Path) -> None:
    word = docx.Document()
    word.add_picture(picture())
    word.save(str(tmp_path / "a.docx"))
    data = (tmp_path / "a.docx").read_bytes()
    assert b"word/media/image1.png" in data
    problems: list[DocumentProblem] = []
    found: list[Document] = list(read_documents(tmp_path, on_problem=problems.append))
    assert len(found) + len(problems) == 1
    assert all(SAID in it.text for it in found)
    assert read(tmp_path)[1].keys() == {it.path.name for it in problems}


def test_pictures_of_headers_and_footers_are_read(tmp_path: Path) -> None:
    needs_tesseract()
    word = docx.Document()
    word.add_paragraph("Before.")
    word.sections[0].header.paragraphs[0].add_run().add_picture(picture())
    word.sections[0].footer.paragraphs[0].add_run().add_picture(picture("All rights are reserved"))
    word.save(str(tmp_path / "a.docx"))
    assert only(tmp_path).text.strip().split("\n\n") == [
        f"Header: Picture: {SAID}", "Before.", "Footer: Picture: All rights are reserved",
    ]  # fmt: skip


def test_pictures_of_rich_text_are_read_and_drawings_counted(tmp_path: Path) -> None:
    needs_tesseract()
    digits = picture().getvalue().hex()
    lines = "\n".join(digits[place : place + 128] for place in range(0, len(digits), 128))
    copy = r"{\nonshppict{\pict\wmetafile8\picw9 0100}}"
    first = rf"{{\*\shppict{{\pict{{\*\picprop{{\sp x}}}}\picw800\pngblip\pich200 {lines}}}}}{copy}"
    (tmp_path / "a.rtf").write_text(rf"{{\rtf1\ansi Before. {first} {{\pict\wmetafile8\picw9 0100}} After.\par}}")
    document = only(tmp_path)
    assert document.title == "a"
    assert "Before." in document.text
    assert "image_0" not in document.text
    assert document.text.endswith(f"Picture: {SAID}")
    assert list(document.unread.values()) == [1]
