"""What a question implies and names, and in which order passages are given."""

from __future__ import annotations

import pytest

from mesh_core.retrieval.arranging import arranged, named_documents
from mesh_core.retrieval.expansion import expanded
from mesh_core.retrieval.periods import periods_in
from mesh_core.retrieval.statements import statement_of, statements_asked
from mesh_core.vectors.passages import Candidate


@pytest.mark.parametrize(
    ("text", "years", "quarters"),
    [
        ("in FY2022", {2022}, set()),
        ("FY20 and FY21", {2020, 2021}, set()),
        ("Q2 of FY2024", {2024}, {2}),
        ("Q22023", {2023}, {2}),
        ("Q2'2023", {2023}, {2}),
        ("4Q22", {2022}, {4}),
        ("ACME_2023Q4_EARNINGS", {2023}, {4}),
        ("the fourth quarter of 2019", {2019}, {4}),
        ("the second fiscal quarter of 2023", {2023}, {2}),
        ("as of August 30, 2023.", {2023}, set()),
        ("a fee of $2,022 in 22 cases", set(), set()),
    ],
)
def test_periods_are_read_as_people_write_them(text: str, years: set[int], quarters: set[int]) -> None:
    found = periods_in(text.replace("_", " "))
    assert (set(found.years), set(found.quarters)) == (years, quarters)


@pytest.mark.parametrize(
    ("text", "months"),
    [
        ("as of June 30, 2031 and Dec. 2030", {(2031, 6), (2030, 12)}),
        ("abcd 20310630", {(2031, 6)}),
        ("8 K 2031 06 12", {(2031, 6)}),
        ("in May of 2031", set()),
        ("0001193125 31 203106", set()),
    ],
)
def test_months_are_read_as_people_and_files_write_them(text: str, months: set[tuple[int, int]]) -> None:
    assert (set(periods_in(text).months), periods_in(text).years >= {year for year, _ in months}) == (months, True)


def candidates(*documents: str, about: str = "", page: int | None = 1) -> list[Candidate]:
    return [Candidate(it, it.partition(".")[0].replace("_", " "), page, {"about": about}) for it in documents]


REPORTS = candidates("NORTHWIND_2021_10K.pdf", "NORTHWIND_2022_10K.pdf", "CONTOSO_2022_10K.pdf", "FABRIKAM_2022_10K.pdf")


def test_the_document_of_the_named_company_and_year_comes_first() -> None:
    order = arranged("Did Northwind's margin grow in FY2022?", REPORTS)
    assert [REPORTS[place].document for place in order[:2]] == ["NORTHWIND_2022_10K.pdf", "NORTHWIND_2021_10K.pdf"]


def test_nothing_is_dropped_when_a_document_is_named() -> None:
    assert sorted(arranged("Contoso revenue", REPORTS)) == [0, 1, 2, 3]


def test_a_question_that_names_nothing_keeps_the_order_of_the_search() -> None:
    assert arranged("who pays for taxis?", REPORTS) == [0, 1, 2, 3]


def test_a_word_names_all_documents_alike_that_begin_with_it() -> None:
    reports = candidates("BLUEYONDER_2021_10K.pdf", "BLUEYONDER_2022_10K.pdf", "BLUEYONDER_2023Q2_10Q.pdf")
    others = candidates(*(f"CONTOSO_{year}_10K.pdf" for year in range(2010, 2014)))
    order = arranged("What did Blue pay in FY2021?", [*reports[::-1], *others])
    assert set(named_documents("What did Blue pay?", [*reports, *others]).agreement) == {it.document for it in reports}
    assert order[0] == 2


@pytest.mark.parametrize("name", ["Blue Yonder", "BlueYonder", "blueYonder's"])
def test_names_are_found_whether_joined_or_apart(name: str) -> None:
    reports = candidates("BLUEYONDER_2022.pdf", "CONTOSO_2022.pdf", "FABRIKAM_2022.pdf")
    assert set(named_documents(f"What did {name} earn?", reports).agreement) == {"BLUEYONDER_2022.pdf"}


@pytest.mark.parametrize("name", ["PnQ", "P&Q", "Pear & Quince", "Pear and Quince"])
def test_two_words_joined_by_and_have_short_forms(name: str) -> None:
    reports = candidates("PEAR_QUINCE_2022.pdf", "CONTOSO_2022.pdf", "FABRIKAM_2022.pdf")
    assert set(named_documents(f"What did {name} earn?", reports).agreement) == {"PEAR_QUINCE_2022.pdf"}


def test_an_organisation_inside_a_document_names_it_when_its_file_does_not() -> None:
    reports = [*candidates("0001.pdf", about="Northwind, Inc; Form 10-K"), *candidates("0002.pdf", "0003.pdf")]
    assert set(named_documents("What does Northwind sell?", reports).agreement) == {"0001.pdf"}


def test_every_page_is_given_once_before_one_is_given_twice() -> None:
    page = candidates("A.pdf", "A.pdf", page=1)
    assert arranged("anything", [*page, *candidates("A.pdf", page=2), *candidates("B.pdf", page=1)]) == [0, 2, 3, 1]


def test_without_pages_a_document_gives_way_to_others_before_it_comes_again() -> None:
    assert arranged("anything", candidates("a.md", "a.md", "b.md", page=None)) == [0, 2, 1]
    many = candidates("a.md", "a.md", *(f"{number}.md" for number in range(20)), page=None)
    assert arranged("anything", many).index(1) == 10


def test_titles_of_documents_without_pages_are_topics_and_name_nothing() -> None:
    assert not named_documents("Where is the Zoom policy?", candidates("zoom.md", "leave.md", "pay.md", page=None)).agreement


def test_no_document_is_named_where_most_say_nothing_of_themselves() -> None:
    silent = candidates(*(f"{number}.md" for number in range(3)), page=None)
    northwind = candidates("a.md", about="Northwind, Inc; fiscal year ended June 30, 2019", page=None)
    contoso = candidates("b.md", about="Contoso, Inc; fiscal year ended June 30, 2019", page=None)
    assert arranged("What did Northwind earn in 2019?", [*silent, *northwind]) == [0, 1, 2, 3]
    assert arranged("What did Northwind earn in 2019?", [silent[0], *contoso, *northwind]) == [0, 2, 1]


def test_a_ratio_implies_the_lines_it_is_made_of_and_other_questions_stay_as_they_are() -> None:
    assert "current assets" in expanded("Has the quick ratio improved?")
    assert "research" in expanded("What was R&D in 2020?")
    assert "balance sheets" in expanded("What were the total assets in 2020?")
    assert "operating activities" in expanded("Northwind's operating cash flow")
    assert "statements of income" in expanded("How has net income changed?")
    assert expanded("Who approves my leave?") == "Who approves my leave?"
    assert expanded("What about prices?") == "What about prices?"


@pytest.mark.parametrize(
    ("heading", "statement"),
    [
        ("PART II > Item 8 > Northwind, Inc. Consolidated Balance Sheets (in millions)", "balance sheet"),
        ("CONSOLIDATED STATEMENTS OF FINANCIAL POSITION", "balance sheet"),
        ("Statement of Consolidated Operations", "statements of income"),
        ("Consolidated Statements of Operations and Comprehensive Loss", "statements of income"),
        ("INCOME STATEMENTS > Year ended June 30, 2023 2022", "statements of income"),
        ("Statement of Consolidated Cash Flows > (Millions) 2018 2017", "cash flows"),
        ("Consolidated Statements of Comprehensive Income", ""),
        ("Analysis of the Consolidated Statements of Income", ""),
        ("Notes to Consolidated Balance Sheets", ""),
        ("Consolidated Balance Sheets > Note 4. Leases > Lessor > Terms", ""),
        ("", ""),
    ],
)
def test_a_heading_tells_which_statement_stands_under_it(heading: str, statement: str) -> None:
    assert statement_of(heading) == statement


@pytest.mark.parametrize(
    ("question", "statements"),
    [
        ("Has Northwind's quick ratio improved?", {"balance sheet"}),
        ("What is its gross margin by the P&L?", {"statements of income"}),
        ("What was capex in 2021, by the statement of cash flows?", {"cash flows"}),
        ("What is Contoso's effective tax rate?", {"statements of income"}),
        ("How many days payable outstanding has Contoso?", {"balance sheet", "statements of income"}),
        ("Who approves my leave?", set()),
    ],
)
def test_a_question_asks_for_the_statements_that_hold_its_lines(question: str, statements: set[str]) -> None:
    assert statements_asked(question) == statements


def test_a_statement_that_holds_what_is_asked_goes_before_what_is_said_of_it() -> None:
    about = [Candidate("NORTHWIND_2021_10K.pdf", "", page, {"heading": f"Outlook {page}"}) for page in range(1, 6)]
    statement = Candidate("NORTHWIND_2021_10K.pdf", "", 60, {"heading": "Consolidated Balance Sheets"})
    other = Candidate("CONTOSO_2021_10K.pdf", "", 50, {"heading": "Consolidated Balance Sheets"})
    found = [*about, other, statement, *candidates("FABRIKAM_2021_10K.pdf")]
    assert arranged("What is Northwind's quick ratio?", found)[0] == 6
    assert arranged("What does Northwind expect?", found)[0] == 0
    assert arranged("What is the quick ratio?", found) == list(range(8))


FORMS = [
    *candidates("1.pdf", about="Northwind AG; Form 10-K/A; fiscal year ended June 30, 2031"),
    *candidates("2.pdf", about="Northwind AG; Form 10-Q; quarterly period ended March 31, 2031"),
    *candidates("3.pdf", about="Northwind AG; Form 10-K; fiscal year ended June 30, 2031"),
    *candidates("4.pdf", "5.pdf", "6.pdf", "7.pdf", about="Contoso AG; Form 10-K; fiscal year ended June 30, 2031"),
]


@pytest.mark.parametrize(
    ("question", "document"),
    [
        ("What does the 10-K/A of Northwind for 2031 correct?", "1.pdf"),
        ("What does Northwind's amended annual report for 2031 correct?", "1.pdf"),
        ("What does Amendment No. 1 to the 10-K of Northwind say?", "1.pdf"),
        ("What are Northwind's risks by its annual report of 2031?", "3.pdf"),
        ("What does the 10-K of Northwind say of its amended credit agreement?", "3.pdf"),
        ("What are Northwind's risks by its quarterly report?", "2.pdf"),
        ("What did Northwind earn in the third quarter of 2031?", "2.pdf"),
        ("What did Northwind earn in 2031?", "3.pdf"),
        ("What did Northwind earn in the quarter ended March 31, 2031?", "2.pdf"),
        ("What did Northwind own on June 30, 2031?", "3.pdf"),
    ],
)
def test_a_report_is_found_by_its_form_and_an_amendment_by_who_asks_for_it(question: str, document: str) -> None:
    assert FORMS[arranged(question, FORMS)[0]].document == document


def test_a_quarter_or_a_month_is_no_name() -> None:
    reports = [*candidates("CONTOSO_Q2_2029.pdf"), *candidates("1.pdf", about="Northwind AG; quarter ended June 30, 2031")]
    others = candidates("3.pdf", "4.pdf", "5.pdf", about="Fabrikam AG; Form 10-K; fiscal year ended January 28, 2031")
    assert set(named_documents("What did Northwind earn in Q2 FY31?", [*reports, *others]).agreement) == {"1.pdf"}
    assert set(named_documents("What did Contoso own at January 28, 2031?", [*reports, *others]).agreement) == {
        reports[0].document
    }


def test_a_file_that_leaves_out_the_and_of_a_name_is_named_beside_one_that_has_it() -> None:
    reports = [*candidates("PEAR_QUINCE_2031.pdf"), *candidates("1.pdf", about="Pear & Quince; Form 8-K")]
    others = candidates("CONTOSO_2031.pdf", "FABRIKAM_2031.pdf", "TAILSPIN_2031.pdf")
    assert set(named_documents("What did P&Q earn?", [*reports, *others]).agreement) == {it.document for it in reports}
