"""`read`, `retrieve` and `mentions`: governed rows and passages, shown or written to a file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from domain_sdk.cli.catalog_views import purpose_words, row_words
from domain_sdk.cli.command import Command
from domain_sdk.cli.options import Columns, Json, PortName, PurposeOption, Version, parse_columns
from domain_sdk.cli.output import answer, cell, errors_console, output_console, plain, print_json, table, waiting
from domain_sdk.cli.session import connect

if TYPE_CHECKING:
    import polars as pl
    from rich.console import RenderableType
    from rich.text import Text

    from domain_sdk.collections import Passage
    from domain_sdk.mentions import Mention
    from domain_sdk.read import GovernedScan, PlannedScan

__all__ = ["COMMANDS", "footer", "frame_view", "parse_where", "passages_view", "value_cell"]

_SHOWN_ROWS = 20
_LOGICAL = {
    "String": "string",
    "Categorical": "string",
    "Enum": "string",
    "Boolean": "boolean",
    "Date": "date",
    "Datetime": "timestamp",
}
_SHAPED = re.compile(r"^(\s*([-*+>|#]|\d+[.)])\s|```|    )", re.MULTILINE)
_FORMATS = {".parquet": "sink_parquet", ".csv": "sink_csv", ".ndjson": "sink_ndjson"}


def read(
    ctx: typer.Context,
    port: PortName,
    columns: Columns = "",
    where: Annotated[str, typer.Option("--where", metavar="SQL", help='Only rows where this is true, like "amount > 100".')] = "",
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="How many rows; 20 on the screen, all to a file.")] = None,
    purpose: PurposeOption = "",
    version: Version = 0,
    changes_since: Annotated[
        int | None,
        typer.Option(
            "--changes-since", min=0, metavar="VERSION", help="Not the rows, but what changed of them since that version."
        ),
    ] = None,
    output: Annotated[Path | None, typer.Option("--output", help="Write to this .parquet, .csv or .ndjson file.")] = None,
    as_json: Json = False,
) -> None:
    """Read a table: exactly the rows and columns that policy lets you see."""
    if output is not None and not output.absolute().parent.is_dir():
        raise typer.BadParameter(f"There is no folder {output.absolute().parent}.", param_hint="--output")
    if output is not None and output.suffix not in _FORMATS:
        raise typer.BadParameter(f"{output} must end in {', '.join(_FORMATS)}.", param_hint="--output")
    wanted = parse_columns(columns)
    with connect(ctx) as mesh:
        source: GovernedScan = mesh._source(port, purpose=purpose or None, version=version or None)
        if changes_since is not None:
            source = mesh.changes._source(port, since=changes_since, version=version or None, purpose=purpose or None)
        with waiting(f"Reading {port} …"):
            planned = source.planned()
            predicate = parse_where(where, source.schema(), port=port) if where else None
            if output is not None:
                count = _write(source, output, columns=wanted, where=predicate, limit=limit)
                written = {"port": port, "version": planned.version, "rows": count, "output": str(output)}
                answer(written, lambda: f"{count:,} rows of {port} (version {planned.version}) are in {output}.", as_json=as_json)
                return
            from domain_sdk.read import collect

            frame = collect(source, columns=wanted or None, where=predicate, limit=limit or _SHOWN_ROWS)
    told = {"port": port, "version": planned.version, "warnings": planned.warnings, "plan": plain(planned.plan)}
    if as_json:
        print_json({**told, "rows": frame.to_dicts()})
    else:
        for warning in planned.warnings:
            errors_console().print(cell(f"{port}: {warning}", "yellow"))
        output_console().print(frame_view(frame, planned, limit=limit or _SHOWN_ROWS))


def retrieve(
    ctx: typer.Context,
    port: PortName,
    question: Annotated[list[str], typer.Argument(help="What you want to know, in words.")],
    limit: Annotated[int, typer.Option("--limit", min=1, max=100, help="How many passages.")] = 5,
    purpose: PurposeOption = "",
    version: Version = 0,
    as_json: Json = False,
) -> None:
    """Find the passages of a collection nearest to a question, among those you may see."""
    with connect(ctx) as mesh, waiting(f"Searching {port} …"):
        passages = mesh.retrieve(port, " ".join(question), limit=limit, purpose=purpose or None, version=version or None)
    answer(passages, lambda: passages_view(passages), as_json=as_json)


def mentions(
    ctx: typer.Context,
    port: PortName,
    key: Annotated[list[str], typer.Argument(help="The record's primary key: its values in the key's order.")],
    purpose: PurposeOption = "",
    as_json: Json = False,
) -> None:
    """Find the documents that mention a record: a customer, an employee."""
    with connect(ctx) as mesh:
        found = mesh.mentions(port, key, purpose=purpose or None)
    answer(found, lambda: mentions_view(found), as_json=as_json)


def mentions_view(found: Sequence[Mention]) -> RenderableType:
    """A line a mention."""
    if not found:
        return cell("No document that you may read mentions it.")
    rows = [(cell(it.document, "bold"), it.collection, f"{it.start:,}–{it.end:,}", it.column, it.tag) for it in found]
    return table(("document", "collection", "characters", "column", "tag"), rows)


def parse_where(sql: str, schema: pl.Schema, *, port: str) -> pl.Expr:
    """The predicate as polars understands it, checked against the visible columns.

    Raises:
        InvalidExpression: it is no predicate, or names a column that is not visible.
        NotConfigured: the SQL parser is not installed.
    """
    from domain_sdk import errors
    from mesh_core.expressions.errors import InvalidExpression, Unsupported
    from mesh_core.expressions.polars import to_polars
    from mesh_core.expressions.sql import parse_filter

    numeric = {name for name, kind in schema.items() if kind.is_numeric()}
    types = {
        name: "number" if name in numeric else _LOGICAL.get(str(kind.base_type()), "object") for name, kind in schema.items()
    }
    try:
        return to_polars(parse_filter(sql, types), schema)
    except ModuleNotFoundError as error:
        raise errors.NotConfigured(
            f"--where is SQL, and its parser ({error.name}) is not installed: pip install 'domain-mesh[server]', or filter "
            "in Python with mesh.scan(…).filter(…)."
        ) from error
    except Unsupported as error:
        raise errors.InvalidExpression(
            "--where cannot use subject.…: that is for the row filters of grants.", resource=port
        ) from error
    except InvalidExpression as error:
        hint = " Text goes in single quotes: 'APAC'; double quotes name a column." if '"' in sql else ""
        raise errors.InvalidExpression(f"--where cannot be used: {error}{hint}", resource=port) from error


def _write(source: GovernedScan, output: Path, *, columns: list[str], where: pl.Expr | None, limit: int | None) -> int:
    """How many rows the file now holds; it is put in place whole, or not at all."""
    from domain_sdk import errors
    from domain_sdk.read import scan

    frame = scan(source)
    unknown = [name for name in columns if name not in source.schema()]
    if unknown:
        raise errors.InvalidRequest(
            f"Not visible: {', '.join(unknown)}. Visible: {', '.join(source.schema())}.", resource=source.port
        )
    kept = frame if where is None else frame.filter(where)
    shaped = kept.select(columns) if columns else kept
    scratch = output.with_name(f".{output.name}.part")
    sink: Any = getattr(shaped if limit is None else shaped.head(limit), _FORMATS[output.suffix])
    try:
        sink(scratch)
        count = _count(scratch, output.suffix)
        scratch.replace(output)
        return count
    except OSError as error:
        raise OSError(f"{output} cannot be written: {error.strerror or str(error).split(': ')[0]}") from error
    finally:
        scratch.unlink(missing_ok=True)


def _count(path: Path, ending: str) -> int:
    """How many rows were written; polars refuses an NDJSON file without any, so its lines are counted."""
    import polars as pl

    if ending == ".ndjson":
        with path.open("rb") as file:
            return sum(1 for _ in file)
    frame = pl.scan_parquet(path) if ending == ".parquet" else pl.scan_csv(path)
    return int(frame.select(pl.len()).collect().item())


def frame_view(frame: pl.DataFrame, planned: PlannedScan, *, limit: int) -> RenderableType:
    """The rows, masked columns marked, with a footer that says what was left out and why."""
    from rich.console import Group

    masked = planned.masked_columns
    numbers = [name for name, kind in frame.schema.items() if kind.is_numeric()]
    rows = [[value_cell(it, is_masked=name in masked) for name, it in row.items()] for row in frame.to_dicts()]
    return Group(table(frame.columns, rows, numbers=numbers), "", *footer(frame, planned, limit=limit))


def value_cell(value: object, *, is_masked: bool = False) -> Text:
    """A value of the data, exactly: times with all they have."""
    if value is None:
        return cell("null", "dim")
    exact = value.isoformat(sep=" ") if isinstance(value, datetime) else value.hex() if isinstance(value, bytes) else value
    return cell(exact, "yellow" if is_masked else "")


def footer(frame: pl.DataFrame, planned: PlannedScan, *, limit: int) -> list[RenderableType]:
    """Lines about the version, the limit, the row filter, masks and hidden columns."""
    plan = planned.plan
    rows = "row" if frame.height == 1 else "rows"
    count = f"the first {frame.height if frame.height > 1 else ''}".rstrip() if frame.height == limit else f"{frame.height}"
    lines = [f"{count} {rows} of {plan.port}, version {planned.version}, as {plan.principal}, for {purpose_words(plan)}"]
    if plan.row_filter:
        lines.append(f"rows kept by policy: {row_words(plan)}")
    masked = [f"{column.name} ({column.mask})" for column in plan.columns if column.mask and column.name in frame.columns]
    conditional = [it.name for it in plan.columns if it.is_conditional and not it.mask and it.name in frame.columns]
    if masked:
        lines.append(f"masked: {', '.join(masked)}")
    if conditional:
        lines.append(f"shown on some rows only: {', '.join(conditional)}")
    if plan.hidden_column_count:
        lines.append(f"hidden: {plan.hidden_column_count} column{'s' if plan.hidden_column_count > 1 else ''}")
    return [cell(line, "dim") for line in lines]


def _reflowed(text: str) -> str:
    """The passage with its paragraphs as lines; lists, tables and code keep theirs."""
    paragraphs = text.strip().split("\n\n")
    return "\n\n".join(it if _SHAPED.search(it) else " ".join(it.split()) for it in paragraphs)


def passages_view(passages: list[Passage]) -> RenderableType:
    """The passages as blocks, best first."""
    from rich.console import Group
    from rich.panel import Panel

    if not passages:
        return "No passage that you may see is near to that."
    blocks = []
    for it in passages:
        headings = [part for part in it.heading.split(" > ") if part]
        where = " › ".join(headings if it.title in headings[:1] or not it.title else [it.title, *headings])
        place = f"{it.document}{f', page {it.page}' if it.page else ''}, characters {it.start}–{it.end}, version {it.version}"
        blocks.append(
            Panel(
                Group(cell(_reflowed(it.text)), cell(place, "dim")),  # inside: a border would cut what is longer than a line
                title=cell(f"{it.rank}. {where}", "bold"),
                title_align="left",
                border_style="cyan",
                padding=(0, 1),
            )
        )
    return Group(*blocks)


COMMANDS = (
    Command(
        "read",
        read,
        (
            'mesh read finance.ledger.entries --columns account,amount --where "amount > 100" --purpose forecasting',
            "mesh read finance.ledger.entries --output entries.parquet",
            "mesh read finance.ledger.entries --changes-since 3",
        ),
    ),
    Command("retrieve", retrieve, ("mesh retrieve policy.handbook.pages how long can a customer return an order",)),
    Command(
        "mentions",
        mentions,
        ("mesh mentions sales.customers.customers C-1042", "mesh mentions sales.customers.customers C-1042 --json"),
    ),
)
