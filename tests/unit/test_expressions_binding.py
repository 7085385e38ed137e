"""Binding, building and simplifying keep the meaning of an expression."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesh_core.expressions.binding import attributes, bind_subject, columns, conjoin, disjoin, is_true, simplify
from mesh_core.expressions.errors import InvalidExpression
from mesh_core.expressions.filters import as_filter
from mesh_core.expressions.fitting import fit
from mesh_core.expressions.limits import MAX_COMPOSED_NODES, MAX_DEPTH, check_expression
from mesh_core.expressions.sql import parse_filter, to_sql
from mesh_core.expressions.tree import FALSE, TRUE, And, Column, Compare, Expression, In, Literal, Not, Or, Subject
from mesh_core.expressions.types import logical_type
from mesh_core.expressions.weaviate import Nothing
from tests.expression_cases import ALTERNATIVES, EXPRESSIONS, LOGICAL_TYPES, ROWS, evaluate

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
    assert [type(it.value) for it in both.values] == [int, bool]  # type: ignore[union-attr]
    assert not is_true(Literal(1))


def test_a_null_is_not_folded_away() -> None:
    null_and_a = simplify(parse_filter("NULL AND a"))
    assert null_and_a == And((Literal(None), Column("a")))
    assert simplify(parse_filter("NOT (NULL)")) == Literal(None)


@given(ROWS, EXPRESSIONS)
@settings(max_examples=120, deadline=None)
def test_simplifying_keeps_the_answer_on_every_row(row: dict[str, object], expression: Expression) -> None:
    assert evaluate(simplify(expression), row) == evaluate(expression, row)


def test_what_a_column_may_equal_is_one_list_where_the_first_of_it_was() -> None:
    joined = disjoin(map(parse_filter, ("a = 1", "b = 2", "2 = a", "a IN (3, 1)", "a IN (4, subject.x)", "a > 4")))
    assert joined == parse_filter("a IN (1, 2, 3) OR b = 2 OR a IN (4, subject.x) OR a > 4")
    assert disjoin([parse_filter("a = 1"), parse_filter("a = NULL")]) == In(Column("a"), (Literal(1), Literal(None)))
    many = disjoin(Compare("=", Column("a"), Literal(number)) for number in range(5_000))
    assert many == In(Column("a"), tuple(map(Literal, range(5_000))))


@given(ROWS, st.lists(ALTERNATIVES, min_size=2, max_size=8), st.booleans())
@settings(max_examples=300, deadline=None)
def test_joined_alternatives_are_true_false_and_null_as_they_are_apart(
    row: dict[str, object], alternatives: list[Expression], is_negated: bool
) -> None:
    apart: Expression = Or(tuple(alternatives))
    joined = disjoin(alternatives)
    assert evaluate(joined, row) is evaluate(apart, row)
    kept = as_filter(fit(Not(joined) if is_negated else joined, TYPES))
    assert evaluate(kept, row) is (evaluate(Not(apart) if is_negated else apart, row) is True)


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


def test_filters_within_the_caps_may_be_joined_beyond_them() -> None:
    from mesh_core.expressions.polars import to_polars
    from mesh_core.expressions.weaviate import to_weaviate

    values = [", ".join(f"'{part}-{number}'" for number in range(900)) for part in range(20)]
    granted = disjoin(parse_filter(f"a IN ({listed})") for listed in values)
    deep: Expression = Compare("=", Column("a"), Literal("19-899"))
    for _ in range((MAX_DEPTH - 2) // 2 // 2 * 2):  # an even number of times: as true as without
        deep = Not(And((deep, Column("b"))))
    joined = conjoin([granted, disjoin([conjoin([check_expression(deep), Column("b")]), parse_filter("a = '0-0'")])])
    types = {"a": logical_type("string"), "b": logical_type("boolean")}
    frame = pl.DataFrame({"a": ["0-0", "19-899", "20-0"], "b": [True, True, True]})
    assert frame.filter(to_polars(joined, frame.schema))["a"].to_list() == ["0-0", "19-899"]
    assert to_sql(as_filter(fit(joined, types))).count("'19-899'") == 2
    assert to_weaviate(fit(granted, types)) is not Nothing.NOTHING


def test_what_is_joined_has_an_end_too() -> None:
    values = tuple(map(Literal, range(MAX_COMPOSED_NODES)))
    with pytest.raises(InvalidExpression, match=f"{MAX_COMPOSED_NODES} nodes"):
        as_filter(In(Column("a"), values))
