"""How a plan of a folder is shown: what comes, changes and ends, and what somebody changed by hand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from domain_sdk.cli.output import cell
from domain_sdk.cli.question_views import impact_view

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

    from domain_sdk.changes import FieldDifference, PlannedChange
    from domain_sdk.folder import ContractCheck, FolderPlan, Place, SourcePlan, Tree
    from domain_sdk.folder.testing import CaseResult

__all__ = ["plan_view", "results_view"]

_SIGNS = {"create": ("+", "green"), "update": ("~", "yellow"), "delete": ("-", "red"), "unchanged": (" ", "")}
_MOST_UNMANAGED = 10
_CONTRACTS = {
    "new": "is new",
    "compatible": "differs from the one served and breaks no reader",
    "incompatible": "cannot follow the one served as it stands",
    "not servable": "could not be published as it stands",
    "not compared": "is not compared with the one served: that needs the right to write the product",
}


def plan_view(found: FolderPlan, tree: Tree) -> RenderableType:
    """The whole plan, and what it comes to."""
    from rich.console import Group

    from domain_sdk.folder.planning import label_of

    places = {source.name: {label_of(entry): entry.place for entry in source.entries} for source in tree.sources}
    parts = [line for source in found.sources for line in _source(source, places[source.source])]
    return Group(*parts, _summary(found))


def results_view(found: Sequence[CaseResult]) -> RenderableType:
    """Policy tests as they came out, failures with what was expected, what came and why."""
    from rich.console import Group

    lines = [line for result in found for line in _result(result)]
    failed = sum(not it.is_passed for it in found)
    told = f"{failed} failed, " if failed else ""
    return Group(*lines, cell(f"{told}{len(found) - failed} passed.", "bold red" if failed else "bold green"))


def _result(result: CaseResult) -> Iterator[Text]:
    if result.is_passed:
        yield cell("PASSED ", "green") + cell(f"{result.place}  {result.name}")
        return
    yield cell("FAILED ", "bold red") + cell(f"{result.place}  {result.name}", "bold")
    who = f"{result.principal} on {result.resource}" + (f" for {result.purpose}" if result.purpose else "")
    yield cell(f"       {who}")
    for mismatch in result.mismatches:
        yield cell(f"       {mismatch.what}: expected {mismatch.expected!r}")
        yield cell(f"       {' ' * len(mismatch.what)}       got {mismatch.got!r}")
    for reason in result.reasons:
        yield cell(f"       because {reason}", "dim")


def _source(source: SourcePlan, places: Mapping[str, Place]) -> Iterator[RenderableType]:
    head = cell(source.source, "bold")
    if source.plan is None:
        yield head + cell(f"  {source.waits}", "yellow")
        return
    if source.is_empty and not source.plan.unmanaged and all(it.verdict == "served" for it in source.contracts):
        yield head + cell("  as the folder says", "dim")
        return
    yield head
    for change in source.plan.changes:
        if change.action != "unchanged":
            yield from _change(change, places.get(f"{change.kind} {change.name}"))
    for contract in source.contracts:
        yield from _contract(contract)
    yield from _unmanaged(source.plan.unmanaged)
    if source.plan.impact:
        yield impact_view(source.plan.impact)


def _change(change: PlannedChange, place: Place | None) -> Iterator[Text]:
    sign, style = _SIGNS[change.action]
    notes = [str(place)] if place else []
    if change.action == "delete":
        notes.append("the folder names it no more" if change.is_pruned else "it rests on what ends")
    if change.is_central:
        notes.append("central")
    named = cell(f"  {sign} {change.kind.replace('_', ' ')} {change.name}", style)
    yield named + cell(f"   {', '.join(notes)}", "dim") if notes else named
    for difference in change.differences if change.action != "delete" else ():
        if difference.field not in ("name", "id"):
            yield cell(f"      {difference.field}: {_step(difference)}")
    if change.drift:
        yield cell("      ! changed by hand since it was applied: " + _drift(change), "magenta")


def _step(difference: FieldDifference) -> str:
    if not difference.before:
        return difference.after
    return f"{difference.before} → {difference.after or '(nothing)'}"


def _drift(change: PlannedChange) -> str:
    if change.action == "create":
        return "it was revoked or removed"
    return "; ".join(f"{it.field}: {it.before or '(nothing)'} → {it.after or '(nothing)'}" for it in change.drift)


def _contract(contract: ContractCheck) -> Iterator[Text]:
    if contract.verdict == "served":
        return
    style = "red" if contract.verdict in ("incompatible", "not servable") else "dim"
    fate = "; it is registered" if contract.is_registered else "; it will be registered" if contract.is_to_register else ""
    yield cell(f"    {contract.path}: the contract {_CONTRACTS[contract.verdict]}{fate}", style)
    for violation in contract.violations:
        yield cell(f"      {violation}", style)
    for consumer in contract.impact.affected if contract.impact else ():
        agreed = "it accepted" if consumer.is_accepted else "it is not asked"
        who = consumer.name or "somebody you may not see"
        yield cell(f"      breaks {who} ({', '.join(consumer.changes)}); {agreed}", "yellow")


def _unmanaged(names: tuple[str, ...]) -> Iterator[Text]:
    if not names:
        return
    more = f" and {len(names) - _MOST_UNMANAGED} more" if len(names) > _MOST_UNMANAGED else ""
    shown = ", ".join(it.replace("_", " ") for it in names[:_MOST_UNMANAGED])
    yield cell(f"    not in the folder, left alone: {shown}{more}", "dim")


def _summary(found: FolderPlan) -> Text:
    actions = [change.action for source in found.sources if source.plan for change in source.plan.changes]
    if found.is_empty:
        return cell("Nothing to change.", "green")
    counts = ", ".join(
        f"{actions.count(action)} {words}"
        for action, words in (("create", "to create"), ("update", "to change"), ("delete", "to end"))
        if action in actions
    )
    kept = sum(it.is_to_register for source in found.sources for it in source.contracts)
    counts = ", ".join(filter(None, (counts, f"{kept} {'contract' if kept == 1 else 'contracts'} to register" if kept else "")))
    persons = [source for source in found.sources if source.plan and source.plan.needs_second_person]
    who = f" A second administrator must approve {', '.join(it.source for it in persons)}." if persons else ""
    later = " What waits is planned later." if any(source.plan is None for source in found.sources) else ""
    return cell(f"{counts or 'Nothing yet'}.{who}{later}", "bold")
