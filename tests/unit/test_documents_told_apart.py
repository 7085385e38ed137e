"""Documents of one company are told apart by their periods: quarters, and the statements in them."""

from __future__ import annotations

import pytest

from mesh_core.retrieval.arranging import arranged
from mesh_core.vectors.passages import Candidate


def report(document: str, about: str = "", *, page: int = 1, heading: str = "") -> Candidate:
    return Candidate(document, document.partition(".")[0].replace("_", " "), page, {"about": about, "heading": heading})


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
