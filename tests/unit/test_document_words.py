"""No word of a document is lost: each is in the text of a passage, or in the headings that a passage stands under."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from domain_sdk._document_files import Document
from domain_sdk._document_passages import PassageText, passages
from domain_sdk.extraction.extracted import Page

_MARKS = "#|-=*_`:"


def document(text: str, *, pages: Sequence[int] = ()) -> Document:
    numbered = tuple(Page(number, start) for number, start in enumerate(pages, start=1))
    return Document(Path("a"), "a", "", text, "application/pdf" if pages else "text/markdown", pages=numbered)


def paged(*texts: str) -> Document:
    starts = [sum(len(text) + 2 for text in texts[:number]) for number in range(len(texts))]
    return document("\n\n".join(texts), pages=starts)


def texts(found: Document, **sizes: int) -> list[tuple[str, str]]:
    return [(it.heading, it.text) for it in passages(found, **sizes)]


def lost(read: Document, found: Sequence[PassageText]) -> list[str]:
    """The words of the document that stand in no passage's text and in no passage's heading."""
    within = {place for it in found for place in range(it.start, it.end)}
    said = {word for it in found for word in it.heading.split()}
    words = [(match.group().strip(_MARKS), match.span()) for match in re.finditer(r"\S+", read.text)]
    return [word for word, span in words if word and word not in said and not within.issuperset(range(*span))]


def test_a_heading_over_no_text_is_in_the_passage_behind_it() -> None:
    read = document("# Policy\n\n## Closed on Mondays\n\n## Opening\n\nFrom nine to five.\n")
    assert texts(read) == [("Policy > Opening", "## Closed on Mondays\n\n## Opening\n\nFrom nine to five.")]


def test_a_heading_that_the_path_has_is_not_in_the_text() -> None:
    read = document("# Policy\n\n## Opening\n\nFrom nine to five.\n")
    assert texts(read) == [("Policy > Opening", "From nine to five.")]


def test_a_heading_at_the_end_is_in_the_passage_before_it() -> None:
    read = document("# Policy\n\nFrom nine to five.\n\n## Closed on Mondays\n")
    assert texts(read) == [("Policy", "From nine to five.\n\n## Closed on Mondays")]


def test_a_heading_over_no_text_is_in_the_table_behind_it() -> None:
    table = "| a | b |\n| --- | --- |\n| 1 | 2 |"
    read = document(f"## Closed on Mondays\n\n## Rates\n\n{table}\n")
    assert texts(read) == [("Rates", f"## Closed on Mondays\n\n## Rates\n\n{table}")]


def test_a_document_of_headings_alone_has_a_passage() -> None:
    assert texts(document("# Closed\n\nOn Mondays\n==========\n")) == [("", "# Closed\n\nOn Mondays")]


def test_many_headings_over_no_text_are_passages_of_their_own() -> None:
    read = document("\n\n".join(f"# Entry number {number}" for number in range(40)) + "\n\nText.")
    found = list(passages(read, max_words=40))
    assert not lost(read, found)
    assert max(len(it.text.split()) for it in found) <= 50
    assert found[-1].text == "Text."


def test_a_heading_at_the_end_of_a_page_is_in_a_passage_of_that_page() -> None:
    read = paged("Words of the first page.\n\n## Rules for guests", "### Rooms\n\nWords of the second page.", "## Last")
    assert [(it.page, it.heading, it.text) for it in passages(read)] == [
        (1, "", "Words of the first page."),
        (2, "Rules for guests > Rooms", "Words of the second page."),
        (3, "", "## Last"),
    ]
    read = paged("Words of the first page.\n\n## Rules for guests", "## Rooms for two\n\n## Beds\n\nWords of the second page.")
    assert "Rules for guests" in [*passages(read)][-1].heading
    read = paged("Words of the first page.\n\n### Rules", "## Beds\n\nWords of the second page.")
    assert texts(read)[0] == ("", "Words of the first page.\n\n### Rules")


def test_the_heading_of_a_lesser_part_is_in_the_text_of_its_passage() -> None:
    read = paged("#### Leases\n\nOf ten years.\n\n#### Loans\n\nOf five years, and a half of them longer than that.")
    assert texts(read) == [("Loans", read.text)]


BLOCKS = st.one_of(
    st.builds("{}{}".format, st.sampled_from(["# ", "## ", "### ", "#### ", "", "- ", "1. ", "\\# "]), st.integers(1, 30)),
    st.sampled_from(["table", "long table", "code", "rule", "setext", "fence"]),
)


def block(kind: str, number: int) -> str:
    """Words that no other block has."""
    mark, _, count = kind.rpartition(" ")
    if count.isdigit():
        words = " ".join(f"w{number}x{place}" for place in range(int(count)))
        return f"{mark} {words}." if mark and "#" not in mark else f"{mark} {words}".strip()
    rows = [
        f"| {name}{number} | {name}b{number} |"
        for name in ("head", *(f"row{row}y" for row in range(30 if "long" in kind else 2)))
    ]
    code, underlined = f"```\n# code{number}\n\nmore{number}\n```", f"Title{number}\n------"
    shapes = {"code": code, "rule": "---", "setext": underlined, "fence": f"~~~{number}"}
    return shapes.get(kind) or "\n".join((rows[0], "| --- | --- |", *rows[1:]))


@settings(max_examples=300, deadline=None)
@given(st.lists(st.lists(BLOCKS, max_size=12), min_size=1, max_size=4), st.booleans(), st.integers(1, 60), st.integers(0, 20))
def test_each_word_is_in_a_passage(kinds: list[list[str]], is_paged: bool, most: int, overlap: int) -> None:
    pages = ["\n\n".join(block(kind, 100 * page + place) for place, kind in enumerate(some)) for page, some in enumerate(kinds)]
    read = paged(*pages) if is_paged else document("\n\n".join(pages))
    found = list(passages(read, max_words=most, overlap_words=overlap))
    assert lost(read, found) == []
    assert all(read.text[it.start : it.end] == it.text == it.text.strip() != "" for it in found)
    assert [it.start for it in found] == sorted(it.start for it in found)
    assert max(Counter(it.id for it in found).values(), default=1) == 1
    for it in found if is_paged else ():
        ends = [page.start for page in read.pages if page.start > it.start]
        assert not ends or it.end <= ends[0]
