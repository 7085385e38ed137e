"""`measure`: the figures that contracts define, listed or computed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from domain_sdk.cli.command import Command
from domain_sdk.cli.options import Json, PurposeOption, Version, parse_columns
from domain_sdk.cli.output import answer, cell, output_console, plain, print_json, table, waiting
from domain_sdk.cli.querying import plan_view, result_view
from domain_sdk.cli.session import connect

if TYPE_CHECKING:
    from rich.console import RenderableType

    from domain_sdk.catalog import MeasureEntry, PortEntry

__all__ = ["COMMANDS", "measures_view"]


def measure(
    ctx: typer.Context,
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[MEASURE]...", help="Four-part names of one port's measures; lists all measures when left out."),
    ] = None,
    by: Annotated[
        str, typer.Option("--by", metavar="A,B", help="Group by dimensions, columns, or day, week, month, quarter, year.")
    ] = "",
    where: Annotated[str | None, typer.Option("--where", metavar="SQL", help="Only rows like \"region = 'EMEA'\".")] = None,
    period: Annotated[
        str | None, typer.Option("--period", help="Calendar time, like 2026-03, 'Q1 2026' or 'last month'.")
    ] = None,
    purpose: PurposeOption = "",
    version: Version = 0,
    explain: Annotated[bool, typer.Option("--explain", help="Show the SQL and what it would read; read nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Compute figures that a contract defines, over exactly what policy lets you see; or list them."""
    if not names:
        _refuse_without_names({"--by": by, "--where": where, "--period": period, "--version": version, "--explain": explain})
        with connect(ctx) as mesh, waiting("Looking …"):
            found = [(port, it) for product in mesh.products() for port in product.ports for it in port.measures]
        listed = [{"port": port.name, **plain(it), "dimensions": [d.name for d in port.measure_dimensions]} for port, it in found]
        answer(listed, lambda: measures_view(found), as_json=as_json)
        return
    from domain_sdk.sql import measure_request, period_of, plan_query, run_query

    request = measure_request(
        names, by=parse_columns(by), where=where, period=period_of(period), purpose=purpose, version=version or None
    )
    with connect(ctx) as mesh, waiting("Computing …"):
        if explain:
            planned = plan_query(mesh._transport, request)
            answer(planned, lambda: _explained(planned.sql, plan_view(planned)), as_json=as_json)
            return
        result = run_query(mesh._transport, request)
    if as_json:
        print_json({"rows": result.frame.to_dicts(), "sql": result.sql, "ports": plain(result.ports)})
    else:
        output_console().print(result_view(result))


def _refuse_without_names(given: dict[str, object]) -> None:
    if stated := [option for option, value in given.items() if value]:
        raise typer.BadParameter(f"{', '.join(stated)} of which measure? Name one; `mesh measure` by itself lists them.")


def measures_view(found: list[tuple[PortEntry, MeasureEntry]]) -> RenderableType:
    """Every measure with its name to ask for, what it tells and how it is computed."""
    if not found:
        return cell("No contract that you may see defines a measure.")
    rows = [
        (
            cell(f"{port.name}.{it.name}", "bold"),
            it.title or it.description,
            it.unit,
            it.expression,
            [d.name for d in port.measure_dimensions],
        )
        for port, it in found
    ]
    return table(("measure", "tells", "unit", "computed as", "by"), rows)


def _explained(sql: str, view: RenderableType) -> RenderableType:
    from rich.console import Group

    return Group(cell(sql), "", view)


COMMANDS = (
    Command(
        "measure",
        measure,
        (
            "mesh measure",
            "mesh measure finance.revenue.revenue.net_revenue --by region,month --period 'Q1 2026' --purpose forecasting",
            "mesh measure finance.revenue.revenue.net_revenue --where \"region = 'EMEA'\" --explain",
        ),
    ),
)
