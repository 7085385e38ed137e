"""Binding, building and simplifying keep the meaning of an expression."""

from __future__ import annotations

import polars as pl
from hypothesis import given, settings

from mesh_core.expressions.binding import attributes, bind_subject, columns, conjoin, disjoin, is_true, simplify
from mesh_core.expressions.filters import as_filter
from mesh_core.expressions.fitting import fit
from mesh_core.expressions.sql import parse_filter
from mesh_core.expressions.tree import FALSE, TRUE, And, Column, Compare, Expression, In, Literal, Not, Subject
from mesh_core.expressions.types import logical_type
from tests.expression_cases import EXPRESSIONS, LOGICAL_TYPES, ROWS, evaluate

TYPES = {name: logical_type(kind) for name, kind in LOGICAL_TYPES.items()}
REGION = Compare("=", Column("region"), Subject("region"))


def test_a_bound_attribute_becomes_its_value() -> None:
    assert bind_subject(REGION, {"region": "EMEA"}) == Compare("=", Column("region"), Literal("EMEA"))
    several = In(Subject("team"), (Literal("a"), Subject("deputy")))
    assert bind_subject(several, {"team": "b", "deputy": "b"}) == In(Literal("b"), (Literal("a"), Literal("b")))


def test_a_missing_attribute_lets_no_row_pass_even_negated() -> None:
    from mesh_core.expressions.polars import to_polars

    frame = pl.DataFrame({"region": ["EMEA", None]})
    for expression in (REGION, Not(REGION)):
        assert frame.filter(to_polars(bind_subject(expression, {}), frame.schema)).is_empty()


def test_columns_and_attributes_are_listed() -> None:
    expression = parse_filter("a = 1 AND NOT (b IN (subject.x, 2) OR \"c d\" IS NULL) AND e LIKE '%' AND f")
    assert columns(expression) == {"a", "b", "c d", "e", "f"}
    assert attributes(expression) == {"x"}


def test_no_grants_mean_no_rows_and_no_filters_mean_all() -> None:
    assert disjoin([]) == FALSE
    assert conjoin([]) == TRUE


def test_builders_flatten_and_drop_repetitions() -> None:
    a, b = parse_filter("a = 1"), parse_filter("b = 2")
    assert conjoin([a, And((b, a)), TRUE]) == And((a, b))
    assert conjoin([a, FALSE]) == FALSE
    assert disjoin([a, a]) == a
    assert disjoin([a, TRUE]) == TRUE


def test_literals_equal_in_python_but_not_in_sql_stay_apart() -> None:
    one, true = Compare("=", Column("a"), Literal(1)), Compare("=", Column("a"), Literal(True))
    both = disjoin([one, true])
    assert [type(part.right.value) for part in both.operands] == [int, bool]  # type: ignore[union-attr]
    assert not is_true(Literal(1))


def test_a_null_is_not_folded_away() -> None:
    null_and_a = simplify(parse_filter("NULL AND a"))
    assert null_and_a == And((Literal(None), Column("a")))
    assert simplify(parse_filter("NOT (NULL)")) == Literal(None)


@given(ROWS, EXPRESSIONS)
@settings(max_examples=120, deadline=None)
def test_simplifying_keeps_the_answer_on_every_row(row: dict[str, object], expression: Expression) -> None:
    assert evaluate(simplify(expression), row) == evaluate(expression, row)


@given(EXPRESSIONS)
@settings(max_examples=120, deadline=None)
def test_simplifying_twice_changes_nothing_more(expression: Expression) -> None:
    once = simplify(expression)
    assert repr(simplify(once)) == repr(once)


@given(ROWS, EXPRESSIONS)
@settings(max_examples=120, deadline=None)
def test_a_filter_is_true_on_the_same_rows_and_null_on_none(row: dict[str, object], expression: Expression) -> None:
    fitted = fit(expression, TYPES)
    assert evaluate(as_filter(fitted), row) is (evaluate(expression, row) is True)


@given(ROWS, EXPRESSIONS)
@settings(max_examples=120, deadline=None)
def test_fitting_keeps_the_answer_on_every_row(row: dict[str, object], expression: Expression) -> None:
    assert evaluate(fit(expression, TYPES), row) == evaluate(expression, row)
