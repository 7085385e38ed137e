"""Characters are those that a byte order mark or the page declares; what is neither that nor UTF-8 is refused, never guessed."""

from __future__ import annotations

import codecs
from pathlib import Path

import pytest

from domain_sdk.documents import read_documents
from domain_sdk.extraction.encodings import characters
from domain_sdk.extraction.extracted import Unreadable

WORDS = "Grüße – naïve café"


@pytest.mark.parametrize(
    ("mark", "encoding"),
    [
        (b"", "utf-8"),
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
        (codecs.BOM_UTF32_LE, "utf-32-le"),
        (codecs.BOM_UTF32_BE, "utf-32-be"),
    ],
)
def test_a_byte_order_mark_says_which_unicode_it_is(mark: bytes, encoding: str) -> None:
    assert characters(mark + WORDS.encode(encoding)) == WORDS
    assert characters(mark + f"<meta charset=shift_jis>{WORDS}".encode(encoding), is_html=bool(mark)).endswith(WORDS)


@pytest.mark.parametrize(
    ("head", "encoding"),
    [
        ('<meta charset="windows-1252">', "windows-1252"),
        ("<META CHARSET=iso-8859-1>", "windows-1252"),
        ("<meta charset='us-ascii'>", "windows-1252"),
        ('<meta http-equiv="Content-Type" content="text/html; charset=ISO-8859-15">', "iso-8859-15"),
        ('<?xml version="1.0" encoding="iso-8859-2"?>', "iso-8859-2"),
        ('<meta name="a" content="b"><meta charset="koi8-r">', "koi8-r"),
        ("<meta content='a < b; of many words " + "x" * 500 + "' charset = \n ' koi8-r'>", "koi8-r"),
        ('<meta charset="utf-16">', "utf-8"),
        ('<meta charset="utf-7">', "utf-8"),
        ('<meta charset="base64">', "utf-8"),
        ('<meta charset="of-no-kind">', "utf-8"),
        ("<p>no declaration</p>", "utf-8"),
        ("<!-- " + "x" * 1024 + ' --><meta charset="windows-1252">', "utf-8"),
        ("<script>" + "x" * 9000 + '</script><meta charset="iso-8859-2">', "iso-8859-2"),
    ],
)
def test_a_page_declares_its_encoding_as_browsers_read_it(head: str, encoding: str) -> None:
    page = f"{head}<p>{'Привет' if encoding == 'koi8-r' else 'zu groß'}</p>"
    assert characters(page.encode(encoding), is_html=True) == page


@pytest.mark.parametrize(
    "begin", ["<meta", "<meta ", "<meta charset", "<?xml ", "<meta charset=", " ", "<meta charset ", "<meta charset = ' "]
)
def test_a_page_of_begun_declarations_is_looked_through_at_once(begin: str) -> None:
    for page in (begin * 14_000, begin + " " * 64_000, "<meta charset=" + begin * 14_000, "<meta charset" * 70 + " " * 64_000):
        for _ in range(5):
            assert characters(page.encode(), is_html=True) == page


def test_what_is_not_in_its_encoding_is_told_with_the_byte() -> None:
    with pytest.raises(Unreadable, match=r"not UTF-8 \(byte 3\)"):
        characters(b"caf\xe9")
    with pytest.raises(Unreadable, match=r"not utf-16-le, as it says \(byte 2\)"):
        characters(codecs.BOM_UTF16_LE + b"\x00\xd8")
    with pytest.raises(Unreadable, match="not shift_jis, as it says"):
        characters(b"<meta charset=shift_jis>\x81\xff", is_html=True)


@pytest.mark.parametrize(("encoding", "said"), [
    ("utf-8", "zu groß für café – "), ("shift_jis", "日本語の規則です。"), ("gbk", "规则第一条说明"),
    ("euc-kr", "규정입니다 한국어 "), ("big5", "規則第一條說明"),
])  # fmt: skip
def test_a_few_bytes_that_are_no_characters_take_no_page(encoding: str, said: str) -> None:
    words = said.encode(encoding)
    page = f"<meta charset={encoding}><p>".encode() + words * 40 + b"\xff</p><p>" + words + b"end</p>"
    read = characters(page, is_html=True)
    assert read.count(said) == 41
    assert read.endswith(f"<p>{said}end</p>")
    assert read.count("\ufffd") <= 1


def test_a_page_that_declares_another_encoding_than_it_has_is_refused() -> None:
    page = "<meta charset=utf-8><p>Rückfragen für die Prüfung gehen an das Büro.</p>" * 20
    with pytest.raises(Unreadable, match="not UTF-8"):
        characters(page.encode("latin-1"), is_html=True)
    with pytest.raises(Unreadable, match="not UTF-8"):
        characters(("plain words " * 2000 + "Rückfragen").encode("latin-1"))


def test_text_that_looks_like_a_declaration_is_no_declaration() -> None:
    assert characters("<meta charset=windows-1252> é".encode()) == "<meta charset=windows-1252> é"


def test_files_of_these_encodings_are_documents(tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_bytes(codecs.BOM_UTF16_LE + f"Notice: {WORDS}\r\n".encode("utf-16-le"))
    page = f"<html><head><meta charset='windows-1252'><title>{WORDS}</title></head><body><p>{WORDS}</p></body></html>"
    (tmp_path / "page.html").write_bytes(page.encode("windows-1252"))
    note, html = sorted(read_documents(tmp_path), key=lambda it: it.name)
    assert note.text == f"Notice: {WORDS}\n"
    assert (html.title, html.text.strip()) == (WORDS, WORDS)
