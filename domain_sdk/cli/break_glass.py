"""`break-glass`, `end-break-glass`, `audit break-glass`, `audit acknowledge`: access in an emergency."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from domain_sdk.cli.command import Command
from domain_sdk.cli.options import Json, PortName, Reason
from domain_sdk.cli.output import answer, cell, table
from domain_sdk.cli.session import connect

if TYPE_CHECKING:
    from rich.console import RenderableType

    from domain_sdk.break_glass import BreakGlass

__all__ = ["AUDIT_COMMANDS", "COMMANDS"]

UseId = Annotated[str, typer.Argument(metavar="ID", help="The use, like b-5f0c….")]


def break_glass(
    ctx: typer.Context,
    port: PortName,
    reason: Annotated[str, typer.Option("--reason", help="Why; the owners and administrators get to read it.")],
    minutes: Annotated[int, typer.Option("--minutes", min=1, max=240, help="For how long.")] = 30,
    as_json: Json = False,
) -> None:
    """Open one port for yourself in an emergency; needs role:break-glass, and the owners are told."""
    with connect(ctx) as mesh:
        use = mesh.policy.break_glass(port, reason=reason, minutes=minutes)
    answer(use, lambda: _uses([use]), as_json=as_json)


def end_break_glass(ctx: typer.Context, id: UseId, reason: Reason = "", as_json: Json = False) -> None:
    """End emergency access at once; running reads stop."""
    with connect(ctx) as mesh:
        use = mesh.policy.end_break_glass(id, reason=reason)
    answer(use, lambda: _uses([use]), as_json=as_json)


def list_uses(
    ctx: typer.Context,
    everything: Annotated[bool, typer.Option("--all", help="Also those that somebody took note of.")] = False,
    as_json: Json = False,
) -> None:
    """List uses of emergency access that nobody has taken note of: your own, and those on what you answer for."""
    with connect(ctx) as mesh:
        uses = mesh.policy.break_glass_uses(only_unacknowledged=not everything)
    answer(uses, lambda: _uses(uses) if uses else "There is no use of break-glass to take note of.", as_json=as_json)


def acknowledge(
    ctx: typer.Context,
    id: UseId,
    note: Annotated[str, typer.Option("--note", help="What there is to say about it.")] = "",
    as_json: Json = False,
) -> None:
    """Take note of a use of emergency access; for owners and administrators."""
    with connect(ctx) as mesh:
        use = mesh.policy.acknowledge_break_glass(id, note)
    answer(use, lambda: _uses([use]), as_json=as_json)


def _uses(uses: Sequence[BreakGlass]) -> RenderableType:
    rows = [
        (
            cell(it.id, "bold"), it.principal, it.resource, cell("open", "bold red") if it.is_open else "ended",
            it.create_time, it.until, it.reason, it.acknowledger or cell("nobody yet", "yellow"),
        )
        for it in uses
    ]  # fmt: skip
    return table(("id", "who", "port", "is", "from", "until", "why", "acknowledged by"), rows)


COMMANDS = (
    Command(
        "break-glass",
        break_glass,
        ('mesh break-glass finance.ledger.entries --reason "Payments stand still, incident 4711" --minutes 30',),
    ),
    Command("end-break-glass", end_break_glass, ('mesh end-break-glass b-5f0c3e2a91d4b7e8 --reason "Not needed"',)),
)
AUDIT_COMMANDS = (
    Command("break-glass", list_uses, ("mesh audit break-glass", "mesh audit break-glass --all --json")),
    Command("acknowledge", acknowledge, ('mesh audit acknowledge b-5f0c3e2a91d4b7e8 --note "Incident 4711, justified"',)),
)
