"""`sql`: governed queries, shown, written to a file, or explained."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from domain_sdk.cli.catalog_views import purpose_words, row_words
from domain_sdk.cli.command import Command
from domain_sdk.cli.options import Json, PurposeOption
from domain_sdk.cli.output import answer, cell, output_console, plain, print_json, table, waiting
from domain_sdk.cli.reading import value_cell
from domain_sdk.cli.session import connect

if TYPE_CHECKING:
    import polars as pl
    from rich.console import RenderableType

    from domain_sdk.sql import QueriedPort, QueryPlan, QueryResult

__all__ = ["COMMANDS", "plan_view", "result_view"]

_SHOWN_ROWS = 20
_FORMATS = {".parquet": "write_parquet", ".csv": "write_csv", ".ndjson": "write_ndjson"}


def sql(
    ctx: typer.Context,
    query: Annotated[list[str], typer.Argument(help="One SELECT; - reads it from standard input.")],
    purpose: PurposeOption = "",
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="How many rows; 20 on the screen, all to a file.")] = None,
    timeout: Annotated[int, typer.Option("--timeout", metavar="SECONDS", min=1, max=3600, help="Stop it after this.")] = 60,
    explain: Annotated[bool, typer.Option("--explain", help="Show what it would read and how; read nothing.")] = False,
    output: Annotated[Path | None, typer.Option("--output", help="Write to this .parquet, .csv or .ndjson file.")] = None,
    as_json: Json = False,
) -> None:
    """Ask ports with SQL: joins, aggregates and all, over exactly what policy lets you see."""
    _check_output(output)
    text = sys.stdin.read() if query == ["-"] else " ".join(query)
    from domain_sdk.sql import plan_query, run_query, to_request

    request = to_request(text, purpose, limit or (_SHOWN_ROWS if output is None else None), timeout)
    with connect(ctx) as mesh, waiting("Asking …"):
        if explain:
            planned = plan_query(mesh._transport, request)
            answer(planned, lambda: plan_view(planned), as_json=as_json)
            return
        result = run_query(mesh._transport, request)
    if output is not None:
        _write(result.frame, output)
        written = {"rows": result.frame.height, "revision": result.revision, "output": str(output)}
        answer(written, lambda: f"{result.frame.height:,} rows are in {output}.", as_json=as_json)
    elif as_json:
        print_json(
            {
                "rows": result.frame.to_dicts(),
                "is_cut": result.is_cut,
                "ports": plain(result.ports),
                "warnings": list(result.warnings),
            }
        )
    else:
        output_console().print(result_view(result))


def _check_output(output: Path | None) -> None:
    if output is not None and not output.absolute().parent.is_dir():
        raise typer.BadParameter(f"There is no folder {output.absolute().parent}.", param_hint="--output")
    if output is not None and output.suffix not in _FORMATS:
        raise typer.BadParameter(f"{output} must end in {', '.join(_FORMATS)}.", param_hint="--output")


def _write(frame: pl.DataFrame, output: Path) -> None:
    """The file is put in place whole, or not at all."""
    scratch = output.with_name(f".{output.name}.part")
    write: Any = getattr(frame, _FORMATS[output.suffix])
    try:
        write(scratch)
        scratch.replace(output)
    finally:
        scratch.unlink(missing_ok=True)


def result_view(result: QueryResult) -> RenderableType:
    """The rows, with a footer that says what they were made from and what was left out."""
    from rich.console import Group

    frame = result.frame
    numbers = [name for name, kind in frame.schema.items() if kind.is_numeric()]
    rows = [[value_cell(value) for value in row] for row in frame.rows()]
    count = f"the first {frame.height} rows" if result.is_cut else f"{frame.height} row{'' if frame.height == 1 else 's'}"
    lines = [
        cell(f"{count}, decided at revision {result.revision}", "dim"),
        *_port_lines(result.ports),
        *_warning_lines(result.warnings),
    ]
    return Group(table(frame.columns, rows, numbers=numbers), "", *lines)


def plan_view(plan: QueryPlan) -> RenderableType:
    """What is read, under which policy, and the engine's plan."""
    from rich.console import Group

    columns = table(("column", "type"), [(cell(name, "bold"), str(kind)) for name, kind in plan.schema.items()])
    return Group(*_port_lines(plan.ports), *_warning_lines(plan.warnings), "", columns, "", cell(plan.engine_plan))


def _port_lines(ports: Sequence[QueriedPort]) -> list[RenderableType]:
    lines = []
    for it in ports:
        plan = it.plan
        words = [f"{plan.port}, version {it.version}, {_column_words(it.columns)}, for {purpose_words(plan)}"]
        if plan.row_filter:
            words.append(f"rows kept by policy: {row_words(plan)}")
        masked = [f"{column.name} ({column.mask})" for column in plan.columns if column.mask and column.name in it.columns]
        if masked:
            words.append(f"masked: {', '.join(masked)}")
        if plan.hidden_column_count:
            words.append(f"hidden: {plan.hidden_column_count} column{'s' if plan.hidden_column_count > 1 else ''}")
        lines.append(cell("; ".join(words), "dim"))
    return list(lines)


def _column_words(columns: Sequence[str]) -> str:
    return f"columns {', '.join(columns)}" if columns else "no column, rows are only counted"


def _warning_lines(warnings: Sequence[str]) -> list[RenderableType]:
    return [cell(f"older than promised: {warning}", "yellow") for warning in warnings]


COMMANDS = (
    Command(
        "sql",
        sql,
        (
            'mesh sql "SELECT region, sum(amount) FROM finance.ledger.entries GROUP BY region" --purpose forecasting',
            'mesh sql --explain "SELECT count(*) FROM finance.ledger.entries"',
        ),
    ),
)
