"""Rewrites an expression as a filter: true on the same rows, false on all others, null on none.

NOT stands only before single tests, and every test asks that its columns are not null. An engine whose optimiser forgets that a
condition can be null then still answers right: DataFusion rewrites `x NOT IN (1) OR x NOT IN (2)` to TRUE, and LanceDB returns
the rows where x is null with it.
"""

from __future__ import annotations

from mesh_core.expressions.binding import columns, conjoin, disjoin, simplify
from mesh_core.expressions.limits import check_composed
from mesh_core.expressions.tree import FALSE, And, Column, Compare, Expression, In, IsNull, Like, Literal, Not, Or
from mesh_core.expressions.values import NEGATED

__all__ = ["as_filter"]


def as_filter(expression: Expression) -> Expression:
    """The two-valued filter that keeps exactly the rows where the expression is true.

    Values of different families still compare to null: fit the expression first (`fitting.fit`) to be rid of those.

    Raises:
        InvalidExpression: If the expression is outside the language.
    """
    return _kept(simplify(check_composed(expression)), negated=False)


def _kept(node: Expression, *, negated: bool) -> Expression:
    """A filter for "node is true" or, negated, "node is false"."""
    match node:
        case Literal(value):
            return Literal(value is not None and value is not negated)
        case Not(operand):
            return _kept(operand, negated=not negated)
        case And(operands) | Or(operands):
            parts = [_kept(operand, negated=negated) for operand in operands]
            return conjoin(parts) if isinstance(node, And) is not negated else disjoin(parts)
        case IsNull():
            return Not(node) if negated else node
        case Compare(operator, Column(left), Column(right)) if left == right:
            return FALSE if (operator in ("=", "<=", ">=")) is negated else Not(IsNull(Column(left)))
        case Compare(_, left, right) if Literal(None) in (left, right):
            return FALSE
        case Compare(operator, left, right):
            return _guarded(Compare(NEGATED[operator] if negated else operator, left, right))
        case In(operand, values):
            return _membership(operand, values, negated=negated)
        case Like() | Column():
            return _guarded(Not(node) if negated else node)
        case _:
            return Not(node) if negated else node


def _membership(operand: Expression, values: tuple[Expression, ...], *, negated: bool) -> Expression:
    known = tuple(value for value in values if value != Literal(None))
    if not known or (negated and len(known) < len(values)):
        return FALSE
    return _guarded(Not(In(operand, known)) if negated else In(operand, known))


def _guarded(test: Expression) -> Expression:
    guards = tuple(Not(IsNull(Column(name))) for name in sorted(columns(test)))
    return And((test, *guards)) if guards else test
