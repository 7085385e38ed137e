"""Rows that are counted where a question only says what they are called and what they are grouped by."""

from __future__ import annotations

import pytest

from mesh_core.answers.figures import plan_figures
from mesh_core.answers.tables import FigurePlan, TableModel
from tests.unit.test_figure_planning import TODAY
from tests.unit.test_figure_wordings import TRIPS
from tests.unit.test_grouped_and_compared_figures import SALES


def plan(question: str, table: TableModel = SALES) -> FigurePlan:
    return plan_figures(question, [table], today=TODAY)


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("sales per status", "by status"),
        ("Sales by country and month in 2025", "2025-01-01 to 2025-12-31, by country, month"),
        ("Show me the sales for each town", "by town"),
        ("What are the sales by the country?", "by country"),
        ("sales each quarter in the north", "country north, by quarter"),
    ],
)
def test_rows_are_counted_as_with_how_many(question, said):
    found = plan(question)
    assert [it.basis for it in found.queries] == [f"sale_count of kiosk.sales.sales, {said}"]
    assert not found.unclear


def test_rows_are_counted_though_no_measure_counts_them():
    (query,) = plan("trips per line", TRIPS).queries
    assert query.basis == "number_of_trips of rail.trips.trips, by line"


@pytest.mark.parametrize(
    "question",
    ["sales by phone", "Can I place sales by phone?", "list sales by status", "sale by country", "sales tax by country",
     "Are sales by country reported?", "sales", "sales by"],
)  # fmt: skip
def test_what_only_begins_alike_counts_nothing(question):
    found = plan(question)
    assert (found.queries, found.unclear) == ((), ())


@pytest.mark.parametrize("question", ["sales by country and weather", "sales per status of Anna"])
def test_a_word_that_is_not_understood_is_told_and_left_to_texts(question):
    found = plan(question)
    assert (found.queries, found.unclear, found.is_whole) == ((), (), False)
    assert "not known" in found.hints[0]


def test_a_measure_that_is_named_goes_before_what_rows_are_called():
    (query,) = plan("revenue of sales by country").queries
    assert query.basis == "net_revenue of kiosk.sales.sales, by country"
