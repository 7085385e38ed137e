"""Expressions as `domainmesh.v1.Expression` messages, and back.

A message is measured before it is read: one walk without recursion refuses what is too deep or too large. Knows the proto and the
tree; imports the generated code, not grpc.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from types import MappingProxyType
from typing import cast

from domainmesh.v1 import expression_pb2 as pb
from mesh_core.expressions.errors import InvalidExpression
from mesh_core.expressions.limits import MAX_DEPTH, MAX_DIGITS, MAX_NODES, check_expression
from mesh_core.expressions.tree import (
    And,
    Column,
    Compare,
    CompareOperator,
    Expression,
    In,
    IsNull,
    Like,
    Literal,
    Not,
    Or,
    Scalar,
    Subject,
)

__all__ = ["from_wire", "to_wire"]

_TO_OPERATOR: Mapping[str, pb.CompareOperator.ValueType] = MappingProxyType(
    {
        "=": pb.COMPARE_OPERATOR_EQUAL,
        "!=": pb.COMPARE_OPERATOR_NOT_EQUAL,
        "<": pb.COMPARE_OPERATOR_LESS,
        "<=": pb.COMPARE_OPERATOR_LESS_OR_EQUAL,
        ">": pb.COMPARE_OPERATOR_GREATER,
        ">=": pb.COMPARE_OPERATOR_GREATER_OR_EQUAL,
    }
)
_FROM_OPERATOR: Mapping[int, str] = MappingProxyType({number: text for text, number in _TO_OPERATOR.items()})
_MAX_DECIMAL_TEXT = 2 * MAX_DIGITS + 4


def to_wire(expression: Expression) -> pb.Expression:
    """The message for an expression. Raises: InvalidExpression if it is outside the language or its caps."""
    return _message(check_expression(expression))


def from_wire(message: pb.Expression) -> Expression:
    """The expression a message says, within the caps of the language.

    Raises:
        InvalidExpression: Naming the cap, the missing node or the literal that is not valid.
    """
    _measure(message)
    return check_expression(_expression(message))


def _message(node: Expression) -> pb.Expression:
    match node:
        case Literal(value):
            return pb.Expression(literal=_literal_message(value))
        case Column(name):
            return pb.Expression(column=name)
        case Subject(attribute):
            return pb.Expression(subject=attribute)
        case Compare(operator, left, right):
            return pb.Expression(compare=pb.Compare(operator=_TO_OPERATOR[operator], left=_message(left), right=_message(right)))
        case In(operand, values):
            return pb.Expression(in_list=pb.InList(operand=_message(operand), values=[_message(value) for value in values]))
        case Like(operand, pattern):
            return pb.Expression(like=pb.Like(operand=_message(operand), pattern=pattern))
        case IsNull(operand):
            return pb.Expression(is_null=_message(operand))
        case Not(operand):
            return pb.Expression(negation=_message(operand))
        case And(operands):
            return pb.Expression(conjunction=pb.ExpressionList(operands=[_message(operand) for operand in operands]))
        case Or(operands):
            return pb.Expression(disjunction=pb.ExpressionList(operands=[_message(operand) for operand in operands]))


def _measure(message: pb.Expression) -> None:
    pending = [(message, 1)]
    nodes = 0
    while pending:
        node, depth = pending.pop()
        nodes += 1
        if nodes > MAX_NODES or depth > MAX_DEPTH:
            raise InvalidExpression(f"The expression has more than {MAX_NODES} nodes or {MAX_DEPTH} levels: shorten it.")
        pending.extend((child, depth + 1) for child in _operands(node))


def _operands(message: pb.Expression) -> list[pb.Expression]:
    match message.WhichOneof("node"):
        case "compare":
            return [message.compare.left, message.compare.right]
        case "in_list":
            return [message.in_list.operand, *message.in_list.values]
        case "like":
            return [message.like.operand]
        case "is_null":
            return [message.is_null]
        case "negation":
            return [message.negation]
        case "conjunction":
            return list(message.conjunction.operands)
        case "disjunction":
            return list(message.disjunction.operands)
        case _:
            return []


def _expression(message: pb.Expression) -> Expression:
    operands = [_expression(operand) for operand in _operands(message)]
    match message.WhichOneof("node"):
        case "literal":
            return Literal(_literal(message.literal))
        case "column":
            return Column(message.column)
        case "subject":
            return Subject(message.subject)
        case "compare":
            return Compare(_operator(message.compare.operator), operands[0], operands[1])
        case "in_list":
            return In(operands[0], tuple(operands[1:]))
        case "like":
            return Like(operands[0], message.like.pattern)
        case "is_null":
            return IsNull(operands[0])
        case "negation":
            return Not(operands[0])
        case "conjunction":
            return And(tuple(operands))
        case "disjunction":
            return Or(tuple(operands))
        case _:
            raise InvalidExpression("A node of the expression is empty or of a kind this release does not know.")


def _operator(number: int) -> CompareOperator:
    if number not in _FROM_OPERATOR:
        raise InvalidExpression(f"Compare operator {number} is not stated or not known to this release.")
    return cast("CompareOperator", _FROM_OPERATOR[number])


def _literal_message(value: Scalar) -> pb.Literal:
    match value:
        case None:
            return pb.Literal()
        case bool():
            return pb.Literal(bool_value=value)
        case int() if -(2**63) <= value < 2**63:
            return pb.Literal(int_value=value)
        case int() | Decimal():
            return pb.Literal(decimal_value=format(Decimal(value), "f"))
        case float():
            return pb.Literal(double_value=value)
        case str():
            return pb.Literal(string_value=value)
        case datetime() if value.tzinfo is None:
            return pb.Literal(naive_timestamp_value=value.isoformat())
        case datetime():
            message = pb.Literal()
            message.timestamp_value.FromDatetime(value)
            return message
        case date():
            return pb.Literal(date_value=value.isoformat())


def _literal(message: pb.Literal) -> Scalar:
    kind = message.WhichOneof("value")
    try:
        match kind:
            case "decimal_value":
                return _decimal(message.decimal_value)
            case "date_value":
                return date.fromisoformat(message.date_value)
            case "timestamp_value":
                return message.timestamp_value.ToDatetime(tzinfo=UTC)
            case "naive_timestamp_value":
                return _naive(message.naive_timestamp_value)
    except (ValueError, OverflowError, InvalidOperation) as error:
        raise InvalidExpression(f"The {kind} of a literal is not valid: {error}.") from error
    return None if kind is None else cast("Scalar", getattr(message, kind))


def _decimal(text: str) -> Decimal:
    if len(text) > _MAX_DECIMAL_TEXT or not text.strip("-").replace(".", "", 1).isdecimal() or not text.isascii():
        raise ValueError("write plain notation, like -12.340")
    return Decimal(text)


def _naive(text: str) -> datetime:
    value = datetime.fromisoformat(text)
    if value.tzinfo is not None:
        raise ValueError("an offset is given; send an instant as timestamp_value")
    return value
