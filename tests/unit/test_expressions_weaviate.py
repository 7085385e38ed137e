"""A Weaviate filter never negates, never asks for null, and says exactly what the expression says."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from weaviate.collections.classes.filters import _FilterAnd, _FilterOr, _FilterValue, _Operator

from mesh_core.expressions.errors import ExpressionError, Unsupported
from mesh_core.expressions.fitting import fit
from mesh_core.expressions.sql import parse_filter
from mesh_core.expressions.tree import Expression
from mesh_core.expressions.types import logical_type
from mesh_core.expressions.weaviate import Everything, Nothing, to_weaviate
from tests.expression_cases import EXPRESSIONS, LOGICAL_TYPES, ROWS, _like, evaluate

POSITIVE = {
    _Operator.EQUAL,
    _Operator.IS_NULL,
    _Operator.LESS_THAN,
    _Operator.LESS_THAN_EQUAL,
    _Operator.GREATER_THAN,
    _Operator.GREATER_THAN_EQUAL,
    _Operator.CONTAINS_ANY,
    _Operator.LIKE,
}


def shown(sql: str) -> str:
    return written(to_weaviate(parse_filter(sql)))


def written(found: object) -> str:
    match found:
        case Everything() | Nothing():
            return found.name
        case _FilterAnd() | _FilterOr():
            word = " and " if isinstance(found, _FilterAnd) else " or "
            return "(" + word.join(written(part) for part in found.filters) + ")"
        case _FilterValue():
            return f"{found.target} {found.operator.value} {found.value!r}"
    raise AssertionError(found)


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("a = 'x'", "a Equal 'x'"),
        ("a IN ('x', NULL, 'y')", "a ContainsAny ['x', 'y']"),
        ("a IN (1, 2)", "(a Equal 1 or a Equal 2)"),
        ("1 < a", "a GreaterThan 1"),
        ("a != 5", "(a LessThan 5 or a GreaterThan 5)"),
        ("NOT (a = 5)", "(a LessThan 5 or a GreaterThan 5)"),
        ("NOT (a < 5)", "a GreaterThanEqual 5"),
        ("NOT (a < 5 AND b = TRUE)", "(a GreaterThanEqual 5 or b Equal False)"),
        ("NOT (a < 5 OR b)", "(a GreaterThanEqual 5 and b Equal False)"),
        ("NOT (a NOT IN (1))", "a Equal 1"),
        ("a NOT IN (1, NULL)", "NOTHING"),
        ("a != TRUE", "a Equal False"),
        ("a LIKE 'x_y%'", "a Like 'x?y*'"),
        ("a = NULL", "NOTHING"),
        ("NOT (a = NULL)", "NOTHING"),
        ("TRUE", "EVERYTHING"),
        ("a = 'x' OR TRUE", "EVERYTHING"),
        ("a = 'x' AND FALSE", "NOTHING"),
        ("a = 'x' OR NULL", "a Equal 'x'"),
        ("a != a", "NOTHING"),
        ("a IS NULL", "a IsNull True"),
        ("a IS NOT NULL", "a IsNull False"),
        ("a = a", "a IsNull False"),
        ("a >= DATE '2020-01-01'", f"a GreaterThanEqual {datetime(2020, 1, 1, tzinfo=UTC)!r}"),
    ],
)
def test_an_expression_becomes_an_allow_filter(sql: str, expected: str) -> None:
    assert shown(sql) == expected


@pytest.mark.parametrize(
    ("sql", "named"),
    [
        ("a NOT LIKE 'x'", "negative filter"),
        ("a != 'x'", "shows too much"),
        ("a NOT IN ('x')", "shows too much"),
        ("NOT (a = 'x' AND b = 1)", "shows too much"),
        ("a < 'x'", "shows too much"),
        ("a = b", "compare with a literal"),
        ("a LIKE '*x'", "cannot be escaped"),
        ("a LIKE '%'", "null filter"),
        ("a = ' x'", "trims"),
        ("a = ''", "trims"),
        ("a = DOUBLE 'NaN'", "finite"),
        ('"a b" = 1', "cannot be a Weaviate property"),
        ("a = subject.x", "bind_subject"),
    ],
)
def test_what_an_allow_filter_cannot_say_is_refused(sql: str, named: str) -> None:
    with pytest.raises(Unsupported, match=named):
        shown(sql)


@given(EXPRESSIONS, ROWS)
@settings(max_examples=300, deadline=None)
def test_a_filter_keeps_a_row_exactly_where_the_expression_is_true(expression: Expression, row: dict[str, object]) -> None:
    try:
        fitted = fit(expression, {name: logical_type(kind) for name, kind in LOGICAL_TYPES.items()})
        found = to_weaviate(fitted)
    except ExpressionError:
        return
    assert kept(found, row) is (evaluate(expression, row) is True)


def kept(found: object, row: dict[str, object]) -> bool:
    """Weaviate's own rule for positive operators: an object that lacks the property passes IsNull alone."""
    match found:
        case Everything() | Nothing():
            return isinstance(found, Everything)
        case _FilterAnd():
            return all(kept(part, row) for part in found.filters)
        case _FilterOr():
            return any(kept(part, row) for part in found.filters)
        case _FilterValue():
            assert found.operator in POSITIVE
            return _passes(found, row[str(found.target)])
    raise AssertionError(found)


def _passes(found: _FilterValue, value: object) -> bool:
    if found.operator is _Operator.IS_NULL:
        return (value is None) is found.value
    if value is None:
        return False
    if found.operator is _Operator.LIKE:
        return _like(str(value), str(found.value).replace("*", "%").replace("?", "_"))
    if found.operator is _Operator.CONTAINS_ANY:
        return value in found.value  # type: ignore[operator]
    words = {"Equal": "=", "LessThan": "<", "LessThanEqual": "<=", "GreaterThan": ">", "GreaterThanEqual": ">="}
    from mesh_core.expressions.tree import Compare, Literal

    comparison = Compare(words[found.operator.value], Literal(value), Literal(found.value))  # type: ignore[arg-type]
    return evaluate(comparison, {}) is True
