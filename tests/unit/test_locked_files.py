"""Files with a password or a lock, of every format that can have one: a single reason, and no word of how they are broken."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from fpdf import FPDF

from tests.unit.test_document_formats import only, read

LOCKED = "it is encrypted: save it anew without a password."
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504)


def archive(path: Path, **parts: str | bytes) -> None:
    with zipfile.ZipFile(path, "w") as file:
        for name, content in parts.items():
            file.writestr(name.replace("__", "/").replace("_xml", ".xml").replace("_package", "-package"), content)


@pytest.mark.parametrize("suffix", [".docx", ".xlsx", ".pptx"])
def test_an_office_file_with_a_password_is_told_from_one_of_before_2007(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"locked{suffix}").write_bytes(OLE + "EncryptedPackage".encode("utf-16-le") + bytes(100))
    (tmp_path / f"old{suffix}").write_bytes(OLE + "WordDocument".encode("utf-16-le") + bytes(100))
    reasons = read(tmp_path)[1]
    assert reasons[f"locked{suffix}"] == LOCKED
    assert reasons[f"old{suffix}"] == f"it is of a format before 2007: save it anew as {suffix}."


def test_open_document_files_with_a_password_are_told_of(tmp_path: Path) -> None:
    entry = '<manifest:file-entry manifest:full-path="content.xml"><manifest:encryption-data/></manifest:file-entry>'
    archive(tmp_path / "parts.odt", content_xml=bytes(range(256)), **{"META-INF__manifest_xml": f"<m>{entry}</m>"})
    archive(tmp_path / "whole.odt", encrypted_package=bytes(range(256)))
    assert read(tmp_path)[1] == {"parts.odt": LOCKED, "whole.odt": LOCKED}


@pytest.mark.parametrize(
    ("algorithm", "is_locked"),
    [("http://www.w3.org/2001/04/xmlenc#aes128-cbc", True), ("http://www.idpf.org/2008/embedding", False)],
)
def test_a_book_with_a_lock_is_told_of_and_hidden_fonts_are_none(tmp_path: Path, algorithm: str, is_locked: bool) -> None:
    item = '<item id="a" href="a.xhtml" media-type="application/xhtml+xml"/>'
    head = '<package xmlns="http://www.idpf.org/2007/opf" version="3.0"><metadata/><manifest>'
    root = '<rootfile full-path="c.opf" media-type="application/oebps-package+xml"/>'
    archive(
        tmp_path / "book.epub",
        **{
            "META-INF__container_xml": f'<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container">{root}</container>',
            "META-INF__encryption_xml": f'<encryption><EncryptionMethod Algorithm="{algorithm}"/></encryption>',
            "c.opf": f'{head}{item}</manifest><spine><itemref idref="a"/></spine></package>',
            "a.xhtml": '<html xmlns="http://www.w3.org/1999/xhtml"><body><p>Chapter one begins.</p></body></html>',
        },
    )
    if is_locked:
        assert read(tmp_path)[1] == {"book.epub": LOCKED}
    else:
        assert "Chapter one begins." in only(tmp_path).text


@pytest.mark.parametrize("is_readable", [True, False])
def test_a_pdf_that_only_forbids_changes_is_read(tmp_path: Path, is_readable: bool) -> None:
    pdf = FPDF()
    pdf.add_page()
    pdf.set_font("Helvetica", size=12)
    pdf.cell(text="The deposit is 4711 euros.")
    pdf.set_encryption(owner_password="owner", user_password="" if is_readable else "user")
    pdf.output(str(tmp_path / "a.pdf"))
    if is_readable:
        assert only(tmp_path).text == "The deposit is 4711 euros."
    else:
        assert read(tmp_path)[1] == {"a.pdf": LOCKED}
