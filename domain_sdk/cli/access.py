"""`request`, `requests`, `approve`, `deny`, `renew`, `withdraw`, `revoke`: asking for access and deciding about it."""

from __future__ import annotations

from typing import Annotated

import typer

from domain_sdk.cli.changes import change_set_view, is_change_set
from domain_sdk.cli.command import Command
from domain_sdk.cli.options import Columns, Json, Masks, Reason, RequestPurpose, Rows, Until, parse_columns, parse_pairs
from domain_sdk.cli.output import answer, waiting
from domain_sdk.cli.request_views import request_view, requests_view
from domain_sdk.cli.session import connect

__all__ = ["COMMANDS"]

RequestId = Annotated[
    str, typer.Argument(metavar="ID", help="The id of a request (r-…, from `mesh requests`) or change set (c-…, `mesh changes`).")
]


def request(
    ctx: typer.Context,
    resource: Annotated[str, typer.Argument(help="A product or port, like finance.revenue.")],
    purpose: RequestPurpose = "",
    until: Until = None,
    columns: Columns = "",
    rows: Rows = "",
    subject: Annotated[str, typer.Option("--for", metavar="GROUP", help="A group of yours that is to get it; else you.")] = "",
    reason: Reason = "",
    wait_seconds: Annotated[
        float | None, typer.Option("--wait", metavar="SECONDS", min=0, help="Wait so long for the decision.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Ask the owner of a product or port for access."""
    with connect(ctx) as mesh:
        filed = mesh.request(
            resource,
            purpose=purpose,
            until=until,
            columns=parse_columns(columns),
            rows=rows or None,
            subject=subject,
            reason=reason,
        )
        if wait_seconds is not None:
            with waiting(f"Request {filed.id} waits for a decision …"):
                filed = filed.wait(wait_seconds)
    answer(filed, lambda: request_view(filed), as_json=as_json)


def requests(
    ctx: typer.Context,
    id: Annotated[str, typer.Argument(metavar="[ID]", help="One request, with its history; all when left out.")] = "",
    state: Annotated[
        str,
        typer.Option("--state", help="requested, approved, active, denied, withdrawn, revoked or expired; all when empty."),
    ] = "",
    resource: Annotated[str, typer.Option("--resource", help="Only on this and what it contains.")] = "",
    mine_to_decide: Annotated[bool, typer.Option("--to-decide", help="Only those that wait for your decision.")] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many at most.")] = 50,
    as_json: Json = False,
) -> None:
    """List your own requests and those you may decide, newest first; or show one."""
    with connect(ctx) as mesh:
        if id:
            one = mesh.get_request(id)
            answer(one, lambda: request_view(one), as_json=as_json)
            return
        found = mesh.requests(state=state, resource=resource, awaits_me=mine_to_decide, limit=limit)
    answer(found, lambda: requests_view(found), as_json=as_json)


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
    """Approve a request, for all that was asked or for less; the last approval makes the grant. Or a proposed change set."""
    masks = parse_pairs(mask, option="--mask", form="COLUMN=MASK")
    if is_change_set(id) and (rows or masks or columns or until):
        raise typer.BadParameter("A change set is approved as it is: leave --rows, --mask, --columns and --until out.")
    with connect(ctx) as mesh:
        if is_change_set(id):
            applied = mesh.changes.approve(id, reason=reason)
            answer(applied, lambda: change_set_view(applied), as_json=as_json)
            return
        decided = mesh.approve(id, rows=rows or None, masks=masks, columns=parse_columns(columns), until=until, reason=reason)
    answer(decided, lambda: request_view(decided), as_json=as_json)


def deny(ctx: typer.Context, id: RequestId, reason: Reason = "", as_json: Json = False) -> None:
    """Deny a request, or reject a proposed change set."""
    with connect(ctx) as mesh:
        if is_change_set(id):
            rejected = mesh.changes.reject(id, reason=reason)
            answer(rejected, lambda: change_set_view(rejected), as_json=as_json)
            return
        decided = mesh.deny(id, reason=reason)
    answer(decided, lambda: request_view(decided), as_json=as_json)


def withdraw(ctx: typer.Context, id: RequestId, as_json: Json = False) -> None:
    """Take back a request of your own; access that it gave ends. Or a change set that you proposed."""
    with connect(ctx) as mesh:
        if is_change_set(id):
            gone = mesh.changes.withdraw(id)
            answer(gone, lambda: change_set_view(gone), as_json=as_json)
            return
        taken = mesh.withdraw(id)
    answer(taken, lambda: request_view(taken), as_json=as_json)


def renew(
    ctx: typer.Context,
    id: Annotated[str, typer.Argument(metavar="ID", help="A grant of yours, or the request it came from.")],
    until: Annotated[str, typer.Option("--until", metavar="DATE", help="The new end, exclusive.")],
    reason: Reason = "",
    as_json: Json = False,
) -> None:
    """Ask for a longer end of access that you have, under the obligations it has."""
    with connect(ctx) as mesh:
        filed = mesh.renew(id, until=until, reason=reason)
    answer(filed, lambda: request_view(filed), as_json=as_json)


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


COMMANDS = (
    Command(
        "request", request, ('mesh request finance.revenue --purpose forecasting --until 2027-06-01 --reason "Plan next year"',)
    ),
    Command("requests", requests, ("mesh requests --to-decide", "mesh requests r-000000002a9f3c41")),
    Command(
        "approve",
        approve,
        (
            "mesh approve c-5f0c3f1e2d4b6a79",
            "mesh approve ID --rows \"region = 'EMEA'\" --mask customer_id=show-last-4",
        ),
    ),
    Command("deny", deny, ('mesh deny ID --reason "Ask for the aggregate instead"',)),
    Command("renew", renew, ("mesh renew r-000000002a9f3c41 --until 2028-01-01",)),
    Command("withdraw", withdraw, ("mesh withdraw ID",)),
    Command("revoke", revoke, ('mesh revoke GRANT --reason "The plan is done"',)),
)
