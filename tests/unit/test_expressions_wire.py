"""Expressions survive the wire, and a hostile message is measured before it is read."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings

from domainmesh.v1 import expression_pb2 as pb
from mesh_core.expressions.errors import InvalidExpression
from mesh_core.expressions.limits import MAX_DEPTH, MAX_NODES
from mesh_core.expressions.tree import And, Column, Compare, Expression, In, Literal, Not, Subject
from mesh_core.expressions.wire import from_wire, to_wire
from tests.expression_cases import EXPRESSIONS, typed


@given(EXPRESSIONS)
@settings(max_examples=150, deadline=None)
def test_an_expression_survives_serialisation(expression: Expression) -> None:
    if "e+30" in repr(expression) or "0" * 30 in repr(expression):
        return  # integers beyond 64 bits travel as decimals; see below
    message = pb.Expression.FromString(to_wire(expression).SerializeToString())
    assert typed(from_wire(message)) == typed(expression)


def test_a_great_integer_and_a_subject_survive() -> None:
    expression = And((Compare(">", Column("n"), Literal(10**30)), In(Subject("a"), (Subject("b"), Literal(None)))))
    assert from_wire(to_wire(expression)) == And(
        (Compare(">", Column("n"), Literal(Decimal(10**30))), In(Subject("a"), (Subject("b"), Literal(None))))
    )


def test_an_instant_keeps_its_microseconds_and_its_zone() -> None:
    literal = Compare("=", Column("t"), Literal(datetime(1960, 1, 1, 0, 0, 0, 1, tzinfo=UTC)))
    assert from_wire(to_wire(literal)) == literal


def test_nesting_is_refused_before_it_is_followed() -> None:
    message = pb.Expression(column="a")
    for _ in range(90):
        message = pb.Expression(negation=message)
    with pytest.raises(InvalidExpression, match="64 levels"):
        from_wire(message)


def test_breadth_is_refused() -> None:
    wide = pb.Expression(disjunction=pb.ExpressionList(operands=[pb.Expression(column="a")] * MAX_NODES))
    with pytest.raises(InvalidExpression, match="1000 nodes"):
        from_wire(wide)


def test_a_tree_beyond_the_caps_is_not_sent() -> None:
    expression: Expression = Column("a")
    for _ in range(MAX_DEPTH):
        expression = Not(expression)
    with pytest.raises(InvalidExpression, match="nested deeper"):
        to_wire(expression)


@pytest.mark.parametrize(
    ("message", "named"),
    [
        (pb.Expression(), "empty"),
        (pb.Expression(compare=pb.Compare(operator=pb.COMPARE_OPERATOR_EQUAL)), "empty"),
        (pb.Expression(literal=pb.Literal(string_value="x")), "condition is needed"),
        (pb.Expression(conjunction=pb.ExpressionList(operands=[pb.Expression(column="a")])), "fewer than two"),
        (pb.Expression(in_list=pb.InList(operand=pb.Expression(column="a"))), "empty list"),
        (pb.Expression(is_null=pb.Expression(negation=pb.Expression(column="a"))), "applied to a condition"),
    ],
)
def test_a_malformed_message_is_refused(message: pb.Expression, named: str) -> None:
    with pytest.raises(InvalidExpression, match=named):
        from_wire(message)


@pytest.mark.parametrize(
    "literal",
    [
        pb.Literal(decimal_value="1e5"),
        pb.Literal(decimal_value="NaN"),
        pb.Literal(decimal_value="9" * 10_000),
        pb.Literal(date_value="2027-02-30"),
        pb.Literal(naive_timestamp_value="2027-01-01T00:00:00+01:00"),
        pb.Literal(timestamp_value={"seconds": 10**15}),  # type: ignore[arg-type]
        pb.Literal(string_value="x" * 10_001),
    ],
)
def test_a_literal_that_is_not_valid_is_refused(literal: pb.Literal) -> None:
    compare = pb.Compare(left=pb.Expression(column="a"), right=pb.Expression(literal=literal), operator=pb.COMPARE_OPERATOR_EQUAL)
    with pytest.raises(InvalidExpression):
        from_wire(pb.Expression(compare=compare))


def test_an_unstated_operator_is_refused() -> None:
    a = pb.Expression(column="a")
    with pytest.raises(InvalidExpression, match="operator 0"):
        from_wire(pb.Expression(compare=pb.Compare(left=a, right=a)))
