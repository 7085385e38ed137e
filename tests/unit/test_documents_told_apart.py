"""Documents are told apart by day, version and period, are named in small letters too, and never hide what has no name."""

from __future__ import annotations

import pytest

from mesh_core.retrieval.arranging import arranged, named_documents
from mesh_core.retrieval.marks import marks_asked, marks_of
from mesh_core.retrieval.pasted import as_typed
from mesh_core.vectors.passages import Candidate


def notes(*documents: str, title: str = "", about: str = "") -> list[Candidate]:
    return [Candidate(it, title, None, {"about": about}) for it in documents]


def report(document: str, about: str = "", *, page: int = 1, heading: str = "") -> Candidate:
    return Candidate(document, document.partition(".")[0].replace("_", " "), page, {"about": about, "heading": heading})


@pytest.mark.parametrize(
    ("text", "marks"),
    [
        ("minutes-2031-04-07.vtt", {"2031-04-07"}),
        ("20310407_call.pdf", {"2031-04-07"}),
        ("the meeting of 7 April 2031", {"2031-04-07"}),
        ("am 7. April 2031", {"2031-04-07"}),
        ("on the 7th of April, 2031", {"2031-04-07"}),
        ("on Apr. 7, 2031", {"2031-04-07"}),
        ("on 17/04/2031", {"2031-04-17"}),
        ("on 04/17/2031", {"2031-04-17"}),
        ("on 4/7/2031", {"2031-04-07", "2031-07-04"}),
        ("am 7.4.2031", {"2031-04-07"}),
        ("in April 2031", set()),
        ("0001193125-31-203104", set()),
        ("pump_v2_1.pdf", {"v2.1"}),
        ("Pump Manual, Version 2.1", {"v2.1"}),
        ("Pump V3.0", {"v3"}),
        ("Pump rev. 3", {"v3"}),
        ("Form 10-K, a margin of 2.1", set()),
    ],
)
def test_names_state_days_and_versions(text: str, marks: set[str]) -> None:
    assert marks_of(text) == marks


@pytest.mark.parametrize(
    ("question", "marks"),
    [
        ("Which fuse has the Pump 2.1?", {"v2.1"}),
        ("Which fuse has a hole of 2.1 mm?", set()),
        ("What does section 2.1 say?", set()),
        ("Which fuse has pump v2.1.4?", {"v2.1.4"}),
        ("Who paid $2.1 million, 2.1 billion or 2.1%?", set()),
        ("Did sales reach 2.1 percent or 1,452.4?", set()),
    ],
)
def test_a_number_with_a_point_is_a_version_behind_the_name_in_a_question(question: str, marks: set[str]) -> None:
    assert marks_asked(question, behind={"pump"}) == marks


MINUTES = notes(*(f"minutes-2031-{month:02}-07.vtt" for month in range(1, 8)))


def test_the_minutes_of_the_day_that_is_asked_for_come_first() -> None:
    found = [*MINUTES, *notes("holidays.md")]
    assert found[arranged("What was agreed on 7 May 2031?", found)[0]].document == "minutes-2031-05-07.vtt"
    assert arranged("What was agreed in May?", found) == list(range(8))


def test_notes_of_no_day_stay_where_the_search_has_them() -> None:
    found = [*notes("budget.md"), *MINUTES]
    assert arranged("What was agreed on 7 May 2031?", found)[:2] == [0, 5]


@pytest.mark.parametrize(
    "question", ["Which fuse has the pump v2.2?", "Which fuse has version 2.2 of the pump?", "pump 2.2 fuse"]
)
def test_the_manual_of_the_version_that_is_asked_for_comes_first(question: str) -> None:
    paged = [report(f"pump_v{it}.pdf") for it in ("2_1", "2_2", "3_0")]
    for manuals in (notes("pump-v2.1.html", "pump-v2.2.html", "pump-v3.0.html"), paged):
        assert arranged(question, manuals)[0] == 1


POLICIES = notes("leave-policy-v1.2.html", "travel-policy-v2.5.html", "it-policy-v3.0.html", "leave-policy-v1.1.html")
LETTERS = notes("leave.md", "newsletter-2031-03-31.md", "newsletter-2031-02-28.md", "travel-2031-03-31.md")


@pytest.mark.parametrize(
    ("question", "found"),
    [
        ("May I carry over 2.5 days of leave?", POLICIES),
        ("Which travel policy is version 2.5?", POLICIES),
        ("What does section 1.1 say of leave?", POLICIES),
        ("Is leave lost after 31 March 2031?", LETTERS),
    ],
)
def test_a_day_or_a_number_takes_no_place_from_documents_of_another_name(question: str, found: list[Candidate]) -> None:
    assert arranged(question, found) == [0, 1, 2, 3]


def test_documents_of_the_same_name_change_places_among_each_other_alone() -> None:
    assert arranged("Is leave lost after 28 February 2031?", LETTERS) == [0, 2, 1, 3]
    assert arranged("What says leave policy 1.1 of 2.5 days?", POLICIES) == [3, 1, 2, 0]


def test_the_version_decides_among_documents_that_are_named() -> None:
    pumps = [report(f"PUMP_v{it}.pdf") for it in ("2_1", "2_2", "3_0")]
    printers = [report(f"PRINTER_v{it}.pdf") for it in ("2_1", "2_2", "3_0")]
    found = [*pumps, *printers]
    assert found[arranged("Which fuse has the Printer 3.0?", found)[0]].document == "PRINTER_v3_0.pdf"


def test_a_named_company_is_not_left_for_another_of_the_same_day() -> None:
    northwind = report("northwind-20310630.pdf", "Northwind AG; Form 10-K; fiscal year ended June 30, 2031")
    contoso = [report(f"contoso-{year}0630.pdf", "Contoso AG; Form 10-K") for year in (2029, 2030, 2031)]
    named = named_documents("What did Northwind own on June 30, 2031?", [*contoso, northwind, report("FABRIKAM.pdf")])
    assert set(named.agreement) == {northwind.document}


REPORTS = [
    *(
        report(f"{year}.pdf", f"Northwind Traders, Inc; NWT; Form 10-K; fiscal year ended June 30, {year}")
        for year in (2030, 2031)
    ),
    *(report(f"c{year}.pdf", f"Contoso Foods AG; Form 10-K; fiscal year ended June 30, {year}") for year in (2030, 2031)),
    *(report(f"g{year}.pdf", f"Fabrikam Net Lease AG; Form 10-K; fiscal year ended June 30, {year}") for year in (2030, 2031)),
]


def test_a_mail_about_a_report_is_not_behind_all_reports_of_the_company() -> None:
    found = [*notes("mail-1.eml", title="Northwind annual report"), *REPORTS]
    assert arranged("Why did Northwind move the provision in 2031?", found)[:3] == [0, 2, 1]


@pytest.mark.parametrize(
    "question",
    ["what did northwind earn in fy31?", "northwind capex 2031", "northwind traders 2031", "what was northwind's capex in 2031?"],
)
def test_companies_are_named_in_small_letters_too(question: str) -> None:
    assert [REPORTS[it].document for it in arranged(question, REPORTS)[:2]] == ["2031.pdf", "2030.pdf"]


def test_words_in_small_letters_name_no_company_where_one_is_named_in_capitals() -> None:
    named = named_documents("What was the fabrikam order of Contoso?", REPORTS)
    assert set(named.agreement) == {"c2030.pdf", "c2031.pdf"}


def test_topics_and_words_of_accounting_name_nothing_in_small_letters() -> None:
    policies = [report(f"{topic}.pdf", "Northwind AG") for topic in ("travel", "leave", "purchasing")]
    assert not named_documents("who books travel?", policies).agreement
    assert not named_documents("what was the net revenue?", REPORTS).agreement


WORDS = [
    report(f"{number}.pdf", f"{name}; {symbol}; Form 10-K; fiscal year ended June 30, 2031")
    for number, (name, symbol) in enumerate([
        ("Visa Inc", "V"), ("Target Corp", "TGT"), ("The Gap, Inc", "GPS"), ("The Allstate Corporation", "ALL"),
        ("Costco Wholesale Corporation", "COST"), ("General Mills, Inc", "GIS"), ("Dollar Tree, Inc", "DLTR"),
        ("ServiceNow, Inc", "NOW"), ("Lowe's Companies", "LOW"), ("Shell plc", "SHEL"),
    ])
]  # fmt: skip


@pytest.mark.parametrize(
    "question",
    [
        "Do employees need a visa for a business trip in 2031?",
        "do employees need a visa for a business trip in 2031?",
        "is visa paid for?",
        "what is the target for gross margin in 2031?",
        "what gap in coverage did the auditors find in 2031?",
        "what were all the risk factors in the 10-k of 2031?",
        "what was the cost of sales in 2031?",
        "what were general and administrative expenses in 2031?",
        "what was the dollar amount of repurchases in 2031?",
        "what is now the largest risk in the 10-k?",
        "was interest low in 2031?",
        "which shell companies were dissolved in 2031?",
        "is cost now low?",
    ],
)
def test_ordinary_words_in_small_letters_name_no_company(question: str) -> None:
    handbook = report("hr_handbook.pdf", "Northwind AG")
    assert not named_documents(question, [handbook, *WORDS]).is_by_name


@pytest.mark.parametrize(
    ("question", "document"),
    [("what were target's sales?", "1.pdf"), ("visa 10-k", "0.pdf"), ("general mills capex 2031", "5.pdf")],
)
def test_companies_called_by_a_word_are_named_where_a_document_is_meant(question: str, document: str) -> None:
    assert set(named_documents(question, WORDS).agreement) == {document}


def test_an_amendment_is_asked_for_in_small_letters_too() -> None:
    amended = report("a.pdf", "Northwind Traders, Inc; Form 10-K/A; fiscal year ended June 30, 2031")
    assert arranged("why was the 10-k/a of northwind for 2031 filed?", [*REPORTS, amended])[0] == len(REPORTS)


@pytest.mark.parametrize(
    ("pasted", "typed"),
    [
        ("North\u200bwind\u2019s 10\u2011K of FY\u00a02031", "Northwind\u2019s 10-K of FY 2031"),
        ("\ufeffNorth\u00adwind", "Northwind"),
        ("\uff26\uff39\uff13\uff11\u3000\uff1f", "FY31 ?"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("\u200b", "\u200b"),
    ],
)
def test_a_pasted_question_is_as_if_it_had_been_typed(pasted: str, typed: str) -> None:
    assert as_typed(pasted) == typed


QUARTERS = [
    report("1.pdf", "Northwind AG; Form 10-K; fiscal year ended December 31, 2031", heading="Statements of Income"),
    *(
        report(
            f"{month}.pdf", f"Northwind AG; Form 10-Q; quarterly period ended {month} 30, 2031", heading="Statements of Income"
        )
        for month in ("June", "September")
    ),
    report("e.pdf", "Northwind; Fourth Quarter and Full Year 2031"),
    *(report(f"c{it}.pdf", "Contoso AG; Form 10-K; fiscal year ended June 30, 2031") for it in range(8)),
]


@pytest.mark.parametrize(
    ("question", "document"),
    [
        ("What was Northwind's net income in the fourth quarter of 2031?", "e.pdf"),
        ("What was Northwind's net income in Q3 2031?", "September.pdf"),
        ("What was Northwind's net income in 2Q31?", "June.pdf"),
        ("What was Northwind's net income in 2031?", "1.pdf"),
    ],
)
def test_a_quarter_is_in_the_report_that_ends_with_it_and_the_fourth_in_no_quarterly_report(question: str, document: str) -> None:
    assert QUARTERS[arranged(question, QUARTERS)[0]].document == document
