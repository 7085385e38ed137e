"""What the sender is told of an event that was accepted: what it made, which edges it tells, and what of it stands idle.

Owns the receipt and how it is read from an event. Nothing of an event is dropped without being named here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from governance_server.lineage.judging import AcceptedEvent
from governance_server.lineage.received import EventKind
from governance_server.lineage.run_state import LONGEST_QUERY
from mesh_core.dataset_names import dataset_node, is_outside
from mesh_core.lineage import Basis, PortLineage

__all__ = ["MOST_EDGES", "LineageReceipt", "ReceiptEdge", "receipt_of"]

MOST_EDGES = 1000
_SQL = "$.job.facets.sql"
_INTERPRETED = {
    "run": frozenset({"parent"}),
    "job": frozenset({"lineage"}),
    "dataset": frozenset({"columnLineage", "lifecycleStateChange", "schema", "symlinks", "version"}),
}


@dataclass(frozen=True, slots=True)
class ReceiptEdge:
    """What the event's run tells of one source and one target: how many edges between columns, and on what that rests."""

    source: str
    target: str
    columns: int
    basis: str


@dataclass(frozen=True, slots=True)
class LineageReceipt:
    """Of one accepted event.

    Attributes:
        sequence: Its place in the event stream.
        is_repeated: True if it told nothing that was not known: sent again, or overtaken by later events of its run.
        created: What was not known before: `run …`, `job …`, `dataset …`.
        edges: Of the run (or declaration) as it is known now, at most a thousand; `more_edges` are the others.
        uninterpreted: Facets that are stored and mean nothing to the mesh, by path.
        stubs: Datasets that no port is known for: they wait for a publication, an alias or a contract that names them.
        claims: What the event says of others' datasets and jobs: stored, and without effect.
        notes: What was read otherwise than it was written.
    """

    sequence: int
    is_repeated: bool
    created: tuple[str, ...] = ()
    edges: tuple[ReceiptEdge, ...] = ()
    more_edges: int = 0
    uninterpreted: tuple[str, ...] = ()
    stubs: tuple[str, ...] = ()
    claims: tuple[str, ...] = ()
    notes: tuple[str, ...] = field(default=())


def receipt_of(
    accepted: AcceptedEvent,
    sequence: int,
    *,
    created: tuple[str, ...] | None,
    lineages: Mapping[str, PortLineage],
    port_of: Callable[[str], str],
) -> LineageReceipt:
    """The receipt; `created` is None if the event told nothing new, `port_of` names the port that a dataset is known to be."""
    event = accepted.event
    edges = [edge for _, lineage in sorted(lineages.items()) for edge in _edges(lineage, port_of)]
    inferred = [target for target, lineage in sorted(lineages.items()) if lineage.basis is Basis.INFERRED]
    nodes = {dataset_node(d["namespace"], d["name"]) for side in ("inputs", "outputs") for d in event.datasets(side)}
    return LineageReceipt(
        sequence=sequence,
        is_repeated=created is None,
        created=created or (),
        edges=tuple(edges[:MOST_EDGES]),
        more_edges=max(0, len(edges) - MOST_EDGES),
        uninterpreted=tuple(it for it in _uninterpreted(accepted) if it != _SQL or not inferred),
        stubs=tuple(sorted(node for node in nodes if is_outside(port_of(node)))),
        claims=tuple(sorted(accepted.claimed)),
        notes=(*_notes(accepted), *_notes_on_query(accepted, inferred, lineages)),
    )


def _edges(lineage: PortLineage, port_of: Callable[[str], str]) -> Iterator[ReceiptEdge]:
    columns: dict[str, int] = {}
    for edge in lineage.edges:
        columns[edge.source_port] = columns.get(edge.source_port, 0) + 1
    target = port_of(lineage.target_port)
    for dataset_edge in lineage.dataset_edges if lineage.basis is not Basis.SYMLINK else ():
        source = dataset_edge.source_port
        yield ReceiptEdge(port_of(source), target, columns.get(source, 0), lineage.basis.value)


def _uninterpreted(accepted: AcceptedEvent) -> Iterator[str]:
    content = accepted.event.content
    places: list[tuple[str, str, Mapping[str, Any]]] = []
    for kind in ("run", "job", "dataset"):
        if kind in content:
            places.append((f"$.{kind}", kind, content[kind]))
    for side in ("inputs", "outputs"):
        places += [(f"$.{side}[{i}]", "dataset", it) for i, it in enumerate(accepted.event.datasets(side))]
    for path, kind, part in places:
        known = _INTERPRETED[kind]
        if accepted.event.kind is EventKind.DATASET:
            known |= {"lineage"}
        yield from (f"{path}.facets.{name}" for name in part.get("facets", {}) if name not in known)
        for more in ("inputFacets", "outputFacets"):
            yield from (f"{path}.{more}.{name}" for name in part.get(more, {}))


def _notes_on_query(accepted: AcceptedEvent, inferred: Sequence[str], lineages: Mapping[str, PortLineage]) -> Iterator[str]:
    if inferred:
        shown = ", ".join(inferred[:10]) + (f" and {len(inferred) - 10} more" if len(inferred) > 10 else "")
        yield f"No facet tells the columns of {shown}: they were inferred from the query in `sql`."
        yield from (f"The columns of {it.node} are the catalog's, as of version {it.version}." for it in accepted.schemas)
    has_query = "sql" in accepted.event.content.get("job", {}).get("facets", {})
    if has_query and any(it.basis is Basis.PRODUCT for it in lineages.values()):
        yield (
            f"{_SQL} does not tell the columns: for that it has to be one statement of at most {LONGEST_QUERY:,} characters "
            "that reads every input of the run and nothing else, each of them with its `schema` or a port you may discover, "
            "and writes the output."
        )


def _notes(accepted: AcceptedEvent) -> Iterator[str]:
    event = accepted.event
    if not event.has_zone:
        yield "$.eventTime names no time zone: it was taken for UTC."
    if event.kind is EventKind.DATASET and not accepted.tells:
        yield "The dataset is not yours: what the event says of it is kept as your claim and changes nothing."
    explicit = "lineage" in event.content.get("job", {}).get("facets", {})
    if explicit and any("columnLineage" in it.get("facets", {}) for it in event.datasets("outputs")):
        yield "The job's facet `lineage` is complete where it is present: `columnLineage` was not read."
    if explicit:
        entries = event.content["job"]["facets"]["lineage"].get("entries", ())
        told = {dataset_node(it["namespace"], it["name"]) for it in entries if it["type"] == "DATASET"}
        for index, output in enumerate(event.datasets("outputs")):
            if dataset_node(output["namespace"], output["name"]) not in told:
                yield f"$.outputs[{index}] is in no entry of `lineage`: nothing feeds it, and no edge was inferred."
