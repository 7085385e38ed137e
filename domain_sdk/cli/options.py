"""Options that several commands share, so that one word means one thing everywhere."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = [
    "Columns",
    "Json",
    "Masks",
    "PortName",
    "PurposeOption",
    "Reason",
    "Rows",
    "Until",
    "Version",
    "parse_columns",
    "parse_pairs",
]

Json = Annotated[bool, typer.Option("--json", help="Print JSON on standard output; errors become JSON on standard error.")]
PortName = Annotated[str, typer.Argument(metavar="PORT", help="Three-part name, like finance.ledger.entries.")]
PurposeOption = Annotated[str, typer.Option("--purpose", help="Why the data is read; must be a purpose you hold.")]
Version = Annotated[int, typer.Option("--version", min=0, help="The product's version; 0 is the one now served.")]
Reason = Annotated[str, typer.Option("--reason", help="Why, in words; others get to read it.")]
Columns = Annotated[str, typer.Option("--columns", metavar="A,B", help="Only these columns, separated by commas.")]
Rows = Annotated[
    str, typer.Option("--rows", metavar="SQL", help="Predicate that keeps the rows given, like \"region = 'EMEA'\".")
]
Masks = Annotated[
    list[str] | None,
    typer.Option("--mask", metavar="COLUMN=MASK", help="Mask a column, like email=show-last-4; repeat for more."),
]
Until = Annotated[str | None, typer.Option("--until", metavar="DATE", help="Until when, exclusive, like 2027-01-01.")]


def parse_columns(text: str) -> list[str]:
    """The names between the commas.

    Raises:
        typer.BadParameter: a name is empty.
    """
    names = [name.strip() for name in text.split(",")] if text else []
    if not all(names):
        raise typer.BadParameter(f"{text!r} has an empty column name: write --columns a,b.")
    return names


def parse_pairs(pairs: list[str] | None, *, option: str) -> dict[str, str]:
    """`NAME=VALUE` words as a mapping.

    Raises:
        typer.BadParameter: a word has no `=`, or a name comes twice.
    """
    found: dict[str, str] = {}
    for pair in pairs or ():
        name, separator, value = pair.partition("=")
        if not name or not separator or not value:
            raise typer.BadParameter(f"{pair!r} is not NAME=VALUE.", param_hint=option)
        if name in found:
            raise typer.BadParameter(f"{name!r} was given twice.", param_hint=option)
        found[name] = value
    return found
