"""The shape every expression must have: size, depth and which node may stand where.

Owns the caps of the language and the one walk that enforces them without recursion, so that no input can exhaust the stack. What
somebody writes or sends is small; what policy composes of many such filters may be larger: a further grant takes nothing away.
"""

from __future__ import annotations

import math
from datetime import date
from decimal import Decimal

from mesh_core.expressions.errors import InvalidExpression
from mesh_core.expressions.tree import (
    And,
    Column,
    Compare,
    Expression,
    In,
    IsNull,
    Like,
    Literal,
    Not,
    Or,
    Subject,
)

__all__ = [
    "MAX_COMPOSED_NODES", "MAX_DEPTH", "MAX_DIGITS", "MAX_NODES", "MAX_TEXT", "check_composed", "check_expression", "children",
    "is_term",
]  # fmt: skip

MAX_DEPTH = 64
"""Levels of a tree, a lone column being one."""

MAX_NODES = 1_000
"""Nodes of a tree, the values of an IN list included."""

MAX_COMPOSED_NODES = 20_000
"""Nodes of a tree that was composed of several."""

_COMPOSED_DEPTH = MAX_DEPTH + 16
"""Levels of such a tree: joining filters adds a few."""

MAX_TEXT = 10_000
"""Characters of a filter's text, of one string literal and of one pattern."""

MAX_DIGITS = 38
"""Digits of an integer or decimal literal, those of Decimal(38, s)."""


def children(expression: Expression) -> tuple[Expression, ...]:
    """The direct operands of a node, left to right."""
    match expression:
        case Compare(_, left, right):
            return (left, right)
        case In(operand, values):
            return (operand, *values)
        case Like(operand, _) | IsNull(operand) | Not(operand):
            return (operand,)
        case And(operands) | Or(operands):
            return operands
        case _:
            return ()


def is_term(expression: Expression) -> bool:
    """True for what can be compared: a literal, a column or a subject attribute."""
    return isinstance(expression, Literal | Column | Subject)


def check_expression(expression: Expression) -> Expression:
    """The expression, if it is a predicate of the closed language within its caps. Walks without recursion.

    Raises:
        InvalidExpression: Naming the first construct or cap that is broken.
    """
    return _checked(expression, most_nodes=MAX_NODES, most_levels=MAX_DEPTH)


def check_composed(expression: Expression) -> Expression:
    """The expression, if it is a predicate that may be composed of several within their caps: those of all grants of a reader.

    Raises:
        InvalidExpression: Naming the first construct or cap that is broken.
    """
    return _checked(expression, most_nodes=MAX_COMPOSED_NODES, most_levels=_COMPOSED_DEPTH)


def _checked(expression: Expression, *, most_nodes: int, most_levels: int) -> Expression:
    _check_predicate(expression)
    pending = [(expression, 1)]
    nodes = 0
    while pending:
        node, depth = pending.pop()
        nodes += 1
        if nodes > most_nodes:
            why = f"The expression has more than {most_nodes} nodes: shorten it, or match a tag column instead."
            raise InvalidExpression(why)
        if depth > most_levels:
            raise InvalidExpression(f"The expression is nested deeper than {most_levels} levels: flatten it.")
        _check_node(node)
        pending.extend((child, depth + 1) for child in children(node))
    return expression


def _check_node(node: Expression) -> None:
    match node:
        case Literal(value):
            _check_literal(value)
        case Column(name) | Subject(name):
            if not name:
                raise InvalidExpression("A column or subject attribute has an empty name: name it.")
        case Compare(operator, left, right):
            if operator not in ("=", "!=", "<", "<=", ">", ">="):
                raise InvalidExpression(f"{operator!r} is not a comparison: use =, !=, <, <=, > or >=.")
            _check_terms(operator, left, right)
        case In(operand, values):
            if not values:
                raise InvalidExpression("IN has an empty list: give at least one value.")
            _check_terms("IN", operand)
            if any(not isinstance(value, Literal | Subject) for value in values):
                raise InvalidExpression("IN lists something other than literals and subject attributes: compare with OR instead.")
        case Like(operand, pattern):
            _check_terms("LIKE", operand)
            _check_literal(pattern)
        case IsNull(operand):
            _check_terms("IS NULL", operand)
        case Not(operand):
            _check_predicate(operand)
        case And(operands) | Or(operands):
            if len(operands) < 2:
                raise InvalidExpression(f"{type(node).__name__.upper()} has fewer than two operands: give at least two.")
            for operand in operands:
                _check_predicate(operand)
        case _:
            raise InvalidExpression(f"{type(node).__name__} is not a node of the expression language.")


def _check_terms(construct: str, *operands: Expression) -> None:
    if not all(is_term(operand) for operand in operands):
        raise InvalidExpression(f"{construct} is applied to a condition: apply it to columns, literals or subject attributes.")


def _check_predicate(node: Expression) -> None:
    if isinstance(node, Literal) and not (node.value is None or isinstance(node.value, bool)):
        raise InvalidExpression(f"{node.value!r} stands where a condition is needed: compare it with a column.")


def _check_literal(value: object) -> None:
    match value:
        case None | bool():
            return
        case str() if len(value) > MAX_TEXT:
            raise InvalidExpression(f"A string literal has {len(value)} characters: at most {MAX_TEXT} are allowed.")
        case str() if any(0xD800 <= ord(character) <= 0xDFFF for character in value):
            raise InvalidExpression("A string literal holds half a surrogate pair: it must be valid Unicode.")
        case int() if abs(value) >= 10**MAX_DIGITS:
            raise InvalidExpression(f"An integer literal has more than {MAX_DIGITS} digits.")
        case Decimal() if not _fits_decimal(value):
            raise InvalidExpression(f"A decimal literal must be finite, with at most {MAX_DIGITS} digits on a side of the point.")
        case str() | int() | float() | Decimal() | date():
            return
        case _:
            raise InvalidExpression(f"A literal of type {type(value).__name__} is not part of the expression language.")


def _fits_decimal(value: Decimal) -> bool:
    if not value.is_finite():
        return False
    exponent = value.as_tuple().exponent
    digits = len(value.as_tuple().digits)
    return isinstance(exponent, int) and exponent >= -MAX_DIGITS and digits + exponent <= MAX_DIGITS and math.isfinite(digits)
