"""Negative text filters as allow-lists: what a store can only say with NOT is said by naming the values that are allowed.

A negative operator of Weaviate also returns objects without the property; a list of allowed values cannot. The values come from
the caller; an expression that still needs a negation is left for the compiler to refuse.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mesh_core.expressions.binding import is_true, simplify
from mesh_core.expressions.tree import FALSE, And, Column, Compare, Expression, In, Like, Literal, Not, Or

__all__ = ["enumerated"]


def enumerated(expression: Expression, values: Callable[[str], Sequence[str] | None]) -> Expression:
    """An expression that is true on the same passages, its negations and text orders replaced by lists of allowed values.

    Args:
        expression: Fitted to the types of its fields.
        values: Gives every value that a text field has in the version read; None if the field is no text. Called where needed.
    """
    return simplify(_positive(expression, values, negated=False))


def _positive(node: Expression, values: Callable[[str], Sequence[str] | None], *, negated: bool) -> Expression:
    match node:
        case Not(operand):
            return _positive(operand, values, negated=not negated)
        case And(operands) | Or(operands):
            parts = tuple(_positive(operand, values, negated=negated) for operand in operands)
            return And(parts) if isinstance(node, And) is not negated else Or(parts)
        case Compare("=", Column(), Literal(str())) | In() if not negated:
            return node
        case Compare(_, Column(left), Column(right)) if left == right:
            return _listed(node, left, values, negated=negated)
        case Compare(_, Column(name), Literal(str())) | In(Column(name)) | Like(Column(name)):
            return _listed(node, name, values, negated=negated)
    return Not(node) if negated else node


def _listed(node: Expression, name: str, values: Callable[[str], Sequence[str] | None], *, negated: bool) -> Expression:
    """`name in (the values that make the node true, or false if negated)`; null stays out, as it does in all of these nodes."""
    known = values(name)
    whole = Not(node) if negated else node
    if known is None:
        return whole
    allowed = tuple(Literal(value) for value in known if is_true(simplify(_with(whole, name, value))))
    return In(Column(name), allowed) if allowed else FALSE


def _with(node: Expression, name: str, value: str) -> Expression:
    """The leaf with the field replaced by a value."""

    def put(inner: Expression) -> Expression:
        return Literal(value) if inner == Column(name) else inner

    match node:
        case Not(operand):
            return Not(_with(operand, name, value))
        case Compare(operator, left, right):
            return Compare(operator, put(left), put(right))
        case In(operand, candidates):
            return In(put(operand), candidates)
        case Like(operand, pattern):
            return Like(put(operand), pattern)
    return node
