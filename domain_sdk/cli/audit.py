"""`audit verify`, `report`, `decisions`, `checkpoints`, `keys`: who read what, and the proof that nothing was changed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from domain_sdk.audit_log import AuditedLog, AuditProblem, AuditProof, checkpoint_lines, read_checkpoints
from domain_sdk.cli.audit_views import checkpoints_view, decisions_view, proof_view, report_view, write_csv
from domain_sdk.cli.command import Command
from domain_sdk.cli.failures import FAILED
from domain_sdk.cli.options import Json
from domain_sdk.cli.output import answer, details, waiting
from domain_sdk.cli.server_process import ServerProcess
from domain_sdk.cli.session import connect

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["COMMANDS", "proof_view"]

Product = Annotated[str, typer.Option("--product", help="A domain, product or port, like finance.ledger.")]
Person = Annotated[str, typer.Option("--person", help="A person or service, like user:ana.")]
Column = Annotated[str, typer.Option("--column", help="A column, like finance.ledger.entries.amount.")]
Since = Annotated[str | None, typer.Option("--since", metavar="DATE", help="From when on, inclusive, like 2027-01-01.")]
Until = Annotated[str | None, typer.Option("--until", metavar="DATE", help="Until when, exclusive; now when left out.")]


def verify(
    ctx: typer.Context,
    chain_only: Annotated[bool, typer.Option("--chain-only", help="Do not compare the tables with a replay.")] = False,
    checkpoints: Annotated[
        Path | None, typer.Option("--checkpoints", metavar="FILE", help="Checkpoints that were kept elsewhere.")
    ] = None,
    keys: Annotated[
        Path | None, typer.Option("--keys", metavar="FILE", help="Public keys that were kept elsewhere: no others are trusted.")
    ] = None,
    home: Annotated[
        Path | None, typer.Option("--home", help="Verify the database in this folder itself; its server should be stopped.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Prove that nothing was changed: journal, tables, decision log, lineage events, checkpoints. Exit status 1 if anything was.

    What was cut off or rewritten consistently shows only against checkpoints kept elsewhere (--checkpoints).
    """
    if home is not None:
        proof = _verify_home(home, chain_only=chain_only, checkpoints=checkpoints, keys=keys)
    else:
        kept = read_checkpoints(_text(checkpoints)) if checkpoints else []
        trusted = _keys(keys) if keys else None
        with connect(ctx) as mesh, waiting("Recomputing every hash …"):
            proof = mesh.audit.verify(include_tables=not chain_only, checkpoints=kept, keys=trusted)
    answer(proof, lambda: proof_view(proof, has_tables=not chain_only), as_json=as_json)
    raise typer.Exit(0 if proof.is_intact else FAILED)


def report(
    ctx: typer.Context,
    product: Product = "",
    person: Person = "",
    column: Column = "",
    since: Since = None,
    until: Until = None,
    csv: Annotated[
        Path | None, typer.Option("--csv", metavar="FILE", help="Write who read what to this file, a line for each use.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Report who read what, how often, for what, by which grants and who approved them, what was refused and what changed.

    Administrators may ask for everything; who may grant on a product, for that; everybody, for itself.
    """
    resource = _resource(product, column)
    with connect(ctx) as mesh, waiting("Reading the decision log …"):
        found = mesh.audit.report(resource, principal=person, since=since, until=until)
    if csv is not None:
        write_csv(found, csv)
    answer(found, lambda: report_view(found), as_json=as_json)


def decisions(
    ctx: typer.Context,
    product: Product = "",
    person: Person = "",
    column: Column = "",
    since: Since = None,
    until: Until = None,
    denied: Annotated[bool, typer.Option("--denied", help="Only what was refused.")] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many at most.")] = 50,
    as_json: Json = False,
) -> None:
    """List single decisions, newest first: reads, files, retrievals, and answers to questions about rights."""
    resource = _resource(product, column)
    with connect(ctx) as mesh:
        found = mesh.audit.decisions(
            resource=resource, principal=person, since=since, until=until, only_denied=denied, limit=limit
        )
    answer(found, lambda: decisions_view(found), as_json=as_json)


def checkpoints(
    ctx: typer.Context,
    now: Annotated[bool, typer.Option("--now", help="Make new ones first.")] = False,
    export: Annotated[
        Path | None, typer.Option("--export", metavar="FILE", help="Write them to this file, to be kept elsewhere.")
    ] = None,
    last: Annotated[int, typer.Option("--last", min=1, help="Show only the newest so many.")] = 20,
    as_json: Json = False,
) -> None:
    """List the server's signed checkpoints, make new ones, or export all of them."""
    with connect(ctx) as mesh:
        if now:
            mesh.audit.create_checkpoints()
        found = mesh.audit.checkpoints()
    if export is not None:
        lines = checkpoint_lines(found)
        if export.exists() and not lines.startswith(_text(export)):
            raise typer.BadParameter(
                f"{export} holds something else than the first of these checkpoints, so it is kept: export to another file, and "
                "hold the server against this one with `mesh audit verify --checkpoints`.",
                param_hint="--export",
            )
        export.write_text(lines, "utf-8")
    shown = found if as_json else found[-last:]
    answer(shown, lambda: checkpoints_view(shown, total=len(found), exported=str(export or "")), as_json=as_json)


def keys(ctx: typer.Context, as_json: Json = False) -> None:
    """Print the public keys of checkpoints; with --json as the file that `verify --keys` takes. Keep it elsewhere."""
    with connect(ctx) as mesh:
        found = {id: key.hex() for id, key in mesh.audit.keys().items()}
    answer(found, lambda: details(found, title="Public keys (Ed25519) of checkpoints"), as_json=as_json)


def _resource(product: str, column: str) -> str:
    if product and column:
        raise typer.BadParameter("Give --product or --column, not both: a column says which product it is of.")
    if column and column.count(".") != 3 and "#" not in column:
        raise typer.BadParameter(f"{column} is no column: write its port and name, like finance.ledger.entries.amount.")
    return column or product


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise typer.BadParameter(f"{path} cannot be read: {error}") from error


def _keys(path: Path) -> dict[str, bytes]:
    try:
        return {str(id): bytes.fromhex(key) for id, key in json.loads(_text(path)).items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise typer.BadParameter(f"{path} is no file of keys: write it with `mesh audit keys --json`.") from error


def _verify_home(home: Path, *, chain_only: bool, checkpoints: Path | None, keys: Path | None) -> AuditProof:
    """The proof by the server's own program on the database itself. Raises: WrongState: it cannot be, and why."""
    settings = {"MESH_HOME": str(home), "MESH_VERIFY_CHAIN_ONLY": "1" if chain_only else ""}
    settings["MESH_VERIFY_CHECKPOINTS"] = str(checkpoints or "")
    settings["MESH_VERIFY_KEYS"] = str(keys or "")
    process = ServerProcess("verify", settings=settings, is_heard=True)
    try:
        with waiting("Recomputing every hash …"):
            said = process.ready()
    finally:
        process.stop()
    return _proof(said)


def _proof(said: Mapping[str, Any]) -> AuditProof:
    return AuditProof(
        is_intact=said["is_intact"],
        logs=tuple(AuditedLog(**log) for log in said["logs"]),
        problems=tuple(AuditProblem(**problem) for problem in said["problems"]),
        checkpoints=said["checkpoints"],
    )


COMMANDS = (
    Command(
        "verify",
        verify,
        (
            "mesh audit verify",
            "mesh audit verify --checkpoints kept/checkpoints.jsonl --keys kept/keys.json",
            "mesh audit verify --home ./mesh-home --json",
        ),
    ),
    Command(
        "report",
        report,
        (
            "mesh audit report --product finance.ledger --since 2027-01-01",
            "mesh audit report --person user:ana --json",
            "mesh audit report --column finance.ledger.entries.amount --csv reads.csv",
        ),
    ),
    Command("decisions", decisions, ("mesh audit decisions --product finance.ledger --denied",)),
    Command("checkpoints", checkpoints, ("mesh audit checkpoints", "mesh audit checkpoints --now --export checkpoints.jsonl")),
    Command("keys", keys, ("mesh audit keys --json",)),
)
