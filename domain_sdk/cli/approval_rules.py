"""`approval-rules`: rules that approve access requests when they are filed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from domain_sdk.cli.command import Command
from domain_sdk.cli.options import Columns, GrantPurpose, Json, Masks, Reason, Rows, parse_columns, parse_pairs
from domain_sdk.cli.output import answer, cell, details, table
from domain_sdk.cli.session import connect

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

    from domain_sdk.approval_rules import ApprovalRule

__all__ = ["COMMANDS"]

RuleId = Annotated[str, typer.Argument(metavar="ID", help="The rule's id, from `mesh approval-rules list`.")]


def list_rules(
    ctx: typer.Context,
    resource: Annotated[str, typer.Option("--resource", help="Only on this and what it contains.")] = "",
    as_json: Json = False,
) -> None:
    """List the rules on what you may grant on."""
    with connect(ctx) as mesh:
        found = mesh.approval_rules.list(resource=resource)
    answer(found, lambda: _rules(found), as_json=as_json)


def create(
    ctx: typer.Context,
    resource: Annotated[str, typer.Argument(help="A product or port, like sales.orders.")],
    subject: Annotated[list[str], typer.Option("--for", metavar="WHO", help="Whose requests; repeat for several.")],
    id: Annotated[str, typer.Option("--id", help="Like sales:analysts; made up when left out.")] = "",
    purpose: GrantPurpose = "",
    longest_days: Annotated[int, typer.Option("--days", min=0, help="Longer requests wait for people; 0 for no bound.")] = 0,
    columns: Columns = "",
    rows: Rows = "",
    mask: Masks = None,
    reason: Reason = "",
    as_json: Json = False,
) -> None:
    """Approve, in your name, every request that fits: at once, when it is filed."""
    masks = parse_pairs(mask, option="--mask", form="COLUMN=MASK")
    with connect(ctx) as mesh:
        made = mesh.approval_rules.create(
            resource,
            subject,
            id=id,
            purpose=purpose,
            longest_days=longest_days,
            columns=parse_columns(columns),
            rows=rows,
            masks=masks,
            reason=reason,
        )
    answer(made, lambda: _rule(made), as_json=as_json)


def disable(ctx: typer.Context, id: RuleId, as_json: Json = False) -> None:
    """Let a rule approve nothing for now; grants that it approved stay."""
    with connect(ctx) as mesh:
        changed = mesh.approval_rules.update(id, is_disabled=True)
    answer(changed, lambda: _rule(changed), as_json=as_json)


def enable(ctx: typer.Context, id: RuleId, as_json: Json = False) -> None:
    """Let a rule approve again, in your name."""
    with connect(ctx) as mesh:
        changed = mesh.approval_rules.update(id, is_disabled=False)
    answer(changed, lambda: _rule(changed), as_json=as_json)


def delete(ctx: typer.Context, id: RuleId, as_json: Json = False) -> None:
    """Remove a rule; grants that it approved stay."""
    with connect(ctx) as mesh:
        gone = mesh.approval_rules.delete(id)
    answer(gone, lambda: f"Rule {gone.id} is gone.", as_json=as_json)


def _state(rule: ApprovalRule) -> Text:
    if rule.is_disabled:
        return cell("disabled", "dim")
    return cell("dead: its author may not grant this any more", "red") if rule.is_dead else cell("active", "green")


def _rule(rule: ApprovalRule) -> RenderableType:
    facts = {
        "state": _state(rule),
        "approves for": rule.subjects,
        "on": rule.resource,
        "purpose": rule.purpose or "any",
        "longest": f"{rule.longest_days} days" if rule.longest_days else "",
        "columns": rule.columns,
        "rows": rule.row_filter,
        "masks": rule.masks,
        "reason": rule.reason,
        "in the name of": rule.author,
        "since": rule.create_time,
    }
    return details(facts, title=f"Approval rule {rule.id}")


def _rules(found: Sequence[ApprovalRule]) -> RenderableType:
    if not found:
        return "There are no approval rules that you may see."
    rows = [
        (
            cell(it.id, "bold"),
            _state(it),
            it.subjects,
            it.resource,
            it.purpose,
            it.longest_days or "",
            "; ".join(part for part in (cell(it.columns).plain, it.row_filter, cell(it.masks).plain) if part),
            it.author,
        )
        for it in found
    ]
    return table(("id", "state", "for", "on", "purpose", "days", "only", "author"), rows)


COMMANDS = (
    Command("list", list_rules, ("mesh approval-rules list --resource sales",)),
    Command(
        "create",
        create,
        ("mesh approval-rules create sales.orders --for group:analysts --purpose forecasting --days 90",),
    ),
    Command("disable", disable, ("mesh approval-rules disable sales:analysts",)),
    Command("enable", enable, ("mesh approval-rules enable sales:analysts",)),
    Command("delete", delete, ("mesh approval-rules delete sales:analysts",)),
)
