"""Builds, binds and simplifies expressions without changing what they mean in three-valued logic.

Knows the tree only; neither SQL text nor column types.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from mesh_core.expressions.limits import children
from mesh_core.expressions.tree import (
    FALSE,
    TRUE,
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
    Scalar,
    Subject,
)
from mesh_core.expressions.values import compare_values, is_like, value_in

__all__ = ["attributes", "bind_subject", "columns", "conjoin", "disjoin", "is_false", "is_true", "simplify"]

_NULL = Literal(None)


def columns(expression: Expression) -> frozenset[str]:
    """The names of all columns the expression reads."""
    return frozenset(node.name for node in _walk(expression) if isinstance(node, Column))


def attributes(expression: Expression) -> frozenset[str]:
    """The subject attributes the expression needs."""
    return frozenset(node.attribute for node in _walk(expression) if isinstance(node, Subject))


def bind_subject(expression: Expression, attributes: Mapping[str, Scalar]) -> Expression:
    """The expression with every subject attribute replaced by its value; a missing one is null."""

    def bound(node: Expression) -> Expression:
        return Literal(attributes.get(node.attribute)) if isinstance(node, Subject) else node

    return _rebuild(expression, bound)


def conjoin(expressions: Iterable[Expression]) -> Expression:
    """The simplified AND of all; TRUE for none."""
    return _junction(And, [simplify(expression) for expression in expressions])


def disjoin(expressions: Iterable[Expression]) -> Expression:
    """The simplified OR of all; FALSE for none, so that no grant means no row."""
    return _junction(Or, [simplify(expression) for expression in expressions])


def is_true(expression: Expression) -> bool:
    """True for the constant TRUE alone (the literal 1 equals it in Python)."""
    return isinstance(expression, Literal) and expression.value is True


def is_false(expression: Expression) -> bool:
    """True for the constant FALSE alone (the literal 0 equals it in Python)."""
    return isinstance(expression, Literal) and expression.value is False


def simplify(expression: Expression) -> Expression:
    """An expression that is true, false and null on the same rows: constants folded, junctions flattened, repetitions dropped.

    What a column may equal, alternatively, is one list: engines look a value up in it, and would compare it with each otherwise.
    """
    return _rebuild(expression, _fold)


def _fold(node: Expression) -> Expression:
    match node:
        case And(operands):
            return _junction(And, list(operands))
        case Or(operands):
            return _junction(Or, list(operands))
        case Not(Not(operand)):
            return operand
        case Not(Literal(value)):
            return Literal(None if value is None else not value)
        case Compare(operator, Literal(left), Literal(right)):
            return Literal(compare_values(operator, left, right))
        case In(Literal(value), values) if all(isinstance(candidate, Literal) for candidate in values):
            return Literal(value_in(value, tuple(c.value for c in values if isinstance(c, Literal))))
        case Like(Literal(value), pattern):
            return Literal(is_like(value, pattern)) if isinstance(value, str) else _NULL
        case IsNull(Literal(value)):
            return Literal(value is None)
        case _:
            return node


def _junction(kind: type[And] | type[Or], operands: list[Expression]) -> Expression:
    neutral, absorbing = (TRUE, FALSE) if kind is And else (FALSE, TRUE)
    flat: dict[str, Expression] = {}  # keyed by text: Literal(1), Literal(True) and Literal(1.0) are equal in Python
    for operand in operands:
        for part in operand.operands if isinstance(operand, kind) else (operand,):
            if isinstance(part, Literal) and part.value is absorbing.value:
                return absorbing
            if not (isinstance(part, Literal) and part.value is neutral.value):
                flat.setdefault(repr(part), part)
    parts = tuple(flat.values() if kind is And else _listed(flat.values()))
    if len(parts) > 1:
        return kind(parts)
    return parts[0] if parts else neutral


def _listed(alternatives: Iterable[Expression]) -> list[Expression]:
    """The alternatives; those that say of one column which literals it equals are one list, where the first of them was."""
    kept: list[list[Expression]] = []
    of_column: dict[str, list[Expression]] = {}
    for part in alternatives:
        name = _listed_column(part)
        group = [] if name is None else of_column.setdefault(name, [])
        if not group:
            kept.append(group)
        group.append(part)
    return [parts[0] if len(parts) == 1 else _as_list(parts) for parts in kept]


def _listed_column(node: Expression) -> str | None:
    """The column that the node only says of which literals it equals."""
    match node:
        case Compare("=", Column(name), Literal()) | Compare("=", Literal(), Column(name)):
            return name
        case In(Column(name), values) if all(isinstance(value, Literal) for value in values):
            return name
    return None


def _as_list(parts: Sequence[Expression]) -> In:
    """Such nodes of one column as one: null where one of them is null and none is true, as they are together."""
    found: dict[str, Expression] = {}
    for part in parts:
        own = part.values if isinstance(part, In) else children(part)
        found.update((repr(it), it) for it in own if isinstance(it, Literal))
    column = next(it for part in parts for it in children(part) if isinstance(it, Column))
    return In(column, tuple(found.values()))


def _rebuild(node: Expression, change: Callable[[Expression], Expression]) -> Expression:
    """The tree with `change` applied to every node, operands first."""
    match node:
        case Compare(operator, left, right):
            return change(Compare(operator, _rebuild(left, change), _rebuild(right, change)))
        case In(operand, values):
            return change(In(_rebuild(operand, change), tuple(_rebuild(value, change) for value in values)))
        case Like(operand, pattern):
            return change(Like(_rebuild(operand, change), pattern))
        case IsNull(operand):
            return change(IsNull(_rebuild(operand, change)))
        case Not(operand):
            return change(Not(_rebuild(operand, change)))
        case And(operands):
            return change(And(tuple(_rebuild(operand, change) for operand in operands)))
        case Or(operands):
            return change(Or(tuple(_rebuild(operand, change) for operand in operands)))
        case _:
            return change(node)


def _walk(expression: Expression) -> Iterable[Expression]:
    pending = [expression]
    while pending:
        node = pending.pop()
        yield node
        pending.extend(children(node))
