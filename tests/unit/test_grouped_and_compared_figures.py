"""Figures by groups that a question names in any of its ways, and figures of periods and values that it compares."""

from __future__ import annotations

import pytest

from mesh_core.answers.figures import plan_figures
from mesh_core.answers.tables import FigurePlan, TableModel
from tests.unit.test_figure_planning import TODAY, measure, port, synonyms, values

SALES = TableModel(
    "kiosk.sales.sales",
    1,
    port(
        "sales",
        [
            {"name": "sale_id", "logicalType": "string", "primaryKey": True},
            {"name": "sold_on", "logicalType": "date", "semanticType": "dimension"},
            {
                "name": "country", "logicalType": "string", "semanticType": "dimension", "synonyms": synonyms("market"),
                "enum": values("north", "south"),
            },
            {"name": "town", "logicalType": "string", "semanticType": "dimension"},
            {"name": "status", "logicalType": "string"},
            {"name": "price", "logicalType": "number"},
            measure("net_revenue", "SUM(price)", "revenue", unit="EUR"),
            measure("sale_count", "COUNT(*)"),
        ],
    ),
)  # fmt: skip
OF = "net_revenue of kiosk.sales.sales"


def plan(question: str) -> FigurePlan:
    return plan_figures(question, [SALES], today=TODAY)


def bases(question: str) -> list[str]:
    found = plan(question)
    assert not found.unclear, found.unclear
    return [it.basis for it in found.queries]


@pytest.mark.parametrize(
    ("question", "by"),
    [
        ("revenue by country and month", "country, month"),
        ("revenue per country, month", "country, month"),
        ("Revenue for each market", "country"),
        ("revenue by countries", "country"),
        ("What is the revenue per status?", "status"),
        ("revenue by sale status and country", "status, country"),
        ("revenue by the status", "status"),
        ("revenue by country and sale status", "country, status"),
        ("monthly revenue", "month"),
        ("revenue monthly", "month"),
        ("What was our weekly revenue per country?", "week, country"),
        ("quarterly revenue by status", "quarter, status"),
    ],
)
def test_whatever_the_table_stores_groups_it_in_the_singular_the_plural_and_as_an_adverb(question, by):
    said = bases(question)
    assert len(said) == 1
    assert said[0].startswith(f"{OF}, by ")
    assert set(said[0].removeprefix(f"{OF}, by ").split(", ")) == set(by.split(", "))


@pytest.mark.parametrize("question", ["How many sales are there per status?", "How many sales by statuses?"])
def test_rows_are_counted_by_a_column_that_is_no_dimension_of_the_contract(question):
    assert bases(question) == ["sale_count of kiosk.sales.sales, by status"]


def test_a_column_that_is_no_dimension_is_ranked_where_the_question_asks_which():
    (query,) = plan("Which status has the most sales?").queries
    assert query.basis == "sale_count of kiosk.sales.sales, by status"
    assert query.top == 1


@pytest.mark.parametrize("question", ["revenue by weather", "revenue of status", "revenue by country of weather"])
def test_a_group_that_no_column_is_called_gives_no_figure(question):
    assert not plan(question).queries


@pytest.mark.parametrize(
    ("question", "periods"),
    [
        ("What was the revenue in 2026 vs 2025?", ["2026-01-01 to 2026-12-31", "2025-01-01 to 2025-12-31"]),
        ("revenue in 2026 vs. 2025", ["2026-01-01 to 2026-12-31", "2025-01-01 to 2025-12-31"]),
        ("Revenue this month compared to last month", ["2026-11-01 to 2026-11-30", "2026-10-01 to 2026-10-31"]),
        ("Compare revenue of March 2026 and April 2026", ["2026-03-01 to 2026-03-31", "2026-04-01 to 2026-04-30"]),
        ("Revenue in March versus April 2026", ["2026-03-01 to 2026-03-31", "2026-04-01 to 2026-04-30"]),
        ("revenue of Q1 vs Q2 2026", ["2026-01-01 to 2026-03-31", "2026-04-01 to 2026-06-30"]),
        ("Compare the revenue between March 2026 and April 2026", ["2026-03-01 to 2026-03-31", "2026-04-01 to 2026-04-30"]),
        ("Was the revenue in 2026 higher than in 2025?", ["2026-01-01 to 2026-12-31", "2025-01-01 to 2025-12-31"]),
    ],
)
def test_each_of_the_periods_that_are_compared_has_a_figure(question, periods):
    assert bases(question) == [f"{OF}, {it}" for it in periods]


def test_a_range_is_one_period_where_nothing_is_compared():
    assert bases("revenue between March 2026 and April 2026") == [f"{OF}, 2026-03-01 to 2026-04-30"]


@pytest.mark.parametrize(
    "question", ["revenue of north vs south", "Compare revenue of north and south", "revenue in the countries north versus south"]
)
def test_each_of_the_values_that_are_compared_has_a_figure(question):
    assert bases(question)[0] == f"{OF}, country north or south, by country"


def test_values_that_no_contract_lists_are_compared_behind_their_column():
    assert bases("revenue of town Oslo vs Bergen") == [f"{OF}, town Oslo or Bergen, by town"]


@pytest.mark.parametrize(
    "question",
    [
        "revenue in 2026 vs budget",
        "revenue in 2026 versus plan 2026",
        "revenue volatility 2026 vs 2025",
        "How many sales have more revenue in 2026 than in 2025?",
        "How many sales were larger in 2026 than in 2025?",
    ],
)
def test_what_is_compared_with_something_unknown_gives_no_figure(question):
    assert not plan(question).queries
