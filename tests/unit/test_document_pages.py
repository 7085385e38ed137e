"""Reports with pages: what their cover says they are, headings over several lines, tables with their captions."""

from __future__ import annotations

from pathlib import Path

import pytest

from domain_sdk._document_about import about_document, document_context
from domain_sdk._document_files import Document
from domain_sdk._document_passages import passages
from domain_sdk.extraction.extracted import Page

TABLE = "| | 2031 | 2030 |\n| --- | --- | --- |\n" + "\n".join(
    f"| Line number {row} of it | {row}1 | {row}0 |" for row in range(8)
)


def report(text: str, *, name: str = "0001.pdf") -> Document:
    return Document(Path(name), name, "", text, "application/pdf", pages=(Page(1, 0),))


def test_headings_of_one_level_with_nothing_between_are_the_lines_of_one() -> None:
    text = f"## Item 8\n\n#### BALANCE SHEETS\n\n#### (In millions)\n\n{TABLE}\n\n#### Next\n\nMore text."
    assert next(it.heading for it in passages(report(text), max_words=30)) == "Item 8 > BALANCE SHEETS (In millions)"


def test_headings_with_text_between_stay_apart() -> None:
    text = "#### Leases\n\nOf ten years.\n\n#### Loans\n\nOf five years, and a half of them longer than that."
    assert [it.heading for it in passages(report(text))] == ["Loans"]


@pytest.mark.parametrize("before", ["Words that fill the page before it. " * 8, "Short."])
def test_a_table_is_not_parted_from_its_caption_and_has_it_as_heading(before: str) -> None:
    text = f"## Audit\n\n{before}\n\nNorthwind and Subsidiaries\n\nBalance Sheets (in millions)\n\n{TABLE}"
    last = [*passages(report(text), max_words=60)][-1]
    assert last.text.endswith(TABLE)
    assert "Balance Sheets (in millions)\n\n|" in last.text
    assert last.heading == "Audit > Northwind and Subsidiaries Balance Sheets (in millions)"


def test_a_sentence_above_a_table_is_no_caption() -> None:
    text = f"## Audit\n\nWe found nothing.\n\n{TABLE}"
    assert {it.heading for it in passages(report(text))} == {"Audit"}


COVER = """## FORM 10-K

| ☒ | ANNUAL REPORT PURSUANT TO SECTION 13 OR 15(d) OF THE ACT OF 1934 FOR THE FISCAL YEAR ENDED |
| --- | --- |
|  | May 26, 2031 |
|  | Commission file number: 001-01185 ______ NORTHWIND MILLS, INC. |
|  | (Exact name of registrant as specified in its charter) |

(763) 555-7600
"""


@pytest.mark.parametrize(
    ("cover", "about"),
    [
        (COVER, "NORTHWIND MILLS, INC; Form 10-K; FISCAL YEAR ENDED May 26, 2031"),
        ("# THE CONTOSO COMPANY\n\n#### (Exact name of registrant as specified in its charter)", "THE CONTOSO COMPANY"),
        ("The quarter ended | Commission file |\n| --- | --- |\n| March 31, 2031 |", "quarter ended March 31, 2031"),
        ("Fabrikam, Inc.\n(Exact Name of Registrant)\nFabrikam, Inc. and others", "Fabrikam, Inc"),
        ("The year ended well. In all 40 pages, nothing. March 31, 2031", ""),
    ],
)
def test_the_cover_of_a_report_says_whose_it_is_and_for_which_period(cover: str, about: str) -> None:
    assert about_document(report(cover)) == about


def test_a_name_that_the_file_says_in_these_words_is_not_said_again() -> None:
    assert document_context(report(COVER, name="NORTHWIND_MILLS_2031.pdf")).startswith("NORTHWIND MILLS 2031. Form 10-K")
    assert document_context(report(COVER, name="NORTHWINDMILLS_2031.pdf")).startswith("NORTHWINDMILLS 2031. NORTHWIND MILLS, INC")
