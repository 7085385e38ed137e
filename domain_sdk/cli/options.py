"""Options that several commands share, so that one word means one thing everywhere."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated

import typer

__all__ = [
    "Columns",
    "GrantPurpose",
    "Json",
    "Masks",
    "PortName",
    "PurposeOption",
    "Reason",
    "RequestPurpose",
    "Rows",
    "Until",
    "Version",
    "parse_columns",
    "parse_pairs",
    "parse_span",
]


def _something(context: typer.Context, parameter: typer.CallbackParam, value: str | None) -> str | None:
    """The value, unless it was given and is empty: `--rows "$FILTER"` must not give every row where FILTER is not set."""
    source = context.get_parameter_source(str(parameter.name))
    if value is not None and not value.strip() and source is not None and source.name == "COMMANDLINE":
        said = "It is empty, and would narrow nothing: write what you mean, or leave it out."
        raise typer.BadParameter(said, param_hint=parameter.opts[0])
    return value


Json = Annotated[bool, typer.Option("--json", help="Print JSON on standard output; errors become JSON on standard error.")]
PortName = Annotated[str, typer.Argument(metavar="PORT", help="Three-part name, like finance.ledger.entries.")]
PurposeOption = Annotated[str, typer.Option("--purpose", help="Why the data is read, like forecasting.")]
RequestPurpose = Annotated[str, typer.Option("--purpose", help="What you want the data for, like forecasting.")]
GrantPurpose = Annotated[
    str, typer.Option("--purpose", callback=_something, help="Only for reads with this purpose; for any when left out.")
]
Version = Annotated[int, typer.Option("--version", min=0, help="The product's version; 0 is the one now served.")]
Reason = Annotated[str, typer.Option("--reason", help="Why, in words; others get to read it.")]
Columns = Annotated[
    str, typer.Option("--columns", metavar="A,B", callback=_something, help="Only these columns, separated by commas.")
]
Rows = Annotated[
    str,
    typer.Option(
        "--rows", metavar="SQL", callback=_something, help="Predicate that keeps the rows given, like \"region = 'EMEA'\"."
    ),
]
Masks = Annotated[
    list[str] | None,
    typer.Option("--mask", metavar="COLUMN=MASK", help="Mask a column, like email=show-last-4; repeat for more."),
]
Until = Annotated[
    str | None, typer.Option("--until", metavar="DATE", callback=_something, help="Until when, exclusive, like 2027-01-01.")
]


def parse_columns(text: str) -> list[str]:
    """The names between the commas.

    Raises:
        typer.BadParameter: a name is empty, or comes twice.
    """
    names = [name.strip() for name in text.split(",")] if text else []
    if not all(names):
        raise typer.BadParameter(f"{text!r} has an empty column name: write --columns a,b.")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise typer.BadParameter(f"{', '.join(twice)} was given twice in {text!r}.")
    return names


def parse_span(text: str, *, option: str) -> timedelta:
    """The span of time: a whole number and h, d or w.

    Raises:
        typer.BadParameter: it is not written so.
    """
    found = re.fullmatch(r"([1-9][0-9]{0,5})([hdw])", text)
    if not found:
        raise typer.BadParameter(f"{text!r} is no span of time: write 12h, 30d or 8w.", param_hint=option)
    unit = {"h": "hours", "d": "days", "w": "weeks"}[found[2]]
    return timedelta(**{unit: int(found[1])})


def parse_pairs(pairs: list[str] | None, *, option: str, form: str = "NAME=VALUE") -> dict[str, str]:
    """`NAME=VALUE` words as a mapping; `form` is what messages call them.

    Raises:
        typer.BadParameter: a word has no `=`, or a name comes twice.
    """
    found: dict[str, str] = {}
    for pair in pairs or ():
        name, separator, value = pair.partition("=")
        if not name or not separator or not value:
            raise typer.BadParameter(f"{pair!r} is not {form}.", param_hint=option)
        if name in found:
            raise typer.BadParameter(f"{name!r} was given twice.", param_hint=option)
        found[name] = value
    return found
