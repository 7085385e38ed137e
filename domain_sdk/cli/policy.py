"""`grant`, `grants`, `guardrails`, `check`: the rules themselves, and what they decide."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from domain_sdk.changes import Resource
from domain_sdk.cli.catalog_views import reason_words
from domain_sdk.cli.changes import done_or_proposed
from domain_sdk.cli.command import Command
from domain_sdk.cli.failures import FAILED
from domain_sdk.cli.options import (
    Columns,
    GrantPurpose,
    Json,
    Masks,
    PurposeOption,
    Reason,
    Rows,
    Until,
    parse_columns,
    parse_pairs,
)
from domain_sdk.cli.output import answer, cell, details, table
from domain_sdk.cli.session import connect

if TYPE_CHECKING:
    from rich.console import RenderableType

    from domain_sdk.access import Decision, Grant, Guardrail

__all__ = ["COMMANDS", "grant_view", "guardrails_view"]

_ACTIONS = ("discover", "request", "read", "write", "grant", "administer")


def grant(
    ctx: typer.Context,
    subject: Annotated[str, typer.Argument(help="user:ana, group:analysts, role:x, domain:sales or '*'.")],
    resource: Annotated[str, typer.Argument(help="mesh, a domain, product or port.")],
    actions: Annotated[str, typer.Option("--actions", metavar="A,B", help=f"Of {', '.join(_ACTIONS)}.")] = "discover,read",
    purpose: GrantPurpose = "",
    rows: Rows = "",
    mask: Masks = None,
    columns: Columns = "",
    since: Annotated[str | None, typer.Option("--since", metavar="DATE", help="From when on; at once when left out.")] = None,
    until: Until = None,
    deny: Annotated[bool, typer.Option("--deny", help="Take instead of give; overrides every allow.")] = False,
    reason: Reason = "",
    as_json: Json = False,
) -> None:
    """Give (or with --deny take) access without a request; needs the right to grant on the resource."""
    names = parse_columns(actions)
    unknown = sorted(set(names) - set(_ACTIONS))
    if unknown:
        raise typer.BadParameter(f"{', '.join(unknown)}: no such action; use {', '.join(_ACTIONS)}.", param_hint="--actions")
    masks, shown = parse_pairs(mask, option="--mask", form="COLUMN=MASK"), parse_columns(columns)
    given: dict[str, Any] = {"actions": names, "purpose": purpose, "columns": shown, "reason": reason}

    def desired() -> Resource:
        fields = {**given, "subject": subject, "resource": resource, "effect": "deny" if deny else "allow", "row_filter": rows}
        times = {name: time for name, time in (("start_time", since), ("expire_time", until)) if time is not None}
        return Resource("grant", {**fields, **times, "masks": [{"column": it, "mask": masks[it]} for it in masks]})

    with connect(ctx) as mesh:
        done_or_proposed(
            mesh,
            lambda: mesh.grant(subject, resource, **given, rows=rows, masks=masks, since=since, until=until, deny=deny),
            desired,
            grant_view,
            as_json=as_json,
        )


def grants(
    ctx: typer.Context,
    resource: Annotated[str, typer.Option("--resource", help="Only on this and what it contains.")] = "",
    subject: Annotated[str, typer.Option("--subject", help="Only to this subject.")] = "",
    every: Annotated[bool, typer.Option("--all", help="Revoked ones too.")] = False,
    as_json: Json = False,
) -> None:
    """List grants that you may see."""
    with connect(ctx) as mesh:
        found = [it for it in mesh.grants(resource=resource, subject=subject) if every or not it.is_revoked]
    answer(found, lambda: _grants(found), as_json=as_json)


def guardrails(ctx: typer.Context, as_json: Json = False) -> None:
    """List the rules of the central team that bind every domain."""
    with connect(ctx) as mesh:
        found = mesh.guardrails()
    answer(found, lambda: guardrails_view(found), as_json=as_json)


def check(
    ctx: typer.Context,
    action: Annotated[str, typer.Argument(help=f"One of {', '.join(_ACTIONS)}.")],
    resource: Annotated[str, typer.Argument(help="mesh, a domain, product or port.")],
    principal: Annotated[str, typer.Option("--principal", help="Somebody else, like user:ana, if you may ask.")] = "",
    purpose: PurposeOption = "",
    as_json: Json = False,
) -> None:
    """Check whether an action is allowed, and why. Exit status 0 if it is, 1 if not."""
    if action not in _ACTIONS:
        raise typer.BadParameter(f"{action!r} is no action; use {', '.join(_ACTIONS)}.", param_hint="ACTION")
    with connect(ctx) as mesh:
        decision = mesh.check(action, resource, principal=principal, purpose=purpose)  # type: ignore[arg-type] # checked above
    answer(decision, lambda: _decision(decision, f"{action} {resource}"), as_json=as_json)
    raise typer.Exit(0 if decision else FAILED)


def grant_view(grant: Grant) -> RenderableType:
    """One grant."""
    facts = {
        "effect": cell("deny", "red") if grant.is_deny else cell("allow", "green"),
        "who": grant.subject,
        "may": grant.actions,
        "on": grant.resource,
        "purpose": grant.purpose or "any",
        "columns": grant.columns,
        "rows": grant.row_filter,
        "masks": grant.masks,
        "since": grant.start_time,
        "until": grant.until,
        "reason": grant.reason,
        "given by": grant.grantor,
        "request": grant.access_request,
        "revoked": f"{cell(grant.revoke_time)} by {grant.revoker}" if grant.is_revoked else "",
    }
    return details(facts, title=f"Grant {grant.id}")


def _grants(found: Sequence[Grant]) -> RenderableType:
    if not found:
        return "There are no grants that you may see."
    rows = [
        (
            cell(it.id, "bold"),
            cell(it.subject, "red" if it.is_deny else ""),
            ("NOT " if it.is_deny else "") + ", ".join(it.actions),
            it.resource,
            it.purpose,
            "; ".join(part for part in (it.row_filter, cell(it.masks).plain) if part),
            "revoked" if it.is_revoked else it.until,
        )
        for it in found
    ]
    return table(("id", "who", "may", "on", "purpose", "only", "until"), rows)


def guardrails_view(found: Sequence[Guardrail]) -> RenderableType:
    """Guardrails, a row each."""
    from rich.console import Group

    if not found:
        return "There are no guardrails."
    rows = [(cell(it.id, "bold"), it.resource, _rule(it), it.exempt, it.description) for it in found]
    listed = table(("id", "on", "rule", "except", "description"), rows)
    warnings = [cell(it.warning, "yellow") for it in found if it.warning]
    return Group(listed, *warnings) if warnings else listed


def _rule(guardrail: Guardrail) -> str:
    if guardrail.mask:
        return f"mask: {guardrail.mask}"
    return f"rows: {guardrail.row_filter}" if guardrail.row_filter else "no reading"


def _decision(decision: Decision, what: str) -> RenderableType:
    verdict = cell("allowed", "bold green") if decision else cell("denied", "bold red")
    return details({"verdict": verdict, "because": reason_words(decision.reasons), "revision": decision.revision}, title=what)


COMMANDS = (
    Command("grant", grant, ("mesh grant group:analysts policy.handbook --actions discover,read",)),
    Command("grants", grants, ("mesh grants --resource finance.revenue",)),
    Command("guardrails", guardrails, ("mesh guardrails",)),
    Command("check", check, ("mesh check read finance.revenue.revenue --purpose forecasting",)),
)
