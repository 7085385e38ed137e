"""Messages in all the shapes mail programs give them: every text that a reader sees is read, and what is attached."""

from __future__ import annotations

import base64
import io
import tempfile
from pathlib import Path

import pytest

from domain_sdk.documents import Document, DocumentProblem, passages, read_documents
from domain_sdk.extraction.extracted import Extracted
from domain_sdk.extraction.mail import read_mail
from tests.document_files import pdf_file, picture_of, spreadsheet_file, word_file, zip_bomb
from tests.unit.test_document_formats import needs_tesseract

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


def attached(name: str, data: bytes, kind: bytes = b"application/octet-stream") -> bytes:
    head = b'Content-Type: %s\nContent-Disposition: attachment; filename="%s"\nContent-Transfer-Encoding: base64\n\n'
    return head % (kind, name.encode()) + base64.encodebytes(data)


BODY = b"Content-Type: text/plain\n\nSee attached."


def test_what_is_attached_is_read_and_cited_by_its_name(tmp_path: Path) -> None:
    pdf = pdf_file(tmp_path / ".a.pdf", [[("The deposit is 4711 euros.", 12)], [("It is paid back in May.", 12)]]).read_bytes()
    spreadsheet_file(tmp_path / ".b.xlsx")
    word = word_file(tmp_path / ".c.docx").read_bytes()
    parts = [attached("deal.pdf", pdf), attached("rules.docx", word), attached("note.txt", b"# Lunch is at noon.", b"text/plain")]
    document = read(
        tmp_path / "a.eml", multipart("mixed", BODY, *parts, attached("sum.xlsx", (tmp_path / ".b.xlsx").read_bytes()))
    )
    said: dict[str, str] = {}
    for it in passages(document):
        said[it.heading] = f"{said.get(it.heading, '')}{it.text}"
    assert said["Report > Attachment deal.pdf, page 2"] == "It is paid back in May."
    assert "At most 300 a day." in said["Report > Attachment rules.docx > Travel > Limits"]
    assert said["Report > Attachment note.txt"] == "\\# Lunch is at noon."
    assert "Laptop" in said["Report > Attachment sum.xlsx > Budget"]
    assert document.facts["attachments"] == "deal.pdf, rules.docx, note.txt, sum.xlsx"
    assert document.tables == 3
    assert not document.unread
    assert all(document.text[it.start : it.end] == it.text for it in passages(document))


def test_attachments_that_cannot_be_read_are_named_and_counted(tmp_path: Path) -> None:
    bomb = zip_bomb(tmp_path / ".b.docx", part="word/document.xml").read_bytes()
    locked = pdf_file(tmp_path / ".a.pdf", [[("Secret", 12)]], password="x").read_bytes()
    parts = [attached("bomb.docx", bomb), attached("locked.pdf", locked), attached("all.7z", b"x")]
    document = read(tmp_path / "a.eml", multipart("mixed", BODY, *parts))
    assert "bomb.docx (not read), locked.pdf (not read), all.7z (not read)" in document.text
    assert document.unread == {
        "attachments of e-mails that are encrypted, damaged, empty or of another kind than they say": 2,
        "attachments of e-mails": 1,
    }


def test_a_message_attached_as_a_file_is_read_and_so_is_what_is_attached_to_it(tmp_path: Path) -> None:
    inner = HEAD.replace(b"Report", b"Inner") + multipart("mixed", BODY, attached("deep.txt", b"Deep words."), boundary=b"YY")
    document = read(tmp_path / "a.eml", multipart("mixed", BODY, attached("inner.eml", inner)))
    assert "## Inner" in document.text
    assert "## Attachment deep.txt\n\nDeep words." in document.text


def test_pictures_in_a_page_beside_the_text_are_recognised(tmp_path: Path) -> None:
    needs_tesseract()
    file = io.BytesIO()
    picture_of("The ceiling is 815 euros", (800, 200)).save(file, "PNG")
    html = b"Content-Type: text/html\n\n<p>See attached.</p>"
    page = multipart("related", html, attached("shot.png", file.getvalue(), b"image/png"), boundary=b"YY")
    document = read(tmp_path / "a.eml", multipart("alternative", BODY, page))
    assert "## Attachment shot.png\n\nPicture: The ceiling is 815 euros" in document.text
    assert document.recognition > 60


def test_a_plain_text_that_sends_to_the_page_gives_way_to_it(tmp_path: Path) -> None:
    html = b"Content-Type: text/html\n\n<p>The deposit of 4711 euros is due within ten days of receipt of this message.</p>"
    stub = b"Content-Type: text/plain\n\nThis is a page."
    assert "4711" in read(tmp_path / "a.eml", multipart("alternative", stub, html)).text


def test_the_root_of_what_belongs_together_is_shown_wherever_it_stands(tmp_path: Path) -> None:
    picture = b"Content-Type: image/png\nContent-ID: <i>\n\nx"
    root = b"Content-Type: text/html\nContent-ID: <root>\n\n<p>The root</p>"
    named = multipart("related", picture, root).replace(b"related;", b'related; start="<root>";')
    assert read(tmp_path / "a.eml", named).text.endswith("The root")
    assert read(tmp_path / "b.eml", multipart("related", picture, root)).text.endswith("The root")


@pytest.mark.parametrize(
    "message",
    [
        b"Content-Type: application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m\n\nMIIB\n",
        multipart("encrypted", b"Content-Type: application/pgp-encrypted\n\nVersion: 1", b"Content-Type: x/y\n\nx"),
        b"\n-----BEGIN PGP MESSAGE-----\nabc\n-----END PGP MESSAGE-----\n",
    ],
)
def test_an_encrypted_message_is_a_problem_that_says_so(tmp_path: Path, message: bytes) -> None:
    (tmp_path / "a.eml").write_bytes(HEAD + message)
    problems: list[DocumentProblem] = []
    assert not list(read_documents(tmp_path, on_problem=problems.append))
    assert "its text is encrypted" in problems[0].reason


def test_nothing_of_attachments_is_left_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    pdf = pdf_file(tmp_path / ".a.pdf", [[("The deposit is 4711 euros.", 12)]]).read_bytes()
    assert "4711" in read(tmp_path / "a.eml", multipart("mixed", BODY, attached("deal.pdf", pdf))).text
    assert not list((tmp_path / "tmp").iterdir())


BROKEN = "attachments of e-mails that are encrypted, damaged, empty or of another kind than they say"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ModuleNotFoundError("pypdfium2"), "attachments of e-mails, as no reader of their kind is installed (extra `documents`)"),
        (MemoryError(), BROKEN),
        (ValueError("a parser's defect"), BROKEN),
        (LookupError("a parser's defect"), BROKEN),
        (RuntimeError("a parser's defect"), BROKEN),
    ],
)
def test_what_one_attachment_does_to_its_parser_takes_nothing_from_the_message(
    tmp_path: Path, error: Exception, words: str
) -> None:
    def fail(_: Path) -> Extracted:
        raise error

    (tmp_path / "a.eml").write_bytes(HEAD + multipart("mixed", BODY, attached("a.pdf", b"%PDF-"), attached("b.txt", b"Words.")))
    found = read_mail(tmp_path / "a.eml", fail)
    assert "See attached." in found.text
    assert "## Attachment b.txt\n\nWords." in found.text
    assert found.unread == {words: 1}


@pytest.mark.parametrize("name", ["scan.pdf", "scan.tif"])
def test_pictures_without_recognition_are_told_of_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr("domain_sdk.extraction.ocr.is_available", lambda: False)
    from domain_sdk.extraction.ocr import read_image

    def read_file(path: Path) -> Extracted:
        return Extracted("", empty_pages=(1,)) if path.suffix == ".pdf" else read_image(path)

    (tmp_path / "a.eml").write_bytes(HEAD + multipart("mixed", BODY, attached(name, b"II*\0")))
    words = "attachments of e-mails that are pictures, as no recognition is installed (extra `ocr`)"
    assert read_mail(tmp_path / "a.eml", read_file).unread == {words: 1}


@pytest.mark.parametrize(
    ("charset", "data", "text"),
    [
        ("iso-2022-jp", "売上".encode("iso2022_jp") + b"\x1b$B\x7e\x7e\x1b(B" + "増加".encode("iso2022_jp"), "売上"),
        ("windows-1252", b"Gr\xfc\xdfe \x81", "Grüße \ufffd"),
        ("shift_jis", "売上".encode("cp932") + b"\xff", "売上"),
        ("none-such", "Grüße".encode(), "Grüße"),
        ("base64", "Grüße".encode(), "Grüße"),
        ("idna", "Grüße".encode(), "Grüße"),
        ("a\0b", "Grüße".encode(), "Grüße"),
    ],
)
def test_a_character_that_is_in_no_set_takes_no_other(tmp_path: Path, charset: str, data: bytes, text: str) -> None:
    document = read(tmp_path / "a.eml", b'Content-Type: text/plain; charset="%s"\n\n' % charset.encode() + data)
    assert text in document.text


@pytest.mark.parametrize(("name", "body"), [("a.txt", "Grüße"), ("a.md", "Grüße"), ("a.html", "<p>Grüße")])
def test_attached_text_is_of_the_set_that_is_told_of_it(tmp_path: Path, name: str, body: str) -> None:
    part = attached(name, body.encode("latin-1"), b'text/plain; charset="iso-8859-1"')
    assert read(tmp_path / "a.eml", multipart("mixed", BODY, part)).text.strip().endswith("\n\nGrüße")


def test_attached_markdown_is_read_as_files_of_it_are(tmp_path: Path) -> None:
    data = b"---\nowner: secret\n---\n# Rules\n\nSeen.<!-- secret -->\n\n```\nopen\n"
    parts = [attached("a.md", data), attached("b.md", b"# Next\n\nMore.")]
    document = read(tmp_path / "a.eml", multipart("mixed", BODY, *parts))
    assert "secret" not in document.text
    assert document.hidden == {"comments in Markdown": 1}
    assert [it.heading for it in passages(document)][-1] == "Report > Attachment b.md > Next"


@pytest.mark.parametrize("data", [b"%PDF-1.4\n", b"<!doctype html><p>Hi", b"\xfe\x01\0\x02"])
def test_attached_text_that_is_another_kind_is_not_read(tmp_path: Path, data: bytes) -> None:
    document = read(tmp_path / "a.eml", multipart("mixed", BODY, attached("a.txt", data, b"text/plain; charset=utf-8")))
    assert document.unread == {BROKEN: 1}


def test_rules_in_a_plain_body_begin_no_code(tmp_path: Path) -> None:
    body = b"Content-Type: text/plain\n\nHello.\n~~~~~~~~\nAda\n```\n"
    document = read(tmp_path / "a.eml", multipart("mixed", body, attached("a.txt", b"Words.")))
    assert [it.heading for it in passages(document)][-1] == "Report > Attachment a.txt"


def test_a_signature_makes_no_heading_of_the_line_above_it(tmp_path: Path) -> None:
    document = read(tmp_path / "a.eml", b"\nIt is done.\n\nThanks!\n-- \nAda Lovelace\n")
    assert {it.heading for it in passages(document)} == {"Report"}
    assert "Thanks!" in document.text
    assert "Ada Lovelace" in document.text


def test_texts_attached_to_a_page_that_is_not_shown_are_read_or_named(tmp_path: Path) -> None:
    html = b"Content-Type: text/html\n\n<p>See attached.</p>"
    forwarded = b"Content-Type: message/rfc822\n\nFrom: Bo <b@mail.example>\nSubject: Inner\n\nThe pump leaks.\n"
    parts = [attached("terms.txt", b"Ten days.", b"text/plain"), attached("t.csv", b"a,b", b"text/csv"), forwarded]
    page = multipart("mixed", html, *parts, boundary=b"YY")
    document = read(tmp_path / "a.eml", multipart("alternative", BODY, page))
    assert document.facts["attachments"] == "terms.txt, t.csv"
    assert "## Attachment terms.txt\n\nTen days." in document.text
    assert document.text.count("The pump leaks.") == 1
    assert document.text.count("See attached.") == 1
    assert document.unread == {}


@pytest.mark.parametrize(("name", "content"), [
    ("t.csv", "Item,Cost\nPen,\"1,5\"\nInk | red,2\n"), ("t.csv", "sep=;\r\nItem;Cost\r\nPen;1,5\r\n\r\nInk | red;2\r\n"),
    ("t.csv", "Item;Cost\nPen;1,5\nInk | red;2"), ("t.tsv", "Item\tCost\nPen\t1,5\nInk | red\t2\n"),
])  # fmt: skip
def test_attached_tables_as_text_are_tables(tmp_path: Path, name: str, content: str) -> None:
    rows = f"## Attachment {name}\n\n| Item | Cost |\n| --- | --- |\n| Pen | 1,5 |\n| Ink ¦ red | 2 |"
    for media_type in (b"text/csv", b"text/plain", b"application/octet-stream"):
        document = read(tmp_path / "a.eml", multipart("mixed", BODY, attached(name, content.encode(), media_type)))
        assert rows in document.text
        assert (document.tables, document.unread, document.facts["attachments"]) == (1, {}, name)
    inline = f'Content-Type: text/csv; name="{name}"\nContent-Disposition: inline; filename="{name}"\n\n{content}'
    assert rows in read(tmp_path / "b.eml", multipart("mixed", BODY, inline.encode())).text


def test_attached_tables_without_rows_or_without_end_are_named_and_counted(tmp_path: Path) -> None:
    parts = [attached("empty.csv", b" ,\n,\n"), attached("large.csv", b"1,2\n" * (300 << 10))]
    document = read(tmp_path / "a.eml", multipart("mixed", BODY, *parts))
    assert document.facts["attachments"] == "empty.csv (not read), large.csv (not read)"
    assert sum(document.unread.values()) == 2


INVITATION = """BEGIN:VCALENDAR
METHOD:REQUEST
BEGIN:VTIMEZONE
TZID:Europe/Oslo
BEGIN:STANDARD
DTSTART:19701025T030000
END:STANDARD
END:VTIMEZONE
BEGIN:VEVENT
SUMMARY:Budget\\, second round
DTSTART;TZID=Europe/Oslo:20240315T140000
DTEND;TZID=Europe/Oslo:20240315T153000
LOCATION:Room 5
ORGANIZER;CN="Lee, Ann":mailto:ann@mail.example
ATTENDEE;CN=Bo Ray;ROLE=REQ-PARTICIPANT:MAILTO:bo@mail.example
ATTENDEE:mailto:cy@mail.example
RRULE:FREQ=WEEKLY;COUNT=3
DESCRIPTION:Bring the fig
 ures.\\nAnd tea.
BEGIN:VALARM
DESCRIPTION:Reminder
END:VALARM
END:VEVENT
END:VCALENDAR
"""
SHOWN = """Event: Budget, second round
When: 2024-03-15 14:00 to 2024-03-15 15:30 (Europe/Oslo)
Where: Room 5
Repeats: FREQ=WEEKLY;COUNT=3
Organizer: Lee, Ann <ann@mail.example>
Attendees: Bo Ray <bo@mail.example>, cy@mail.example

Bring the figures.
And tea."""


def test_an_invitation_says_when_where_and_who_and_is_read_once(tmp_path: Path) -> None:
    beside = b"Content-Type: text/calendar; charset=utf-8; method=REQUEST\n\n" + INVITATION.encode()
    texts = multipart("alternative", BODY, beside, boundary=b"YY")
    document = read(
        tmp_path / "a.eml", multipart("mixed", texts, attached("invite.ics", INVITATION.encode(), b"application/ics"))
    )
    assert document.text.count(SHOWN) == document.text.count("Budget, second round") == 1
    assert "Reminder" not in document.text
    assert "1970" not in document.text
    assert document.facts["people"].split("\n") == ["Ada", "Lee, Ann", "Bo Ray"]
    alone = read(tmp_path / "b.eml", beside)
    assert alone.text.endswith(SHOWN)


def test_a_meeting_of_whole_days_that_was_called_off_is_told_as_such(tmp_path: Path) -> None:
    event = "BEGIN:VEVENT\nSUMMARY:Fair\nSTATUS:CANCELLED\nDTSTART;VALUE=DATE:20240315\nDURATION:P2D\nEND:VEVENT\n"
    document = read(tmp_path / "a.eml", multipart("mixed", BODY, attached("a.ics", event.encode(), b"text/calendar")))
    assert document.text.endswith("## Attachment a.ics\n\nCancelled Event: Fair\nWhen: 2024-03-15 for P2D")


def test_a_line_separator_within_a_description_ends_nothing(tmp_path: Path) -> None:
    event = "BEGIN:VEVENT\r\nSUMMARY:Fair\r\nDESCRIPTION:Bring\u2028the badge\r\nEND:VEVENT\r\n"
    document = read(tmp_path / "a.eml", multipart("mixed", BODY, attached("a.ics", event.encode(), b"text/calendar")))
    assert document.text.endswith("the badge")


def test_only_the_encrypted_part_of_a_text_is_left_out(tmp_path: Path) -> None:
    armoured = b"-----BEGIN PGP MESSAGE-----\nabc\n-----END PGP MESSAGE-----"
    document = read(tmp_path / "a.eml", b"\nTen days.\n" + armoured + b"\nAda\n" + armoured)
    assert document.text.endswith("Ten days.\n\nAda")
    assert document.unread == {"encrypted texts of e-mails": 2}


def test_a_page_that_shows_half_an_encrypted_text_hides_nothing_behind_it(tmp_path: Path) -> None:
    page = b"Content-Type: text/html\n\n<p>Ten days.</p><pre>-----BEGIN PGP MESSAGE-----\nabc</pre><p>Ada</p>"
    document = read(tmp_path / "a.eml", multipart("mixed", page, attached("a.txt", b"Words.")))
    assert "Ada" in document.text
    assert "abc" not in document.text
    assert [it.heading for it in passages(document)][-1] == "Report > Attachment a.txt"


def test_a_message_written_in_base64_is_read(tmp_path: Path) -> None:
    inner = base64.encodebytes(b"From: Bo <b@mail.example>\nSubject: Inner\n\nThe pump leaks.\n")
    part = b"Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n" + inner
    document = read(tmp_path / "a.eml", multipart("mixed", BODY, part))
    assert document.text.endswith("## Inner\n\nFrom: Bo <b@mail.example>\n\nThe pump leaks.")


def test_parts_that_nothing_parts_are_a_text(tmp_path: Path) -> None:
    assert read(tmp_path / "a.eml", b"Content-Type: multipart/mixed\n\nTen days.\n").text.endswith("Ten days.")
