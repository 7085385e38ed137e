"""`inbox`: what waits for you, what became of what you asked for, what ends soon, and what you were told."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from domain_sdk.cli.command import Command
from domain_sdk.cli.contract_changes import changes_table
from domain_sdk.cli.options import Json
from domain_sdk.cli.output import answer, cell, table
from domain_sdk.cli.request_views import state_cell
from domain_sdk.cli.session import connect

if TYPE_CHECKING:
    from rich.console import RenderableType

    from domain_sdk.inbox import Inbox

__all__ = ["COMMANDS"]


def inbox(
    ctx: typer.Context,
    mark_read: Annotated[bool, typer.Option("--mark-read", help="Mark the notices shown as read.")] = False,
    as_json: Json = False,
) -> None:
    """Show what waits for your decision, your own requests, what ends soon, and unread notices."""
    with connect(ctx) as mesh:
        found = mesh.inbox()
        if mark_read:
            found.mark_read()
    answer(found, lambda: _view(found), as_json=as_json)


def _view(inbox: Inbox) -> RenderableType:
    from rich.console import Group

    parts = [part for part in (view(inbox) for view in _PARTS) if part is not None]
    if not parts:
        return "Your inbox is empty: nothing waits for you, and nothing of yours ends soon."
    return Group(parts[0], *(line for part in parts[1:] for line in ("", part)))


def _title(words: str, shown: int, count: int) -> str:
    return f"{words} ({count})" if shown == count else f"{words} ({shown} of {count})"


def _to_decide(inbox: Inbox) -> RenderableType | None:
    if not inbox.to_decide:
        return None
    rows = [
        (cell(it.id, "bold"), it.requester, it.resource, it.purpose, _level(it.levels), it.reason, it.create_time)
        for it in inbox.to_decide
    ]
    title = _title("Waits for you: mesh approve ID or mesh deny ID", len(inbox.to_decide), inbox.to_decide_count)
    return table(("id", "who", "asks for", "purpose", "level", "reason", "since"), rows, title=title, whole=("id",))


def _level(levels: tuple[object, ...]) -> str:
    filled = sum(getattr(level, "is_filled", False) for level in levels)
    return f"{filled + 1} of {len(levels)}" if len(levels) > 1 else ""


def _own(inbox: Inbox) -> RenderableType | None:
    if not inbox.own:
        return None
    rows = [
        (cell(it.id, "bold"), state_cell(it), it.resource, it.purpose, it.decider, it.decision_reason, it.create_time)
        for it in inbox.own
    ]
    title = _title("Your requests: mesh requests ID shows one", len(inbox.own), inbox.own_count)
    return table(("id", "state", "asks for", "purpose", "decided by", "answer", "since"), rows, title=title, whole=("id",))


def _ending(inbox: Inbox) -> RenderableType | None:
    if not inbox.ending:
        return None
    rows = [(cell(it.id, "bold"), it.subject, it.resource, it.purpose, cell(it.until, "yellow")) for it in inbox.ending]
    title = _title("Ends soon: mesh renew ID --until DATE", len(inbox.ending), inbox.ending_count)
    return table(("id", "who", "on", "purpose", "ends"), rows, title=title, whole=("id",))


def _notices(inbox: Inbox) -> RenderableType | None:
    if not inbox.notices:
        return None
    rows = [(it.time, cell(str(it.kind), "bold red" if it.kind == "break-glass" else ""), it.text) for it in inbox.notices]
    title = _title("Unread: mesh inbox --mark-read", len(inbox.notices), inbox.notice_count)
    return table(("when", "what", "notice"), rows, title=title)


def _changes(inbox: Inbox) -> RenderableType | None:
    if not inbox.changes_to_approve:
        return None
    rows = [
        (cell(it.id, "bold"), it.proposer, it.source, f"{len(it.changes)}", it.reason, it.create_time)
        for it in inbox.changes_to_approve
    ]
    title = _title(
        "Needs you as the second person: mesh approve ID", len(inbox.changes_to_approve), inbox.changes_to_approve_count
    )
    return table(("id", "who", "source", "changes", "reason", "since"), rows, title=title, whole=("id",))


def _uses(inbox: Inbox) -> RenderableType | None:
    if not inbox.to_acknowledge:
        return None
    rows = [
        (cell(it.id, "bold red"), it.principal, it.resource, it.reason, it.create_time, "open" if it.is_open else "over")
        for it in inbox.to_acknowledge
    ]
    title = _title("Emergency access: mesh audit acknowledge ID", len(inbox.to_acknowledge), inbox.to_acknowledge_count)
    return table(("id", "who", "opened", "reason", "since", ""), rows, title=title, whole=("id",))


def _contracts(inbox: Inbox) -> RenderableType | None:
    if not inbox.contract_changes:
        return None
    title = _title("Contracts that would break you: mesh accept ID", len(inbox.contract_changes), inbox.contract_change_count)
    return changes_table(inbox.contract_changes, title)


_PARTS: tuple[Callable[[Inbox], RenderableType | None], ...] = (  # the most urgent first
    _uses,
    _changes,
    _contracts,
    _to_decide,
    _own,
    _ending,
    _notices,
)

COMMANDS = (Command("inbox", inbox, ("mesh inbox --mark-read",)),)
