"""polars gives the same three-valued answer as an evaluator written apart from it, on any data, without ever raising."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesh_core.expressions.errors import InvalidExpression, Unsupported
from mesh_core.expressions.polars import to_polars
from mesh_core.expressions.sql import parse_filter
from mesh_core.expressions.tree import And, Column, Compare, Expression, In, IsNull, Like, Literal, Not, Or, Subject
from tests.expression_cases import EXPRESSIONS, ROWS, evaluate

SCHEMA = pl.Schema(
    {
        "id": pl.Int64(),
        "ratio": pl.Float64(),
        "amount": pl.Decimal(12, 2),
        "Last Name": pl.String(),
        'qu"ote': pl.String(),
        "active": pl.Boolean(),
        "born": pl.Date(),
        "seen": pl.Datetime("us"),
        "seen_utc": pl.Datetime("us", "UTC"),
    }
)


@given(st.lists(ROWS, min_size=1, max_size=6), EXPRESSIONS)
@settings(max_examples=80, deadline=None)
def test_polars_agrees_with_the_truth_tables(rows: list[dict[str, object]], expression: Expression) -> None:
    frame = pl.DataFrame(rows, schema=SCHEMA)
    answers = frame.with_columns(answer=to_polars(expression, SCHEMA)).get_column("answer").to_list()
    assert answers == [evaluate(expression, row) for row in rows]


def answer(sql: str, values: list[object], dtype: pl.DataType) -> list[bool | None]:
    frame = pl.DataFrame({"x": values}, schema={"x": dtype})
    return frame.with_columns(a=to_polars(parse_filter(sql), frame.schema)).get_column("a").to_list()


def test_a_comparison_with_null_is_null_and_so_is_its_negation() -> None:
    assert answer("x = 1", [1, None], pl.Int64()) == [True, None]
    assert answer("NOT (x = 1)", [1, None], pl.Int64()) == [False, None]


def test_nan_equals_itself_and_is_greater_than_infinity() -> None:
    values = [math.nan, math.inf, 1.0, None]
    assert answer("x = DOUBLE 'NaN'", values, pl.Float64()) == [True, False, False, None]
    assert answer("x > DOUBLE 'Infinity'", values, pl.Float64()) == [True, False, False, None]
    assert answer("x >= 1.0", values, pl.Float64()) == [True, True, True, None]


def test_text_compared_with_a_number_is_null_and_does_not_raise() -> None:
    assert answer("x = 1 OR x > 2", ["1", "a"], pl.String()) == [None, None]
    assert answer("NOT (x = 1)", ["1", "a"], pl.String()) == [None, None]


def test_an_integer_compared_beyond_its_range_has_the_exact_answer() -> None:
    assert answer("x < 300", [100, None], pl.Int8()) == [True, None]
    assert answer("x = 300", [44, None], pl.Int8()) == [False, None]
    assert answer("x > -1", [0, 255], pl.UInt8()) == [True, True]
    assert answer("x <= 1.5", [1, 2], pl.Int64()) == [True, False]
    assert answer("x < 1.5 AND x >= 0.5", [0, 1, 2], pl.Int64()) == [False, True, False]


def test_a_time_finer_than_the_column_has_the_exact_answer() -> None:
    noon = datetime(2020, 1, 1, 12)
    assert answer("x < TIMESTAMP '2020-01-01 12:00:00.000001'", [noon], pl.Datetime("ms")) == [True]
    assert answer("x = TIMESTAMP '2020-01-01 12:00:00.000001'", [noon], pl.Datetime("ms")) == [False]
    assert answer("x > TIMESTAMP '0001-01-01 00:00:00'", [noon], pl.Datetime("ns")) == [True]
    assert answer("x >= DATE '2020-01-01'", [noon], pl.Datetime("us")) == [True]
    assert answer("x < TIMESTAMP '2020-01-01 00:00:01'", [date(2020, 1, 1), date(2020, 1, 2)], pl.Date()) == [True, False]


def test_a_zone_other_than_utc_compares_by_instant() -> None:
    paris = pl.Datetime("us", "Europe/Paris")
    assert answer("x = TIMESTAMPTZ '2020-07-01 10:00:00+00:00'", [datetime(2020, 7, 1, 10, tzinfo=UTC)], paris) == [True]


def test_extreme_physical_values_do_not_raise() -> None:
    frame = pl.DataFrame({"d": [-(2**31), 2**31 - 1], "t": [-(2**63), 2**63 - 1]}, schema={"d": pl.Int32, "t": pl.Int64})
    frame = frame.select(pl.col("d").cast(pl.Date), pl.col("t").cast(pl.Datetime("us")))
    wanted = {
        "d < t": [True, False],
        "t > DATE '2020-01-01'": [False, True],
        "d >= DATE '2020-01-01'": [False, True],
        "d IN (DATE '0001-01-01')": [False, False],
    }
    for sql, expected in wanted.items():
        shown = frame.select(a=to_polars(parse_filter(sql), frame.schema))
        assert shown.get_column("a").to_list() == expected, sql


def test_categories_compare_as_their_text() -> None:
    assert answer("x < 'b' AND x LIKE 'a%'", ["zz", "ab", None], pl.Categorical()) == [False, True, None]
    assert answer("x IN ('b', 'a')", ["b", "a"], pl.Enum(["b", "a"])) == [True, True]


def test_types_without_an_order_only_answer_is_null() -> None:
    assert answer("x = 1", [[1], None], pl.List(pl.Int64)) == [None, None]
    assert answer("x IS NULL", [[1], None], pl.List(pl.Int64)) == [False, True]


def test_columns_of_different_number_types_compare() -> None:
    frame = pl.DataFrame({"a": [2**63 - 1, 1], "b": [2**63, 1], "m": [Decimal("1.5"), Decimal("1.0")], "f": [1.5, math.nan]})
    frame = frame.cast({"a": pl.Int64, "b": pl.UInt64, "m": pl.Decimal(38, 2)})
    for sql, expected in {"a < b": [True, False], "m = f": [True, False], "a >= m": [True, True], "f > a": [False, True]}.items():
        assert frame.with_columns(a=to_polars(parse_filter(sql), frame.schema)).get_column("a").to_list() == expected, sql


def test_a_thousand_nodes_compile_and_run() -> None:
    many = Or(tuple(Compare("=", Column("x"), Literal(n)) for n in range(332)))
    frame = pl.DataFrame({"x": [3, 400]})
    assert frame.filter(to_polars(many, frame.schema)).get_column("x").to_list() == [3]


def test_a_pattern_of_the_greatest_length_gives_an_answer() -> None:
    frame = pl.DataFrame({"x": ["a" * 10_000, "b"]})
    shown = frame.filter(to_polars(Like(Column("x"), "_" * 10_000), frame.schema)).get_column("x").to_list()
    assert shown in ([], ["a" * 10_000])


def test_an_unknown_column_and_an_unbound_subject_are_refused() -> None:
    with pytest.raises(InvalidExpression, match="did you mean 'region'"):
        to_polars(parse_filter("regoin IS NULL"), pl.Schema({"region": pl.String()}))
    with pytest.raises(Unsupported, match="bind_subject"):
        to_polars(Compare("=", Column("x"), Subject("region")), pl.Schema({"x": pl.String()}))
    with pytest.raises(Unsupported, match=r"subject\.region"):
        to_polars(And((IsNull(Column("x")), Not(In(Column("x"), (Subject("region"),))))), pl.Schema({"x": pl.String()}))


@pytest.mark.parametrize("is_negated", [False, True])
def test_a_wide_condition_is_decided_before_a_test_ends_and_has_three_answers(tmp_path: Path, is_negated: bool) -> None:
    """Polars took a hundred seconds and more, as it makes a filter of each part of an AND."""
    wide: Expression = And(tuple(Compare("!=", Column("x"), Literal(number)) for number in range(6000)))
    if is_negated:
        wide = Not(Or(tuple(Compare("=", Column("x"), Literal(number)) for number in range(6000))))
    frame = pl.DataFrame({"x": [1, 9000, None], "y": [1, 1, 1]})
    assert frame.select(a=to_polars(wide, frame.schema))["a"].to_list() == [False, True, None]
    assert frame.select(a=to_polars(Not(wide), frame.schema))["a"].to_list() == [True, False, None]
    frame.write_parquet(tmp_path / "few.parquet")
    for rows in (frame.lazy(), pl.scan_parquet(tmp_path / "few.parquet")):
        kept = rows.filter([to_polars(wide, frame.schema), pl.col("y") == 1]).select("x").filter(pl.col("x") > 0)
        assert kept.collect()["x"].to_list() == [9000]
