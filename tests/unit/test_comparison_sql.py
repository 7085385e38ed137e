"""Differences between two periods or two values as SQL, run on DuckDB against sums made by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import duckdb
import pytest

from governance_server.gateway.sql_query import parse_query
from mesh_core.answers.comparison_sql import comparison_sql
from mesh_core.answers.intervals import Interval
from mesh_core.answers.measure_sql import MeasureQuery
from mesh_core.answers.row_conditions import Values
from tests.unit.test_figure_planning import measure, port

NAME = "shop.sales.sales"
PORT = port(
    "sales",
    [
        {"name": "sold_on", "logicalType": "date", "semanticType": "dimension"},
        {"name": "country", "logicalType": "string", "semanticType": "dimension"},
        {"name": "price", "logicalType": "number", "physicalType": "decimal(12,2)"},
        {"name": "weight", "logicalType": "number"},
        measure("revenue", "SUM(price)"),
        measure("sales_made", "COUNT(*)"),
        measure("tonnage", "SUM(weight)"),
        measure("mean_price", "AVG(price)"),
    ],
)
ROWS = [
    (date(2024, 1, 5), "DE", Decimal("10.00"), 0.1),
    (date(2024, 2, 5), "FR", Decimal("30.10"), 1234567889.0),
    (date(2025, 1, 5), "DE", Decimal("50.15"), 0.3),
    (date(2026, 1, 5), "DE", Decimal("-8.00"), None),
    (date(2027, 1, 5), "DE", Decimal("0.00"), 1.0),
]


def year(number: int) -> Interval:
    return Interval(date(number, 1, 1), date(number + 1, 1, 1))


def changed(name: str, one: int, two: int) -> tuple[object, ...]:
    """What the measure was in both years, the difference, and the percent."""
    sides = (MeasureQuery((name,), period=year(one)), MeasureQuery((name,), period=year(two)))
    return run(comparison_sql(NAME, PORT, sides, is_change=True))


def run(sql: str) -> tuple[object, ...]:
    parsed = parse_query(sql, prefix="p_")
    with duckdb.connect() as engine:
        for table in parsed.tables:
            assert table.port == NAME
            engine.execute(f'CREATE TABLE "{table.engine_name}" (sold_on date, country text, price decimal(12,2), weight double)')
            engine.executemany(f'INSERT INTO "{table.engine_name}" VALUES (?, ?, ?, ?)', ROWS)
        (row,) = engine.execute(parsed.sql).fetchall()
        return row


def test_a_change_is_exact_and_in_percent_of_the_first():
    assert changed("revenue", 2024, 2025) == (Decimal("40.10"), Decimal("50.15"), Decimal("10.05"), 25.06)
    assert changed("sales_made", 2024, 2025) == (2, 1, -1, -50.0)


def test_numbers_that_are_no_decimals_are_subtracted_as_they_are_written():
    one = MeasureQuery(("tonnage",), only=(Values("country", ("DE",)),), period=year(2025))
    two = replace(one, period=year(2024))
    assert run(comparison_sql(NAME, PORT, (one, two), is_change=False)) == (0.3, 0.1, 0.2)


@pytest.mark.parametrize(
    ("name", "one", "two", "expected"),
    [
        ("revenue", 2027, 2025, (Decimal("0.00"), Decimal("50.15"), Decimal("50.15"), None)),
        ("revenue", 2026, 2025, (Decimal("-8.00"), Decimal("50.15"), Decimal("58.15"), None)),
        ("revenue", 2025, 2026, (Decimal("50.15"), Decimal("-8.00"), Decimal("-58.15"), -115.95)),
        ("tonnage", 2025, 2026, (0.3, None, None, None)),
        ("sales_made", 2023, 2024, (None, 2, None, None)),
        ("sales_made", 2024, 2030, (2, None, None, None)),
    ],
)
def test_where_there_is_no_percentage_or_no_value_there_is_no_number(name, one, two, expected):
    assert changed(name, one, two) == expected


def test_the_difference_between_two_values_is_of_the_first_less_the_second():
    german, french = (MeasureQuery(("mean_price",), only=(Values("country", (it,)),)) for it in ("DE", "FR"))
    assert run(comparison_sql(NAME, PORT, (german, french), is_change=False)) == (13.0375, 30.1, -17.0625)
