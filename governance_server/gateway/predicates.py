"""Taking predicates apart and together: which columns they use, their top-level conjuncts. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from mesh_core.expressions.limits import children
from mesh_core.expressions.tree import And, Column, Expression

__all__ = ["columns_of", "conjunction", "conjuncts"]


def columns_of(expression: Expression) -> frozenset[str]:
    """The names of all columns the expression reads."""
    found: set[str] = set()
    pending = [expression]
    while pending:
        node = pending.pop()
        if isinstance(node, Column):
            found.add(node.name)
        pending.extend(children(node))
    return frozenset(found)


def conjuncts(expression: Expression) -> list[Expression]:
    """The conditions that must all be true for the expression to be true; nested ANDs are opened up."""
    if not isinstance(expression, And):
        return [expression]
    return [part for operand in expression.operands for part in conjuncts(operand)]


def conjunction(parts: Sequence[Expression]) -> Expression | None:
    """The one expression that is true where all parts are; None for no parts."""
    if not parts:
        return None
    return parts[0] if len(parts) == 1 else And(tuple(parts))
