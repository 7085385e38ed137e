"""What a read plan means for a collection: it is read by searching its text, so who sees the text masked reads nothing of it."""

from __future__ import annotations

from domainmesh.v1 import product_pb2
from governance_server.rules.read_plans import ColumnPlan, Denied, ReadPlan
from mesh_core.expressions.binding import conjoin, disjoin
from mesh_core.expressions.tree import TRUE, Column, Compare, Expression, Literal
from mesh_core.masks import Mask, join_all

__all__ = ["UNSEARCHABLE", "findable", "finds_all", "gives_something", "is_searchable", "strictest_mask"]

UNSEARCHABLE = "Its text is masked or hidden, so it cannot be searched."


def is_searchable(plan: ReadPlan) -> bool:
    """True if the reader sees the text as it is, of some passages at least: only then it may be searched."""
    text = next((column for column in plan.columns if column.name == "text"), None)
    return text is not None and strictest_mask(text) is None


def gives_something(port: product_pb2.Port, outcome: ReadPlan | Denied) -> bool:
    """True if a read of the port gives rows or, of a collection, passages."""
    if isinstance(outcome, Denied):
        return False
    return port.kind != product_pb2.PORT_KIND_COLLECTION or is_searchable(outcome)


def findable(plan: ReadPlan, *, has_pages: bool) -> Expression:
    """True of the passages that the reader may find, as far as rows and columns decide, of a plan that is searchable.

    Left out is what is indexed with something that a mask or denial keeps from the reader: what finds a passage tells of it.
    Indexed with the text are title and headings, and the names of documents that have pages.
    """
    columns = {column.name: column for column in plan.columns}
    indexed = ("title", "heading", "document") if has_pages else ("title", "heading")
    kept = [n for n in indexed if n in plan.withheld_columns or (n in columns and strictest_mask(columns[n]) is not None)]
    nothing_kept = conjoin(Compare("=", Column(name), Literal("")) for name in kept)
    return conjoin([plan.row_filter, disjoin(it.condition for it in columns["text"].branches), nothing_kept])


def finds_all(plan: ReadPlan, port: product_pb2.Port) -> bool:
    """True if the reader may find every passage of the collection, as far as rows and columns decide."""
    return is_searchable(plan) and findable(plan, has_pages=port.facets.pages > 0) == TRUE


def strictest_mask(column: ColumnPlan) -> Mask | None:
    """The mask that hides most of all those that the column is given under; None if it is given without any."""
    return join_all([column.guard_mask, *(branch.mask for branch in column.branches)])
