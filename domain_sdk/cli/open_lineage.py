"""`openlineage send|runs|events`: OpenLineage events from files, the runs they tell of, and the events themselves."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from domain_sdk.cli.command import Command
from domain_sdk.cli.options import Json
from domain_sdk.cli.output import answer, cell, table, waiting
from domain_sdk.cli.session import connect

if TYPE_CHECKING:
    from rich.console import RenderableType

    from domain_sdk.open_lineage import EventResult, LineageReceipt, LineageRun, RunDataset, RunSummary

__all__ = ["COMMANDS"]

AsOf = Annotated[int, typer.Option("--as-of", metavar="REVISION", min=0, help="As of this revision; 0 is now.")]
Limit = Annotated[int, typer.Option("--limit", min=1, help="How many at most.")]


def send(
    ctx: typer.Context,
    files: Annotated[list[Path], typer.Argument(help="An event, an array of events, or one event a line.")],
    as_json: Json = False,
) -> None:
    """Send OpenLineage events from files; each is accepted or refused by itself. Exit status 1 if any was refused."""
    with connect(ctx) as mesh, waiting("Sending events …"):
        found = [(str(path), result) for path in files for result in mesh.record_events(_events(path))]
    shown = [{"file": path, "receipt": result.receipt, "refusal": result.refusal} for path, result in found]
    answer(shown, lambda: _sent(found), as_json=as_json)
    if any(result.refusal is not None for _, result in found):
        raise typer.Exit(1)


def runs(
    ctx: typer.Context,
    dataset: Annotated[str, typer.Argument(help="A port, or another dataset as 'namespace|name'.")] = "",
    namespace: Annotated[str, typer.Option("--namespace", help="A job's namespace, instead of a dataset.")] = "",
    job: Annotated[str, typer.Option("--job", help="The job's name.")] = "",
    as_of: AsOf = 0,
    limit: Limit = 50,
    as_json: Json = False,
) -> None:
    """List the runs that read or wrote a port or dataset, or those of a job; newest first."""
    if bool(dataset) == bool(job):
        raise typer.BadParameter("Give a dataset, or --namespace and --job.", param_hint="dataset")
    with connect(ctx) as mesh:
        found = mesh.runs(dataset, namespace=namespace, job=job, as_of=as_of, limit=limit)
        compacted = mesh.run_summaries(namespace, job) if job else []
    shown = {"runs": found, "compacted": compacted} if job else found
    answer(shown, lambda: _runs(found, compacted), as_json=as_json)


def alias(
    ctx: typer.Context,
    dataset: Annotated[str, typer.Argument(help="The dataset, as 'namespace|name'.")],
    port: Annotated[str, typer.Argument(help="The port it is; left out, the alias is taken back.")] = "",
    as_json: Json = False,
) -> None:
    """Say that a physical dataset is a port, so that what events tell of it is told of the port."""
    with connect(ctx) as mesh:
        mesh.set_dataset_alias(dataset, port)
    said = f"{dataset} is {port} from now on." if port else f"{dataset} is no port any more."
    answer({"dataset": dataset, "port": port}, lambda: said, as_json=as_json)


def events(
    ctx: typer.Context,
    after: Annotated[int, typer.Option("--after", min=0, help="Only events after this position of the stream.")] = 0,
    limit: Limit = 50,
    as_json: Json = False,
) -> None:
    """List the events received, oldest first, as they came; for the central team."""
    with connect(ctx) as mesh:
        found = mesh.audit.lineage_events(after=after, limit=limit)
    rows = [(it.sequence, it.receive_time, it.sender, it.json[:60] or "(compacted)") for it in found]
    numbers = ["position"]
    answer(found, lambda: table(("position", "received", "sender", "event"), rows, numbers=numbers), as_json=as_json)


def _events(path: Path) -> Iterator[bytes]:
    """The events of a file, each in its own bytes where that is a line or the whole file."""
    data = path.read_bytes()
    try:
        whole = json.loads(data)
    except ValueError:
        yield from (line for line in data.splitlines() if line.strip())
        return
    yield from (json.dumps(it).encode() for it in whole) if isinstance(whole, list) else (data,)


def _sent(found: Sequence[tuple[str, EventResult]]) -> RenderableType:
    from rich.console import Group

    accepted = [result.receipt for _, result in found if result.receipt is not None]
    refused = [(path, result.refusal) for path, result in found if result.refusal is not None]
    edges = dict.fromkeys(edge for receipt in accepted for edge in receipt.edges)
    parts: list[RenderableType] = [f"{len(accepted)} events accepted, {len(refused)} refused."]
    if edges:
        rows = [(it.source, it.target, it.columns, it.basis.lower()) for it in list(edges)[:100]]
        parts.append(table(("from", "to", "columns", "basis"), rows, numbers=["columns"]))
    parts += [cell(text, "yellow") for text in _idle(accepted)]
    parts += [cell(f"{path}: {refusal}", "red") for path, refusal in refused]
    return Group(*parts)


def _idle(accepted: Sequence[LineageReceipt]) -> Iterator[str]:
    stubs = sorted({stub for receipt in accepted for stub in receipt.stubs})
    claims = sorted({claim for receipt in accepted for claim in receipt.claims})
    facets = sorted({facet.rpartition(".")[2] for receipt in accepted for facet in receipt.uninterpreted})
    if stubs:
        yield f"Not known to be a port yet: {', '.join(stubs)}."
    if claims:
        yield f"Claims about others', without effect: {', '.join(claims)}."
    if facets:
        yield f"Facets stored and not interpreted: {', '.join(facets)}."
    yield from dict.fromkeys(note for receipt in accepted for note in receipt.notes)


def _runs(found: Sequence[LineageRun], compacted: Sequence[RunSummary]) -> RenderableType:
    from rich.console import Group

    old = [f"Compacted: {it.runs} runs that ended {it.state or 'untold'}, until {it.last_time:%Y-%m-%d}." for it in compacted]
    if not found:
        return Group("There are no such runs.", *old)
    rows = [
        (it.last_time, f"{it.namespace} {it.job}", it.state, _names(it.inputs), _names(it.outputs), it.run_id) for it in found
    ]
    return Group(table(("last event", "job", "state", "read", "wrote", "run"), rows), *old)


def _names(datasets: Sequence[RunDataset]) -> str:
    return ", ".join((it.dataset or "(hidden)") + (f" v{it.version}" if it.version else "") for it in datasets) or "nothing"


COMMANDS = (
    Command("send", send, ("mesh openlineage send events.jsonl", "mesh openlineage send event.json --json")),
    Command(
        "runs",
        runs,
        ("mesh openlineage runs finance.ledger.entries", "mesh openlineage runs --namespace airflow-finance --job close.load"),
    ),
    Command("alias", alias, ("mesh openlineage alias 'file|/data/finance/ledger' finance.ledger.entries",)),
    Command("events", events, ("mesh openlineage events --limit 10",)),
)
