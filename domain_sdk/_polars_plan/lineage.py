"""Column lineage of a lazy frame that a user's function made from our sources: read from its query plan, never guessed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl
from polars import selectors as cs

from domain_sdk._polars_plan.steps import step
from domain_sdk._polars_plan.traversal import PlanNode, PlanReader, UnreadablePlan, scan_functions
from mesh_core.frame_lineage import IDENTITY, TRANSFORMATION, Dependencies, Dependency, FrameLineage, unknown
from mesh_core.lineage import ANY_COLUMN, ColumnEdge, InputVersion, PortLineage, RowEdge, Subtype, Transformation

__all__ = ["Source", "column_lineage"]


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """A frame that was handed to the user's function, exactly as it was handed over.

    Attributes:
        port: the port it reads.
        version: the product version it is pinned to.
        frame: a frame made by `register_io_source`; recognised in the plan by the identity of its scan function.
        was_collected: True if rows were read while the function built its result, so that plain values in the plan may hold them.
        masked_columns: columns the read plan masked; what is derived from them is recorded as masked.
    """

    port: str
    version: int
    frame: pl.LazyFrame
    was_collected: bool
    masked_columns: frozenset[str] = frozenset()


def column_lineage(frame: pl.LazyFrame, *, target_port: str, sources: Sequence[Source], is_cautious: bool = False) -> PortLineage:
    """Where each column of the frame comes from, given the sources its function was handed.

    Edges and inputs are sorted. An expression polars does not show (a Python function, say) counts every column that polars would
    read for its output; a step it does not show makes every port below it an unknown input, and so does such an expression if
    `is_cautious`: its function may have read more than it was handed.

    Raises:
        UnreadablePlan: this polars has another plan interface, or a source frame is not an IO source as scanned.
    """
    walk = _PlanWalk(sources)
    result = walk.lineage(frame)
    columns = {name: found if is_cautious else _bounded(frame, name, found, walk) for name, found in result.columns.items()}
    unresolved = {name for name, found in columns.items() if _is_unresolved(found)}
    edges: set[ColumnEdge] = set()
    loose: set[Dependency] = set(result.rows)
    unknown_inputs: set[str] = set()
    for name, found in columns.items():
        for d in found:
            if d.transformation.is_direct and name in unresolved:
                unknown_inputs.add(d.port)
            elif d.column == ANY_COLUMN:
                loose.add(d)
            else:
                edges.add(ColumnEdge(d.port, d.column, name, d.transformation))
    return PortLineage(
        target_port=target_port,
        inputs=tuple(sorted({InputVersion(s.port, s.version) for s in sources if s.port in result.ports | walk.collected})),
        edges=tuple(sorted(edges)),
        unknown_inputs=tuple(sorted(unknown_inputs)),
        row_edges=tuple(sorted(RowEdge(d.port, d.column, d.transformation) for d in loose)),
    )


def _is_unresolved(dependencies: Dependencies) -> bool:
    return any(d.column == ANY_COLUMN and d.transformation.is_direct for d in dependencies)


class _PlanWalk:
    """One walk over a plan; remembers whether a step was opaque."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self.collected = frozenset(s.port for s in sources if s.was_collected)
        self.has_opaque_steps = False
        self.sources: dict[int, Source] = {}
        for source in sources:
            scans = scan_functions(source.frame)
            if len(scans) != 1:
                raise UnreadablePlan(f"the frame of {source.port} reads {len(scans)} IO sources, not one: pass it as scanned.")
            self.sources[id(scans[0])] = source

    def lineage(self, frame: pl.LazyFrame) -> FrameLineage:
        """Of the frame's own plan, inputs first."""
        reader = PlanReader(frame)
        done: dict[int, FrameLineage] = {}
        for node_id in reader.order():
            node = reader.node(node_id)
            inputs = [done[i] for i in node.inputs]
            found = step(reader, node, inputs, self.collected) if inputs else self._leaf(node)
            done[node_id] = self._opaque(node, inputs) if found is None else found
        return done[reader.root]

    def source_of(self, node: PlanNode) -> Source | None:
        """The source a leaf reads, if it is one of ours."""
        return self.sources.get(id(node.view.options[0])) if node.kind == "PythonScan" else None

    def _leaf(self, node: PlanNode) -> FrameLineage:
        """A source's own columns; any other leaf may hold what was collected before, a Python function whatever it reads."""
        source = self.source_of(node)
        if source is None:
            known = self.collected
            if node.kind == "PythonScan":
                self.has_opaque_steps = True
                known = frozenset(s.port for s in self.sources.values())
            return FrameLineage(dict.fromkeys(node.names, unknown(known)), frozenset(), known)
        columns = {name: frozenset({_source_column(source, name, IDENTITY)}) for name in node.names}
        return FrameLineage(columns, frozenset(), frozenset({source.port}))

    def _opaque(self, node: PlanNode, inputs: Sequence[FrameLineage]) -> FrameLineage:
        self.has_opaque_steps = True
        ports = frozenset(port for i in inputs for port in i.ports)
        rows = frozenset(d for i in inputs for d in i.rows)
        return FrameLineage(dict.fromkeys(node.names, unknown(ports)), rows, ports)


def _source_column(source: Source, column: str, transformation: Transformation) -> Dependency:
    if column not in source.masked_columns:
        return Dependency(source.port, column, transformation)
    masked = Transformation.of(Subtype(transformation.subtype), masking=True)
    return Dependency(source.port, column, masked)


def _bounded(frame: pl.LazyFrame, name: str, found: Dependencies, walk: _PlanWalk) -> Dependencies:
    """An unresolved column's dependencies as all the source columns polars would read to compute it, where polars can tell.

    Polars must know an expression's inputs to push projections down, even where it does not show them. It cannot know them for an
    opaque step or for collected values: those stay unresolved.
    """
    if not _is_unresolved(found) or walk.has_opaque_steps or walk.collected:
        return found
    reader = PlanReader(frame.select(cs.by_name(name)), flags=pl.QueryOptFlags.none(projection_pushdown=True))
    bound = frozenset(
        _source_column(source, column, TRANSFORMATION)
        for node in map(reader.node, reader.order())
        if (source := walk.source_of(node)) is not None
        for column in _columns_read(node)
    )
    return bound | {d for d in found if d.column != ANY_COLUMN}


def _columns_read(node: PlanNode) -> Sequence[str]:
    columns: Sequence[str] | None = node.view.options[1]
    return node.names if columns is None else columns
