"""What a read plan means for a collection: it is read by searching its text, so who sees the text masked reads nothing of it."""

from __future__ import annotations

from domainmesh.v1 import product_pb2
from governance_server.rules.read_plans import ColumnPlan, Denied, ReadPlan
from mesh_core.masks import Mask, join_all

__all__ = ["UNSEARCHABLE", "gives_something", "is_searchable", "strictest_mask"]

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


def strictest_mask(column: ColumnPlan) -> Mask | None:
    """The mask that hides most of all those that the column is given under; None if it is given without any."""
    return join_all([column.guard_mask, *(branch.mask for branch in column.branches)])
