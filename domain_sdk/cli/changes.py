"""`changes`: change sets, and what of them waits for a second administrator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from domain_sdk.cli.command import Command
from domain_sdk.cli.options import Json
from domain_sdk.cli.output import answer, cell, details, table
from domain_sdk.cli.question_views import impact_view
from domain_sdk.cli.session import connect
from domain_sdk.errors import SecondPersonNeeded

if TYPE_CHECKING:
    from rich.console import RenderableType

    from domain_sdk.changes import ChangeSet, PlannedChange, Resource
    from domain_sdk.mesh import Mesh

__all__ = ["COMMANDS", "change_set_view", "changes_table", "done_or_proposed", "is_change_set"]

_Made = TypeVar("_Made")
_STATES = {"proposed": "yellow", "applied": "green", "rejected": "red", "withdrawn": "dim"}
_MARKS = {
    "create": ("+ create", "green"),
    "update": ("~ update", "yellow"),
    "delete": ("- end", "red"),
    "unchanged": ("=", "dim"),
}


def is_change_set(id: str) -> bool:
    """True for the id of a change set, as opposed to an access request's."""
    return id.startswith("c-")


def changes(
    ctx: typer.Context,
    id: Annotated[str, typer.Argument(metavar="[ID]", help="One change set, with what it changes; all when left out.")] = "",
    state: Annotated[str, typer.Option("--state", help="proposed, applied, rejected or withdrawn; all when empty.")] = "",
    source: Annotated[str, typer.Option("--source", help="Only those of domain:NAME or centre.")] = "",
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many at most.")] = 50,
    as_json: Json = False,
) -> None:
    """List change sets, newest first; or show one. Proposals wait for a second administrator.

    What changed in a table's rows is read with `mesh read PORT --changes-since VERSION`.
    """
    if "." in id:
        raise typer.BadParameter(
            f"{id} is no change set. What changed in its rows since a version: `mesh read {id} --changes-since VERSION`; "
            f"its releases: `mesh show {'.'.join(id.split('.')[:2])}`.",
            param_hint="ID",
        )
    with connect(ctx) as mesh:
        if id:
            one = mesh.changes.get(id)
            answer(one, lambda: change_set_view(one), as_json=as_json)
            return
        found = mesh.changes.list(state=state, source=source, limit=limit)  # type: ignore[arg-type] # the server knows the states
    answer(found, lambda: _sets_view(found), as_json=as_json)


def change_set_view(found: ChangeSet) -> RenderableType:
    """One change set: where it stands, what it changes field by field, and what to do next."""
    from rich.console import Group

    facts = {
        "state": cell(found.state, _STATES.get(found.state, "")),
        "source": found.source,
        "by": found.proposer,
        "reason": found.reason,
        "since": found.create_time,
        "decided by": found.approver,
        "answer": found.decision_reason,
    }
    parts = [details(facts, title=f"Change set {found.id}" if found.id else "Change set"), changes_table(found.changes)]
    if found.impact:
        parts.append(impact_view(found.impact))
    if found.state == "proposed":
        who = " or ".join(found.approvers[:3]) or "another administrator"
        parts.append(cell(f"next: {who} decides with mesh approve {found.id} or mesh deny {found.id}", "dim"))
    return Group(parts[0], *(line for part in parts[1:] for line in ("", part)))


def changes_table(found: Sequence[PlannedChange]) -> RenderableType:
    """What changes, a line for each field that differs; what is as desired is left out."""
    rows: list[list[object]] = []
    for change in (it for it in found if it.action != "unchanged"):
        text, style = _MARKS[change.action]
        what = f"{change.kind.replace('_', ' ')} {change.name}"
        first = [cell(text, style), cell(what, "bold")]
        lines = [[it.field, it.before, it.after] for it in change.differences] or [["", "", ""]]
        if change.is_pruned or (change.action == "delete" and change.differences):
            lines = [["", "", "no longer named by its source" if change.is_pruned else ""]]
        rows += [[*(first if index == 0 else ("", "")), *line] for index, line in enumerate(lines)]
        rows += [[cell("! drift", "magenta"), "", it.field, it.before, it.after] for it in change.drift]
    return table(("", "what", "field", "before", "after"), rows) if rows else cell("Everything is as desired.", "green")


def _sets_view(found: Sequence[ChangeSet]) -> RenderableType:
    if not found:
        return "There are no change sets that you may see."
    rows = [
        (cell(it.id, "bold"), cell(it.state, _STATES.get(it.state, "")), it.source, it.proposer, len(it.changes), it.reason,
         it.create_time)
        for it in found
    ]  # fmt: skip
    return table(("id", "state", "source", "by", "changes", "reason", "since"), rows, whole=("id",))


def done_or_proposed(
    mesh: Mesh,
    act: Callable[[], _Made],
    desired: Callable[[], Resource],
    show: Callable[[_Made], RenderableType],
    *,
    as_json: bool,
) -> None:
    """It is done and shown; or, if it takes a second administrator, filed as a proposal, which is said."""
    try:
        made = act()
    except SecondPersonNeeded:
        proposed = mesh.changes.apply([desired()], reason="")
        answer(proposed, lambda: change_set_view(proposed), as_json=as_json)
        return
    answer(made, lambda: show(made), as_json=as_json)


COMMANDS = (Command("changes", changes, ("mesh changes --state proposed", "mesh changes c-5f0c3f1e2d4b6a79")),)
