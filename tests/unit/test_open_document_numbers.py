"""Numbers that OpenDocument texts count by themselves stand before their paragraphs, as their reader sees and cites them."""

from __future__ import annotations

import time
import zipfile
from pathlib import Path

import pytest

from tests.unit.test_document_formats import only

_NAMES = ("office", "text", "style", "table")
_SPACES = " ".join(f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"' for name in _NAMES)
_SPACES += ' xmlns:loext="urn:org:documentfoundation:names:experimental:office:xmlns:loext:1.0"'

_LISTS = "list-level-style-number"


def lines(folder: Path, body: str, *, automatic: str = "", common: str = "") -> list[str]:
    text = f"<office:automatic-styles>{automatic}</office:automatic-styles>"
    text += f"<office:body><office:text>{body}</office:text></office:body>"
    with zipfile.ZipFile(folder / "a.odt", "w") as file:
        file.writestr("content.xml", f"<office:document-content {_SPACES}>{text}</office:document-content>")
        styles = f"<office:styles>{common}</office:styles>"
        file.writestr("styles.xml", f"<office:document-styles {_SPACES}>{styles}</office:document-styles>")
    return [line for line in only(folder).text.split("\n") if line.strip()]


def level(place: int, kind: str, suffix: str = ".", *, prefix: str = "", more: str = "", tag: str = _LISTS) -> str:
    marks = f'style:num-format="{kind}" style:num-prefix="{prefix}" style:num-suffix="{suffix}"'
    return f'<text:{tag} text:level="{place}" {marks} {more}/>'


def style(*levels: str, name: str = "L") -> str:
    return f'<text:list-style style:name="{name}">{"".join(levels)}</text:list-style>'


def bullet(place: int) -> str:
    return f'<text:list-level-style-bullet text:level="{place}" text:bullet-char="*"/>'


def outline(*levels: str) -> str:
    return f'<text:outline-style style:name="Outline">{"".join(levels)}</text:outline-style>'


def p(text: str, more: str = "") -> str:
    return f"<text:p {more}>{text}</text:p>"


def h(text: str, place: int, more: str = "") -> str:
    return f'<text:h text:outline-level="{place}" {more}>{text}</text:h>'


def item(*blocks: str, more: str = "") -> str:
    return f"<text:list-item {more}>{''.join(blocks)}</text:list-item>"


def listed(*items: str, name: str = "L", more: str = "") -> str:
    return f'<text:list text:style-name="{name}" {more}>{"".join(items)}</text:list>'


def within(*items: str, more: str = "") -> str:
    return f"<text:list {more}>{''.join(items)}</text:list>"


TWO = 'text:display-levels="2"'
CLAUSES = style(level(1, "1"), level(2, "1", "", more=TWO), level(3, "a", ")", prefix="("), level(4, "i", ")", prefix="("))
OUTLINE = outline(*(level(n, "1", "", more=f'text:display-levels="{n}"', tag="outline-level-style") for n in (1, 2, 3)))


@pytest.mark.parametrize("place", ["automatic", "common"])
def test_clauses_are_numbered_at_each_level(tmp_path: Path, place: str) -> None:
    deep = within(item(p("its parent;")), item(p("its own.")))
    letters = within(item(p("for breach;")), item(p("for insolvency of"), deep))
    body = listed(
        item(p("Definitions")),
        item(p("Termination"), within(item(p("By the buyer"), letters), item(p("By the seller"), within(item(p("at will")))))),
        item(p("Notices")),
    )
    assert lines(tmp_path, body, **{place: CLAUSES}) == [
        "1. Definitions", "2. Termination", "2.1 By the buyer", "(a) for breach;", "(b) for insolvency of", "(i) its parent;",
        "(ii) its own.", "2.2 By the seller", "(a) at will", "3. Notices",
    ]  # fmt: skip


@pytest.mark.parametrize(("kind", "count", "shown"), [
    ("1", 12, "12)"), ("a", 3, "c)"), ("A", 27, "AA)"), ("a", 28, "ab)"), ("i", 49, "xlix)"), ("I", 1994, "MCMXCIV)"),
    ("01, 02, 03, ...", 7, "07)"), ("一, 二, 三, ...", 4, "4)"), ("", 4, ""),
])  # fmt: skip
def test_numbers_are_written_in_their_kind(tmp_path: Path, kind: str, count: int, shown: str) -> None:
    numbered = style(level(1, kind, ")", more=f'text:start-value="{count}"'))
    assert lines(tmp_path, listed(item(p("text"))), automatic=numbered) == [f"{shown} text".strip()]


def test_letters_are_doubled_where_the_level_says_so(tmp_path: Path) -> None:
    """OpenDocument 1.3, part 3, style:num-letter-sync."""
    numbered = style(level(1, "a", more='text:start-value="28" style:num-letter-sync="true"'))
    assert lines(tmp_path, listed(item(p("text"))), automatic=numbered) == ["bb. text"]


def test_levels_above_are_shown_in_their_own_kinds_and_not_where_they_have_none(tmp_path: Path) -> None:
    three = level(3, "1", "", more='text:display-levels="3"')
    body = listed(item(p("A"), within(item(p("B"), within(item(p("C")))))))
    assert lines(tmp_path, body, automatic=style(level(1, "A"), level(2, "i"), three)) == ["A. A", "i. B", "A.i.1 C"]
    assert lines(tmp_path, body, automatic=style(level(1, "A"), level(2, ""), three)) == ["A. A", "B", "A.1 C"]


def test_the_format_of_a_whole_label_goes_before_its_parts(tmp_path: Path) -> None:
    whole = 'loext:num-list-format="{}"'
    styles = style(level(1, "I", more=whole.format("Article %1%")), level(2, "1", more=whole.format("§ %1%-%2%:")))
    body = listed(item(p("Price"), within(item(p("Net.")), item(p("Gross.")))))
    assert lines(tmp_path, body, automatic=styles) == ["Article I Price", "§ I-1: Net.", "§ I-2: Gross."]


def test_lists_begin_anew_or_go_on_as_they_say(tmp_path: Path) -> None:
    more = 'text:continue-numbering="true"'
    body = listed(item(p("one")), item(p("two")), more='xml:id="first"') + p("Between.")
    body += listed(item(p("three")), more=more) + listed(item(p("anew")))
    body += listed(item(p("four")), more='text:continue-list="first"')
    body += listed(item(p("none to go on from")), name="M", more=more)
    assert lines(tmp_path, body, automatic=CLAUSES + style(level(1, "a"), name="M")) == [
        "1. one", "2. two", "Between.", "3. three", "1. anew", "4. four", "a. none to go on from",
    ]  # fmt: skip


def test_a_list_that_goes_on_at_a_deeper_level_counts_no_item_above(tmp_path: Path) -> None:
    goes_on = 'text:continue-numbering="true"'
    body = listed(item(p("A"), within(item(p("A first"))))) + p("Between.")
    body += listed(item(within(item(p("A second")))), item(p("B"), within(item(p("B first")))), more=goes_on)
    assert lines(tmp_path, body, automatic=CLAUSES) == [
        "1. A", "1.1 A first", "Between.", "1.2 A second", "2. B", "2.1 B first",
    ]  # fmt: skip


def test_an_item_begins_where_it_says_and_a_second_list_in_it_anew(tmp_path: Path) -> None:
    first, second = within(item(p("x")), item(p("y"))), within(item(p("z")))
    body = listed(item(p("five"), first, p("more"), second, more='text:start-value="5"'), item(p("six")))
    assert lines(tmp_path, body, automatic=CLAUSES) == ["5. five", "5.1 x", "5.2 y", "more", "5.1 z", "6. six"]


def test_heads_of_lists_and_further_paragraphs_have_no_number(tmp_path: Path) -> None:
    body = listed(f"<text:list-header>{p('Steps')}</text:list-header>", item(p("Fill in"), p("in ink")), item(p("Sign")))
    assert lines(tmp_path, body, automatic=CLAUSES) == ["Steps", "1. Fill in", "in ink", "2. Sign"]


def test_bullets_stay_bullets_among_numbers(tmp_path: Path) -> None:
    numbers_first, bullets_first = style(level(1, "1"), bullet(2)), style(bullet(1), level(2, "a", ")"))
    body = listed(item(p("one"), within(item(p("x")), item(p("y")))), item(p("two"), within(item(p("z")))))
    assert lines(tmp_path, body, automatic=numbers_first) == ["1. one", "- x", "- y", "2. two", "- z"]
    assert lines(tmp_path, body, automatic=bullets_first) == ["- one", "a) x", "b) y", "- two", "a) z"]


def test_an_item_may_be_of_another_style_and_a_list_of_that_of_its_paragraphs(tmp_path: Path) -> None:
    styles = CLAUSES + style(bullet(1), name="B")
    styles += '<style:style style:name="S" style:family="paragraph" style:list-style-name="L"/>'
    styles += '<style:style style:name="P" style:family="paragraph" style:parent-style-name="S"/>'
    body = listed(item(p("one")), item(p("two"), more='text:style-override="B"'))
    assert lines(tmp_path, body, automatic=styles) == ["1. one", "- two"]
    assert lines(tmp_path, within(item(p("one", 'text:style-name="P"'))), automatic=styles) == ["1. one"]


def test_headings_have_the_numbers_of_the_outline(tmp_path: Path) -> None:
    body = h("Scope", 1) + h("Term", 1) + h("Start", 2) + p("Text.") + h("End", 2) + h("Notice", 3)
    body += h("Preface", 1, 'text:is-list-header="true"') + h("Price", 1, 'text:restart-numbering="true" text:start-value="7"')
    body += h("<text:number>7.1</text:number>Net", 2)
    assert lines(tmp_path, body, common=OUTLINE) == [
        "# 1 Scope", "# 2 Term", "## 2.1 Start", "Text.", "## 2.2 End", "### 2.2.1 Notice", "# Preface", "# 7 Price",
        "## 7.1 Net",
    ]  # fmt: skip


def test_headings_in_lists_are_counted_with_the_others_of_the_outline(tmp_path: Path) -> None:
    nested = listed(item(within(item(h("Start", 2)))), name="Outline")
    body = h("Scope", 1) + listed(item(h("Term", 1)), name="Outline") + nested + h("Price", 1)
    assert lines(tmp_path, body, common=OUTLINE) == ["# 1 Scope", "# 2 Term", "## 2.1 Start", "# 3 Price"]


def test_headings_in_a_list_have_its_numbers(tmp_path: Path) -> None:
    body = listed(item(h("Scope", 1))) + p("Text.") + listed(item(h("Term", 1)), more='text:continue-numbering="true"')
    assert lines(tmp_path, body, automatic=CLAUSES, common=OUTLINE) == ["# 1. Scope", "Text.", "# 2. Term"]


def test_headings_whose_style_is_of_no_list_have_no_number(tmp_path: Path) -> None:
    none = '<style:style style:name="N" style:family="paragraph" style:list-style-name=""/>'
    body = h("Preface", 1, 'text:style-name="N"') + h("Scope", 1)
    assert lines(tmp_path, body, automatic=none, common=OUTLINE) == ["# Preface", "# 1 Scope"]


def test_numbered_paragraphs_are_items_of_their_list(tmp_path: Path) -> None:
    numbered = '<text:numbered-paragraph text:list-id="x" text:style-name="L" text:level="{}">{}</text:numbered-paragraph>'
    body = "".join(numbered.format(place, p(text)) for place, text in ((1, "A"), (2, "A first"), (2, "A second"), (1, "B")))
    assert lines(tmp_path, body, automatic=CLAUSES) == ["1. A", "1.1 A first", "1.2 A second", "2. B"]


def test_what_is_deleted_hidden_or_empty_has_no_number(tmp_path: Path) -> None:
    hidden = '<style:style style:name="H" style:family="paragraph"><style:text-properties text:display="none"/></style:style>'
    deleted = f"<text:changed-region><text:deletion>{h('Gone', 1)}</text:deletion></text:changed-region>"
    body = f"<text:tracked-changes>{deleted}</text:tracked-changes>" + h("Scope", 1)
    body += listed(item(p("one")), item(p("SECRET", 'text:style-name="H"')), item(p("two")))
    assert lines(tmp_path, body, automatic=CLAUSES + hidden, common=OUTLINE) == ["# 1 Scope", "1. one", "2. two"]


def test_rows_are_numbered_in_cells_that_hold_nothing_else(tmp_path: Path) -> None:
    number = listed(item(p("")), more='text:continue-numbering="true"')
    rows = ((p(""), p("Item")), (number, p("Laptop")), (number, p("Desk")))
    cells = ("".join(f"<table:table-cell>{cell}</table:table-cell>" for cell in row) for row in rows)
    table = "".join(f"<table:table-row>{row}</table:table-row>" for row in cells)
    shown = lines(tmp_path, f"<table:table>{table}</table:table>", automatic=CLAUSES)
    assert shown == ["|  | Item |", "| --- | --- |", "| 1. | Laptop |", "| 2. | Desk |"]


def test_a_document_that_means_to_be_slow_or_large_is_neither(tmp_path: Path) -> None:
    far = 'text:start-value="99999999999999999999"'
    long = style(level(1, "1", "", prefix="x" * 100_000, more=far), bullet(99), level(0, "1"))
    chained = '<style:style style:name="S{}" style:family="paragraph" style:parent-style-name="S{}"/>'
    based = "".join(chained.format(n, (n + 1) % 2000) for n in range(2000))
    again = listed(item(p("a", 'text:style-name="S1"')), more='xml:id="i" text:continue-list="i" text:continue-numbering="true"')
    began = time.monotonic()
    shown = lines(tmp_path, again * 20_000, automatic=long + based)
    assert len("".join(shown)) < 1_000_000
    assert time.monotonic() - began < 20
