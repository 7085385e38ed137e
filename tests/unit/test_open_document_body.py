"""All that an OpenDocument text says is read: formats within formats, whole cells, heads of tables, notes, shapes."""

from __future__ import annotations

import zipfile
from pathlib import Path
from xml.etree import ElementTree

import pytest

from domain_sdk.documents import DocumentProblem, passages, read_documents
from domain_sdk.extraction.open_document_body import lay_out
from tests.unit.test_document_formats import only

_NAMES = {"office": "office", "text": "text", "table": "table", "draw": "drawing"}
_SPACES = " ".join(f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{it}:1.0"' for name, it in _NAMES.items())
_LINK = 'xmlns:xlink="http://www.w3.org/1999/xlink" xlink:href="https://example.org"'


def write(folder: Path, body: str) -> None:
    content = f"<office:body><office:text>{body}</office:text></office:body>"
    with zipfile.ZipFile(folder / "a.odt", "w") as file:
        file.writestr("content.xml", f"<office:document-content {_SPACES}>{content}</office:document-content>")


def text_of(folder: Path, body: str) -> str:
    write(folder, body)
    return only(folder).text.strip()


def problem_of(folder: Path) -> str:
    problems: list[DocumentProblem] = []
    assert not list(read_documents(folder, on_problem=problems.append))
    return problems[0].reason


def table(*rows: str) -> str:
    return f"<table:table>{''.join(rows)}</table:table>"


def row(*cells: str, more: str = "") -> str:
    return f"<table:table-row>{''.join(f'<table:table-cell{more}>{it}</table:table-cell>' for it in cells)}</table:table-row>"


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        ("<text:p><text:span>Bold sum</text:span></text:p>", "Bold sum"),
        ("<text:p>Fee <text:span>of <text:span>5</text:span> EUR</text:span> due</text:p>", "Fee of 5 EUR due"),
        ("<text:p>One</text:p><text:p>Two</text:p>", "One Two"),
        ("<text:list><text:list-item><text:p>A</text:p></text:list-item><text:list-item><text:p>B</text:p></text:list-item>"
         "</text:list>", "A B"),
        ("<text:p>a<text:s/>b<text:tab/>c<text:line-break/>d</text:p>", "a b c d"),
        (f"<text:p><text:a {_LINK}><text:span>Terms</text:span></text:a></text:p>", "Terms"),
        (table(row("<text:p>in</text:p>", "<text:p>ner</text:p>")), "in ner"),
        ("<text:p>Box<draw:frame><draw:text-box><text:p>boxed</text:p></draw:text-box></draw:frame></text:p>", "Box boxed"),
    ],
)  # fmt: skip
def test_a_cell_is_read_whole_on_one_line(tmp_path: Path, cell: str, shown: str) -> None:
    assert f"| {shown} |" in text_of(tmp_path, table(row("<text:p>Head</text:p>", "<text:p>Say</text:p>"), row(cell, cell)))


def test_rows_of_the_head_and_grouped_rows_are_rows(tmp_path: Path) -> None:
    head = f"<table:table-header-rows>{row('<text:p>Item</text:p>', '<text:p>Cost</text:p>')}</table:table-header-rows>"
    body = f"<table:table-rows>{row('<text:p>Pen</text:p>', '<text:p>2</text:p>')}</table:table-rows>"
    assert text_of(tmp_path, table(head, body)) == "| Item | Cost |\n| --- | --- |\n| Pen | 2 |"


def test_cells_that_are_written_once_for_many_stand_in_their_columns(tmp_path: Path) -> None:
    twice = ' table:number-columns-repeated="2"'
    shown = text_of(tmp_path, table(row("<text:p>0</text:p>", more=twice), row("<text:p>a</text:p>", "<text:p>b</text:p>")))
    assert shown.splitlines()[0] == "| 0 | 0 |"


def test_formats_within_formats_and_within_links_lose_no_word(tmp_path: Path) -> None:
    spans = "<text:span>Buyer <text:span>shall</text:span> pay</text:span>"
    shown = text_of(tmp_path, f"<text:p>The {spans} <text:a {_LINK}>as <text:span>agreed</text:span></text:a> now</text:p>")
    assert shown == "The Buyer shall pay [as agreed](https://example.org) now"


def test_lines_of_a_link_are_apart(tmp_path: Path) -> None:
    two = "foo<text:line-break/>bar <text:span>a<text:line-break/>b</text:span>"
    assert (
        text_of(tmp_path, f"<text:p>See <text:a {_LINK}>{two}</text:a> end</text:p>")
        == "See [foo bar a b](https://example.org) end"
    )


def test_notes_stand_behind_their_paragraph_and_say_what_they_are(tmp_path: Path) -> None:
    body = "<text:note-body><text:p>See <text:span>clause 4</text:span></text:p></text:note-body>"
    said = f"<text:note-citation>1</text:note-citation>{body}"
    first = f"<text:p>Fees<text:note text:note-class='footnote'>{said}</text:note> apply.</text:p>"
    shown = text_of(tmp_path, f"{first}<text:p>Next<text:note text:note-class='endnote'>{said}</text:note></text:p>")
    assert shown.split("\n\n") == ["Fees apply.", "Footnote: See clause 4", "Next", "Endnote: See clause 4"]


def test_what_boxes_and_shapes_say_stands_behind_their_paragraph_once(tmp_path: Path) -> None:
    box = "<draw:frame><draw:text-box><text:p>In a box</text:p></draw:text-box></draw:frame>"
    shape = "<draw:g><draw:custom-shape><text:p>In a shape</text:p></draw:custom-shape></draw:g>"
    apart = box.replace("a box", "no line")
    shown = text_of(tmp_path, f"{apart}<text:p>Before {box}after<text:span>{shape}</text:span></text:p>")
    assert shown.split("\n\n") == ["In no line", "Before after", "In a box", "In a shape"]


def test_all_paragraphs_of_an_item_are_read_and_what_follows_a_list_in_it(tmp_path: Path) -> None:
    inner = "<text:list><text:list-item><text:p>inner</text:p></text:list-item></text:list>"
    item = f"<text:list-item><text:p>first</text:p><text:p>second</text:p>{inner}<text:p>third</text:p></text:list-item>"
    shown = text_of(tmp_path, f"<text:list><text:list-header><text:p>named</text:p></text:list-header>{item}</text:list>")
    assert shown.split() == ["-", "named", "-", "first", "second", "-", "inner", "-", "third"]


def test_headings_that_take_their_numbers_from_a_list_are_headings(tmp_path: Path) -> None:
    heading = "<text:list><text:list-item><text:h text:outline-level='1'>Termination</text:h></text:list-item></text:list>"
    write(tmp_path, f"{heading}<text:p>Either party may end it.</text:p>")
    assert [it.heading for it in passages(only(tmp_path))] == ["Termination"]


_NOTE = "<text:note text:note-class='footnote'><text:note-body><text:p>See 4</text:p></text:note-body></text:note>"


@pytest.mark.parametrize(
    ("items", "shown"),
    [
        ([f"<text:h>Title{_NOTE}</text:h>"], ["# Title", "Footnote: See 4"]),
        (["<text:h>Title</text:h>", "<text:p>one</text:p>", "<text:p>two</text:p>"], ["# Title", "- one\n- two"]),
        (["<text:p>one</text:p>", "<text:h>Title</text:h><text:p>under</text:p>"], ["- one", "# Title", "under"]),
        (["<text:p>one</text:p>", "<text:list><text:list-item><text:h>Title</text:h></text:list-item><text:list-item><text:p>two"
          "</text:p></text:list-item></text:list>", "<text:p>three</text:p>"], ["- one", "# Title", "- two", "- three"]),
        ([f"<text:p>one{_NOTE.replace('text:p>', 'text:h>')}</text:p>"], ["- one Footnote: See 4"]),
    ],
)  # fmt: skip
def test_headings_among_the_items_of_a_list_keep_their_rank(tmp_path: Path, items: list[str], shown: list[str]) -> None:
    listed = "".join(f"<text:list-item>{it}</text:list-item>" for it in items)
    assert text_of(tmp_path, f"<text:list>{listed}</text:list>").split("\n\n") == shown


def test_sources_and_numbered_paragraphs_are_read(tmp_path: Path) -> None:
    title = "<text:index-title><text:p>Sources</text:p></text:index-title>"
    body = f"<text:bibliography><text:index-body>{title}<text:p>Law of 2013</text:p></text:index-body></text:bibliography>"
    shown = text_of(tmp_path, f"<text:numbered-paragraph><text:p>Clause</text:p></text:numbered-paragraph>{body}")
    assert shown.split("\n\n") == ["Clause", "Sources", "Law of 2013"]


def test_an_archive_whose_index_points_before_its_begin_is_damaged(tmp_path: Path) -> None:
    write(tmp_path, "<text:p>Text</text:p>")
    whole = (tmp_path / "a.odt").read_bytes()
    (tmp_path / "a.odt").write_bytes(whole[:100] + whole[101:])
    assert "damaged" in problem_of(tmp_path)


def test_lists_within_each_other_more_deeply_than_is_read_are_told(tmp_path: Path) -> None:
    lists = f"{'<text:list><text:list-item>' * 600}<text:p>a</text:p>{'</text:list-item></text:list>' * 600}"
    with pytest.raises(RecursionError):
        lay_out(ElementTree.fromstring(f"<office:body {_SPACES}><office:text>{lists}</office:text></office:body>"))
    write(tmp_path, lists)
    assert "more deeply than is read" in problem_of(tmp_path)


def test_cells_that_are_written_once_for_very_many_are_not_multiplied(tmp_path: Path) -> None:
    cell = "<table:table-cell table:number-columns-repeated='99999999'><text:p>x</text:p></table:table-cell>"
    assert text_of(tmp_path, table(f"<table:table-row>{cell * 100}</table:table-row>")).splitlines()[0].count("x") <= 200


def test_tables_within_cells_that_are_written_once_for_many_are_not_multiplied(tmp_path: Path) -> None:
    said = "<text:p>word</text:p>"
    for _ in range(4):
        said = table(row(said, more=" table:number-columns-repeated='100'"))
    assert 100 <= text_of(tmp_path, f"{said}<text:p>End</text:p>").count("word") <= 10_000


def test_long_cells_that_are_written_once_for_many_leave_the_others_in_their_columns(tmp_path: Path) -> None:
    long = f"<table:table-cell table:number-columns-repeated='3'><text:p>{'word ' * 100}</text:p></table:table-cell>"
    last = "<table:table-cell><text:p>last</text:p></table:table-cell>"
    shown = text_of(
        tmp_path, table(row(*[f"<text:p>{it}</text:p>" for it in "abcd"]), f"<table:table-row>{long}{last}</table:table-row>")
    )
    cells = [it.strip() for it in shown.splitlines()[2].strip("|").split("|")]
    assert cells == [("word " * 100).strip(), "", "", "last"]
