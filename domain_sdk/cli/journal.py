"""`audit changes`, `repair`: the journal, and what crashes left behind."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from domain_sdk.cli.command import Command
from domain_sdk.cli.options import Json
from domain_sdk.cli.output import answer, cell, details, output_console, plain, table, waiting
from domain_sdk.cli.session import connect

if TYPE_CHECKING:
    from rich.console import RenderableType

    from domain_sdk.audit import Change

__all__ = ["AUDIT_COMMANDS", "COMMANDS"]


def changes(
    ctx: typer.Context,
    after: Annotated[int, typer.Option("--after", min=0, help="Only changes after this revision.")] = 0,
    kind: Annotated[
        list[str] | None, typer.Option("--kind", help="Only what wrote this kind of resource, like grant; repeat for more.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many at most.")] = 50,
    last: Annotated[int, typer.Option("--last", min=0, help="Only among the newest so many revisions.")] = 0,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with changes as they are accepted, until Ctrl-C.")
    ] = False,
    as_json: Json = False,
) -> None:
    """List what the server accepted, oldest first; with --follow and --json one JSON object a line."""
    with connect(ctx) as mesh:
        start = max(after, mesh.status().revision - last) if last else after
        if follow:
            for change in mesh.audit.watch(after=start, kinds=kind or ()):
                line = json.dumps(plain(change)) if as_json else _line(change)
                print(line, flush=True) if as_json else output_console().print(line)
            return
        listed = mesh.audit.changes(after=start, kinds=kind or (), limit=limit + 1)
    found = listed[:limit]
    answer(found, lambda: _changes(found, has_more=len(listed) > limit), as_json=as_json)


def repair(
    ctx: typer.Context,
    product: Annotated[str, typer.Argument(help="Only this product; all when left out.")] = "",
    as_json: Json = False,
) -> None:
    """End what crashed publishers and servers left half-done: rolled forward, or given up."""
    with connect(ctx) as mesh, waiting("Looking for unfinished publications …"):
        committed, aborted = mesh.admin.repair(product)
    facts = {"rolled forward": committed or "none", "given up": aborted or "none"}
    answer({"committed": committed, "aborted": aborted}, lambda: details(facts), as_json=as_json)


def _changes(found: Sequence[Change], *, has_more: bool) -> RenderableType:
    from rich.console import Group

    if not found:
        return "There are no such changes."
    rows = [(it.revision, it.time, it.principal, cell(it.kind, "bold"), it.subject, it.hash[:12]) for it in found]
    listed = table(("revision", "time", "who", "what", "on", "hash"), rows, numbers=["revision"])
    more = f"… there are more: go on with --after {found[-1].revision}, or see the newest with --last 50"
    return Group(listed, cell(more, "yellow")) if has_more else listed


def _line(change: Change) -> RenderableType:
    return (
        cell(f"{change.revision:>6}  ", "dim")
        + cell(change.time)
        + cell(f"  {change.principal}  ")
        + cell(change.kind, "bold")
        + cell(f"  {change.subject}")
    )


AUDIT_COMMANDS = (
    Command(
        "changes",
        changes,
        (
            "mesh audit changes --kind grant --kind guardrail",
            "mesh audit changes --last 20",
            "mesh audit changes --follow --json",
        ),
    ),
)
COMMANDS = (Command("repair", repair, ("mesh repair", "mesh repair finance.ledger")),)
