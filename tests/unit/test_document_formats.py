"""Files of every format become documents that lose nothing silently; what cannot be read is told of and ends nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from domain_sdk.documents import Document, DocumentProblem, passages, read_documents
from domain_sdk.extraction import ocr
from domain_sdk.extraction.extracted import Unreadable
from domain_sdk.extraction.transcripts import Cue
from domain_sdk.extraction.worker import Extractor
from tests.document_files import (
    mail_file,
    pdf_file,
    picture_of,
    presentation_file,
    scanned_pdf,
    spreadsheet_file,
    unicode_pdf,
    word_file,
    zip_bomb,
)

PROSE = (
    "An advance is paid before the trip and settled within a month of the return, with receipts for everything above ten euros."
)


def read(folder: Path, **options: object) -> tuple[dict[str, Document], dict[str, str]]:
    problems: list[DocumentProblem] = []
    found = {it.name: it for it in read_documents(folder, on_problem=problems.append, **options)}  # type: ignore[arg-type]
    for document in found.values():
        for passage in passages(document):
            assert document.text[passage.start : passage.end] == passage.text
    return found, {problem.path.name: problem.reason for problem in problems}


def only(folder: Path, **options: object) -> Document:
    found, problems = read(folder, **options)
    assert problems == {}
    (document,) = found.values()
    return document


def needs_tesseract() -> None:
    if not ocr.is_available():
        if os.environ.get("CI") == "true":
            pytest.fail("tesseract is required: apt-get install tesseract-ocr")
        pytest.skip("tesseract is not installed")


# -- formats -------------------------------------------------------------------------------------------------------------------


def test_a_pdf_keeps_headings_pages_and_tables_and_writes_no_row_twice(tmp_path: Path) -> None:
    pages = [[("Travel rules", 24), (PROSE, 11)], [("Daily rates", 18), (PROSE.replace("trip", "journey"), 11)]]
    pdf_file(tmp_path / "rules.pdf", pages, table_on=2, title="The travel rules")
    document = only(tmp_path)
    assert document.title == "The travel rules"
    assert [page.number for page in document.pages] == [1, 2]
    assert document.tables == 1
    assert "| City | Rate | Cap |\n| --- | --- | --- |\n| Paris | 120 | 300 |" in document.text
    assert document.text.count("Paris") == document.text.count("320") == 1
    found = {(it.page, it.heading.split(" > ")[-1]) for it in passages(document)}
    assert found == {(1, "Travel rules"), (2, "Daily rates")}


def test_lines_that_stand_on_every_page_are_read_once_or_not_at_all(tmp_path: Path) -> None:
    pages = [[("Hooli Inc. confidential", 9), (f"{PROSE} Number {n}.", 11), (f"Page {n}", 9)] for n in range(1, 9)]
    pdf_file(tmp_path / "report.pdf", pages)
    text = only(tmp_path).text
    assert text.count("confidential") == 1
    assert "Page 2" not in text
    assert [f"Number {n}." in text for n in range(1, 9)] == [True] * 8


def test_word_documents_keep_headings_lists_and_tables(tmp_path: Path) -> None:
    word_file(tmp_path / "rules.docx")
    document = only(tmp_path)
    assert (document.title, document.facts["author"], document.tables) == ("Travel rules", "Ada Lovelace", 1)
    assert {it.heading for it in passages(document)} >= {"Travel", "Travel > Limits"}
    assert document.text.count("Paris") == 1
    assert "| Paris | 120 | 300 |" in document.text


def test_presentations_keep_slides_as_pages(tmp_path: Path) -> None:
    presentation_file(tmp_path / "deck.pptx")
    document = only(tmp_path)
    assert {(it.page, it.heading) for it in passages(document)} == {(1, "Roadmap"), (2, "Numbers")}
    assert document.text.count("4711") == 1


def test_spreadsheets_are_tables_under_the_names_of_their_sheets(tmp_path: Path) -> None:
    spreadsheet_file(tmp_path / "budget.xlsx")
    document = only(tmp_path)
    assert document.tables == 2
    assert {it.heading for it in passages(document)} == {"Budget", "Suppliers"}
    assert "1200.5" in document.text


def test_a_message_shows_sender_date_text_and_what_is_attached(tmp_path: Path) -> None:
    mail_file(tmp_path / "note.eml")
    document = only(tmp_path)
    assert (document.title, document.facts["created"]) == ("Grüße: the budget", "2024-01-01")
    assert "ada@example.org" in document.text
    assert "budget.csv" in document.text
    assert document.text.count("4711") == 1


def test_tables_of_html_are_tables_and_layout_is_not(tmp_path: Path) -> None:
    rows = "<tr><th>City</th><th>Rate</th></tr><tr><td>Paris</td><td><p>120</p></td></tr>"
    (tmp_path / "a.html").write_text(f"<h1>Rates</h1><table>{rows}</table><p>After.</p>")
    (tmp_path / "b.html").write_text("<table><tr><td><h2>News</h2><ul><li>One</ul></td><td><p>Side</p></td></tr></table>")
    found, _ = read(tmp_path)
    assert found["a.html"].text == "# Rates\n\n| City | Rate |\n| --- | --- |\n| Paris | 120 |\n\nAfter.\n"
    assert found["a.html"].tables == 1
    assert "## News\n\n- One" in found["b.html"].text
    assert "|" not in found["b.html"].text


VTT = """WEBVTT

NOTE made by hand

intro
00:00:01.000 --> 00:00:04.500 align:start
<v Ada>Welcome to the <i>budget</i> round.</v>

00:00:05.000 --> 00:00:09.000
<v Bo>Marketing asks for 4711 euros.

01:00:00.000 --> 01:00:02.000
<v Bo>That is all.
"""
TRANSCRIBE = {
    "results": {
        "items": [
            {
                "type": "pronunciation",
                "start_time": "0.5",
                "end_time": "1.0",
                "speaker_label": "spk_0",
                "alternatives": [{"content": "Hello"}],
            },
            {"type": "punctuation", "alternatives": [{"content": "."}]},
            {
                "type": "pronunciation",
                "start_time": "2.0",
                "end_time": "2.4",
                "speaker_label": "spk_1",
                "alternatives": [{"content": "Good"}],
            },
            {
                "type": "pronunciation",
                "start_time": "2.4",
                "end_time": "3.1",
                "speaker_label": "spk_1",
                "alternatives": [{"content": "morning"}],
            },
        ]
    }
}


def test_speakers_and_times_of_transcripts_lead_to_where_it_was_said(tmp_path: Path) -> None:
    (tmp_path / "a.vtt").write_text(VTT)
    (tmp_path / "b.srt").write_text(
        "1\r\n00:00:01,000 --> 00:00:03,000\r\nADA: Welcome.\r\n\r\n2\r\n00:00:04,000 --> 00:00:06,000\r\nYes.\r\n"
    )
    (tmp_path / "c.json").write_text(json.dumps(TRANSCRIBE))
    found, problems = read(tmp_path)
    assert problems == {}
    assert found["a.vtt"].text == "Welcome to the budget round.\n\nMarketing asks for 4711 euros.\n\nThat is all."
    assert found["a.vtt"].facts["duration_seconds"] == "3602"
    assert [it.heading for it in passages(found["a.vtt"], max_words=5, overlap_words=0)] == [
        "Ada 00:00:01–00:00:04", "Bo 00:00:05–00:00:09", "Bo 01:00:00–01:00:02",
    ]  # fmt: skip
    assert [(it.speaker, it.begin) for it in found["b.srt"].anchors] == [("ADA", 1.0), ("", 4.0)]
    assert [(it.speaker, it.begin, it.end) for it in found["c.json"].anchors] == [("spk_0", 0.5, 1.0), ("spk_1", 2.0, 3.1)]
    assert found["c.json"].text == "Hello.\n\nGood morning"


class Parrot:
    """A transcriber that hears the same in everything."""

    name = "parrot-1"

    def transcribe(self, path: Path) -> Sequence[Cue]:
        return [Cue(0, 2, f"This is {path.stem}.", "Polly")]


def test_a_recording_is_read_through_its_transcript_or_a_transcriber(tmp_path: Path) -> None:
    for name in ("told.mp3", "heard.wav"):
        (tmp_path / name).write_bytes(b"\0" * 100)
    (tmp_path / "told.vtt").write_text(VTT)
    found, problems = read(tmp_path)
    assert found.keys() == {"told.mp3"}
    assert "heard.vtt" in problems["heard.wav"]
    heard, none = read(tmp_path, transcriber=Parrot())
    assert none == {}
    assert heard["heard.wav"].text == "This is heard."
    assert [it.heading for it in passages(heard["heard.wav"])] == ["Polly 00:00:00–00:00:02"]


def test_pictures_and_scans_are_recognised_with_how_sure_that_is(tmp_path: Path) -> None:
    needs_tesseract()
    picture = picture_of("The refund limit is 4711 euros.\nIt holds for forty days.")
    picture.save(tmp_path / "photo.png")
    scanned_pdf(tmp_path / "scan.pdf", [picture, picture_of("The second page is about leave.")])
    found, problems = read(tmp_path)
    assert problems == {}
    for document in found.values():
        assert "4711 euros" in document.text
        assert 50 < document.recognition <= 100
    assert [it.page for it in passages(found["scan.pdf"])] == [1, 2]


def test_a_scan_that_yields_nothing_is_a_problem_and_never_an_empty_document(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scanned_pdf(tmp_path / "blank.pdf", [picture_of("")])
    found, problems = read(tmp_path)
    assert found == {}
    assert "picture" in problems["blank.pdf"]
    monkeypatch.setenv("PATH", str(tmp_path))
    ocr.is_available.cache_clear()
    scanned_pdf(tmp_path / "full.pdf", [picture_of("Words that nobody can read here.")])
    found, problems = read(tmp_path)
    ocr.is_available.cache_clear()
    assert found == {}
    assert "domain-mesh[ocr]" in problems["full.pdf"]


def test_pages_that_gave_no_text_are_counted_beside_those_that_did(tmp_path: Path) -> None:
    import pypdfium2 as pdfium

    with pdfium.PdfDocument.new() as both:
        both.import_pages(pdfium.PdfDocument(pdf_file(tmp_path / "a.pdf", [[(PROSE, 11)]])))
        both.import_pages(pdfium.PdfDocument(scanned_pdf(tmp_path / "b.pdf", [picture_of("")])))
        both.save(str(tmp_path / "both.pdf"))
    (tmp_path / "a.pdf").unlink()
    (tmp_path / "b.pdf").unlink()
    document = only(tmp_path)
    assert document.empty_pages == (2,)
    assert "An advance" in document.text


# -- scripts -------------------------------------------------------------------------------------------------------------------

JAPANESE = "返金は四十日以内に限ります。" * 60
HEBREW = "ההחזר אפשרי תוך ארבעים יום בלבד."


def test_scripts_without_spaces_are_cut_at_sentences_and_right_to_left_stays_in_order(tmp_path: Path) -> None:
    (tmp_path / "ja.md").write_text(f"# 返金\n\n{JAPANESE}\n")
    word_file(tmp_path / "he.docx", body=HEBREW)
    unicode_pdf(tmp_path / "zh.pdf", "退款期限为四十天，超过不予受理。")
    found, problems = read(tmp_path)
    assert problems == {}
    cut = list(passages(found["ja.md"], overlap_words=0))
    assert len(cut) > 3
    assert all(it.text.endswith("。") and len(it.text) <= 140 for it in cut)
    assert HEBREW in found["he.docx"].text
    assert found["zh.pdf"].text == "退款期限为四十天，超过不予受理。"


def test_text_without_any_space_is_cut_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "blob.txt").write_text("QUJD" * 20_000)
    assert max(len(it.text) for it in passages(only(tmp_path))) <= 64 * 120


# -- tables in passages --------------------------------------------------------------------------------------------------------


def test_later_rows_of_a_long_table_say_what_their_columns_are(tmp_path: Path) -> None:
    rows = "\n".join(f"| City {n} | {n * 100} | {n * 300} |" for n in range(1, 101))
    (tmp_path / "t.md").write_text(f"# Rates\n\nBefore the table.\n\n| City | Rate | Cap |\n|---|---|---|\n{rows}\n\nAfter it.\n")
    cut = list(passages(only(tmp_path)))
    tables = [it for it in cut if it.text.startswith("|")]
    assert len(tables) > 3
    assert all("City Rate Cap" in it.indexed_text and "---" not in it.indexed_text for it in tables)
    assert [it.heading for it in tables] == ["Rates", *["Rates > City Rate Cap"] * (len(tables) - 1)]
    assert sum(it.text.count("| City 57 |") for it in cut) == 1
    assert [it.text for it in cut if it not in tables] == ["Before the table.", "After it."]


# -- bad input -----------------------------------------------------------------------------------------------------------------


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    good = pdf_file(tmp_path / "good.pdf", [[(PROSE, 11)]])
    pdf_file(tmp_path / "locked.pdf", [[(PROSE, 11)]], password="secret")
    (tmp_path / "cut.pdf").write_bytes(good.read_bytes()[:300])
    (tmp_path / "empty.pdf").touch()
    (tmp_path / "empty.md").touch()
    (tmp_path / "really-a-picture.pdf").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    (tmp_path / "really-a-pdf.docx").write_bytes(good.read_bytes())
    (tmp_path / "really-a-sheet.docx").write_bytes(spreadsheet_file(tmp_path / "x.xlsx").read_bytes())
    (tmp_path / "locked.xlsx").write_bytes(
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le") + bytes(600)
    )
    (tmp_path / "cut.docx").write_bytes(word_file(tmp_path / "y.docx").read_bytes()[:2000])
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"rubbish" * 20)
    (tmp_path / "not-mail.eml").write_bytes(b"\x00\x01\x02")
    (tmp_path / "not-a-transcript.json").write_text('{"results": []}')
    (tmp_path / "deep.json").write_text("[" * 100_000)
    zip_bomb(tmp_path / "bomb.docx", part="word/document.xml")
    (tmp_path / "program.exe").write_bytes(b"MZ")
    return tmp_path


SIGNS = {
    "locked.pdf": "encrypted", "cut.pdf": "truncated or damaged", "empty.pdf": "0 bytes", "empty.md": "0 bytes",
    "really-a-picture.pdf": "a PNG image", "really-a-pdf.docx": "a PDF", "really-a-sheet.docx": "another ZIP archive",
    "locked.xlsx": "encrypted", "cut.docx": "truncated or damaged", "broken.png": "", "not-mail.eml": "no headers",
    "not-a-transcript.json": "Transcribe", "deep.json": "Transcribe", "bomb.docx": "zip bomb", "program.exe": "not read",
}  # fmt: skip


def test_every_bad_file_is_told_of_with_its_reason_and_the_good_ones_are_read(bad: Path) -> None:
    found, problems = read(bad)
    assert found.keys() == {"good.pdf", "x.xlsx", "y.docx"}
    assert problems.keys() == SIGNS.keys()
    for name, sign in SIGNS.items():
        assert sign in problems[name], name


def test_a_parser_that_eats_memory_or_stands_still_is_ended_and_the_next_file_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hostile = tmp_path / "hostile"
    hostile.mkdir()
    (hostile / "sitecustomize.py").write_text(
        textwrap.dedent(
            """
            import domain_sdk.extraction.mail as mail, os, time
            real = mail.read_mail
            def read_mail(path, *more):
                if path.stem == "greedy":
                    kept = [bytearray(1 << 20) for _ in range(1 << 20)]
                if path.stem == "killed":
                    os.kill(os.getpid(), 11)
                if path.stem == "slow":
                    time.sleep(600)
                return real(path, *more)
            mail.read_mail = read_mail
            """
        )
    )
    monkeypatch.setenv("PYTHONPATH", str(hostile))
    greedy, killed, slow, good = (mail_file(tmp_path / f"{name}.eml") for name in ("greedy", "killed", "slow", "good"))
    with Extractor(memory_bytes=1 << 30, still_seconds=50) as extractor:
        for file in (greedy, killed):
            with pytest.raises(Unreadable, match="memory"):
                extractor.read(file)
        assert "4711" in extractor.read(good).text
    with Extractor(still_seconds=4) as extractor:
        with pytest.raises(Unreadable, match="stood still"):
            extractor.read(slow)
        extractor._still_seconds = 50
        assert "4711" in extractor.read(good).text


_PUBLISHER = """
import sys
from pathlib import Path
from domain_sdk.extraction.worker import Extractor
with Extractor() as extractor:
    extractor.read(Path(sys.argv[1]))
"""


def test_what_parses_files_ends_with_a_publisher_that_is_killed(tmp_path: Path) -> None:
    hostile, told = tmp_path / "hostile", tmp_path / "pid"
    hostile.mkdir()
    (hostile / "sitecustomize.py").write_text(
        textwrap.dedent(
            f"""
            import domain_sdk.extraction.mail as mail, os, pathlib
            def read_mail(path, *more):
                pathlib.Path({str(told)!r}).with_suffix(".part").write_text(str(os.getpid()))
                pathlib.Path({str(told)!r}).with_suffix(".part").rename({str(told)!r})
                while True:
                    pass
            mail.read_mail = read_mail
            """
        )
    )
    environment = {**os.environ, "PYTHONPATH": str(hostile)}
    publisher = subprocess.Popen([sys.executable, "-c", _PUBLISHER, str(mail_file(tmp_path / "a.eml"))], env=environment)
    while not told.exists():
        assert publisher.poll() is None
        time.sleep(0.05)
    publisher.kill()
    publisher.wait()
    parser = Path("/proc") / told.read_text()
    while parser.exists() and ") Z " not in parser.joinpath("stat").read_text():
        time.sleep(0.05)


def test_what_parses_files_does_not_know_the_publishers_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESH_TOKEN", "secret")
    with Extractor() as extractor:
        extractor.read(mail_file(tmp_path / "a.eml"))
        assert extractor._process is not None
        environment = Path(f"/proc/{extractor._process.pid}/environ").read_bytes()
    assert b"secret" not in environment
    assert sys.platform == "linux"


@pytest.mark.slow
def test_five_thousand_pages_are_read_within_a_bounded_memory(tmp_path: Path) -> None:
    import pypdfium2 as pdfium

    hundred = pdf_file(tmp_path / "hundred.pdf", [[(f"Clause {n}. {PROSE}", 10)] for n in range(1, 101)])
    pdf = tmp_path / "long.pdf"
    with pdfium.PdfDocument.new() as long, pdfium.PdfDocument(hundred) as part:
        for _ in range(50):
            long.import_pages(part)
        long.save(str(pdf))
    seen: list[int] = []
    with Extractor(memory_bytes=700 << 20) as extractor:
        found = extractor.read(pdf, lambda done, total: seen.append(done))
        assert extractor._process is not None
        status = Path(f"/proc/{extractor._process.pid}/status").read_text()
    peak = int(status.split("VmHWM:")[1].split()[0]) >> 10
    assert (len(found.pages), seen[-1]) == (5000, 5000)
    assert found.text.count("Clause 99.") == 50
    assert peak < 250, f"{peak} MiB"
