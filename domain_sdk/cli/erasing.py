"""`erase`: a data subject removed from tables, collections, caches and journal, with a receipt."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from domain_sdk.cli.command import Command
from domain_sdk.cli.options import Json
from domain_sdk.cli.output import answer, cell, table, waiting
from domain_sdk.cli.session import connect

if TYPE_CHECKING:
    from rich.console import RenderableType

    from domain_sdk.erasure import Erasures

__all__ = ["COMMANDS"]


def erase(
    ctx: typer.Context,
    values: Annotated[
        list[str],
        typer.Argument(help="Each subject's value, like an e-mail address; - reads them from standard input by line."),
    ],
    tag: Annotated[str, typer.Option("--tag", help="Tag of the columns that say who somebody is, like pii.email.")],
    reason: Annotated[str, typer.Option("--reason", help="Why; it stays in the journal, so name nobody in it.")] = "",
    product: Annotated[
        list[str] | None, typer.Option("--product", help="Only this one; repeat for more. All you administer when left out.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Erase; without it, only say what would be erased.")] = False,
    as_json: Json = False,
) -> None:
    """Erase persons from every version, file and passage, or show what that would remove. There is no way back."""
    subjects = [it for value in values for it in (_lines() if value == "-" else [value])]
    if yes and not reason.strip():
        raise typer.BadParameter("An erasure needs a reason.", param_hint="--reason")
    with connect(ctx) as mesh, waiting("Looking for them …" if not yes else "Erasing …"):
        found = mesh.admin.erase(tag, subjects, reason=reason, products=product or (), dry_run=not yes)
    answer(found, lambda: _receipts(found, is_done=yes), as_json=as_json)


def _lines() -> list[str]:
    return [line for line in sys.stdin.read().splitlines() if line.strip()]


def _receipts(found: Erasures, *, is_done: bool) -> RenderableType:
    from rich.console import Group

    searched = _searched(found.searched)
    if not found:
        return f"Nothing of the subjects was found in {searched}."
    rows = [
        (cell(port.port, "bold"), str(port.kind), f"{port.count:,}", ", ".join(map(str, port.versions)) or "all")
        for receipt in found
        for port in receipt.ports
    ]
    parts: list[RenderableType] = [
        f"Searched {searched}.",
        table(("port", "kind", "rows", "versions that hold it"), rows, numbers=["rows"]),
    ]
    for receipt in found:
        if is_done:
            version = f", version {receipt.version} is served" if receipt.version else ""
            parts.append(cell(f"{receipt.product}: receipt {receipt.id}{version}", "green"))
    if not is_done:
        parts.append(cell("Nothing was erased: add --yes and --reason to do it. The versions named would be retired.", "yellow"))
    return Group(*parts)


def _searched(names: Sequence[str]) -> str:
    columns = sum(name.count(".") > 2 for name in names)
    counted = (
        (columns, "column"),
        (len(names) - columns, "collection"),
        (len({tuple(name.split(".")[:2]) for name in names}), "product"),
    )
    said = [f"{count:,} {word}{'' if count == 1 else 's'}" for count, word in counted if count]
    return f"{' and '.join(said[:-1])} of {said[-1]}"


COMMANDS = (
    Command(
        "erase",
        erase,
        (
            "mesh erase ana@example.com bo@example.com --tag pii.email",
            'mesh erase - --tag pii.email --reason "request 4711" --yes < persons.txt',
        ),
    ),
)
