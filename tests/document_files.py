"""Documents of many formats, made by libraries other than those that read them."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import docx
import openpyxl
import pptx
from fpdf import FPDF
from pptx.util import Inches

__all__ = [
    "mail_file",
    "pdf_file",
    "picture_of",
    "presentation_file",
    "scanned_pdf",
    "spreadsheet_file",
    "unicode_pdf",
    "word_file",
    "zip_bomb",
]

RATES = (("City", "Rate", "Cap"), ("Paris", "120", "300"), ("Rome", "100", "250"), ("Oslo", "140", "320"))


def pdf_file(
    path: Path, pages: Sequence[Sequence[tuple[str, int]]], *, table_on: int = 0, password: str = "", title: str = ""
) -> Path:
    """A PDF; a page is lines of text, each with the size of its letters. On page `table_on` the rates stand below."""
    pdf = FPDF()
    pdf.set_title(title)
    for number, lines in enumerate(pages, start=1):
        pdf.add_page()
        for text, size in lines:
            pdf.set_font("Helvetica", size=size)
            pdf.multi_cell(0, size * 0.6, text, new_x="LMARGIN", new_y="NEXT")
            pdf.ln(4)
        if number == table_on:
            pdf.set_font("Helvetica", size=11)
            with pdf.table() as table:
                for row in RATES:
                    cells = table.row()
                    for value in row:
                        cells.cell(value)
    if password:
        pdf.set_encryption(owner_password="owner", user_password=password)
    pdf.output(str(path))
    return path


def unicode_pdf(path: Path, text: str) -> Path:
    """A PDF of one line in any script: a font that is not embedded, and the map from its glyphs to characters."""
    codes = "".join(f"{number + 1:04x}" for number in range(len(text)))
    mapping = "\n".join(f"<{number + 1:04x}> <{char.encode('utf-16-be').hex()}>" for number, char in enumerate(text))
    cmap = (
        "/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /X def /CMapType 2 def\n"
        f"1 begincodespacerange <0000> <ffff> endcodespacerange\n{len(text)} beginbfchar\n{mapping}\nendbfchar\nendcmap end end"
    ).encode()
    page = f"BT /F1 12 Tf 72 700 Td <{codes}> Tj ET".encode()
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(page), page),
        b"<< /Type /Font /Subtype /Type0 /BaseFont /X /Encoding /Identity-H /DescendantFonts [6 0 R] /ToUnicode 7 0 R >>",
        b"<< /Type /Font /Subtype /CIDFontType2 /BaseFont /X "
        b"/CIDSystemInfo << /Registry (Adobe) /Ordering (Identity) /Supplement 0 >> /DW 1000 /FontDescriptor 8 0 R >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(cmap), cmap),
        b"<< /Type /FontDescriptor /FontName /X /Flags 4 /FontBBox [0 -200 1000 900] /ItalicAngle 0 /Ascent 900 /Descent -200 "
        b"/CapHeight 700 /StemV 80 >>",
    ]
    body, places = b"%PDF-1.7\n", []
    for number, content in enumerate(objects, start=1):
        places.append(len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    end = b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF" % (len(objects) + 1, len(body))
    path.write_bytes(body + b"xref\n0 %d\n0000000000 65535 f \n%s" % (len(objects) + 1, table) + end)
    return path


def picture_of(text: str, size: tuple[int, int] = (1240, 400)) -> Any:
    """A picture of the text, a line a line."""
    from PIL import Image, ImageDraw, ImageFont

    image = Image.new("L", size, 255)
    ImageDraw.Draw(image).multiline_text((60, 60), text, fill=0, font=ImageFont.load_default(36), spacing=24)
    return image


def scanned_pdf(path: Path, pages: Sequence[Any]) -> Path:
    """A PDF whose pages are pictures, without any text."""
    pages[0].save(path, "PDF", resolution=150, save_all=True, append_images=list(pages[1:]))
    return path


def word_file(path: Path, *, body: str = "An advance is paid before the trip.") -> Path:
    """A Word document with headings, a list and the rates."""
    document = docx.Document()
    document.core_properties.title = "Travel rules"
    document.core_properties.author = "Ada Lovelace"
    document.add_heading("Travel", 1)
    document.add_paragraph(body)
    document.add_heading("Limits", 2)
    document.add_paragraph("At most 300 a day.", style="List Bullet")
    table = document.add_table(rows=len(RATES), cols=3)
    for row, values in enumerate(RATES):
        for column, value in enumerate(values):
            table.cell(row, column).text = value
    document.save(str(path))
    return path


def presentation_file(path: Path) -> Path:
    """Two slides, the second with a table."""
    presentation = pptx.Presentation()
    first = presentation.slides.add_slide(presentation.slide_layouts[1])
    first.shapes.title.text = "Roadmap"
    first.placeholders[1].text = "Ship it\nMeasure it"
    second = presentation.slides.add_slide(presentation.slide_layouts[5])
    second.shapes.title.text = "Numbers"
    table = second.shapes.add_table(2, 2, Inches(1), Inches(2), Inches(4), Inches(1)).table
    for place, value in enumerate(("Quarter", "Revenue", "Q1", "4711")):
        table.cell(place // 2, place % 2).text = value
    presentation.save(str(path))
    return path


def spreadsheet_file(path: Path) -> Path:
    """Two sheets of figures."""
    book = openpyxl.Workbook()
    book.active.title = "Budget"
    for row in (("Item", "Cost"), ("Laptop", 1200.5), ("Desk", 300)):
        book.active.append(row)
    people = book.create_sheet("Suppliers")
    people.append(("Supplier", "City"))
    people.append(("Hooli", "Oslo"))
    book.save(path)
    return path


def mail_file(path: Path) -> Path:
    """A message in text and HTML with an attachment."""
    message = EmailMessage()
    message["Subject"] = "Grüße: the budget"
    message["From"] = "Ada <ada@example.org>"
    message["To"] = "bo@example.org"
    message["Date"] = "Mon, 01 Jan 2024 10:00:00 +0000"
    message.set_content("Dear Bo,\n\nthe budget of 4711 euros is attached.\n")
    message.add_alternative("<p>Dear Bo, <b>the budget</b></p>", subtype="html")
    message.add_attachment(b"a,b\n", maintype="text", subtype="csv", filename="budget.csv")
    path.write_bytes(bytes(message))
    return path


def zip_bomb(path: Path, *, part: str, mebibytes: int = 1024) -> Path:
    """An archive of a few kilobytes for each of the gigabytes it unpacks to."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open(part, "w") as file:
        block = bytes(1 << 20)
        for _ in range(mebibytes):
            file.write(block)
    return path
