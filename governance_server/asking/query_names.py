"""What a query calls columns, and what it calls so: by AS, by lists of names behind tables, and by their place in a UNION."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlglot import exp

__all__ = ["given_names", "joined_names"]


def given_names(nodes: list[exp.Expr]) -> Iterator[tuple[str, exp.Expr | None]]:
    """Names that the query writes, each with what it names; None if that cannot be told."""
    from sqlglot import exp

    for node in nodes:
        if isinstance(node, exp.Alias | exp.PropertyEQ):
            yield node.alias_or_name, node.this if isinstance(node, exp.Alias) else None
        elif isinstance(node, exp.TableAlias) and (names := [it.name for it in node.args.get("columns") or ()]):
            query = node.parent.this if isinstance(node.parent, exp.CTE | exp.Subquery) else None
            given = _selected(query)
            known = given if given is not None and len(given) >= len(names) else [None] * len(names)
            yield from zip(names, known, strict=False)


def joined_names(nodes: list[exp.Expr]) -> Iterator[tuple[str, exp.Expr | None]]:
    """Names that columns get by their place in a UNION, each with what it names; None if that cannot be told."""
    from sqlglot import exp

    for node in nodes:
        if not isinstance(node, exp.Union) or node.args.get("by_name"):
            continue
        first, further = _selected(node.left), _selected(node.right)
        if first is None:  # whole rows beside others that are chosen; of whole rows on both sides the tables say the order
            yield from ((it.alias_or_name, None) for it in further or ())
        else:
            behind = further if further is not None and len(further) == len(first) else [None] * len(first)
            yield from zip((it.alias_or_name for it in first), behind, strict=True)


def _selected(query: exp.Expr | None) -> list[exp.Expr] | None:
    """What the query selects, in its order; None if it selects all columns of something."""
    from sqlglot import exp

    while isinstance(query, exp.Subquery | exp.SetOperation):
        query = query.this
    if not isinstance(query, exp.Select) or any(it.find(exp.Star) and it.is_star for it in query.expressions):
        return None
    return query.expressions
