"""`impact`, `propose`, `contract-changes`, `accept`, `withdraw-change`: whom a new contract breaks, and their consent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from domain_sdk.cli.command import Command
from domain_sdk.cli.failures import FAILED
from domain_sdk.cli.options import Json, Reason
from domain_sdk.cli.output import answer, cell, table
from domain_sdk.cli.session import connect

if TYPE_CHECKING:
    from rich.console import RenderableType

    from domain_sdk.contract_changes import AffectedConsumer, ContractChange, ContractDifference, ContractImpact

__all__ = ["COMMANDS", "changes_table", "impact_view"]

ProductName = Annotated[str, typer.Argument(metavar="PRODUCT", help="Two-part name, like finance.ledger.")]
ContractFile = Annotated[Path, typer.Option("--contract", help="The new ODCS contract.", dir_okay=False, exists=True)]
ChangeId = Annotated[str, typer.Argument(metavar="ID", help="The change, like cc-5f0c….")]
Party = Annotated[str, typer.Option("--for", metavar="PARTY", help="For whom; for everybody you answer for when left out.")]


def impact(ctx: typer.Context, product: ProductName, contract: ContractFile, as_json: Json = False) -> None:
    """Show what a new contract would change and whom that breaks. Exit status 1 if it could not be published so."""
    with connect(ctx) as mesh:
        found = mesh.contracts.plan(product, contract)
    answer(found, lambda: impact_view(found), as_json=as_json)
    raise typer.Exit(0 if found.is_allowed else FAILED)


def propose(ctx: typer.Context, product: ProductName, contract: ContractFile, reason: Reason = "", as_json: Json = False) -> None:
    """Ask everybody whom a new contract would break to accept exactly its changes."""
    with connect(ctx) as mesh:
        found = mesh.contracts.propose(product, contract, reason=reason)
    answer(found, lambda: change_view(found), as_json=as_json)


def list_changes(
    ctx: typer.Context,
    id: Annotated[str, typer.Argument(metavar="[ID]", help="Show this one.")] = "",
    product: Annotated[str, typer.Option("--product", help="Only of this product.")] = "",
    everything: Annotated[bool, typer.Option("--all", help="Also those released, overtaken or taken back.")] = False,
    as_json: Json = False,
) -> None:
    """List contract changes that wait for acceptance: those you propose, and those that break you; or show one."""
    with connect(ctx) as mesh:
        if id:
            one = mesh.contracts.get(id)
            answer(one, lambda: change_view(one), as_json=as_json)
            return
        found = mesh.contracts.list(product, only_open=not everything)
    answer(found, lambda: changes_table(found, "Contract changes") if found else "There are none.", as_json=as_json)


def accept(
    ctx: typer.Context,
    id: ChangeId,
    party: Party = "",
    reason: Reason = "",
    withdraw: Annotated[bool, typer.Option("--withdraw", help="Take the acceptance back.")] = False,
    as_json: Json = False,
) -> None:
    """Accept a contract change that breaks you, until you take that back or it is released."""
    with connect(ctx) as mesh:
        done = (
            mesh.contracts.withdraw_acceptance(id, party=party)
            if withdraw
            else mesh.contracts.accept(id, party=party, reason=reason)
        )
    answer(done, lambda: change_view(done), as_json=as_json)


def withdraw_change(ctx: typer.Context, id: ChangeId, as_json: Json = False) -> None:
    """Take back a contract change you proposed."""
    with connect(ctx) as mesh:
        done = mesh.contracts.withdraw(id)
    answer(done, lambda: change_view(done), as_json=as_json)


def change_view(change: ContractChange) -> RenderableType:
    """One change whole."""
    from rich.console import Group

    head = cell(f"{change.id} ", "bold") + cell(f"{change.state}", "green" if change.state == "open" else "dim")
    lines = [head + cell(f"  {change.proposer}: {change.reason or 'no reason given'}")]
    lines += [
        cell(f"  accepted for {it.party} by {it.principal}{': ' + it.reason if it.reason else ''}", "green")
        for it in change.acceptances
    ]
    return Group(*lines, impact_view(change.impact))


def impact_view(found: ContractImpact) -> RenderableType:
    """What differs, whom it breaks, and what that means for a release."""
    from rich.console import Group

    return Group(*_impact(found))


def _impact(found: ContractImpact) -> Iterator[RenderableType]:
    step = f"{found.served_version or 'nothing'} → {found.wanted_version}"
    yield cell(f"{found.product} ", "bold") + cell(f"{step}, {found.mode} compatibility")
    if not found.differences:
        yield cell("The contract changes nothing.", "green")
    else:
        rows = [(it.path or "the contract", it.kind, it.text, _breaks(it)) for it in found.differences]
        yield table(("where", "what", "change", "breaks"), rows)
    if found.affected:
        title = f"Breaks {len(found.affected)} (reads of the last {found.recorded_days} days, and lineage)"
        yield table(("who", "how", "columns", "by", "reads", "accepted"), [_row(it) for it in found.affected], title=title)
    for text in found.refusals:
        yield cell(text, "red")


def _breaks(difference: ContractDifference) -> str:
    return " and ".join(
        word for word, is_it in (("backward", difference.breaks_backward), ("forward", difference.breaks_forward)) if is_it
    )


def _row(consumer: AffectedConsumer) -> tuple[object, ...]:
    waits = cell("not yet", "yellow") if consumer.needs_acceptance else cell("not needed", "dim")
    name = cell(consumer.name, "bold") if consumer.name else cell("somebody you may not see", "dim")
    return (
        name, str(consumer.kind), ", ".join(consumer.columns), ", ".join(consumer.changes), consumer.read_count or "",
        cell("yes", "green") if consumer.is_accepted else waits,
    )  # fmt: skip


def changes_table(changes: Sequence[ContractChange], title: str) -> RenderableType:
    """Changes in a line each."""
    rows = [
        (
            cell(it.id, "bold"),
            it.impact.product,
            "; ".join(f"{d.path}: {d.text}" for d in it.impact.differences),
            it.proposer,
            it.reason,
            it.time,
        )
        for it in changes
    ]
    return table(("id", "product", "changes", "who", "reason", "since"), rows, title=title, whole=("id",))


COMMANDS = (
    Command("impact", impact, ("mesh impact finance.ledger --contract contract.odcs.yaml",)),
    Command("propose", propose, ('mesh propose finance.ledger --contract contract.odcs.yaml --reason "email moves to crm"',)),
    Command("contract-changes", list_changes, ("mesh contract-changes", "mesh contract-changes cc-5f0c3e2a91d4b7e8 --json")),
    Command(
        "accept",
        accept,
        ('mesh accept cc-5f0c3e2a91d4b7e8 --reason "we read crm now"', "mesh accept cc-5f0c3e2a91d4b7e8 --withdraw"),
    ),
    Command("withdraw-change", withdraw_change, ("mesh withdraw-change cc-5f0c3e2a91d4b7e8",)),
)
