"""Predicates in the closed language: what is translated means the same, what is not is left out whole."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.io.plugins import register_io_source

from domain_sdk._polars_plan.predicates import to_expression
from mesh_core.expressions.polars import to_polars
from mesh_core.expressions.tree import And, Column, Compare, Expression, In, IsNull, Like, Literal, Not, Or
from mesh_core.expressions.values import compare_values, value_in

SCHEMA = pl.Schema(
    {
        "i": pl.Int64(),
        "tiny": pl.Int8(),
        "f": pl.Float64(),
        "s": pl.String(),
        "b": pl.Boolean(),
        "d": pl.Date(),
        "t": pl.Datetime("us"),
        "utc": pl.Datetime("us", "UTC"),
        "berlin": pl.Datetime("us", "Europe/Berlin"),
        "nanos": pl.Datetime("ns"),
        "money": pl.Decimal(10, 2),
        "kind": pl.Categorical(),
    }
)
c = pl.col
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def _compare(column: str, operator: str, value: object) -> Expression:
    return Compare(operator, Column(column), Literal(value))


@pytest.mark.parametrize(
    ("predicate", "expected"),
    [
        (c.i > 5, _compare("i", ">", 5)),
        (c.i < pl.lit(5), _compare("i", "<", 5)),
        (pl.lit(5) <= c.i, _compare("i", ">=", 5)),
        (c.f != 2, _compare("f", "!=", 2.0)),
        (c.s == "a", _compare("s", "=", "a")),
        (c.d >= date(2026, 1, 1), _compare("d", ">=", date(2026, 1, 1))),
        (c.utc < NOON, _compare("utc", "<", NOON)),
        (c.money == Decimal("1.50"), _compare("money", "=", Decimal("1.50"))),
        (c.b, _compare("b", "=", True)),
        (~c.b, Not(_compare("b", "=", True))),
        (c.i.is_null(), IsNull(Column("i"))),
        (c.kind.is_not_null(), Not(IsNull(Column("kind")))),
        (c.i.is_in([1, 2]), In(Column("i"), (Literal(1), Literal(2)))),
        (c.i.is_in([1, None]), In(Column("i"), (Literal(1),))),
        (c.i.is_between(1, 5, closed="left"), And((_compare("i", ">=", 1), _compare("i", "<", 5)))),
        (c.s.str.starts_with("ab"), Like(Column("s"), "ab%")),
        ((c.i > 1) & (c.s == "x") & c.b, And((_compare("i", ">", 1), _compare("s", "=", "x"), _compare("b", "=", True)))),
        ((c.i > 1) | (c.s == "x"), Or((_compare("i", ">", 1), _compare("s", "=", "x")))),
        (pl.all_horizontal(c.b, c.i > 1), And((_compare("b", "=", True), _compare("i", ">", 1)))),
        (pl.lit(True), Literal(True)),
    ],
)
def test_an_exact_predicate_is_translated_whole(predicate, expected):
    assert to_expression(predicate, SCHEMA) == (expected, True)


@pytest.mark.parametrize(
    "predicate",
    [
        c.i + 1 > 3,
        c.i.cast(pl.String) == "3",
        c.i > 2.5,
        c.i > c.tiny,
        c.d > NOON.replace(tzinfo=None),
        c.t.dt.year() == 2026,
        c.berlin > NOON,
        c.nanos > datetime(2026, 1, 1),
        c.kind == "a",
        c.money > Decimal("1.555"),
        c.money > 1.5,
        c.f == math.nan,
        c.f.is_in([1.0, math.inf]),
        c.s.str.to_uppercase() == "A",
        c.s.str.starts_with("50%"),
        c.s.str.starts_with("a_b"),
        c.s.str.starts_with("a\\b"),
        c.s.str.contains("a"),
        c.i.is_in([]),
        c.i.is_in([1], nulls_equal=True),
        c.i.eq_missing(3),
        c.b ^ c.b,
        (c.i > 1) | (c.i + 1 > 3),
        ~((c.i > 1) & (c.i + 1 > 3)),
        c.i.map_elements(bool, return_dtype=pl.Boolean),
        c.s == "a" * 10_001,
        c.i.is_in(list(range(1_001))),
    ],
)
def test_an_inexact_predicate_is_not_translated(predicate):
    assert to_expression(predicate, SCHEMA) == (None, False)


def test_a_conjunct_that_cannot_be_translated_is_left_out_alone():
    predicate = (c.i > 1) & (c.i + 1 > 3) & (c.s == "x")
    assert to_expression(predicate, SCHEMA) == (And((_compare("i", ">", 1), _compare("s", "=", "x"))), False)


@pytest.mark.parametrize(
    "other",
    [c.i > c.i.mean(), c.i.shift(1) > 0, c.i.max().over("s") > 1, pl.len() > 1, c.i.is_unique(), c.i.is_in(c.tiny.implode())],
)
def test_a_predicate_over_several_rows_is_not_translated_at_all(other):
    assert to_expression((c.i > 1) & other, SCHEMA) == (None, False)


def test_a_predicate_polars_refuses_is_not_translated():
    assert to_expression(c.missing > 1, SCHEMA) == (None, False)
    assert to_expression(c.s > 1, SCHEMA) == (None, False)


def test_conjuncts_beyond_the_cap_of_the_language_are_left_out():
    predicate = pl.all_horizontal([c.i != n for n in range(400)])
    expression, is_complete = to_expression(predicate, SCHEMA)
    assert isinstance(expression, And)
    assert len(expression.operands) == 333  # three nodes each and the conjunction, of 1,000
    assert not is_complete


# Differential: three evaluators of the same predicate on the same rows.

_VALUES: dict[str, st.SearchStrategy[object]] = {
    "i": st.integers(-3, 3) | st.just(2**53 + 1),
    "tiny": st.integers(-128, 127),
    "f": st.sampled_from([0.0, -0.0, 1.5, -1.5, math.nan, math.inf, -math.inf, 2.0**53]),
    "s": st.sampled_from(["", "a", "ab", "aB", "b", "a\nb", "ä", "\U0001f600"]),
    "b": st.booleans(),
    "d": st.sampled_from([date(1969, 12, 31), date(2026, 1, 1)]),
    "t": st.sampled_from([datetime(1969, 12, 31, 23, 59, 59, 999_999), datetime(2026, 1, 1)]),
    "utc": st.sampled_from([NOON, datetime(1900, 1, 1, tzinfo=UTC)]),
    "money": st.sampled_from([Decimal("1.50"), Decimal("-0.01"), Decimal("0.00")]),
}
_TYPED = pl.Schema({name: SCHEMA[name] for name in _VALUES})
_ROWS = st.lists(st.fixed_dictionaries({n: st.none() | v for n, v in _VALUES.items()}), min_size=1, max_size=6)


@st.composite
def _leaf(draw: st.DrawFn) -> pl.Expr:
    name = draw(st.sampled_from(sorted(_VALUES)))
    a, b = draw(_VALUES[name]), draw(_VALUES[name])
    dtype = _TYPED[name]
    leaves = [c(name) == a, c(name) != a, c(name).is_null(), c(name).is_in([a, b]), c(name).is_in([a, None])]
    if name != "b":
        leaves += [
            c(name) < a,
            c(name) <= a,
            c(name) > a,
            c(name) >= a,
            pl.lit(a, dtype=dtype) < c(name),
            c(name).is_between(pl.lit(a, dtype=dtype), pl.lit(b, dtype=dtype)),
        ]
    if name == "s":
        leaves += [c.s.str.starts_with(a)]
    return draw(st.sampled_from([*leaves, c.i < c.i, c.b, c.i + 1 > 2, c.f > c.i, c.s.str.len_chars() > 1]))


_PREDICATES = st.recursive(
    _leaf(),
    lambda p: st.builds(lambda x, y: x & y, p, p) | st.builds(lambda x, y: x | y, p, p) | st.builds(lambda x: ~x, p),
    max_leaves=6,
)


def _evaluated(node: Expression, row: dict[str, object]) -> object:
    """SQL's three-valued logic in plain Python, with the language's own comparison of values."""
    match node:
        case Literal(value):
            return value
        case Column(name):
            return row[name]
        case Compare(operator, left, right):
            return compare_values(operator, _evaluated(left, row), _evaluated(right, row))
        case In(operand, values):
            return value_in(_evaluated(operand, row), tuple(_evaluated(v, row) for v in values))
        case IsNull(operand):
            return _evaluated(operand, row) is None
        case Like(operand, pattern):
            value = _evaluated(operand, row)
            return None if value is None else str(value).startswith(pattern[:-1])
        case Not(operand):
            value = _evaluated(operand, row)
            return None if value is None else not value
        case And(operands) | Or(operands):
            deciding = isinstance(node, Or)
            found = [_evaluated(o, row) for o in operands]
            return deciding if deciding in found else (None if None in found else not deciding)
    raise AssertionError(node)


@settings(max_examples=300, deadline=None)
@given(predicate=_PREDICATES, rows=_ROWS)
def test_a_translation_is_implied_by_its_predicate_and_equal_if_complete(predicate, rows):
    frame = pl.DataFrame(rows, schema=_TYPED)
    theirs = frame.select(predicate.alias("p"))["p"].to_list()
    expression, is_complete = to_expression(predicate, _TYPED)
    if expression is None:
        return
    ours = [_evaluated(expression, row) for row in frame.to_dicts()]
    compiled = frame.select(to_polars(expression, _TYPED).alias("p"))["p"].to_list()
    if is_complete:
        assert ours == theirs
        assert compiled == theirs
    assert all(not kept or (a is True and b is True) for kept, a, b in zip(theirs, ours, compiled, strict=True))


def test_the_predicate_polars_hands_to_an_io_source_is_translated():
    seen: list[pl.Expr | None] = []

    def generate(
        with_columns: list[str] | None, predicate: pl.Expr | None, n_rows: int | None, batch_size: int | None
    ) -> Iterator[pl.DataFrame]:
        seen.append(predicate)
        yield pl.DataFrame(schema=_TYPED)

    register_io_source(generate, schema=_TYPED).filter(c.tiny > 5, c.s.is_in(["a"]), c.utc < NOON).collect()
    assert seen[0] is not None
    expected = And((_compare("tiny", ">", 5), In(Column("s"), (Literal("a"),)), _compare("utc", "<", NOON)))
    expression, is_complete = to_expression(seen[0], SCHEMA)
    assert is_complete
    assert isinstance(expression, And)
    assert set(expression.operands) == set(expected.operands)
