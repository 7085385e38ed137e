"""Negative text filters over fields with too many values to list: Weaviate's negations, each beside proof that there is a value.

By itself a negation also returns objects without the property. Every stored text begins with the same character (see `exact`), so
those that are not below it are exactly the objects that have one. A pattern is not negated: Weaviate's do not match values with
line ends, so its negation would show too much. Loaded only with the Weaviate store.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from weaviate.classes.query import Filter

from mesh_core.expressions.tree import And, Column, Compare, Expression, In, Literal, Not, Or
from mesh_core.expressions.weaviate import Everything, Nothing, all_of, any_of, to_weaviate

__all__ = ["with_negations"]


def with_negations(expression: Expression, *, texts: Collection[str], prefix: str) -> Any:  # noqa: ANN401
    """The filter that keeps exactly the objects where the expression is true, as `to_weaviate` gives it.

    Args:
        expression: Fitted and simplified.
        texts: Fields of text.
        prefix: What every value of theirs begins with, and no other filter needs.

    Raises:
        Unsupported: what a negation cannot say either: NOT LIKE, orders of texts.
    """
    return _said(expression, frozenset(texts), prefix, negated=False)


def _said(node: Expression, texts: frozenset[str], prefix: str, *, negated: bool) -> Any:  # noqa: ANN401
    match node:
        case Not(operand):
            return _said(operand, texts, prefix, negated=not negated)
        case And(operands) | Or(operands):
            parts = [_said(operand, texts, prefix, negated=negated) for operand in operands]
            return all_of(parts) if isinstance(node, And) is not negated else any_of(parts)
        case Compare("!=", Column(name), Literal(str())) if not negated and name in texts:
            return _without(name, prefix, Compare("=", node.left, node.right))
        case Compare("=", Column(name), Literal(str())) if negated and name in texts:
            return _without(name, prefix, node)
        case In(Column(name), values) if negated and name in texts:
            return Nothing.NOTHING if Literal(None) in values else _without(name, prefix, node)
    return to_weaviate(Not(node) if negated else node)


def _without(name: str, prefix: str, node: Expression) -> Any:  # noqa: ANN401
    """Objects that have a value of which the node is not true."""
    kept = to_weaviate(node)
    if isinstance(kept, Everything):
        return Nothing.NOTHING
    present = Filter.by_property(name).greater_or_equal(prefix)
    return present if isinstance(kept, Nothing) else Filter.all_of([present, Filter.not_(kept)])
