"""`publish`: files and folders as one release of a product."""

from __future__ import annotations

import glob
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from domain_sdk.cli.command import Command
from domain_sdk.cli.contract_changes import impact_view
from domain_sdk.cli.contract_views import not_enforced_view
from domain_sdk.cli.expectations import results_table
from domain_sdk.cli.failures import FAILED, Interruption
from domain_sdk.cli.options import Json, parse_pairs
from domain_sdk.cli.output import answer, cell, table
from domain_sdk.cli.session import connect
from domain_sdk.cli.table_files import open_table

if TYPE_CHECKING:
    from rich.console import RenderableType

    from domain_sdk.release import Preview, QualityResult, Release

__all__ = ["COMMANDS"]

_STATUS_STYLES = {"passed": "green", "failed": "red", "not_run": "yellow"}


def publish(
    ctx: typer.Context,
    product: Annotated[str, typer.Argument(help="Two-part name, like finance.ledger.")],
    ports: Annotated[
        list[str],
        typer.Argument(
            metavar="PORT=PATH…", help="For each port .parquet, .csv, .ndjson or .arrow: a file, folder or pattern; or documents."
        ),
    ],
    contract: Annotated[
        Path | None,
        typer.Option("--contract", help="The ODCS contract; the published one when left out.", dir_okay=False, exists=True),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check everything, write nothing. Exit status 1 if it would fail.")
    ] = False,
    accept_pii: Annotated[
        list[str] | None,
        typer.Option(
            "--accept-pii", metavar="COLUMN", help="Publish this column untagged although it holds personal data. Repeatable."
        ),
    ] = None,
    mode: Annotated[
        list[str] | None,
        typer.Option(
            "--mode", metavar="MODE", help="overwrite, append, merge or replace-partitions; PORT=MODE for one port. Repeatable."
        ),
    ] = None,
    delete_flag: Annotated[
        str,
        typer.Option("--delete-flag", metavar="COLUMN", help="In a merge, rows where this boolean is true are deleted by key."),
    ] = "",
    run_id: Annotated[str, typer.Option("--run-id", help="Names this run: repeated, it is the same release.")] = "",
    as_json: Json = False,
) -> None:
    """Publish ports of a product as one release, checked against its contract, or nothing at all."""
    domain, _, name = product.partition(".")
    if not name or "." in name:
        raise typer.BadParameter(f"{product!r} is no product: write domain.product, like finance.ledger.", param_hint="PRODUCT")
    paths = parse_pairs(ports, option="PORT=PATH", form="PORT=PATH")
    with connect(ctx) as mesh, _unreadable_files_named(product):
        handle = mesh.domain(domain).product(name, contract=contract)
        given = open_ports(paths, handle.contract(), product)
        how: dict[str, Any] = {
            "accept_pii": accept_pii or (),
            "mode": parse_modes(mode),
            "delete_flag": delete_flag or None,
            "progress": False if as_json else None,
        }
        if dry_run:
            preview = handle.preview(given, **how)
            answer(preview, lambda: _preview(preview), as_json=as_json)
            raise typer.Exit(0 if preview.is_ok else FAILED)
        try:
            release = handle.publish(given, run_id=run_id, **how)
        except KeyboardInterrupt:
            raise Interruption(
                f"`mesh show {product}` says which version is served; run it again: documents that were embedded are kept."
            ) from None
    answer(release, lambda: _release(release), as_json=as_json)


def parse_modes(words: Sequence[str] | None) -> Any:  # noqa: ANN401 # one mode or a mapping, checked by the SDK
    """One mode for every table, or port → mode. Raises: typer.BadParameter if the two are mixed."""
    if not words:
        return "overwrite"
    if len(words) == 1 and "=" not in words[0]:
        return words[0]
    return parse_pairs(list(words), option="--mode", form="PORT=MODE")


def open_ports(paths: Mapping[str, str], contract: str, product: str) -> dict[str, Any]:
    """What each port is published from: a lazy frame over its file or, for a collection, the folder, file or pattern.

    Raises:
        InvalidContract: the contract is not valid; every violation is listed.
        typer.BadParameter: the contract has no such port, there is no such file, or it is of no kind that can be read.
    """
    from domain_sdk.publish import _loaded
    from mesh_core.contract import PortKind

    ports = {port.name: port for port in _loaded(contract, product).ports}
    if unknown := sorted(paths.keys() - ports.keys()):
        words = f"{product} has no port {', '.join(unknown)}: its contract has {', '.join(ports) or 'none'}."
        raise typer.BadParameter(words, param_hint="PORT=PATH")
    collections = {name for name, port in ports.items() if port.kind is PortKind.COLLECTION}
    for name in sorted(collections & paths.keys()):
        if not glob.has_magic(paths[name]) and not Path(paths[name]).exists():
            words = f"{paths[name]} is no file or folder: name the documents of {name}, or write a pattern."
            raise typer.BadParameter(words, param_hint="PORT=PATH")
    return {name: path if name in collections else open_table(path, ports[name]) for name, path in paths.items()}


@contextmanager
def _unreadable_files_named(product: str) -> Iterator[None]:
    """While in the block, a file that does not hold what the contract types says so in words."""
    import polars as pl

    from domain_sdk.errors import InvalidRequest

    try:
        yield
    except pl.exceptions.PolarsError as error:
        words = str(error).split("\n\n")[0]
        raise InvalidRequest(f"A file cannot be read with the types of the contract: {words}", resource=product) from error


def _release(release: Release) -> RenderableType:
    from rich.console import Group

    rows = [(cell(it.port, "bold"), str(it.kind), f"{it.row_count:,}", f"{it.size_bytes:,}") for it in release.ports]
    title = f"{release.product} version {release.version} is published (contract {release.contract_version})"
    listed = table(("port", "kind", "rows", "bytes"), rows, title=title, numbers=["rows", "bytes"])
    expected = results_table(release.expectations)
    return Group(listed, _quality(release.quality), *([expected] if expected else []), *not_enforced_view(release.not_enforced))


def _preview(preview: Preview) -> RenderableType:
    from rich.console import Group

    count = len(preview.violations) + sum(result.is_blocking for result in preview.broken_expectations)
    refused = f"would be refused: {count} {'rule' if count == 1 else 'rules'} broken"
    verdict = cell("would be published", "bold green") if preview.is_ok else cell(refused, "bold red")
    heading = cell(f"{preview.product} ", "bold") + verdict
    found = preview.impact
    impact = [impact_view(found)] if found is not None and found.differences else []
    expected = results_table(preview.expectations)
    return Group(
        heading, _quality(preview.quality), *impact, *([expected] if expected else []), *not_enforced_view(preview.not_enforced)
    )


def _quality(results: Sequence[QualityResult]) -> RenderableType:
    from rich.console import Group

    passed = sum(result.status == "passed" for result in results)
    rows = [
        (result.port, result.column, result.check, cell(result.status, _STATUS_STYLES.get(result.status, "dim")), result.message)
        for result in results
        if result.status != "passed"
    ]
    left_out = [it.message.splitlines()[0] for it in results if it.check == "documents" and it.failing_rows and it.message]
    whole = [it.message for it in results if it.check == "documents" and it.status == "passed" and it.message]
    summary = "; ".join((f"{passed} of {len(results)} checks passed", *left_out, *whole))
    shown = table(("port", "column", "check", "status", "finding"), rows, title=summary) if rows else cell(summary, "green")
    absent = [(it.port, it.filled_columns) for it in results if it.filled_columns]
    return Group(shown, *(cell(_absent_words(port, names), "yellow") for port, names in absent)) if absent else shown


def _absent_words(port: str, names: Sequence[str]) -> str:
    nouns, verb = ("column", "becomes") if len(names) == 1 else ("columns", "become")
    return f"{port}: the {nouns} {', '.join(names)} {'is' if len(names) == 1 else 'are'} not in what was given and {verb} null."


COMMANDS = (
    Command(
        "publish",
        publish,
        (
            "mesh publish finance.ledger --contract contract.odcs.yaml entries=entries.parquet accounts=accounts.csv",
            "mesh publish policy.handbook --contract contract.odcs.yaml pages=documents/ --dry-run",
            "mesh publish finance.ledger entries=changes.parquet --mode merge --delete-flag is_deleted --run-id 2026-11-23",
            "mesh publish sales.fairs --contract contract.odcs.yaml stands=stands.csv --accept-pii contact",
        ),
    ),
)
