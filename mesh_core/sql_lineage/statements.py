"""What a statement writes: the table and, where the statement says so, its columns. Knows nothing of where values come from."""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp

from mesh_core.sql_text import SqlNotUnderstood

__all__ = ["Written", "written_by"]


@dataclass(frozen=True, slots=True)
class Written:
    """The place a statement writes to.

    Attributes:
        table: the parts of its name; empty of a query, which writes nowhere.
        columns: the columns it names, in order; empty if it names none.
        has_star: True if a `*` stands for columns, so that which ones there are depends on complete schemas.
        is_by_place: True if the result's columns go by their order to the table's, whatever their own names are.
    """

    table: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    is_by_place: bool = False
    has_star: bool = False


def written_by(tree: exp.Expr) -> Written:
    """Where the statement writes. Raises: SqlNotUnderstood, of one that decides row by row or part by part what it writes."""
    has_star = any(not isinstance(star.parent, exp.Count) for star in tree.find_all(exp.Star))
    if not isinstance(tree, exp.Insert | exp.Create):
        return Written(has_star=has_star)
    if tree.args.get("conflict") or tree.args.get("partition"):
        raise SqlNotUnderstood("A statement that writes into partitions or on conflicts does not tell its columns.")
    target = tree.this
    named = [column.name for column in target.expressions] if isinstance(target, exp.Schema) else []
    table = target.this if isinstance(target, exp.Schema) else target
    if not isinstance(table, exp.Table) or not isinstance(table.this, exp.Identifier):
        raise SqlNotUnderstood("What the statement writes to is no table.")
    is_by_place = isinstance(tree, exp.Insert) and not tree.args.get("by_name")
    return Written(tuple(part.name for part in table.parts), tuple(named), is_by_place or bool(named), has_star)
