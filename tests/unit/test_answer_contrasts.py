"""Sentences that say the other way round what is asked, which are no answers however near they are."""

from __future__ import annotations

import pytest

from mesh_core.answers.contrasts import is_contrary


@pytest.mark.parametrize(
    ("question", "sentence"),
    [
        ("What is the minimum term of the lease?", "The lease runs for at most 84 months."),
        ("How much does a room cost at least?", "Rooms may cost up to 140 euro a night."),
        ("How many guests may come at most?", "At least four guests must come."),
        ("What does a kayak cost a week?", "Kayaks cost 18 euro a day."),
        ("How much may be drawn per day?", "Up to 2,000 euro may be drawn each month."),
        ("How much is the monthly fee?", "The fee is 90 euro a year."),
        ("What is the quarterly payment?", "The payment is 300 euro per annum."),
        ("How much is the daily allowance?", "The allowance is 150 euro a week, for all."),
    ],
)
def test_a_most_is_no_least_and_a_day_no_week(question: str, sentence: str) -> None:
    assert is_contrary(question, sentence)


@pytest.mark.parametrize(
    ("question", "sentence"),
    [
        ("What is the minimum term of the lease?", "The lease runs for at least a year and at most seven."),
        ("What is the minimum term of the lease?", "The lease runs for twelve months."),
        ("How long may the lease run?", "The lease runs for at most 84 months."),
        ("What does a kayak cost a week?", "Kayaks cost 18 euro a day or 90 a week."),
        ("What does a kayak cost a week?", "Kayaks cost 18 euro."),
        ("What does a kayak cost?", "Kayaks cost 18 euro a day."),
        ("How much may be drawn per month?", "The monthly limit is 3,000 euro."),
        ("How much notice is given a week before the lease ends?", "Notice is given each month."),
        ("Who works a night shift?", "Shifts are planned every week."),
        ("How often are backups taken per day?", "Backups run hourly."),
        ("How often is the report due each year?", "Reports are due every month."),
        ("How much interest is charged per year?", "Interest of 6 % p.a. is charged; it is billed monthly."),
        ("What does the annual pass cost?", "A pass for twelve months costs 40, payable each month."),
        ("What does a day pass cost?", "It is 5 per month."),
        ("How many days of leave do I get a year?", "You get ten days; no more than two may be taken each month."),
        ("What is the maximum number of passengers?", "It takes 180 passengers or more precisely 179."),
    ],
)
def test_what_only_one_of_them_says_contrasts_with_nothing(question: str, sentence: str) -> None:
    assert not is_contrary(question, sentence)
