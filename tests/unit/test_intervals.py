"""Stretches of time in questions, against the calendar."""

from __future__ import annotations

from datetime import date

import pytest

from domain_sdk.errors import InvalidRequest
from domain_sdk.sql import period_of
from mesh_core.answers.intervals import Interval, intervals_in

TODAY = date(2026, 11, 26)  # a Thursday


def days(start: str | None, end: str | None) -> Interval:
    return Interval(date.fromisoformat(start) if start else None, date.fromisoformat(end) if end else None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("net revenue of March 2026", [("2026-03-01", "2026-04-01")]),
        ("in 2026-12", [("2026-12-01", "2027-01-01")]),
        ("in Q1 2026", [("2026-01-01", "2026-04-01")]),
        ("the fourth quarter of 2025", [("2025-10-01", "2026-01-01")]),
        ("H2 2025", [("2025-07-01", "2026-01-01")]),
        ("revenue 2024", [("2024-01-01", "2025-01-01")]),
        ("on 2026-02-28", [("2026-02-28", "2026-03-01")]),
        ("on 28 February 2026", [("2026-02-28", "2026-03-01")]),
        ("on February 28, 2026", [("2026-02-28", "2026-03-01")]),
        ("since 2026-04-01", [("2026-04-01", None)]),
        ("before March 2026", [(None, "2026-03-01")]),
        ("after March 2026", [("2026-04-01", None)]),
        ("until the end of March 2026", [(None, "2026-04-01")]),
        ("from January to March 2026", [("2026-01-01", "2026-04-01")]),
        ("between 2026-01-05 and 2026-01-07", [("2026-01-05", "2026-01-08")]),
        ("Q1 and Q2 2026", [("2026-01-01", "2026-04-01"), ("2026-04-01", "2026-07-01")]),
        ("Q1 2025 and Q1 2026", [("2025-01-01", "2025-04-01"), ("2026-01-01", "2026-04-01")]),
        ("last month", [("2026-10-01", "2026-11-01")]),
        ("this quarter", [("2026-10-01", "2027-01-01")]),
        ("last year", [("2025-01-01", "2026-01-01")]),
        ("last week", [("2026-11-16", "2026-11-23")]),
        ("the last 30 days", [("2026-10-27", "2026-11-27")]),
        ("the last 3 months", [("2026-08-01", "2026-11-01")]),
        ("yesterday", [("2026-11-25", "2026-11-26")]),
        ("year to date", [("2026-01-01", "2026-11-27")]),
        ("order O-2026 for 2026 euro", []),
        ("order 4711, version 2.2026", []),
        ("on 2026-02-30", []),
    ],
)
def test_calendar_time_is_read_as_people_write_it(text, expected):
    found = intervals_in(text, TODAY)
    assert found is not None
    assert [it.interval for it in found] == [days(*it) for it in expected]
    for span in found:
        assert text[span.begin : span.finish].strip()


def test_fiscal_time_is_not_guessed():
    assert intervals_in("revenue of fiscal 2026", TODAY) is None
    assert intervals_in("revenue of FY2026", TODAY) is None


@pytest.mark.parametrize(
    ("text", "unread"),
    [
        ("Q5 2026", "'Q5'"), ("Q0 2026", "'Q0'"), ("Marhc 2026", "'Marhc'"), ("foo 2026", "'foo'"), ("week 3 2026", "'week' '3'"),
        ("2026-03-01 to 2026-02-30", "'to' '2026-02-30'"), ("not 2026", "'not'"),
    ],
)  # fmt: skip
def test_a_period_with_a_word_that_is_not_understood_is_none(text, unread):
    with pytest.raises(InvalidRequest, match=f"of which {unread} is not understood"):
        period_of(text)


def test_a_period_that_ends_before_it_begins_is_none():
    with pytest.raises(InvalidRequest, match="ends before it begins"):
        period_of("from March to January 2026")


def test_words_that_lead_to_a_period_are_understood():
    assert period_of("in the first quarter of 2026") == period_of("from January to March 2026") == period_of("Q1 2026")
    assert period_of("during the year 2026") == period_of("2026")
