"""`expect`, `expectations`, `withdraw-expectation`: what consumers rely on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from domain_sdk.cli.command import Command
from domain_sdk.cli.options import Json, PortName, PurposeOption, Reason
from domain_sdk.cli.output import answer, cell, table
from domain_sdk.cli.session import connect

if TYPE_CHECKING:
    from rich.console import RenderableType

    from domain_sdk.expectations import Expectation, ExpectationResult

__all__ = ["COMMANDS", "results_table"]

_STYLES = {"met": "green", "broken": "red"}


def expect(
    ctx: typer.Context,
    port: PortName,
    rule: Annotated[str, typer.Argument(metavar="RULE", help="A predicate like 'amount >= 0', or an ODCS rule as JSON.")],
    column: Annotated[str, typer.Option("--column", help="The column that an ODCS rule is about.")] = "",
    purpose: PurposeOption = "",
    reason: Reason = "",
    as_json: Json = False,
) -> None:
    """Say what you rely on in a port; its producer is told before a release breaks it."""
    with connect(ctx) as mesh:
        made = mesh.expect(port, rule, column=column, purpose=purpose, reason=reason)
    answer(made, lambda: _table([made]), as_json=as_json)


def expectations(
    ctx: typer.Context,
    resource: Annotated[str, typer.Argument(metavar="[RESOURCE]", help="Only on this product or port.")] = "",
    mine: Annotated[bool, typer.Option("--mine", help="Only your own.")] = False,
    as_json: Json = False,
) -> None:
    """List what you expect, and what others expect of products you may publish."""
    with connect(ctx) as mesh:
        found = mesh.expectations(resource, only_own=mine)
    answer(found, lambda: _table(found) if found else "Nobody expects anything here.", as_json=as_json)


def withdraw_expectation(
    ctx: typer.Context,
    id: Annotated[str, typer.Argument(metavar="ID", help="The expectation, like x-5f0c….")],
    as_json: Json = False,
) -> None:
    """Remove one of your expectations."""
    with connect(ctx) as mesh:
        mesh.withdraw_expectation(id)
    answer({"id": id}, lambda: f"{id} is gone.", as_json=as_json)


def _table(found: Sequence[Expectation]) -> RenderableType:
    rows = [
        (cell(it.id, "bold"), it.port, it.principal or cell("hidden", "dim"), _words(it.rule, it.column), *_last(it.last_result))
        for it in found
    ]
    return table(("id", "port", "who", "expects", "version", "came out", "failing"), rows, whole=("id",), numbers=["failing"])


def _words(rule: str, column: str) -> str:
    if not rule.lstrip().startswith("{"):
        return rule
    try:
        parts = " ".join(f"{name} {value}" for name, value in json.loads(rule).items())
    except (ValueError, AttributeError):
        return rule
    return f"{column}: {parts}" if column else parts


def _last(result: ExpectationResult | None) -> tuple[Any, Any, Any]:
    if result is None:
        return "", "", ""
    return result.version or "", cell(result.status, _STYLES.get(result.status, "dim")), f"{result.failing_rows:,}"


def results_table(results: Sequence[ExpectationResult]) -> RenderableType | None:
    """What consumers' expectations came out as, if there are any."""
    if not results:
        return None
    rows = [
        (
            it.port, it.principal or cell("a consumer you may not see", "dim"), _words(it.rule, ""),
            cell(it.status, _STYLES.get(it.status, "dim")), it.message + (" (stops the release)" if _stops(it) else ""),
        )
        for it in results
    ]  # fmt: skip
    return table(("port", "who", "expects", "came out", "finding"), rows, title="What consumers expect")


def _stops(result: ExpectationResult) -> bool:
    return result.is_blocking and result.status == "broken"


COMMANDS = (
    Command(
        "expect",
        expect,
        (
            "mesh expect finance.ledger.entries 'amount >= 0' --reason \"our report sums it\"",
            'mesh expect finance.ledger.entries \'{"metric": "nullValues", "mustBe": 0}\' --column account',
        ),
    ),
    Command("expectations", expectations, ("mesh expectations finance.ledger", "mesh expectations --mine --json")),
    Command("withdraw-expectation", withdraw_expectation, ("mesh withdraw-expectation x-5f0c3e2a91d4b7e8",)),
)
