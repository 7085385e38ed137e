"""`quality`: what the checks of a product found, in its last release or through its history."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from domain_sdk.cli.command import Command
from domain_sdk.cli.options import Json
from domain_sdk.cli.output import answer, cell, table, waiting
from domain_sdk.cli.session import connect

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

    from domain_sdk.quality import QualityRecord, QualityWarning
    from domain_sdk.release import QualityResult

__all__ = ["COMMANDS", "history_view", "sparkline", "warning_lines"]

_STYLES = {"passed": "green", "failed": "red", "not_run": "yellow", "recorded": "dim"}
_SHOWN_RELEASES = 30
_BARS = "▁▂▃▄▅▆▇█"


def quality(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="A product or port, like finance.ledger or finance.ledger.entries.")],
    history: Annotated[bool, typer.Option("--history", help="Through the releases, oldest to newest, as a picture.")] = False,
    check: Annotated[str, typer.Option("--check", help="Only this check, like amount.minimum.")] = "",
    limit: Annotated[int, typer.Option("--limit", min=1, max=500, help="How many releases back.")] = _SHOWN_RELEASES,
    as_json: Json = False,
) -> None:
    """Show what the checks of a product found: in the release now served, or with --history in each."""
    parts = name.split(".")
    if len(parts) not in (2, 3):
        raise typer.BadParameter(f"{name!r} is no product or port: write finance.ledger or finance.ledger.entries.")
    port = name if len(parts) == 3 else ""
    with connect(ctx) as mesh, waiting("Looking …"):
        product = mesh.domain(parts[0]).product(parts[1])
        records = product.quality_history(port=port, check=check, limit=limit if history else 1)
        warnings = product.quality_warnings()
    shown = {"records": records, "warnings": warnings}
    answer(shown, lambda: history_view(records, warnings, is_history=history), as_json=as_json)


def history_view(
    records: Sequence[QualityRecord], warnings: Sequence[QualityWarning] = (), *, is_history: bool = True
) -> RenderableType:
    """The newest results, each with a picture of what it counted release by release."""
    from rich.console import Group

    if not records:
        return cell("Nothing was published yet.")
    newest, past = records[0], list(reversed(records))
    title = f"Version {newest.version}" + (f" and {len(records) - 1} before it, oldest first" if is_history else "")
    counted = [
        (cell(port, "bold"), "rows", "", f"{rows:,}", sparkline([it.row_counts.get(port) for it in past]))
        for port, rows in newest.row_counts.items()
    ]
    checks = [_row(result, past) for result in newest.results]
    headings = ["port", "check", "status", "found", *(["history"] if is_history else ["finding"])]
    rows = [row[:4] + ((row[4],) if is_history else (row[5],)) for row in [(*it, "") for it in counted] + checks]
    return Group(table(headings, rows, title=title), *warning_lines(warnings))


def _row(result: QualityResult, past: Sequence[QualityRecord]) -> tuple[object, ...]:
    same = [next((it for it in record.results if (it.port, it.check) == (result.port, result.check)), None) for record in past]
    picture = sparkline([it.failing_rows if it else None for it in same])
    for place, it in enumerate(same):
        if it is not None:
            picture.stylize(_STYLES.get(it.status, ""), place, place + 1)
    found = result.measured or str(result.failing_rows)
    status = cell(result.status, _STYLES.get(result.status, ""))
    return cell(result.port), result.check, status, found, picture, result.message


def sparkline(values: Sequence[float | None]) -> Text:
    """One bar a value, the largest full; a space where there is none, a dot for zero."""
    known = [value for value in values if value is not None]
    most = max(known, default=0)
    bars = [" " if value is None else "·" if not value else _BARS[round(7 * value / most)] for value in values]
    return cell("".join(bars))


def warning_lines(warnings: Sequence[QualityWarning]) -> list[RenderableType]:
    """A line for each thing that is late or suspicious."""
    lines: list[RenderableType] = [cell(f"{it.resource}: {it.kind}: {it.message}", "yellow") for it in warnings]
    return [cell(""), *lines] if lines else []


COMMANDS = (
    Command("quality", quality, ("mesh quality finance.revenue --history", "mesh quality finance.revenue.revenue --json")),
)
