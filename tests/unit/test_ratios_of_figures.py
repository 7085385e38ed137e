"""One measure by another: what asks for it, and what only looks alike."""

from __future__ import annotations

import duckdb
import pytest
from sqlglot import parse_one

from governance_server.gateway.sql_query import parse_query
from mesh_core.answers.figures import plan_figures
from mesh_core.answers.ratio_sql import divided
from mesh_core.answers.tables import FigurePlan, TableModel, filled
from mesh_core.answers.totals import is_sum
from mesh_core.contract.semantics import Measure
from tests.unit.test_figure_planning import TODAY, measure, port
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
    (query,) = plan("takings divided by number of trips", TRIPS, PASSENGERS).queries
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


def test_a_sum_of_some_rows_is_not_divided_by_all_rows():
    (query,) = plan("takings per trip", TRIPS, PASSENGERS).queries
    assert query.basis == "takings of rail.trips.trips, by trip_id"


@pytest.mark.parametrize("expression", ["SUM(price) FILTER (WHERE price > 1)", "SUM(CASE WHEN price > 1 THEN price END)"])
def test_a_sum_is_of_some_rows_however_that_is_written(expression):
    assert is_sum(Measure("it", expression))
    assert not is_sum(Measure("it", expression), of_all_rows=True)


def test_the_ratio_is_in_a_column_that_the_port_has_not():
    columns = [{"name": name, "logicalType": "number"} for name in ("ratio", "price")]
    table = TableModel("a.b.lots", 1, port("lots", [*columns, measure("worth", "SUM(price)"), measure("lot_count", "COUNT(*)")]))
    (query,) = plan("worth divided by lot count by ratio", table).queries
    assert 'AS "ratio_"' in parse_query(query.sql, prefix="p_").sql
    assert "{ratio_|none" in query.sentences[1]


@pytest.mark.parametrize(
    ("one", "two", "ratio"),
    [(3, 4_000_000, 7.5e-7), (1, 3, 0.3333), (2, 3_000, 0.0006667), (-1, 30_000, -3.333e-5), (0, 5, 0.0),
     (1_234_567, 9, 137174.1111), (5, 0, None)],
)  # fmt: skip
def test_small_ratios_keep_four_digits(one, two, ratio):
    made = divided(parse_one(str(one)), parse_one(str(two)))
    assert duckdb.sql("SELECT " + made.sql(dialect="duckdb")).fetchall() == [(ratio,)]
