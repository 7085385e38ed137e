"""What lies between two figures: what asks for it, of which two periods or values, and what only sounds like it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mesh_core.answers.answer import Figure
from mesh_core.answers.comparisons import untold
from mesh_core.answers.figures import plan_figures
from mesh_core.answers.measure_types import is_number
from mesh_core.answers.tables import FigurePlan, TableModel
from mesh_core.contract.semantics import Measure
from tests.unit.test_figure_planning import TODAY, measure, port
from tests.unit.test_grouped_and_compared_figures import OF, SALES

Y24, Y25 = "2024-01-01 to 2024-12-31", "2025-01-01 to 2025-12-31"
Q1, Q2 = "2026-01-01 to 2026-03-31", "2026-04-01 to 2026-06-30"


def plan(question: str, table: TableModel = SALES) -> FigurePlan:
    return plan_figures(question, [table], today=TODAY)


def basis(question: str) -> str:
    found = plan(question)
    assert not found.unclear, found.unclear
    (query,) = found.queries
    return query.basis


@pytest.mark.parametrize(
    ("question", "one", "two"),
    [
        ("How much did revenue grow from 2024 to 2025?", Y24, Y25),
        ("By how many percent did revenue fall between Q1 and Q2 2026?", Q1, Q2),
        ("By what percentage did the revenue rise from Q1 2026 to Q2 2026?", Q1, Q2),
        ("What is the difference in revenue between 2024 and 2025?", Y24, Y25),
        ("difference between revenue in 2024 and 2025", Y24, Y25),
        ("What was the percentage increase in revenue from 2024 to 2025?", Y24, Y25),
        ("the drop in revenue between Q1 and Q2 2026", Q1, Q2),
        ("How did revenue change from 2024 to 2025?", Y24, Y25),
        ("revenue growth 2025 vs 2024", Y24, Y25),
        ("What was the revenue growth from 2024 to 2025 in percent?", Y24, Y25),
        ("growth of revenue from 2024 to 2025", Y24, Y25),
        ("growth in revenue, 2024 to 2025", Y24, Y25),
        ("How has the revenue changed between 2024 and 2025, in percent?", Y24, Y25),
        ("Did revenue decrease from 2024 to 2025?", Y24, Y25),
        ("How much more revenue did we make in 2025 than in 2024?", Y24, Y25),
        ("How much higher was revenue in 2025 than in 2024?", Y24, Y25),
        ("How much did revenue increase in 2025 compared with 2024?", Y24, Y25),
        ("How much did revenue change from last quarter to last quarter of 2025?", None, None),
    ],
)
def test_a_change_is_between_two_periods_the_earlier_one_first(question, one, two):
    if one is None:
        assert not plan(question).queries
    else:
        assert basis(question) == f"{OF}, {one} compared with {two}"


def test_both_figures_their_difference_and_the_percent_are_said_with_what_they_are_of():
    (query,) = plan("How much did revenue in the north grow from 2024 to 2025?").queries
    assert query.sentences == (
        f"Net revenue {{first_net_revenue}} EUR of kiosk.sales.sales, {Y24}, country north.",
        f"Net revenue {{second_net_revenue}} EUR of kiosk.sales.sales, {Y25}, country north.",
        f"Difference in net revenue of kiosk.sales.sales, {Y25}, country north compared with {Y24}, country north: "
        "{difference} EUR.",
        f"Change in net revenue of kiosk.sales.sales, {Y25}, country north compared with {Y24}, country north: "
        "{change_in_percent} percent.",
    )


@pytest.mark.parametrize(
    "question",
    ["How much did sales grow from 2024 to 2025?", "How many more sales were there in 2025 than in 2024?",
     "By how much did the number of sales rise from 2024 to 2025?", "the increase in sales between 2024 and 2025"],
)  # fmt: skip
def test_the_change_of_what_rows_are_called_is_one_of_their_number(question):
    assert basis(question) == f"sale_count of kiosk.sales.sales, {Y24} compared with {Y25}"


@pytest.mark.parametrize(
    ("question", "one", "two"),
    [
        ("What is the difference in revenue between north and south?", "country north", "country south"),
        ("difference in revenue between north and south in Q1 2026", f"{Q1}, country north", f"{Q1}, country south"),
        ("How much more revenue did south make than north?", "country south", "country north"),
        ("difference in revenue between town Oslo and Bergen", "town Oslo", "town Bergen"),
    ],
)
def test_a_difference_is_between_two_values_as_they_are_named_and_has_no_percent(question, one, two):
    (query,) = plan(question).queries
    assert query.basis == f"{OF}, {one} compared with {two}"
    assert query.sentences[-1].startswith(f"Difference in net revenue of kiosk.sales.sales, {one} compared with {two}: ")
    assert "change_in_percent" not in query.sql


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("How much did revenue grow in 2025?", "name two periods"),
        ("How much did revenue grow since 2025?", "name two periods"),
        ("How much did revenue grow between 2023, 2024 and 2025?", "name two periods"),
        ("difference in revenue between 2023, 2024 and 2025", "name two periods"),
        ("How much did revenue of north and south grow from 2024 to 2025?", "name two periods"),
        ("How much did revenue grow from 2024 to March 2025?", "one is longer than the other"),
        ("How much did revenue grow from March 2025 to 2025?", "they overlap"),
        ("How much did revenue grow from 2025 to 2024?", "ends before it begins"),
        ("How much did revenue grow from fiscal 2024 to fiscal 2025?", "fiscal year"),
        ("How much did revenue and sale count grow from 2024 to 2025?", "ask for the figures one by one"),
        ("By how many percent did revenue differ between north and south?", "“percent”"),
        ("What is the percentage difference in revenue between north and south?", "“percentage”"),
        ("How much did revenue in Atlantis grow from 2024 to 2025?", "“Atlantis”"),
        ("How many sales were changed between 2024 and 2025?", "“changed”"),
        ("How many sales fell between March and May 2026?", "“fell”"),
    ],
)
def test_what_is_not_between_two_alike_is_told_and_not_computed(question, said):
    found = plan(question)
    assert not found.queries
    assert any(said in it for it in (*found.unclear, *found.hints)), found


@pytest.mark.parametrize(
    "question",
    [
        "How much did profit grow from 2024 to 2025?", "Why did revenue fall from 2024 to 2025?", "When did revenue rise?",
        "How do I change the country of a sale?", "Can a sale be changed?", "By how much do salaries rise?",
        "How much did frozen revenue grow from 2024 to 2025?", "How did revenue change?", "Does revenue fall due in March?",
        "May we drop sales by phone?", "What is the difference between a sale and an offer?",
    ],
)  # fmt: skip
def test_words_of_change_in_other_questions_leave_the_answer_to_passages(question):
    found = plan(question)
    assert (found.queries, found.unclear, found.is_whole) == ((), (), False)


def test_differences_by_groups_are_not_computed_and_the_figures_of_the_groups_are_told():
    found = plan("difference in revenue between 2024 and 2025 by country")
    assert [it.basis for it in found.queries] == [f"{OF}, {Y24}, by country", f"{OF}, {Y25}, by country"]
    assert found.unclear == ("Differences are not computed by groups: ask for one of the groups at a time.",)


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("How much did revenue grow between 1 January 2025 and 31 December 2025?", "are single days"),
        ("difference in revenue between all sales and north and south", "between two"),
        ("difference in revenue between all sales, north and south", "between two"),
    ],
)
def test_days_that_lie_apart_and_three_things_are_not_compared(question, said):
    found = plan(question)
    assert not any(it.sides for it in found.queries)
    assert said in found.unclear[0]


@pytest.mark.parametrize(
    "question",
    [
        "How much did revenue grow between 1 January 2025 and 2 January 2025?",
        "difference in all revenue between north and south",
    ],
)
def test_days_one_after_the_other_and_two_values_are_compared(question):
    found = plan(question)
    assert [bool(it.sides) for it in found.queries] == [True], found.unclear


def test_a_period_that_is_not_over_is_told_as_such():
    found = plan("How much did revenue grow from 2025 to 2026?")
    assert len(found.queries) == 1
    assert found.unclear == ("2026-01-01 to 2026-12-31 is not over yet: its figure may still change.",)


def test_the_difference_of_two_rates_is_in_percentage_points_and_has_no_percent():
    days = [{"name": "day", "logicalType": "date"}, {"name": "is_late", "logicalType": "boolean"}]
    rate = measure("late_rate", "100.0 * COUNT(*) FILTER (WHERE is_late) / COUNT(*)", unit="percent")
    trips = TableModel("a.b.trips", 1, port("trips", [*days, rate]))
    (query,) = plan("How much did the late rate rise from 2024 to 2025?", trips).queries
    assert query.sentences[2].endswith(": {difference} percentage points.")
    assert len(query.sentences) == 3


def test_nothing_is_compared_by_what_the_asker_sees_masked_and_rows_that_may_be_hidden_are_not_spoken_of():
    masked = TableModel(SALES.port, 1, SALES.definition, masked=frozenset({"country"}))
    found = plan("What is the difference in revenue between north and south?", masked)
    assert not found.queries
    assert "country, which you see masked" in found.unclear[0]
    for question in ("How much did revenue grow from 2024 to 2025?", "revenue by month", "revenue in 2025"):
        found = plan(question, TableModel(SALES.port, 1, SALES.definition, masked=frozenset({"sold_on"})))
        assert not found.queries
        assert "sold_on, which you see masked" in found.unclear[0]
    assert plan("revenue by country", TableModel(SALES.port, 1, SALES.definition, masked=frozenset({"sold_on"}))).queries
    filtered = TableModel(SALES.port, 1, SALES.definition, is_filtered=True)
    (query,) = plan("How much did revenue grow from 2024 to 2025?", filtered).queries
    assert all("of the rows that you may read of kiosk.sales.sales, " in it for it in query.sentences)


LAST = TableModel(
    SALES.port,
    1,
    replace(
        SALES.definition, measures=(*SALES.definition.measures, Measure("final_sale", "MAX(sold_on)", time_dimension="sold_on"))
    ),
)


@pytest.mark.parametrize(
    ("question", "figures"),
    [
        ("difference in final sale between 2024 and 2025", 2),
        ("How did the final sale change from 2024 to 2025?", 2),
        ("difference in final sale between north and south", 1),
        ("ratio of final sale to revenue", 1),
        ("revenue divided by final sale by country", 1),
    ],
)
def test_days_are_told_one_by_one_and_neither_subtracted_nor_divided(question, figures):
    found = plan(question, LAST)
    assert len(found.queries) == figures
    assert "final_sale is no number" in found.unclear[0]
    assert not any(it.sides or "ratio" in it.sql for it in found.queries)


@pytest.mark.parametrize(
    ("expression", "is_one"),
    [
        ("SUM(price)", True), ("COUNT(DISTINCT status)", True), ("MAX(sold_on) - MIN(sold_on)", True), ("MEDIAN(price)", True),
        ("MAX(sold_on) FILTER (WHERE price > 1)", False), ("MIN(status)", False), ("BOOL_AND(price > 1)", False),
        ("MAX(CAST(status AS date))", False), ("(MAX(sales.sold_on))", False),
    ],
)  # fmt: skip
def test_what_is_a_number_is_told_by_the_columns(expression, is_one):
    assert is_number(Measure("it", expression), SALES.definition) is is_one


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (("10", "20", "10", "100"), []),
        (("0.00", "20", "20", ""), ["No percentage is told: the figure of then is zero (it)."]),
        (("-3", "20", "23", ""), ["No percentage is told: the figure of then is below zero (it)."]),
        (("", "20", "", ""), ["No difference is told: no row that you may read has a value of then (it)."]),
        (("10", "", "", ""), ["No difference is told: no row that you may read has a value of now (it)."]),
        (("", "", "", ""), []),
    ],
)
def test_why_a_number_is_not_told_is_said(row, said):
    columns = ("first_revenue", "second_revenue", "difference", "change_in_percent")
    assert untold(("then", "now"), Figure(1, "", "it", columns, (row,), ())) == said


@pytest.mark.parametrize(
    "question",
    [
        "Sales by country must be reported to whom?",
        "sales each month must be reported",
        "Sales per status are limited to how many?",
        "How did the rise in revenue between 2024 and 2025 come about?",
        "Why is there a difference in revenue between north and south?",
        "Revenue growth between 2024 and 2025 was caused by what?",
    ],
)
def test_what_only_sounds_like_figures_is_left_to_the_texts(question):
    found = plan(question)
    assert (found.queries, found.unclear, found.is_whole) == ((), (), False)


@pytest.mark.parametrize("question", ["How many sales by weather?", "How much did revenue of Atlantis grow from 2024 to 2025?"])
def test_a_figure_that_is_asked_for_with_words_left_over_is_unclear(question):
    found = plan(question)
    assert not found.queries
    assert found.unclear
