"""What the sender is told of an event that was accepted: what it made, which edges it tells, and what of it stands idle.

Owns the receipt and how it is read from an event. Nothing of an event is dropped without being named here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from governance_server.lineage.judging import AcceptedEvent
from governance_server.lineage.received import EventKind
from governance_server.lineage.run_state import LONGEST_QUERY, parent_facet
from mesh_core.dataset_names import dataset_node, is_outside
from mesh_core.lineage import Basis, PortLineage

__all__ = ["MOST_EDGES", "LineageReceipt", "ReceiptEdge", "Sources", "receipt_of", "sources_of"]

Sources = tuple[tuple[str, int], ...]

MOST_EDGES = 1000
_SQL = "$.job.facets.sql"
_OF_DATASETS = frozenset({"columnLineage", "lifecycleStateChange", "schema", "symlinks", "version"})
_INTERPRETED = {"run": frozenset({"parent"}), "job": frozenset({"lineage"}), "dataset": _OF_DATASETS | {"lineage"}}
"""By what the event is about; in an event about a dataset the facet `lineage` stands with the dataset."""


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
    sources: Mapping[str, Sources],
    port_of: Callable[[str], str],
) -> LineageReceipt:
    """The receipt.

    Args:
        accepted: The event.
        sequence: Its place in the stream.
        created: What nobody knew before; None if the event told nothing new.
        lineages: What its run tells now, by target.
        sources: Of each of them what `sources_of` says.
        port_of: Names the port that a dataset is known to be.
    """
    event = accepted.event
    edges = [
        ReceiptEdge(port_of(source), port_of(lineage.target_port), columns, lineage.basis.value)
        for target, lineage in sorted(lineages.items())
        for source, columns in sources[target]
    ]
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
        claims=tuple(sorted(accepted.claimed | accepted.disputed)),
        notes=(*_notes(accepted), *_notes_on_query(accepted, inferred, lineages)),
    )


def sources_of(lineage: PortLineage) -> Sources:
    """Each source of the lineage, by name, with the number of edges between columns that lead from it; none of another name."""
    if lineage.basis is Basis.SYMLINK:
        return ()
    columns = Counter(edge.source_port for edge in lineage.edges)
    return tuple((it.source_port, columns[it.source_port]) for it in lineage.dataset_edges)


def _uninterpreted(accepted: AcceptedEvent) -> Iterator[str]:
    content = accepted.event.content
    for kind, known in _INTERPRETED.items():
        if kind in content:
            facets = content[kind].get("facets", {})
            alias = {"parentRun"} if kind == "run" and "parent" not in facets and parent_facet(facets) else ()
            yield from (f"$.{kind}.facets.{name}" for name in facets if name not in known and name not in alias)
    for side, more in (("inputs", "inputFacets"), ("outputs", "outputFacets")):
        for i, part in enumerate(accepted.event.datasets(side)):
            yield from (f"$.{side}[{i}].facets.{name}" for name in part.get("facets", ()) if name not in _OF_DATASETS)
            yield from (f"$.{side}[{i}].{more}.{name}" for name in part.get(more, ()))


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
    yield from event.notes
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
