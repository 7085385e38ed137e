"""Read plans on the wire: what a reader is told of its own plan, and in words."""

from __future__ import annotations

from domainmesh.v1 import read_pb2
from governance_server.rules.read_plans import ReadPlan
from mesh_core.expressions.tree import TRUE
from mesh_core.masks import join

__all__ = ["plan_to_wire"]


def plan_to_wire(plan: ReadPlan, *, shows_filter: bool) -> read_pb2.ReadPlan:
    """The message; the row filter's text only if the reader may see it, since it may name hidden columns."""
    row_filter = ""
    if plan.row_filter != TRUE:
        from mesh_core.expressions.sql import to_sql

        row_filter = to_sql(plan.row_filter) if shows_filter else "restricted"
    message = read_pb2.ReadPlan(
        port=plan.port, principal=plan.principal, purpose=plan.purpose, revision=plan.revision,
        hidden_column_count=len(plan.hidden_columns), row_filter=row_filter,
        reasons=[f"{reason.rule}: {reason.text}" for reason in plan.reasons], has_obligations=plan.has_obligations,
    )  # fmt: skip
    for column in plan.columns:
        only = column.branches[0] if len(column.branches) == 1 and column.branches[0].condition == TRUE else None
        mask = join(column.guard_mask, only.mask if only else None)
        message.columns.add(name=column.name, mask=mask or "", is_conditional=only is None)
    return message
