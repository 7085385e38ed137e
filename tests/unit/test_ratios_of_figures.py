"""One measure by another: what asks for it, and what only looks alike."""

from __future__ import annotations

import pytest

from mesh_core.answers.figures import plan_figures
from mesh_core.answers.tables import FigurePlan, TableModel, filled
from tests.unit.test_figure_planning import TODAY
from tests.unit.test_figure_wordings import PASSENGERS, TRIPS
from tests.unit.test_grouped_and_compared_figures import SALES

OF = "net_revenue per sale_count of kiosk.sales.sales"


def plan(question: str, *tables: TableModel) -> FigurePlan:
    return plan_figures(question, tables or [SALES], today=TODAY)


@pytest.mark.parametrize(
    ("question", "limits"),
    [
        ("ratio of revenue to sale count", ""),
        ("What is the ratio of the revenue to the sale count in 2025?", ", 2025-01-01 to 2025-12-31"),
        ("revenue per sale count", ""),
        ("revenue divided by sale count", ""),
        ("revenue per sale", ""),
        ("What was the revenue per sale in the north?", ", country north"),
        ("revenue per sale by country", ", by country"),
    ],
)
def test_the_ratio_of_two_measures_is_told_with_both(question, limits):
    found = plan(question)
    assert not found.unclear
    (query,) = found.queries
    assert query.basis == f"{OF}{limits}"
    assert [{"net_revenue", "sale_count"} <= set(it.replace("}", "{").split("{")) for it in query.sentences] == [True, False]


def test_a_ratio_has_the_unit_of_what_is_divided_and_is_told_as_none_without_a_value():
    (query,) = plan("takings per trip", TRIPS, PASSENGERS).queries
    of = "Ratio in EUR of takings to number of trips of rail.trips.trips: "
    assert filled(query.sentences[1], {"ratio": "2.5"}) == f"{of}2.5."
    assert filled(query.sentences[1], {"ratio": ""}) == f"{of}none, as the latter is zero or has no value."


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("ratio of revenue to revenue", "one of two figures"),
        ("top 3 countries by revenue divided by sale count", "not ranked"),
        ("How much did revenue per sale count grow from 2024 to 2025?", "one by one"),
        ("ratio of revenue to sale count of Atlantis", "“Atlantis”"),
    ],
)
def test_what_is_no_ratio_of_two_is_told_and_not_computed(question, said):
    found = plan(question)
    assert not found.queries
    assert said in found.unclear[0]


@pytest.mark.parametrize(
    "question", ["ratio of revenue to profit", "ratio of revenue 2026 vs 2025", "What is our policy on revenue per sale?"]
)
def test_what_names_one_measure_or_asks_for_none_has_no_ratio(question):
    found = plan(question)
    assert (found.queries, found.unclear) == ((), ())


@pytest.mark.parametrize(
    ("question", "by"),
    [("revenue per sale id", "sale_id"), ("revenue per sale status", "status"), ("average revenue per sale", "sale_id"),
     ("revenue by sale per country", "sale_id, country")],
)  # fmt: skip
def test_a_column_that_is_named_and_figures_that_do_not_add_up_are_grouped_as_before(question, by):
    (query,) = plan(question).queries
    assert query.basis.endswith(f" of kiosk.sales.sales, by {by}")
    assert "ratio" not in query.sql
