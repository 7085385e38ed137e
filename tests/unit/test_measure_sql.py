"""Measures as SQL: what is built for them, run on DuckDB against sums made by hand."""

from __future__ import annotations

from datetime import date

import duckdb
import pytest

from governance_server.gateway.sql_query import parse_query
from mesh_core.answers.intervals import Interval
from mesh_core.answers.measure_sql import MeasureQuery, measure_sql
from mesh_core.answers.row_conditions import InvalidMeasure, Values
from tests.unit.test_semantics import MONTH, NET, contract, measure

NAME = "sales.orders.orders"
PORT = contract(NET, MONTH, measure("COUNT(*)", name="orders_placed")).ports[0]
ROWS = [
    ("O-1", date(2026, 1, 5), "DE", "placed", 10),
    ("O-2", date(2026, 1, 31), "DE", "refunded", 20),
    ("O-3", date(2026, 2, 1), "FR", "placed", 40),
    ("O-4", date(2026, 3, 1), "O'Neill", "placed", 80),
]


def run(sql: str) -> list[tuple[object, ...]]:
    """The rows, once the gateway would take the query as well."""
    parsed = parse_query(sql, prefix="p_")
    (table,) = parsed.tables
    assert table.port == NAME
    with duckdb.connect() as engine:
        engine.execute(
            f'CREATE TABLE "{table.engine_name}" (order_id text, ordered_on date, country text, status text, amount int)'
        )
        engine.executemany(f'INSERT INTO "{table.engine_name}" VALUES (?, ?, ?, ?, ?)', ROWS)
        return engine.execute(parsed.sql).fetchall()


def test_a_measure_alone_is_one_row():
    assert run(measure_sql(NAME, PORT, MeasureQuery(("net_revenue",)))) == [(130,)]


def test_groups_come_first_and_in_order():
    sql = measure_sql(NAME, PORT, MeasureQuery(("net_revenue", "orders_placed"), by=("country",)))
    assert run(sql) == [("DE", 10, 2), ("FR", 40, 1), ("O'Neill", 80, 1)]


def test_computed_dimensions_and_grains_of_time_are_groups():
    by_dimension = run(measure_sql(NAME, PORT, MeasureQuery(("net_revenue",), by=("month",))))
    assert [row[1] for row in by_dimension] == [10, 40, 80]
    by_grain = run(measure_sql(NAME, PORT, MeasureQuery(("net_revenue",), by=("quarter",))))
    assert [row[1] for row in by_grain] == [130]


def test_a_period_excludes_its_end():
    period = Interval(date(2026, 1, 1), date(2026, 2, 1))
    assert run(measure_sql(NAME, PORT, MeasureQuery(("orders_placed",), period=period))) == [(2,)]


def test_conditions_are_over_columns_and_dimensions():
    query = MeasureQuery(("orders_placed",), where="month = DATE '2026-01-01' OR orders.country = 'FR'")
    assert run(measure_sql(NAME, PORT, query)) == [(3,)]


def test_values_are_literals_whatever_is_in_them():
    for value in ("O'Neill", "o'neill"):
        assert run(measure_sql(NAME, PORT, MeasureQuery(("net_revenue",), only=(Values("country", (value,)),)))) == [(80,)]
    evil = "x') OR 1=1 --"
    assert run(measure_sql(NAME, PORT, MeasureQuery(("net_revenue",), only=(Values("country", (evil,)),)))) == [(None,)]


def test_the_greatest_come_first_in_a_ranking():
    assert run(measure_sql(NAME, PORT, MeasureQuery(("net_revenue",), by=("country",), top=2))) == [("O'Neill", 80), ("FR", 40)]


def test_a_version_is_read_as_sql_reads_it():
    sql = measure_sql(NAME, PORT, MeasureQuery(("net_revenue",), version=3))
    assert parse_query(sql, prefix="p_").tables[0].version == 3


@pytest.mark.parametrize(
    ("query", "said"),
    [
        (MeasureQuery(("profit",)), "no measure 'profit': it has net_revenue, orders_placed"),
        (MeasureQuery(("net_revenue",), by=("planet",)), "no dimension 'planet'"),
        (MeasureQuery(("net_revenue",), where="amount >"), "cannot be understood"),
        (MeasureQuery(("net_revenue",), where="1=1) UNION SELECT (1"), "where"),
        (MeasureQuery(("net_revenue",), where="amount IN (SELECT 1)"), "single rows"),
        (MeasureQuery(("net_revenue",), where="SUM(amount) > 3"), "single rows"),
        (MeasureQuery(("net_revenue",), only=(Values("amount", ("many",)),)), "holds numbers"),
        (MeasureQuery(()), "No measure is named"),
    ],
)
def test_what_the_contract_does_not_define_is_refused_with_what_it_does(query, said):
    with pytest.raises(InvalidMeasure, match=said.replace("(", r"\(")):
        measure_sql(NAME, PORT, query)


def test_times_that_are_said_are_texts_of_their_grain_and_sort_as_before():
    for by, said in (("month", "2026-01"), ("quarter", "2026-Q1"), ("year", "2026"), ("day", "2026-01-05")):
        query = MeasureQuery(("orders_placed",), by=(by,))
        found = run(measure_sql(NAME, PORT, query, is_said=True))
        assert found[0][0] == said
        assert [row[1] for row in found] == [row[1] for row in run(measure_sql(NAME, PORT, query))]


def test_a_ratio_is_one_measure_by_the_other_and_of_nothing_there_is_none():
    query = MeasureQuery(("net_revenue", "orders_placed"), by=("country",), is_ratio=True)
    assert run(measure_sql(NAME, PORT, query)) == [("DE", 10, 2, 5.0), ("FR", 40, 1, 40.0), ("O'Neill", 80, 1, 80.0)]
    later = Interval(date(2027, 1, 1), None)
    assert run(measure_sql(NAME, PORT, MeasureQuery(query.measures, period=later, is_ratio=True))) == [(None, 0, None)]
