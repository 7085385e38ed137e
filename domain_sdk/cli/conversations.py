"""`rate`, and `conversations open`, `collect`, `preferences`, `contract`: what people asked, as a product."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from domain_sdk.cli.command import Command
from domain_sdk.cli.options import Json, PurposeOption
from domain_sdk.cli.output import answer
from domain_sdk.cli.session import connect

if TYPE_CHECKING:
    from domain_sdk.conversations import Collected

__all__ = ["COMMANDS", "CONVERSATIONS"]

_Product = Annotated[str, typer.Argument(metavar="PRODUCT", help="The product of conversations, like sales.conversations.")]
_Days = Annotated[int, typer.Option("--retention-days", min=1, help="How long what people asked is kept; part of the contract.")]


def rate(
    ctx: typer.Context,
    answer_id: Annotated[str, typer.Argument(metavar="ANSWER", help="The answer's id, like a-0f3c5a7712345678.")],
    rating: Annotated[str, typer.Argument(metavar="[up|down]", help="Whether it helped.")] = "",
    edit: Annotated[str, typer.Option("--edit", metavar="TEXT", help="What the answer should have been.")] = "",
    comment: Annotated[str, typer.Option("--comment", metavar="TEXT", help="Why.")] = "",
    as_json: Json = False,
) -> None:
    """Say what you think of an answer that you had recorded."""
    from domain_sdk.conversations import rate as rated

    with connect(ctx) as mesh:
        said = rated(mesh._transport, answer_id, rating, edit=edit, comment=comment)
    kept = [said.rating, f"edit {said.edit!r}" if said.edit else "", f"comment {said.comment!r}" if said.comment else ""]
    answer(said, lambda: f"Thank you. Kept for {answer_id}: {', '.join(filter(None, kept))}.", as_json=as_json)


def open_conversations(
    ctx: typer.Context,
    product: _Product,
    retention_days: _Days = 90,
    contract: Annotated[Path | None, typer.Option("--contract", help="Your own contract instead of the usual one.")] = None,
    as_json: Json = False,
) -> None:
    """Let a product take conversations in, of those who agree to it question by question."""
    with connect(ctx) as mesh:
        release = mesh.conversations(product).open(retention_days=retention_days, contract=contract)
    answer(release, lambda: f"{product} takes conversations in: mesh ask … --record-in {product}", as_json=as_json)


def collect(ctx: typer.Context, product: _Product, purpose: PurposeOption = "", as_json: Json = False) -> None:
    """Publish the turns that people had recorded, and drop those whose time is over."""
    with connect(ctx) as mesh:
        done = mesh.conversations(product).collect(purpose=purpose or None)
    answer(done, lambda: _told(done), as_json=as_json)


def _told(done: Collected) -> str:
    said = [f"{_turns(done.turns)} published."] if done.turns else []
    said += [f"{_turns(done.removed)} removed, as their time is over."] if done.removed else []
    if done.held:
        said.append(
            f"{_turns(done.held)} passed over: you may not read all that the answers rest on. Collect as somebody who may, "
            "or state a purpose (--purpose) for which you may."
        )
    return " ".join(said) or "Nothing to do: no turn waits, and none is too old."


def _turns(count: int) -> str:
    return f"{count:,} turn{'' if count == 1 else 's'}"


def preferences(
    ctx: typer.Context,
    product: _Product,
    to: Annotated[str, typer.Option("--to", metavar="PRODUCT", help="The product of pairs, like sales.preferences.")],
    purpose: PurposeOption = "",
    as_json: Json = False,
) -> None:
    """Publish what people prefer as pairs (prompt, chosen, rejected)."""
    with connect(ctx) as mesh:
        release = mesh.conversations(product).publish_preferences(to, purpose=purpose or None)
    pairs = sum(port.row_count for port in release.ports)
    answer(release, lambda: f"{to} version {release.version} is published: {pairs:,} pairs.", as_json=as_json)


def contract(
    product: _Product,
    retention_days: _Days = 90,
    for_preferences: Annotated[bool, typer.Option("--preferences", help="The contract of a product of pairs.")] = False,
    as_json: Json = False,
) -> None:
    """Print a contract to begin with."""
    from domain_sdk.conversations import conversation_contract, preference_contract

    text = (preference_contract if for_preferences else conversation_contract)(product, retention_days=retention_days)
    answer({"contract": text}, lambda: text, as_json=as_json)


COMMANDS = (
    Command(
        "rate",
        rate,
        (
            "mesh rate a-0f3c5a7712345678 up",
            'mesh rate a-0f3c5a7712345678 down --edit "Returns end after 30 days." --comment "It named the old rule."',
        ),
    ),
)

CONVERSATIONS = (
    Command("open", open_conversations, ("mesh conversations open sales.conversations --retention-days 90",)),
    Command("collect", collect, ("mesh conversations collect sales.conversations --purpose customer-service",)),
    Command("preferences", preferences, ("mesh conversations preferences sales.conversations --to sales.preferences",)),
    Command("contract", contract, ("mesh conversations contract sales.conversations --retention-days 30",)),
)
