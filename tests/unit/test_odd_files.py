"""Files that are not what their name says, kinds that are not read, transcripts with odd times: nothing is lost in silence."""

from __future__ import annotations

import json
from dataclasses import replace
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from fpdf import FPDF

from domain_sdk._document_record import PersonalSpans, record_of
from tests.document_files import pdf_file
from tests.unit.test_document_formats import only, read


@pytest.mark.parametrize("suffix", [".md", ".txt", ".html", ".eml", ".json", ".vtt", ".srt"])
@pytest.mark.parametrize(("content", "words"), [("pdf", "a PDF"), ("png", "a PNG image"), ("zip", "a ZIP archive")])
def test_what_is_no_text_is_called_by_what_it_is(tmp_path: Path, suffix: str, content: str, words: str) -> None:
    binary = {"png": b"\x89PNG\r\n\x1a\n\xff", "zip": b"PK\x03\x04\xff\xff"}
    data = binary[content] if content in binary else pdf_file(tmp_path / ".a.pdf", [[("Hello", 12)]]).read_bytes()
    (tmp_path / f"a{suffix}").write_bytes(data)
    reason = f"its name says {suffix} and its content is {words}: name it as what it is."
    assert read(tmp_path)[1] == {f"a{suffix}": reason}


@pytest.mark.parametrize(
    "page",
    ["<!doctype html><p>Hi", "<head><title>x</title></head>Hi", "<body>Hi</body>", '<?xml version="1.0"?>\n<html>Hi</html>'],
)
def test_a_page_called_markdown_is_told_of(tmp_path: Path, page: str) -> None:
    (tmp_path / "a.md").write_text(page)
    assert "its content is HTML" in read(tmp_path)[1]["a.md"]


@pytest.mark.parametrize(
    ("name", "advice"),
    [("a.heic", "save it as .jpg"), ("a.DOC", ".docx"), ("a.msg", ".eml"), ("a.zip", "unpack it"), ("winmail.dat", "TNEF")],
)
def test_kinds_that_are_not_read_say_what_to_convert_them_to(tmp_path: Path, name: str, advice: str) -> None:
    (tmp_path / name).write_bytes(b"x")
    assert advice in read(tmp_path)[1][name]


def test_attachments_of_a_message_are_counted_as_unread(tmp_path: Path) -> None:
    message = EmailMessage()
    message["Subject"], message["From"] = "Budget", "ada@example.org"
    message.set_content("It is attached.")
    message.add_attachment(b"x", maintype="application", subtype="zip", filename="all.zip")
    message.add_attachment(b"\x78\x9f\x3e\x22", maintype="application", subtype="ms-tnef", filename="winmail.dat")
    (tmp_path / "a.eml").write_bytes(bytes(message))
    document = only(tmp_path)
    assert document.unread == {"attachments of e-mails": 2}
    assert "Attachments: all.zip (not read), winmail.dat (packed by Outlook, not opened)" in document.text


CUES = """1
00:00:01 --> 00:00:02
No fraction

2
0:0:5,0 --> 0:0:6,0
Short digits

3
00:00:07,000 -> 00:00:08,000
Small arrow
"""


def test_times_that_are_written_otherwise_are_times(tmp_path: Path) -> None:
    (tmp_path / "a.srt").write_text(CUES)
    document = only(tmp_path)
    assert document.text == "No fraction Short digits Small arrow"
    assert [(it.begin, it.end) for it in document.anchors] == [(1, 2), (5, 6), (7, 8)]


def test_words_under_a_time_that_is_none_are_kept_though_they_come_first(tmp_path: Path) -> None:
    head = "WEBVTT - of\nKind: captions\n\nNOTE not said\n"
    cues = "00:99:99.999 --> 00:00:xx.000\nFirst\n\n00:01.000 --> 00:02.000\nSecond\n"
    (tmp_path / "a.vtt").write_text(f"{head}\n{cues}\n99999999999999999999:00:00.000 --> 00:00:05.000\nThird\n")
    document = only(tmp_path)
    assert document.text == "First Second Third"
    assert [it.begin for it in document.anchors] == [0, 1, 2]


def word(content: str, begin: object, end: object, **more: object) -> dict[str, Any]:
    return {"type": "pronunciation", "alternatives": [{"content": content}], "start_time": begin, "end_time": end, **more}


DOT = {"type": "punctuation", "alternatives": [{"content": "."}]}
TWO = [word("Hello", "0.0", "0.5"), word("there", "0.5", "1.0"), DOT]


@pytest.mark.parametrize(
    ("results", "said"),
    [
        (
            {
                "items": TWO,
                "channel_labels": {"channels": [{"channel_label": f"ch_{n}", "items": [TWO[n]]} for n in (0, 1)]},
            },
            [("ch_0", 0.0, 0.5), ("ch_1", 0.5, 1.0)],
        ),
        (
            {"items": [word("Hello", "0", "1", channel_label="ch_0"), word("there", "1", "2", channel_label="ch_1")]},
            [("ch_0", 0.0, 1.0), ("ch_1", 1.0, 2.0)],
        ),
        ({"items": [word("Hello", "x", None), word("there", "1", "2")]}, [("", 0.0, 2.0)]),
        ({"items": [word("Hello", "nan", "inf"), word("there", "-3", "1e99")]}, [("", 0.0, 0.0)]),
        ({"items": [], "transcripts": [{"transcript": "Hello there."}]}, [("", 0.0, 0.0)]),
        (
            {
                "items": [],
                "audio_segments": [{"transcript": "Hello there", "start_time": None, "end_time": "2", "speaker_label": "s"}],
            },
            [("s", 0.0, 2.0)],
        ),
    ],
)
def test_forms_of_transcribe_keep_words_and_who_says_them(
    tmp_path: Path, results: dict[str, Any], said: list[tuple[str, float, float]]
) -> None:
    (tmp_path / "a.json").write_text(json.dumps({"results": results}))
    document = only(tmp_path)
    assert document.text.replace(".", "").split() == ["Hello", "there"]
    assert [(it.speaker, it.begin, it.end) for it in document.anchors] == said


def test_cues_without_a_line_between_them_are_cues_and_marks_of_players_are_no_words(tmp_path: Path) -> None:
    said = "1\n00:00:01,000 --> 00:00:02,000\n{\\an8}<i>One</i>\n2\n00:00:02.000 --> 00:00:03.000 X1:1 X2:2\n1984\n"
    (tmp_path / "a.srt").write_text(f"{said}00:00:04,000 --> 00:00:05,000\n3 < 4 and 5 > 2\n")
    document = only(tmp_path)
    assert document.text == "One 1984 3 < 4 and 5 > 2"
    assert [it.begin for it in document.anchors] == [1, 2, 4]


def test_channels_that_speak_at_once_are_heard_apart(tmp_path: Path) -> None:
    first = [word("Hello", "0.0", "0.5"), word("how", "0.6", "0.8")]
    second = [word("Yes", "0.0", "0.7"), word("fine", "0.75", "0.9")]
    channels = [{"channel_label": "ch_0", "items": first}, {"channel_label": "ch_1", "items": second}]
    items = [first[0], second[0], first[1], second[1]]
    (tmp_path / "a.json").write_text(json.dumps({"results": {"items": items, "channel_labels": {"channels": channels}}}))
    document = only(tmp_path)
    assert document.text == "Hello how\n\nYes fine"
    assert [(it.speaker, it.begin, it.end) for it in document.anchors] == [("ch_0", 0.0, 0.8), ("ch_1", 0.0, 0.9)]


def test_words_without_an_end_of_a_sentence_are_cited_to_the_moment(tmp_path: Path) -> None:
    items = [word(f"word{n}", f"{n / 2}", f"{n / 2 + 0.4}") for n in range(400)]
    (tmp_path / "a.json").write_text(json.dumps({"results": {"items": items, "language_code": "de-DE"}}))
    document = only(tmp_path)
    assert document.facts["language"] == "de-DE"
    for anchor in document.anchors:
        first = int(document.text[anchor.start :].split()[0].removeprefix("word"))
        assert anchor.begin == first / 2
        assert anchor.end - anchor.begin <= 16


def test_scripts_without_blanks_between_words_get_none(tmp_path: Path) -> None:
    items = [word("今日", "0", "1"), word("は", "1", "2"), {"type": "punctuation", "alternatives": [{"content": "。"}]}]
    (tmp_path / "a.json").write_text(json.dumps({"results": {"items": [*items, word("はい", "3", "4")]}}))
    document = only(tmp_path)
    assert document.text == "今日は。はい"
    assert [it.begin for it in document.anchors] == [0, 3]


def test_front_matter_of_both_kinds_says_what_the_document_is(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text('+++\ntitle = "The rules"\ndate = 2024-05-01\n+++\n# Head\n\nBody.\n')
    document = only(tmp_path)
    assert (document.title, document.facts["created"], document.text) == ("The rules", "2024-05-01", "# Head\n\nBody.\n")


def test_files_embedded_in_a_pdf_are_counted_as_unread(tmp_path: Path) -> None:
    pdf = FPDF()
    pdf.add_page()
    pdf.set_font("Helvetica", size=12)
    pdf.cell(text="The invoice is attached.")
    pdf.embed_file(bytes=b"<invoice/>", basename="invoice.xml")
    pdf.output(str(tmp_path / "a.pdf"))
    document = only(tmp_path)
    assert document.text == "The invoice is attached."
    assert document.unread == {"files embedded in PDF files": 1}


def test_a_byte_that_no_letter_of_latin_1_has_takes_no_page(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_bytes(b'<meta charset="iso-8859-1"><p>\x93Gr\xfc\xdfe\x94 \x81 \x8d.</p>')
    assert only(tmp_path).text.strip() == "“Grüße” \ufffd \ufffd."


def test_lines_that_captions_show_again_are_said_once(tmp_path: Path) -> None:
    cues = (
        "00:00.000 --> 00:02.000 align:start\n \n<v Ann>welcome<00:00.500><c> to</c><00:01.000><c> the</c>\n\n"
        "00:02.000 --> 00:02.010 align:start\nwelcome to the\n \n\n"
        "00:02.010 --> 00:04.000 align:start\nwelcome to the\n<v Ann>show<00:03.000><c> today</c>\n\n"
        "00:04.000 --> 00:04.010 align:start\nshow today\n \n"
    )
    (tmp_path / "a.vtt").write_text(f"WEBVTT\nKind: captions\n\n{cues}")
    document = only(tmp_path)
    assert document.text == "welcome to the show today"
    assert [(it.start, it.begin, it.end, it.speaker) for it in document.anchors] == [(0, 0.0, 2.0, "Ann"), (15, 2.01, 4.0, "Ann")]


def test_what_another_says_or_somebody_once_more_is_said_twice(tmp_path: Path) -> None:
    cues = (
        "00:00.000 --> 00:01.000\n<v Ann>Any <00:00.500><c>questions?</c>\n\n"
        "00:01.000 --> 00:02.000\n<v Bo>Any <00:01.500><c>questions?</c>\n\n"
        "00:09.000 --> 00:10.000\n<v Bo>Any <00:09.500><c>questions?</c>\n"
    )
    (tmp_path / "a.vtt").write_text(f"WEBVTT\n\n{cues}")
    said = [(it.begin, it.speaker) for it in only(tmp_path).anchors]
    assert said == [(0.0, "Ann"), (1.0, "Bo"), (9.0, "Bo")]


def test_a_call_of_many_hours_keeps_its_times_and_a_language_in_full_is_found_in_the_words(tmp_path: Path) -> None:
    words = "Die Rechnung wird innerhalb von dreißig Tagen bezahlt, wenn die Ware in Ordnung ist."
    turn = {"BeginOffsetMillis": 14_400_000, "EndOffsetMillis": 14_405_500, "ParticipantRole": "AGENT", "Content": words}
    (tmp_path / "a.json").write_text(json.dumps({"Transcript": [turn], "LanguageCode": "de-DE"}))
    document = only(tmp_path)
    assert [(it.begin, it.end) for it in document.anchors] == [(14_400.0, 14_405.5)]
    for told, language in (("german", "de"), ("de-DE", "de"), ("fr", "fr")):
        it = replace(document, facts={**document.facts, "language": told})
        assert record_of(it, PersonalSpans(words)).language == language


@pytest.mark.parametrize("said", [
    {"Transcript": [
        {"BeginOffsetMillis": 500, "EndOffsetMillis": 1500, "ParticipantRole": "AGENT", "Content": "Good day."},
        {"BeginOffsetMillis": 2000, "EndOffsetMillis": 2500, "ParticipantRole": "CUSTOMER", "Content": "Hello."},
    ], "LanguageCode": "en-US"},
    {"text": " Good day. Hello.", "language": "en-US", "segments": [
        {"id": 0, "start": 0.5, "end": 1.5, "text": " Good day.", "speaker": "AGENT"},
        {"id": 1, "start": 2.0, "end": 2.5, "text": " Hello.", "speaker": "CUSTOMER"},
    ]},
])  # fmt: skip
def test_turns_of_call_analytics_and_segments_of_whisper_are_cues(tmp_path: Path, said: object) -> None:
    (tmp_path / "a.json").write_text(json.dumps(said))
    document = only(tmp_path)
    assert document.text == "Good day.\n\nHello."
    anchors = [(it.start, it.begin, it.end, it.speaker) for it in document.anchors]
    assert anchors == [(0, 0.5, 1.5, "AGENT"), (11, 2.0, 2.5, "CUSTOMER")]
    assert document.facts["language"] == "en-US"
