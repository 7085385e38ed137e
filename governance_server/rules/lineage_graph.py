"""The graph of ports and columns: what something was made of, and what was made of it.

Nodes are ports (`finance.ledger.entries`) and column objects (`finance.ledger.entries#amount`). A walk from a port follows ports;
a walk from a column follows columns, and ports from where the columns are not known. Knows nothing of storage, tags or who asks:
what the caller may see is a function it is given.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from sys import intern
from typing import NamedTuple, TypeVar

from mesh_core.lineage import ANY_COLUMN, ColumnEdge, PortLineage, RowEdge, Subtype, Transformation
from mesh_core.names import column_object

__all__ = ["Direction", "Graph", "GraphEdge", "Node", "Page", "Subgraph", "edge_source"]

_Key = tuple[str, str]
"""A target port, and the source of the lineage."""
_K = TypeVar("_K", str, _Key)
_UNKNOWN = Transformation.of(Subtype.TRANSFORMATION)


class Direction(StrEnum):
    """Which way to walk."""

    UPSTREAM = "upstream"
    DOWNSTREAM = "downstream"


class GraphEdge(NamedTuple):
    """From source to target, by id. `transformation` is None between ports. A tuple: a walk makes a hundred thousand of them."""

    source: str
    target: str
    transformation: Transformation | None


class Node(NamedTuple):
    """A node that was reached. `id` is its name, or an id that means nothing outside this answer if `is_hidden`."""

    id: str
    is_hidden: bool
    distance: int


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a walk to return: nodes from `offset` on, at most `limit`."""

    offset: int = 0
    limit: int = 1_000_000


_FIRST = Page()


@dataclass(frozen=True, slots=True)
class Subgraph:
    """One page of a walk: nodes nearest first (the first page starts with the one asked for) and edges to nodes up to this page.

    Attributes:
        nodes: this page's nodes.
        edges: every edge whose later end, in the order of the nodes, is on this page.
        is_complete: False if depth or page size cut anything off.
        next_offset: where the next page starts, None on the last.
    """

    nodes: tuple[Node, ...]
    edges: tuple[GraphEdge, ...]
    is_complete: bool
    next_offset: int | None


class Graph:
    """The lineage of every port, indexed both ways. Building is linear; replacing one port's lineage costs what that port has."""

    def __init__(self, lineages: Iterable[PortLineage] = ()) -> None:
        """Of several lineages of one port from one source the last counts."""
        self._lineages: dict[str, dict[str, PortLineage]] = {}
        self._into: dict[str, dict[str, list[GraphEdge]]] = {}
        self._out_of: dict[str, dict[_Key, list[GraphEdge]]] = {}
        for lineage in lineages:
            self.put(lineage)

    def put(self, lineage: PortLineage) -> None:
        """The port has this lineage from its source and no other from there; what other sources say stays."""
        target, source = lineage.target_port, lineage.source
        self.remove(target, source)
        self._lineages.setdefault(target, {})[source] = lineage
        for edge in _edges(lineage):
            self._into.setdefault(edge.target, {}).setdefault(source, []).append(edge)
            self._out_of.setdefault(edge.source, {}).setdefault((target, source), []).append(edge)

    def remove(self, port: str, source: str = "") -> None:
        """The port has no lineage from the source; what was made of it stays."""
        lineage = self._lineages.get(port, {}).pop(source, None)
        for edge in _edges(lineage) if lineage is not None else ():
            self._into.get(edge.target, {}).pop(source, None)
            self._out_of.get(edge.source, {}).pop((port, source), None)

    def upstream(self, node: str, depth: int) -> Subgraph:
        """What the node was made of, up to `depth` steps, everything visible. See `walk`."""
        return self.walk(node, Direction.UPSTREAM, depth=depth, is_visible=_everything)

    def downstream(self, node: str, depth: int) -> Subgraph:
        """What was made of the node, up to `depth` steps, everything visible. See `walk`."""
        return self.walk(node, Direction.DOWNSTREAM, depth=depth, is_visible=_everything)

    def walk(
        self,
        start: str,
        direction: Direction,
        *,
        depth: int,
        is_visible: Callable[[str], bool],
        page: Page = _FIRST,
    ) -> Subgraph:
        """The nodes within `depth` steps of `start` and the edges walked; what is not visible keeps its place, not its name.

        Walks terminate on cycles. Hidden nodes are numbered in the order of the walk, the same on each page of the same graph.
        """
        distances, edges, is_cut = self._breadth_first(start, direction, depth)
        hidden = {node: f"hidden:{i}" for i, node in enumerate(distances) if not is_visible(node)}
        end = page.offset + page.limit
        is_whole = page.offset == 0 and end >= len(distances)
        walked = edges if is_whole else _on_page(edges, distances, range(page.offset, end))
        nodes = tuple(
            Node(hidden.get(n, n), n in hidden, distance) for n, distance in islice(distances.items(), page.offset, end)
        )
        return Subgraph(nodes, _renamed(walked, hidden), is_whole and not is_cut, None if end >= len(distances) else end)

    def _breadth_first(self, start: str, direction: Direction, depth: int) -> tuple[dict[str, int], list[GraphEdge], bool]:
        """Distances in the order of the walk, every edge between nodes within the depth, and whether something lies beyond it."""
        is_upstream = direction is Direction.UPSTREAM
        distances = {start: 0}
        edges: list[GraphEdge] = []
        is_cut = False
        level, distance = [start], 0
        while level:
            following: list[str] = []
            distance += 1
            for node in level:
                for edge in self._sources(node) if is_upstream else self._targets(node):
                    neighbour = edge.source if is_upstream else edge.target
                    if neighbour not in distances:
                        if distance > depth:
                            is_cut = True
                            continue
                        distances[neighbour] = distance
                        following.append(neighbour)
                    edges.append(edge)
            level = following
        return distances, edges, is_cut

    def _sources(self, node: str) -> Sequence[GraphEdge]:
        """The edges to each neighbour upstream."""
        by_source = self._into.get(node)
        if "#" not in node:
            return [e for e in _joined(by_source) if e.transformation is None]
        edges = _joined(by_source)
        lineages = self._lineages.get(node.partition("#")[0])
        if not lineages:
            return edges
        found = [*edges]
        for source, lineage in lineages.items():
            found += [GraphEdge(edge_source(e), node, e.transformation) for e in lineage.row_edges]
            own = by_source.get(source, ()) if by_source else ()
            if not any(e.transformation is not None and e.transformation.is_direct for e in own):
                found += [GraphEdge(port, node, _UNKNOWN) for port in lineage.unknown_inputs]
        return found if len(lineages) == 1 else list(dict.fromkeys(found))

    def _targets(self, node: str) -> Sequence[GraphEdge]:
        """The edges to each neighbour downstream; a target port stands for all its columns."""
        edges = _joined(self._out_of.get(node))
        if "#" not in node:
            return [e for e in edges if e.transformation is None]
        of_any_column = _joined(self._out_of.get(node.partition("#")[0]))
        rewritten = [GraphEdge(node, e.target, e.transformation) for e in of_any_column if e.transformation is not None]
        return [*edges, *rewritten] if rewritten else edges


def _everything(_: str) -> bool:
    return True


def _joined(edges: Mapping[_K, list[GraphEdge]] | None) -> Sequence[GraphEdge]:
    """The edges of every lineage, in the order of their keys, each once."""
    if not edges:
        return ()
    if len(edges) == 1:
        return next(iter(edges.values()))
    return list(dict.fromkeys(edge for key in sorted(edges) for edge in edges[key]))


def _renamed(edges: list[GraphEdge], hidden: Mapping[str, str]) -> tuple[GraphEdge, ...]:
    if not hidden:
        return tuple(edges)
    return tuple(GraphEdge(hidden.get(e.source, e.source), hidden.get(e.target, e.target), e.transformation) for e in edges)


def _on_page(edges: Iterable[GraphEdge], distances: Mapping[str, int], positions: range) -> list[GraphEdge]:
    """The edges whose later end lies at one of the positions."""
    order = {node: position for position, node in enumerate(distances)}
    return [e for e in edges if max(order[e.source], order[e.target]) in positions]


def edge_source(edge: ColumnEdge | RowEdge) -> str:
    """The node an edge comes from: the port itself if its column is unknown."""
    return edge.source_port if edge.source_column == ANY_COLUMN else column_object(edge.source_port, edge.source_column)


def _edges(lineage: PortLineage) -> Iterator[GraphEdge]:
    """Port to port without a transformation; with one column to column, and to the port what decides its rows or is unknown."""
    target = lineage.target_port
    for dataset_edge in lineage.dataset_edges:
        yield GraphEdge(dataset_edge.source_port, target, None)
    for edge in lineage.edges:
        source = intern(edge_source(edge))
        yield GraphEdge(source, intern(column_object(target, edge.target_column)), edge.transformation)
    for row_edge in lineage.row_edges:
        yield GraphEdge(edge_source(row_edge), target, row_edge.transformation)
    for port in lineage.unknown_inputs:
        yield GraphEdge(port, target, _UNKNOWN)
