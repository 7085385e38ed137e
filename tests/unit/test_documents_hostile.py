"""Files nobody would write on purpose: each gives one clear reason or the right text, and the file beside it is always read."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import docx
import pptx
import pytest
from PIL import Image

from domain_sdk._document_cache import DocumentCache
from domain_sdk._document_pipeline import DocumentPipeline
from domain_sdk._document_sections import plain_text
from domain_sdk.documents import DocumentProblem, Unreadable, passages, read_documents
from domain_sdk.extraction.rtf_pictures import read_pictures
from domain_sdk.extraction.worker import Extractor
from mesh_core.embedding import HashingEmbedder

GOOD = "The notice period is fourteen days after receipt at the office."


def published(folder: Path) -> tuple[dict[str, str], dict[str, str]]:
    """Text by document and reason by file, of all that is there beside a good document."""
    (folder / "zz-good.md").write_text(f"# Good\n\n{GOOD}\n")
    pipeline = DocumentPipeline(folder, HashingEmbedder(8), cache=DocumentCache(None))
    rows = [row for batch in pipeline.batches() for row in batch.to_pylist()]
    texts: dict[str, str] = {}
    for row in rows:
        texts[row["document"]] = f"{texts.get(row['document'], '')}{row['title']}|{row['text']}"
    assert GOOD in texts.pop("zz-good.md")
    return texts, {it.path.name: it.reason for it in pipeline.problems}


def transcript(**segment: object) -> str:
    cue = {"start_time": "0", "end_time": "1", "transcript": "Hello there.", **segment}
    return json.dumps({"results": {"audio_segments": [cue]}})


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("number.json", transcript(transcript=5), "no transcript of Amazon Transcribe"),
        ("items.json", '{"results": {"items": [{"type": "pronunciation", "alternatives": []}]}}', "nothing is said"),
        ("pdf.txt", "%PDF-1.4\n1 0 obj\n<< /Type /Catalog >>\nendobj\n", "its content is a PDF"),
        ("rtf.md", "{\\rtf1\\ansi hello world \\par}", "its content is RTF"),
        ("page.txt", "\n<!DOCTYPE html><html><body><p>hello</p></body></html>", "its content is HTML"),
        ("rules.md", "***\n\n---\n", "no text"),
        ("invisible.txt", "\u200b\u200b\ufeff\u200d\n", "no text"),
        ("script.html", "<html><body><script>var x = 1</script></body></html>", "no text"),
    ],
)
def test_what_gives_no_document_is_a_problem_with_its_reason(tmp_path: Path, name: str, content: str, reason: str) -> None:
    (tmp_path / name).write_text(content)
    texts, problems = published(tmp_path)
    assert not texts
    assert reason in problems[name]


def test_documents_that_hold_only_a_picture_or_nothing_are_no_success(tmp_path: Path) -> None:
    Image.new("RGB", (300, 100)).save(tmp_path / ".picture.png")
    word = docx.Document()
    word.add_picture(str(tmp_path / ".picture.png"))
    word.save(str(tmp_path / "picture.docx"))
    slides = pptx.Presentation()
    slides.slides.add_slide(slides.slide_layouts[6])
    slides.save(str(tmp_path / "blank.pptx"))
    texts, problems = published(tmp_path)
    assert not texts
    assert problems.keys() == {"picture.docx", "blank.pptx"}


@pytest.mark.parametrize(
    ("name", "content", "shown"),
    [
        ("half.json", transcript(transcript="Hello \ud800 again \0 there."), "Hello \ufffd again \ufffd there."),
        ("half.md", '---\ntitle: "a \\ud800 b"\n---\n# x\n\nText of it.\n', "a \ufffd b|Text of it."),
        ("number.md", f"---\ntitle: 0x{'f' * 6000}\n---\n# Heading\n\nText of it.\n", "Heading|Text of it."),
        ("authors.md", "---\ntitle: [One, Two]\n---\n\nText of it.\n", "One, Two|Text of it."),
    ],
)
def test_characters_and_numbers_that_cannot_be_written_down_stop_nothing(
    tmp_path: Path, name: str, content: str, shown: str
) -> None:
    (tmp_path / name).write_text(content)
    texts, problems = published(tmp_path)
    assert not problems
    assert shown in texts[name]


def test_aliases_of_front_matter_are_not_multiplied(tmp_path: Path) -> None:
    bomb = ["a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    bomb += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    (tmp_path / "bomb.md").write_text("\n".join(["---", *bomb, "title: *a11", "---", "# Heading", "", "Text of it."]))
    assert published(tmp_path) == ({"bomb.md": "Heading|Text of it."}, {})


def test_names_that_are_no_text_and_files_that_never_end_are_told_of(tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.md")).write_text("# x\n\nText.\n")
    os.mkfifo(tmp_path / "pipe.md")
    os.mkfifo(tmp_path / "pipe.pdf")
    (tmp_path / "zeros.txt").symlink_to("/dev/zero")
    texts, problems = published(tmp_path)
    assert not texts
    assert problems.keys() == {r"caf\xe9.md", "pipe.md", "pipe.pdf", "zeros.txt"}
    assert "not UTF-8: rename it" in problems[r"caf\xe9.md"]
    assert "no ordinary file" in problems["zeros.txt"]


def test_names_in_any_script_are_names(tmp_path: Path) -> None:
    names = {"re\u0301sume\u0301.md", "r\xe9sum\xe9.md", "\u6d4b\u8bd5.md", "\u05e9\u05dc\u05d5\u05dd.md", "a\nb.md", "sub/a.md"}
    (tmp_path / "sub").mkdir()
    for name in names:
        (tmp_path / name).write_text(f"# x\n\n{GOOD}\n")
    assert published(tmp_path)[0].keys() == names


def test_mail_in_odd_character_sets_is_read_with_marks_for_what_is_lost(tmp_path: Path) -> None:
    head = b"From: a@b.c\r\nSubject: Travel\r\nContent-Type: text/plain; charset=%s\r\n\r\n"
    (tmp_path / "unknown.eml").write_bytes(head % b"x-unknown-99" + b"Due in three days, caf\xe9.\r\n")
    (tmp_path / "utf7.eml").write_bytes(head % b"utf-7" + b"hello +2AA- words\r\n")
    (tmp_path / "koi8.eml").write_bytes(head % b"koi8-r" + "\u041e\u0442\u043f\u0443\u0441\u043a".encode("koi8-r"))
    (tmp_path / "raw.eml").write_bytes(b"From: Andr\xe9 <a@b.c>\r\nSubject: R\xe9union\r\n\r\nThree days.\r\n")
    texts, problems = published(tmp_path)
    assert not problems
    assert "Due in three days, caf\ufffd." in texts["unknown.eml"]
    assert "hello" in texts["utf7.eml"]
    assert "\u041e\u0442\u043f\u0443\u0441\u043a" in texts["koi8.eml"]
    assert "Three days." in texts["raw.eml"]


@pytest.mark.parametrize("tag", ["<a", "<!--", "<![CDATA["])
def test_tags_that_never_end_cost_the_publisher_a_bounded_time(tmp_path: Path, tag: str) -> None:
    (tmp_path / "open.html").write_text(tag * 300_000)
    with Extractor(still_seconds=3) as extractor, pytest.raises(Unreadable, match="stood still"):
        extractor.read(tmp_path / "open.html")


@pytest.mark.parametrize("text", ["`" * 20_000 + "x", "*" * 20_000 + " a", "](" + "[a]({%" * 5_000, "[" * 20_000 + "](x)"])
def test_marks_without_end_are_read_in_a_moment(text: str) -> None:
    begin = time.process_time()
    plain_text(text)
    assert time.process_time() - begin < 5


def test_a_picture_of_rtf_that_says_everything_but_its_content_is_passed_over_in_a_moment() -> None:
    assert list(read_pictures(b"{\\pict\\pngblip" + b"\\a " * 5_000 + b"x}")) == []


def test_folders_that_cannot_be_listed_or_are_links_are_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("closed", "open"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.md").write_text("Lunch is at noon.")
    (tmp_path / "linked").symlink_to(tmp_path / "open")
    scandir = os.scandir

    def refusing(path: str) -> object:
        if os.fspath(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    problems: list[DocumentProblem] = []
    assert [it.name for it in read_documents(tmp_path, on_problem=problems.append)] == ["open/a.md"]
    assert {it.path.name: it.reason.partition(",")[0] for it in problems} == {
        "closed": "it is a folder that cannot be listed",
        "linked": "it is a link to a folder",
    }


@pytest.mark.parametrize("times", [{"start_time": "NaN"}, {"end_time": "1e999"}, {"start_time": None}, {"end_time": "soon"}])
def test_words_are_published_though_their_times_are_no_numbers(tmp_path: Path, times: dict[str, object]) -> None:
    (tmp_path / "a.json").write_text(transcript(**times))
    texts, problems = published(tmp_path)
    assert (list(texts), problems) == (["a.json"], {})
    assert "Hello there." in texts["a.json"]


def test_words_of_transcripts_are_kept_though_times_are_missing_or_overlap(tmp_path: Path) -> None:
    (tmp_path / "a.srt").write_text("1\n00:00:01,000 --> 00:00:09,000\nfirst\n\nbehind a blank line\n\n2\nbad --> time\nlast\n")
    (tmp_path / "b.vtt").write_text(
        "WEBVTT Title\n\nNOTE none of it\n\n00:01.000 --> 00:09.000\n<v Ada>long\n\n00:02.000 --> 00:03.000\n<v Ada>short\n"
    )
    (tmp_path / "c.json").write_text('{"results": {"transcripts": [{"transcript": "only text"}], "items": []}}')
    first, second, third = read_documents(tmp_path)
    assert first.text == "first behind a blank line last"
    assert second.text == "long short"
    assert [it.heading for it in passages(second)] == ["Ada 00:00:01–00:00:09"]
    assert third.text == "only text"
