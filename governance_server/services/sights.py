"""Sights on the wire: what somebody sees of a port, as an answer to questions about many."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from domainmesh.v1 import impact_pb2, question_service_pb2
from domainmesh.v1 import question_pb2 as pb
from governance_server.backend import stamp
from governance_server.policy.audience import View
from governance_server.policy.paths import Path
from governance_server.policy.prover import Claim, Proof
from governance_server.rules.read_plans import Denied, ReadPlan
from governance_server.rules.sights import Shown, Sight, sight_of
from mesh_core.expressions.tree import TRUE, Expression

__all__ = ["SHOWN", "column_to_wire", "denial_to_wire", "outcome_to_wire", "path_to_wire", "proof_to_wire", "view_to_wire"]

RESTRICTED = "restricted"
_MOST_NAMES = 50

SHOWN: Mapping[Shown, impact_pb2.ColumnShown.ValueType] = {
    Shown.HIDDEN: impact_pb2.COLUMN_SHOWN_HIDDEN,
    Shown.PARTLY: impact_pb2.COLUMN_SHOWN_PARTLY,
    Shown.MASKED: impact_pb2.COLUMN_SHOWN_MASKED,
    Shown.CLEAR: impact_pb2.COLUMN_SHOWN_CLEAR,
}


def view_to_wire(name: str, view: View, *, paths: Iterable[Path], shows_filter: bool, columns: Sequence[str] = ()) -> pb.Sight:
    """What the principal sees; only of the columns, if some are named."""
    message = _sight(name, view.plan, view.sight, shows_filter=shows_filter, columns=columns)
    message.purposes.extend(view.purposes)
    message.paths.extend(map(path_to_wire, paths))
    return message


def outcome_to_wire(name: str, outcome: ReadPlan | Denied, purpose: str, *, shows_filter: bool) -> pb.Sight:
    """What the principal sees for one purpose, or why nothing."""
    if isinstance(outcome, Denied):
        return denial_to_wire(name, outcome.port, purpose, [f"{reason.rule}: {reason.text}" for reason in outcome.reasons])
    message = _sight(name, outcome, sight_of(outcome), shows_filter=shows_filter)
    plans = {column.name: column for column in outcome.columns} if shows_filter else {}
    for column in message.columns if shows_filter else ():
        plan = plans[column.name]
        column.guard_mask = plan.guard_mask or ""
        for branch in plan.branches:
            column.branches.add(condition=_filter(branch.condition, shows_filter=True), mask=branch.mask or "")
    message.purposes.append(purpose)
    return message


def denial_to_wire(name: str, port: str, purpose: str, reasons: Iterable[str]) -> pb.Sight:
    """That the principal sees nothing, and why."""
    return pb.Sight(principal=name, port=port, purposes=[purpose], reasons=list(reasons))


def _sight(name: str, plan: ReadPlan, sight: Sight, *, shows_filter: bool, columns: Sequence[str] = ()) -> pb.Sight:
    message = pb.Sight(
        principal=name, port=plan.port, hidden_column_count=len(plan.hidden_columns),
        row_filter=_filter(plan.row_filter, shows_filter=shows_filter),
    )  # fmt: skip
    for column in sight.columns:
        if not columns or column.name in columns:
            message.columns.append(column_to_wire(column.name, column.shown, column.mask or ""))
    return message


def column_to_wire(name: str, shown: Shown, mask: str) -> pb.SeenColumn:
    """One visible column."""
    return pb.SeenColumn(name=name, shown=SHOWN[shown], mask=mask)


def path_to_wire(path: Path) -> pb.AccessPath:
    """One rule, and how somebody comes by it."""
    return pb.AccessPath(rule=path.rule, via=path.via, purpose=path.purpose, resource=path.resource)


def proof_to_wire(claim: Claim, proof: Proof, *, is_restricted: bool, revision: int) -> question_service_pb2.ProveResponse:
    """The proof, or what contradicts it."""
    message = question_service_pb2.ProveResponse(
        holds=not proof.found, claim=claim.words, counterexample_count=proof.found, principal_count=proof.principals,
        purpose_count=proof.purposes, column_count=proof.columns, moment_count=proof.moments, decision_count=proof.decisions,
        is_restricted=is_restricted, revision=revision,
    )  # fmt: skip
    for one in proof.counterexamples:
        shown = message.counterexamples.add(
            principal=one.principal, purposes=one.purposes[:_MOST_NAMES], column=one.column, shown=SHOWN[one.shown],
            mask=one.mask or "", paths=map(path_to_wire, one.paths), exemptions=map(path_to_wire, one.exemptions),
        )  # fmt: skip
        if one.moment is not None:
            shown.from_time.CopyFrom(stamp(one.moment))
    return message


def _filter(row_filter: Expression, *, shows_filter: bool) -> str:
    if row_filter == TRUE:
        return ""
    from mesh_core.expressions.sql import to_sql

    return to_sql(row_filter) if shows_filter else RESTRICTED
