"""Messages in all the shapes mail programs give them: every text that a reader sees is read, and what is attached is named."""

from __future__ import annotations

from pathlib import Path

from domain_sdk.documents import Document, read_documents

HEAD = b"From: Ada <a@mail.example>\nSubject: Report\nMIME-Version: 1.0\n"


def read(path: Path, message: bytes) -> Document:
    path.write_bytes(HEAD + message)
    (document,) = read_documents(path)
    return document


def multipart(kind: str, *parts: bytes, boundary: bytes = b"XX") -> bytes:
    between = b"\n--" + boundary + b"\n"
    return (
        b"Content-Type: multipart/" + kind.encode() + b'; boundary="' + boundary + b'"\n'
        + between + between.join(parts) + b"\n--" + boundary + b"--\n"
    )  # fmt: skip


def test_texts_around_a_picture_are_all_read(tmp_path: Path) -> None:
    picture = b"Content-Type: image/png\nContent-Disposition: inline\n\nxxxx"
    document = read(
        tmp_path / "a.eml",
        multipart("mixed", b"Content-Type: text/plain\n\nbefore", picture, b"Content-Type: text/plain\n\nafter"),
    )
    assert document.text.endswith("before\n\nafter")
    assert document.facts["attachments"] == "image/png"


def test_a_forwarded_message_is_read_under_its_subject(tmp_path: Path) -> None:
    inner = b"Content-Type: message/rfc822\n\nFrom: Bo <b@mail.example>\nSubject: Inner\n\nThe pump leaks.\n"
    document = read(tmp_path / "a.eml", multipart("mixed", b"Content-Type: text/plain\n\nSee below.", inner))
    assert document.text.endswith("See below.\n\n## Inner\n\nFrom: Bo <b@mail.example>\n\nThe pump leaks.")
    assert document.facts["people"].split("\n") == ["Ada", "Bo"]
    alone = read(tmp_path / "b.eml", inner)
    assert "The pump leaks." in alone.text


def test_messages_within_each_other_without_end_are_named(tmp_path: Path) -> None:
    message = b"\ninnermost"
    for number in range(60):
        message = b"Content-Type: message/rfc822\n\nSubject: %d\n" % number + message
    document = read(tmp_path / "a.eml", message)
    assert "message/rfc822" in document.facts["attachments"]
    assert "innermost" not in document.text


def test_a_text_is_shown_once_and_an_empty_alternative_is_none(tmp_path: Path) -> None:
    html = b"Content-Type: text/html\n\n<p>From the <b>page</b></p>"
    both = read(tmp_path / "a.eml", multipart("alternative", b"Content-Type: text/plain\n\nFrom the text", html))
    assert both.text.endswith("From the text")
    related = multipart("related", html, b'Content-Type: image/png; name="logo.png"\n\nx', boundary=b"YY")
    page = read(tmp_path / "b.eml", multipart("alternative", b"Content-Type: text/plain\n\n  ", related))
    assert page.text.endswith("From the page")


def test_characters_of_no_named_set_are_read_as_unicode(tmp_path: Path) -> None:
    assert read(tmp_path / "a.eml", "\nGrüße von Zoë".encode()).text.endswith("Grüße von Zoë")
