"""`request`, `requests`, `approve`, `deny`, `withdraw`, `revoke`: asking for access and deciding about it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from domain_sdk.cli.command import Command
from domain_sdk.cli.options import Columns, Json, Masks, Reason, RequestPurpose, Rows, Until, parse_columns, parse_pairs
from domain_sdk.cli.output import answer, cell, details, table, waiting
from domain_sdk.cli.session import connect

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

    from domain_sdk.access import AccessRequest

__all__ = ["COMMANDS", "request_view"]

RequestId = Annotated[str, typer.Argument(metavar="ID", help="The request's id, from `mesh requests`.")]
_STATES = {"requested": "yellow", "approved": "green", "denied": "red", "revoked": "red"}


def request(
    ctx: typer.Context,
    resource: Annotated[str, typer.Argument(help="A product or port, like finance.revenue.")],
    purpose: RequestPurpose = "",
    until: Until = None,
    columns: Columns = "",
    reason: Reason = "",
    wait_seconds: Annotated[
        float | None, typer.Option("--wait", metavar="SECONDS", min=0, help="Wait so long for the decision.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Ask the owner of a product or port for access."""
    with connect(ctx) as mesh:
        filed = mesh.request(resource, purpose=purpose, until=until, columns=parse_columns(columns), reason=reason)
        if wait_seconds is not None:
            with waiting(f"Request {filed.id} waits for a decision …"):
                filed = filed.wait(wait_seconds)
    answer(filed, lambda: request_view(filed), as_json=as_json)


def requests(
    ctx: typer.Context,
    state: Annotated[
        str, typer.Option("--state", help="requested, approved, denied, withdrawn or revoked; all when empty.")
    ] = "",
    resource: Annotated[str, typer.Option("--resource", help="Only on this and what it contains.")] = "",
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many at most.")] = 50,
    as_json: Json = False,
) -> None:
    """List your own requests and those that wait for your decision, newest first."""
    with connect(ctx) as mesh:
        found = mesh.requests(state=state, resource=resource, limit=limit)
    answer(found, lambda: _inbox(found), as_json=as_json)


def approve(
    ctx: typer.Context,
    id: RequestId,
    rows: Rows = "",
    mask: Masks = None,
    columns: Columns = "",
    until: Until = None,
    reason: Reason = "",
    as_json: Json = False,
) -> None:
    """Approve a request, for all that was asked or for less. The grant exists at once."""
    masks = parse_pairs(mask, option="--mask", form="COLUMN=MASK")
    with connect(ctx) as mesh:
        decided = mesh.approve(id, rows=rows, masks=masks, columns=parse_columns(columns), until=until, reason=reason)
    answer(decided, lambda: request_view(decided), as_json=as_json)


def deny(ctx: typer.Context, id: RequestId, reason: Reason = "", as_json: Json = False) -> None:
    """Deny a request."""
    with connect(ctx) as mesh:
        decided = mesh.deny(id, reason=reason)
    answer(decided, lambda: request_view(decided), as_json=as_json)


def withdraw(ctx: typer.Context, id: RequestId, as_json: Json = False) -> None:
    """Take back a request of your own."""
    with connect(ctx) as mesh:
        taken = mesh.withdraw(id)
    answer(taken, lambda: request_view(taken), as_json=as_json)


def revoke(
    ctx: typer.Context,
    id: Annotated[str, typer.Argument(metavar="GRANT", help="The grant's id, from `mesh grants` or `mesh requests`.")],
    reason: Reason = "",
    as_json: Json = False,
) -> None:
    """Revoke a grant; the next read that needs it is denied."""
    from domain_sdk.cli.policy import grant_view

    with connect(ctx) as mesh:
        revoked = mesh.revoke(id, reason=reason)
    answer(revoked, lambda: grant_view(revoked), as_json=as_json)


def request_view(request: AccessRequest) -> RenderableType:
    """One request, with what to do next."""
    facts = {
        "state": _state(request),
        "who": request.requester,
        "asks for": request.resource,
        "purpose": request.purpose,
        "columns": request.columns,
        "until": request.until,
        "reason": request.reason,
        "decided by": request.decider,
        "answer": request.decision_reason,
        "rows": request.row_filter,
        "masks": request.masks,
        "grants": request.grants,
        "next": "" if request.is_decided else f"the owner decides with: mesh approve {request.id}",
    }
    return details(facts, title=f"Access request {request.id}")


def _inbox(found: Sequence[AccessRequest]) -> RenderableType:
    if not found:
        return "There are no requests of yours, and none wait for you."
    rows = [(cell(it.id, "bold"), _state(it), it.requester, it.resource, it.purpose, it.reason, it.create_time) for it in found]
    return table(("id", "state", "who", "asks for", "purpose", "reason", "since"), rows)


def _state(request: AccessRequest) -> Text:
    return cell(str(request.state), _STATES.get(str(request.state), "dim"))


COMMANDS = (
    Command(
        "request", request, ('mesh request finance.revenue --purpose forecasting --until 2027-06-01 --reason "Plan next year"',)
    ),
    Command("requests", requests, ("mesh requests --state requested",)),
    Command("approve", approve, ("mesh approve ID --rows \"region = 'EMEA'\" --mask customer_id=show-last-4",)),
    Command("deny", deny, ('mesh deny ID --reason "Ask for the aggregate instead"',)),
    Command("withdraw", withdraw, ("mesh withdraw ID",)),
    Command("revoke", revoke, ('mesh revoke GRANT --reason "The plan is done"',)),
)
