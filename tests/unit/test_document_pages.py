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
        ("## FORM 10-K/A\n\nAmendment No. 2\n\nFabrikam, Inc.\n(Exact name of registrant)", "Fabrikam, Inc; Form 10-K/A"),
        (
            "FORM 8-K\n\nDate of Report (Date of earliest event reported): May 20, 2031 (May 18, 2031)\n\n# Fabrikam AG\n\n"
            "(Exact name of registrant as specified in charter)\n\nSecurity Holders. At Fabrikam AG, all was well",
            "Fabrikam AG; Form 8-K; dated May 20, 2031",
        ),
        ("Commission File No. 000-22 ______ __ TAILSPIN.COM, INC.\n(Exact name of registrant)", "TAILSPIN.COM, INC"),
    ],
)
def test_the_cover_of_a_report_says_whose_it_is_and_for_which_period(cover: str, about: str) -> None:
    assert about_document(report(cover)) == about


@pytest.mark.parametrize(
    ("cover", "about"),
    [
        (
            "FORM 10-K\n\n# 4N COMPANY\n\nState of Incorporation: Delaware\n\nNew York Stock Exchange, Inc.",
            "4N COMPANY; Form 10-K",
        ),
        ("FORM 10-K\n\n|  | Commission File Number 001-1 |\n|  | TAILSPIN CORPORATION |", "TAILSPIN CORPORATION; Form 10-K"),
        ("FORM 10-Q Commission File Number 001-1 TAILSPIN CORPORATION OREGON 91-1", "TAILSPIN CORPORATION; Form 10-Q"),
        (
            "FORM 10-K\n\n# 4N COMPANY\n\n| Title | Symbol | Exchange |\n| Common Stock, $0.05 | FNN | NASDAQ |",
            "4N COMPANY; FNN; Form 10-K",
        ),
        ("FORM 8-K\n\n# 4N COMPANY\n\nCommon Stock, $0.01 per share FNN New York Stock Exchange", "4N COMPANY; FNN; Form 8-K"),
        ("FORM 10-Q\n\nSmaller Reporting Company\n\nEmerging Growth Company ☐", "Form 10-Q"),
    ],
)
def test_a_cover_without_the_words_of_the_charter_says_whose_it_is(cover: str, about: str) -> None:
    assert about_document(report(cover)) == about


@pytest.mark.parametrize(
    ("release", "about"),
    [
        (
            "New York, N.Y. (January 24, 2031) – Smith & Sons (NYSE: SMS) announced its fourth quarter and full year 2030.",
            "Smith & Sons; SMS; fourth quarter and full year 2030",
        ),
        ("BOISE, Id.--(WIRE)-- At eTail S.A. (Nasdaq Global Select Market: ETL) in Q3 2031", "eTail S.A; ETL; Q3 2031"),
        ("## Northwind reports fiscal 2031 results and an outlook for fiscal 2032", "Northwind; fiscal 2031"),
        ("- 2031 Fourth-Quarter reported sales decline of 4.4%", "2031 Fourth-Quarter"),
        ("The Board announces its plans. We report nothing.", ""),
    ],
)
def test_a_release_says_who_announces_results_and_of_which_period(release: str, about: str) -> None:
    assert about_document(report(release)) == about


def test_without_pages_a_period_that_is_only_spoken_of_names_nothing() -> None:
    assert about_document(Document(Path("a.md"), "a.md", "", "Sales of fiscal 2031 and fiscal 2030.", "text/markdown")) == ""


def test_a_name_that_the_file_says_in_these_words_is_not_said_again() -> None:
    assert document_context(report(COVER, name="NORTHWIND_MILLS_2031.pdf")).startswith("NORTHWIND MILLS 2031. Form 10-K")
    assert document_context(report(COVER, name="NORTHWINDMILLS_2031.pdf")).startswith("NORTHWINDMILLS 2031. NORTHWIND MILLS, INC")
