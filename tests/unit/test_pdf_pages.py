"""Pages of PDF files as they are printed: turned, filled in, stamped; written by hand, after ISO 32000."""

from __future__ import annotations

import io
import time
import zlib
from collections.abc import Sequence
from pathlib import Path

import pypdfium2
import pytest
from fpdf import FPDF

from domain_sdk.documents import Document, read_documents
from domain_sdk.extraction import pdf, pdf_sheets
from domain_sdk.extraction.pdf_layers import may_have_layers
from domain_sdk.extraction.pdf_lines import Line, split_lines
from domain_sdk.extraction.pdf_places import PlacedChars
from tests.document_files import picture_of
from tests.unit.test_document_formats import PROSE, needs_tesseract, only

FONT = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>"
BOX = b"/MediaBox [0 0 612 792] "
PRINTED = b"/Resources << /Font << /F1 5 0 R >> >> "


def stream(content: bytes, entries: bytes = b"") -> bytes:
    return b"<< /Length %d %s>>\nstream\n%s\nendstream" % (len(content), entries, content)


def written(
    path: Path, content: bytes, *, page: bytes = BOX, resources: bytes = PRINTED, pages: bytes = b"", catalog: bytes = b"",
    more: Sequence[bytes] = (),
) -> Document:  # fmt: skip
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R %s>>" % catalog,
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 %s>>" % pages,
        b"<< /Type /Page /Parent 2 0 R /Contents 4 0 R %s%s>>" % (resources, page),
        stream(content),
        FONT,
        *more,
    ]
    body, places = b"%PDF-1.7\n", []
    for number, it in enumerate(objects, start=1):
        places.append(len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, it)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    end = b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF" % (len(objects) + 1, len(body))
    path.write_bytes(body + b"xref\n0 %d\n0000000000 65535 f \n%s" % (len(objects) + 1, table) + end)
    (document,) = read_documents(path)
    return document


def lines(*texts: str) -> bytes:
    return b"BT /F1 12 Tf 14 TL 72 700 Td %s ET" % b" T* ".join(b"(%s) Tj" % text.encode("latin-1") for text in texts)


def test_a_table_on_a_page_that_lies_on_its_side_is_a_table(tmp_path: Path) -> None:
    rows = (("City", "Rate", "Cap"), ("Paris", "120", "300"), ("Rome", "100", "250"), ("Oslo", "140", "320"))
    cells = [
        b"0 1 -1 0 %d %d Tm (%s) Tj" % (100 + 20 * down, 72 + 150 * across, value.encode())
        for down, row in enumerate(rows)
        for across, value in enumerate(row)
    ]
    document = written(tmp_path / "a.pdf", b"BT /F1 12 Tf %s ET" % b" ".join(cells), page=BOX + b"/Rotate 90 ")
    assert document.tables == 1
    assert "| Oslo | 140 | 320 |" in document.text


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_a_page_that_was_put_in_wrong_is_read_in_order(tmp_path: Path, degrees: int) -> None:
    content = lines("The first line of the page", "goes on in the second line", "and ends in the third.")
    document = written(tmp_path / "a.pdf", content, page=BOX + b"/Rotate %d " % degrees)
    assert document.text == "The first line of the page goes on in the second line and ends in the third."


def test_a_page_is_laid_out_once_though_it_is_looked_at_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    laid_out: list[str] = []

    def lay_out(chars: PlacedChars) -> list[Line]:
        laid_out.append(chars.text)
        return split_lines(chars)

    monkeypatch.setattr(pdf_sheets, "split_lines", lay_out)
    book = FPDF()
    book.set_font("Helvetica")
    for number in range(3):
        book.add_page()
        book.cell(text=f"Page of chapter {number}")
    book.output(str(tmp_path / "a.pdf"))
    assert pdf.read_pdf(tmp_path / "a.pdf", lambda done, total: None).text.count("chapter") == 3
    assert len(laid_out) == 3


def test_a_hyphen_that_parts_a_word_goes_and_one_of_a_name_stays(tmp_path: Path) -> None:
    document = written(tmp_path / "a.pdf", lines("The inter-", "national docu\u00ad", "ment of Anna-", "Maria is here"))
    assert document.text == "The international document of Anna-Maria is here"


def test_what_was_filled_into_a_form_and_written_on_the_page_is_read(tmp_path: Path) -> None:
    field = (
        b"<< /Type /Annot /Subtype /Widget /FT /Tx /T (name) /V (Grace Hopper) /Rect [200 660 500 680] /DA (/Helv 12 Tf 0 g) >>"
    )
    note = b"<< /Type /Annot /Subtype /FreeText /Contents (Approved in May) /DA (/Helv 12 Tf 0 g) /Rect [72 500 300 520] >>"
    form = b"/AcroForm << /Fields [6 0 R] /NeedAppearances true /DA (/Helv 12 Tf 0 g) /DR << /Font << /Helv 5 0 R >> >> >> "
    document = written(
        tmp_path / "a.pdf", lines("Applicant"), page=BOX + b"/Annots [6 0 R 7 0 R] ", catalog=form, more=[field, note]
    )
    assert "Applicant" in document.text
    assert "Grace Hopper" in document.text
    assert "Approved in May" in document.text


@pytest.mark.parametrize("degrees", [0, 180])
def test_values_of_a_form_stand_beside_their_labels(tmp_path: Path, degrees: int) -> None:
    labels = (
        (72, 740, "Application"), (72, 700, "Name:"), (330, 700, "Born:"), (72, 680, "City:"), (95, 640, "I agree"),
        (95, 620, "I refuse"), (72, 590, "Remarks"), (72, 500, "For the bank only."),
    )  # fmt: skip
    printed = b"".join(b"BT /F1 11 Tf %d %d Td (%s) Tj ET\n" % (x, y, text.encode()) for x, y, text in labels)
    tick = b"q BT /F2 12 Tf 2 2 Td (4) Tj ET Q"
    resources = b"/Type /XObject /Subtype /Form /BBox [0 0 15 15] /Resources << /Font << /F2 6 0 R >> >> "
    boxes = [
        b"<< /Type /Annot /Subtype /Widget /FT /Btn /T (%s) /V /%s /AS /%s /AP << /N << /Yes 7 0 R /Off 8 0 R >> >> "
        b"/Rect [72 %d 87 %d] >>" % (name, state, state, y, y + 15)
        for name, state, y in ((b"agree", b"Yes", 637), (b"refuse", b"Off", 617))
    ]
    values = [
        b"<< /Type /Annot /Subtype /Widget /FT /Tx /T (f%d) /V (%s) /Rect [%d %d %d %d] /DA (/Helv 11 Tf 0 g) >>"
        % (x + y, value, x, y - 4, x + 140, y + 12)
        for x, y, value in ((72, 560, b"None so far"), (120, 680, b"Oslo"), (410, 700, b"5 May 1990"), (120, 700, b"Ann Lee"))
    ]
    kids = b"/Annots [9 0 R 10 0 R 11 0 R 12 0 R 13 0 R 14 0 R] /Rotate %d " % degrees
    form = b"/AcroForm << /Fields [9 0 R 10 0 R 11 0 R 12 0 R 13 0 R 14 0 R] /DA (/Helv 11 Tf 0 g) >> "
    font = b"<< /Type /Font /Subtype /Type1 /BaseFont /ZapfDingbats >>"
    looks = [font, stream(tick, resources), stream(b"q Q", resources)]
    document = written(tmp_path / "a.pdf", printed, page=kids, catalog=form, more=[*looks, *boxes, *values])
    said = "Application Name: Ann Lee Born: 5 May 1990 City: Oslo ✔ I agree I refuse Remarks None so far For the bank only."
    assert " ".join(document.text.split()) == said


def test_a_scan_with_a_stamp_on_it_is_recognised_as_well(tmp_path: Path) -> None:
    needs_tesseract()
    pdf = FPDF()
    pdf.set_auto_page_break(False)
    pdf.add_page()
    picture = io.BytesIO()
    picture_of("THE ROOF LEAKS\nbehind the chimney", (1240, 1600)).save(picture, "PNG")
    pdf.image(picture, 0, 0, 210, 285)
    pdf.set_font("Helvetica", size=9)
    pdf.set_xy(10, 288)
    pdf.cell(0, 4, "Confidential, copy 000120 of the archive")
    pdf.output(str(tmp_path / "a.pdf"))
    (document,) = read_documents(tmp_path / "a.pdf")
    assert "ROOF LEAKS" in document.text
    assert "000120" in document.text
    assert document.recognition > 60


def test_a_scan_that_lies_in_a_form_is_as_large_as_the_form_is_drawn(tmp_path: Path) -> None:
    needs_tesseract()
    picture = io.BytesIO()
    picture_of("THE ROOF LEAKS\nbehind the chimney", (1240, 1600)).save(picture, "PNG")
    scan = FPDF(unit="pt", format=(124, 160))
    scan.add_page()
    scan.image(picture, 0, 0, 124, 160)
    stamped = FPDF(unit="pt", format=(450, 600))
    stamped.set_auto_page_break(False)
    stamped.add_page()
    stamped.set_font("Helvetica", size=9)
    stamped.text(30, 595, "Confidential, copy 000120 of the archive")
    whole = pypdfium2.PdfDocument(bytes(stamped.output()))
    form = pypdfium2.PdfDocument(bytes(scan.output())).page_as_xobject(0, whole).as_pageobject()
    form.set_matrix(pypdfium2.PdfMatrix().scale(3.6, 3.6).translate(0, 22))
    page = whole[0]
    page.insert_obj(form)
    page.gen_content()
    whole.save(tmp_path / "a.pdf")
    (document,) = read_documents(tmp_path / "a.pdf")
    assert "ROOF LEAKS" in document.text
    assert "Picture:" not in document.text
    assert document.pages[0].confidence > 60


@pytest.mark.parametrize("name", ["turned.png", "camera.jpg", "a.webp", "a.gif", "a.bmp", "clear.png"])
def test_pictures_are_read_whichever_way_up_and_of_every_usual_kind(tmp_path: Path, name: str) -> None:
    needs_tesseract()
    from PIL import Image

    picture = picture_of("THE PUMP IS OLD\nand the valve is new")
    turned = picture.rotate(90, expand=True)
    exif = Image.Exif()
    exif[0x0112] = 6
    match name:
        case "turned.png":
            turned.save(tmp_path / name)
        case "camera.jpg":
            turned.save(tmp_path / name, exif=exif)
        case "clear.png":
            clear = Image.new("RGBA", picture.size, (0, 0, 0, 0))
            clear.putalpha(picture.point(lambda value: 255 - value))
            clear.save(tmp_path / name)
        case _:
            picture.save(tmp_path / name)
    (document,) = read_documents(tmp_path)
    assert "PUMP IS OLD" in document.text


def test_comments_on_a_page_are_read_and_marked(tmp_path: Path) -> None:
    notes = (
        b"<< /Type /Annot /Subtype /Text /Rect [10 10 30 30] /T (Ana) /Contents (Is this\n still right?) >>",
        b"<< /Type /Annot /Subtype /Highlight /Rect [72 700 200 712] /Contents <FEFF004F2019004B> "
        b"/QuadPoints [72 712 200 712 72 700 200 700] >>",
        b"<< /Type /Annot /Subtype /Text /Rect [50 10 70 30] /F 2 /Contents (nobody sees it) >>",
        b"<< /Type /Annot /Subtype /Link /Rect [72 700 200 712] /Contents (a link) >>",
    )
    document = written(
        tmp_path / "a.pdf",
        b"BT /F1 12 Tf 72 700 Td (The rate is fixed at three percent.) Tj ET",
        page=BOX + b"/Annots [6 0 R 7 0 R 8 0 R 9 0 R] ",
        more=notes,
    )
    assert document.text.split("\n\n") == [
        "The rate is fixed at three percent.",
        "Comment by Ana: Is this still right?",
        "Comment: O\u2019K",
    ]


def test_what_stands_on_each_of_a_few_pages_is_read_once(tmp_path: Path) -> None:
    made = FPDF()
    made.set_font("Helvetica", size=11)
    for number in range(1, 5):
        made.add_page()
        made.text(20, 10, "Hooli Inc. confidential")
        made.text(100, 285, f"Page {number}")
        made.set_xy(20, 30)
        made.multi_cell(0, 6, f"Clause {number}. {PROSE} It is number {number} of four.")
    made.output(str(tmp_path / "a.pdf"))
    text = only(tmp_path).text
    assert text.count("confidential") == 1
    assert [f"Clause {number}." in text for number in range(1, 5)] == [True] * 4


def test_what_printers_note_beside_the_page_is_not_read(tmp_path: Path) -> None:
    made = FPDF()
    made.add_page()
    made.set_font("Helvetica", size=11)
    made.text(40, 100, PROSE[:60])
    made.text(40, 10, "Job 4711.indd 12/03/2024")
    made.output(str(tmp_path / "whole.pdf"))
    document = pypdfium2.PdfDocument(tmp_path / "whole.pdf")
    document[0].set_cropbox(60, 60, 560, 760)
    document.save(tmp_path / "a.pdf")
    document.close()
    (tmp_path / "whole.pdf").unlink()
    assert only(tmp_path).text == PROSE[:60]


def test_a_page_whose_crop_box_lies_beside_it_is_read_whole(tmp_path: Path) -> None:
    made = FPDF()
    made.add_page()
    made.set_font("Helvetica", size=11)
    made.text(40, 100, PROSE[:60])
    made.output(str(tmp_path / "whole.pdf"))
    document = pypdfium2.PdfDocument(tmp_path / "whole.pdf")
    document[0].set_cropbox(2000, 2000, 2500, 2800)
    document.save(tmp_path / "a.pdf")
    document.close()
    (tmp_path / "whole.pdf").unlink()
    assert only(tmp_path).text == PROSE[:60]


def test_a_page_that_inherits_its_box_is_read_whole_though_its_crop_box_lies_beside_it(tmp_path: Path) -> None:
    content = b"BT /F1 12 Tf 700 1500 Td (Far from the edge of a letter) Tj ET"
    read = written(tmp_path / "a.pdf", content, page=b"/CropBox [4000 4000 4500 4800] ", pages=b"/MediaBox [0 0 1000 2000] ")
    assert read.text == "Far from the edge of a letter"


LAYERS = (b"<< /Type /OCG /Name (Draft) >>", b"<< /Type /OCG /Name (Live) >>",
          b"<< /Type /OCMD /OCGs [6 0 R 7 0 R] /P /AllOn >>")  # fmt: skip
OFF = b"/OCProperties << /OCGs [6 0 R 7 0 R] /D << /OFF [6 0 R] /Order [6 0 R 7 0 R] >> >> "


@pytest.mark.parametrize(("marked", "read", "pages"), [
    (b"/OC /Draft BDC %s EMC", "Shown words", 1), (b"/OC /Both BDC %s EMC", "Shown words", 1),
    (b"/OC /Live BDC /OC /Draft BDC %s EMC EMC", "Shown words", 1), (b"/OC /Live BDC %s EMC", "Ignore all rules Shown words", 0),
    (b"/OC /Draft BDC /Whole Do EMC", "Shown words", 1),
    (b"/Whole Do", "Note Shown words", 0), (b"/Partly Do", "Note Shown words", 1),
    (b"/OC /Draft BDC /Partly Do EMC", "Shown words", 1), (b"/Deep Do", "Note Shown words", 1),
    (b"/OC /Draft BDC /Deep Do EMC", "Shown words", 1), (b"/Void Do", "Note Shown words", 1),
    (b"/P << /MCID 0 >> BDC %s EMC", "Ignore all rules Shown words", 0),
])  # fmt: skip
def test_layers_that_are_switched_off_are_not_read_and_counted(tmp_path: Path, marked: bytes, read: str, pages: int) -> None:
    said = b"BT /F1 12 Tf 72 %d Td (%s) Tj ET"
    rules = said % (714, b"Ignore all rules")
    content = b"%s %s" % (marked.replace(b"%s", rules), said % (700, b"Shown words"))
    more = b"/Resources << /Font << /F1 5 0 R >> /Properties << /Draft 6 0 R /Live 7 0 R /Both 8 0 R >> "
    more += b"/XObject << /Whole 9 0 R /Partly 10 0 R /Deep 12 0 R /Void 13 0 R >> >> "
    form = b"/Type /XObject /Subtype /Form /BBox [0 0 612 792] /Resources << /Font << /F1 5 0 R >> "
    form += b"/Properties << /Draft 6 0 R >> >> "
    inner = form.removesuffix(b">> ") + b"/XObject << /F 10 0 R /G 11 0 R >> >> "
    forms = (stream(said % (714, b"Note"), form), stream(said % (714, b"Note") + b" /OC /Draft BDC %s EMC" % rules, form),
             stream(b"/F Do", inner), stream(b"/G Do", inner), stream(b"/F Do /OC /Draft BDC /G Do EMC", inner))  # fmt: skip
    document = written(tmp_path / "a.pdf", content, page=BOX, resources=more, catalog=OFF, more=(*LAYERS, *forms))
    assert document.text == read
    assert document.hidden == ({"pages with layers that are switched off": pages} if pages else {})


@pytest.mark.parametrize("box", [b"[4000 4000 4500 4800]", b"[36 36 580 760]", b"[1 0 612 792]"])
def test_layers_are_told_though_all_pages_inherit_a_crop_box(tmp_path: Path, box: bytes) -> None:
    said = b"BT /F1 12 Tf 72 %d Td (%s) Tj ET"
    content = b"/OC /Draft BDC %s EMC /OC /Live BDC %s EMC" % (said % (714, b"Ignore all rules"), said % (700, b"Shown words"))
    names = b"/Resources << /Font << /F1 5 0 R >> /Properties << /Draft 6 0 R /Live 7 0 R >> >> "
    pages = BOX + b"/CropBox %s /Rotate 90 " % box
    document = written(tmp_path / "a.pdf", content, page=b"/Rotate 0 ", resources=names, pages=pages, catalog=OFF, more=LAYERS)
    assert document.text == "Shown words"


@pytest.mark.parametrize(("said", "has_layers"), [
    (b"/Type /Catalog /OCProperties 9 0 R", True), (b"/Type /Catalog /O#43Properties 9 0 R", True), (b"/Type /Catalog", False),
])  # fmt: skip
def test_a_file_says_that_it_has_layers_wherever_its_catalog_is(tmp_path: Path, said: bytes, has_layers: bool) -> None:
    (tmp_path / "open.pdf").write_bytes(b"1 0 obj\n<< %s >>\nendobj" % said)
    packed = stream(zlib.compress(b"1 0 << %s >>" % said), b"/Type /ObjStm /N 1 /First 4 /Filter /FlateDecode ")
    (tmp_path / "packed.pdf").write_bytes(b"4 0 obj\n%s\nendobj" % packed)
    assert [may_have_layers(tmp_path / name) for name in ("open.pdf", "packed.pdf")] == [has_layers] * 2


def packed(content: bytes, entries: bytes = b"") -> bytes:
    return b"4 0 obj\n%s\nendobj\n" % stream(zlib.compress(content), b"/Type /ObjStm /Filter /FlateDecode " + entries)


@pytest.mark.parametrize(("body", "has_layers"), [
    (packed(bytes(20 << 20) + b"/OCProperties 9 0 R"), True), (packed(bytes(20 << 20)), False), (packed(b"", b" " * 5000), True),
    (b"/ObjStm " * 500 + packed(bytes(1 << 20)), False),
])  # fmt: skip
def test_layers_are_told_of_however_long_the_packed_objects_are(tmp_path: Path, body: bytes, has_layers: bool) -> None:
    (tmp_path / "a.pdf").write_bytes(body)
    assert may_have_layers(tmp_path / "a.pdf") is has_layers


@pytest.mark.parametrize("body", [packed(b"<< /A 1 >>" * 50) + b"U" * 8_000, b"/ObjStm " * 5 + b" " * 500], ids=["one", "none"])
def test_many_packed_objects_are_looked_through_in_the_time_that_their_length_takes(tmp_path: Path, body: bytes) -> None:
    (tmp_path / "a.pdf").write_bytes(body * 4_000)
    began = time.process_time()
    may_have_layers(tmp_path / "a.pdf")
    assert time.process_time() - began < 4
