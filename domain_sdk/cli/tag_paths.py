"""`tags explain`: why a column carries its tags."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from domain_sdk.catalog import ColumnEntry, PortEntry
from domain_sdk.cli.command import Command
from domain_sdk.cli.options import Json
from domain_sdk.cli.output import answer, cell, details
from domain_sdk.cli.session import connect
from domain_sdk.errors import NotFound

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = ["COMMANDS"]


def explain(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="PORT#COLUMN", help="A column, like finance.revenue.revenue#contact.")],
    as_of: Annotated[int, typer.Option("--as-of", metavar="REVISION", min=0, help="As of this revision; 0 is now.")] = 0,
    as_json: Json = False,
) -> None:
    """Say why a column carries its tags: by contract, along lineage and through which columns; and what a rescan keeps out."""
    port, column = _parts(name)
    with connect(ctx) as mesh:
        shown = mesh.show(port, as_of=as_of)
    assert isinstance(shown, PortEntry), "a name of three parts is a port's"
    entry = next((it for it in shown.columns if it.name == column), None)
    if entry is None:
        raise NotFound(f"{port} has no column {column!r}; `mesh show {port}` lists them.", resource=name)
    found = {"column": f"{port}#{column}", "tags": entry.tags, "derived_tags": entry.derived_tags, "rescans": entry.rescans}
    answer(found, lambda: _paths(f"{port}#{column}", entry), as_json=as_json)


def _parts(name: str) -> tuple[str, str]:
    """Port and column; a dot before the column will do, as in `mesh lineage`. Raises: BadParameter."""
    port, mark, column = name.partition("#")
    if not mark:
        parts = name.split(".")
        port, column = ".".join(parts[:3]), ".".join(parts[3:])
    if not column or port.count(".") != 2:
        raise typer.BadParameter(f"{name!r} is no column: write PORT#COLUMN, like finance.revenue.revenue#contact.")
    return port, column


def _paths(name: str, column: ColumnEntry) -> RenderableType:
    """Each tag with the columns it came through, from its origin to this one."""
    if not (column.tags or column.derived_tags or column.rescans):
        return cell(f"{name} carries no tag.")
    facts: dict[str, object] = dict.fromkeys(column.tags, "declared by the contract")
    for derived in column.derived_tags:
        steps = [cell("(hidden from you)" if step == "?" else step, "dim") for step in derived.path[:-1]]
        way = cell("\n→ ").join([*steps, cell(name, "bold")])
        facts[derived.tag] = cell("declared by the contract\n") + way if derived.tag in facts else way
    for shown in column.rescans:
        if shown.tag not in facts:
            facts[shown.tag] = cell(
                f"does not come here: none of the {shown.rows:,} values of version {shown.version} holds it (rescan)", "dim"
            )
    return details(facts, title=name)


COMMANDS = (Command("explain", explain, ("mesh tags explain finance.revenue.revenue#contact",)),)
