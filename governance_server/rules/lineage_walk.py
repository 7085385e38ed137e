"""Walks over the lineage graph: what is upstream or downstream of something, how far, and by which edges.

A walk works on whole levels at once and gives arrays; names are looked up for what is shown. Knows nothing of who asks: what the
caller may see is a function it is given. Imports numpy: loaded on first use.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from governance_server.rules.lineage_adjacency import Ints, Layout, ints
from governance_server.rules.lineage_graph import Graph
from governance_server.rules.lineage_nodes import BETWEEN_PORTS, LOOSE, ROWS
from mesh_core.lineage import Transformation

__all__ = ["Direction", "GraphEdge", "Node", "Page", "Reach", "Subgraph", "between", "node_of", "reach", "subgraph", "walk"]


class Direction(StrEnum):
    """Which way to walk."""

    UPSTREAM = "upstream"
    DOWNSTREAM = "downstream"


class GraphEdge(NamedTuple):
    """From source to target, by id. `transformation` is None between ports."""

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


@dataclass(frozen=True, slots=True)
class Reach:
    """All of a walk, as numbers.

    Attributes:
        nodes: nearest first; within one distance in an order that is the same in every process and tells nothing of names.
        distance: of each of them.
        source: of each edge between them that was walked.
        target: of each edge.
        kind: of each edge.
        is_cut: True if something lies beyond the depth.
    """

    nodes: Ints
    distance: Ints
    source: Ints
    target: Ints
    kind: Ints
    is_cut: bool


def reach(
    graph: Graph, starts: Sequence[int], direction: Direction, *, depth: int, kinds: Collection[int] | None = None
) -> Reach:
    """The nodes within `depth` steps of the starts, and every edge between them that a walk of that depth meets.

    Walks end on cycles. `kinds` are the only ones followed between columns; from a port on, whose columns are not known any more,
    its ports are followed whatever the kinds are.
    """
    layout = graph.layout()
    is_followed = _mask(graph, kinds)
    distance = np.full(len(layout.ports), -1, dtype=np.int32)
    level = ints(dict.fromkeys(starts))
    distance[level] = 0
    levels, edges = [level], []
    is_cut = False
    for step in range(1, depth + 2):
        near, far, kind = _hops(graph, layout, level, direction)
        if is_followed is not None:
            followed = is_followed[kind]
            near, far, kind = near[followed], far[followed], kind[followed]
        new = far[distance[far] < 0]
        if step > depth:
            is_cut = bool(new.size)
            inside = distance[far] >= 0
            near, far, kind = near[inside], far[inside], kind[inside]
        edges.append((near, far, kind))
        if step > depth or not new.size:
            break
        distance[new] = step
        level = np.unique(new)
        level = level[np.argsort(layout.ranks[level], kind="stable")]
        levels.append(level)
    nodes = np.concatenate(levels)
    near, far, kind = (np.concatenate([edge[i] for edge in edges]) for i in range(3))
    source, target = (far, near) if direction is Direction.UPSTREAM else (near, far)
    return Reach(nodes, distance[nodes], source, target, kind, is_cut)


def walk(
    graph: Graph, start: str, direction: Direction, *, depth: int, is_visible: Callable[[str], bool], page: Page = _FIRST
) -> Subgraph:
    """A page of what `reach` finds from a port or a column that exists, known to the graph or not."""
    return subgraph(graph, reach(graph, [node_of(graph, start)], direction, depth=depth), is_visible=is_visible, page=page)


def node_of(graph: Graph, name: str) -> int:
    """The number of a port or column that exists; the graph learns of it if it never has."""
    port, mark, column = name.partition("#")
    number = graph.nodes.port(port)
    return graph.nodes.column(number, column) if mark else number


def between(
    graph: Graph, starts: Sequence[int], ends: Sequence[int], *, depth: int, kinds: Collection[int] | None = None
) -> Reach:
    """The nodes and edges on the ways from the starts to the ends of at most `depth` steps; cut if a longer one may exist."""
    down = reach(graph, starts, Direction.DOWNSTREAM, depth=depth, kinds=kinds)
    size = len(graph.layout().ports)
    from_start, to_end = np.full(size, -1, dtype=np.int64), np.full(size, -1, dtype=np.int64)
    from_start[down.nodes] = down.distance
    reached = ints(end for end in dict.fromkeys(ends) if from_start[end] >= 0)
    level, step = reached, 0
    to_end[reached] = 0
    sources = down.source

    def is_target(nodes: Ints) -> npt.NDArray[np.bool_]:
        chosen = np.zeros(size, dtype=bool)
        chosen[nodes] = True
        return chosen[down.target]

    while level.size:
        step += 1
        back = np.unique(sources[is_target(level)])
        level = back[to_end[back] < 0]
        to_end[level] = step
    on_way = (from_start >= 0) & (to_end >= 0) & (from_start + to_end <= depth)
    nodes = down.nodes[on_way[down.nodes]]
    kept = on_way[down.source] & on_way[down.target] & (from_start[down.source] + 1 + to_end[down.target] <= depth)
    return Reach(nodes, from_start[nodes].astype(np.int32), down.source[kept], down.target[kept], down.kind[kept], down.is_cut)


def subgraph(graph: Graph, found: Reach, *, is_visible: Callable[[str], bool], page: Page = _FIRST) -> Subgraph:
    """A page of the walk by names; what is not visible keeps its place, not its name.

    Hidden nodes are numbered in the order of the walk, the same on each page of the same graph.
    """
    end = page.offset + page.limit
    is_whole = page.offset == 0 and end >= len(found.nodes)
    place = np.full(len(graph.layout().ports), -1, dtype=np.int64)
    place[found.nodes] = np.arange(len(found.nodes))
    ends = np.sort(np.stack((place[found.source], place[found.target])), axis=0)
    on_page = np.flatnonzero((ends[1] >= page.offset) & (ends[1] < end))
    on_page = on_page[np.lexsort((found.kind[on_page], ends[0][on_page], ends[1][on_page]))]
    names: dict[int, tuple[str, bool]] = {}

    def shown(node: int) -> tuple[str, bool]:
        known = names.get(node)
        if known is None:
            name = graph.nodes.name(node)
            is_hidden = not is_visible(name)
            known = names[node] = (f"hidden:{place[node]}" if is_hidden else name, is_hidden)
        return known

    part = slice(page.offset, end)
    nodes = tuple(
        Node(*shown(node), distance)
        for node, distance in zip(found.nodes[part].tolist(), found.distance[part].tolist(), strict=True)
    )
    ways = graph.kinds.transformations
    edges = tuple(
        GraphEdge(shown(source)[0], shown(target)[0], ways[kind])
        for source, target, kind in zip(
            found.source[on_page].tolist(), found.target[on_page].tolist(), found.kind[on_page].tolist(), strict=True
        )
    )
    return Subgraph(nodes, edges, is_whole and not found.is_cut, None if end >= len(found.nodes) else end)


def _mask(graph: Graph, kinds: Collection[int] | None) -> npt.NDArray[np.bool_] | None:
    if kinds is None:
        return None
    mask = np.zeros(len(graph.kinds.transformations), dtype=bool)
    mask[[*kinds, BETWEEN_PORTS]] = True
    return mask


def _hops(graph: Graph, layout: Layout, level: Ints, direction: Direction) -> tuple[Ints, Ints, Ints]:
    """The edges from each node of the level: its own, and a column's those of the rows and loose ends of its port."""
    is_upstream = direction is Direction.UPSTREAM
    columns = level[layout.ports[level] != level]
    asked, near = [level], [level]
    if is_upstream:
        free, ends = _free(graph, columns[layout.is_loose[layout.ports[columns]]])
        asked += [layout.ports[columns] + ROWS, ends]
        near += [columns, free]
    else:
        asked.append(layout.ports[columns] + LOOSE)
        near.append(columns)
    nodes = np.concatenate(asked).astype(np.int32)
    place, far, kind = layout.hops(nodes, is_upstream=is_upstream)
    return np.concatenate(near)[place], layout.shown[far], kind


def _free(graph: Graph, columns: Ints) -> tuple[Ints, Ints]:
    """Each of these columns with each loose end of its port that flows into it."""
    ports = graph.nodes.ports
    found = [(n, end) for n in columns.tolist() for end, fed in graph.loose_ends(ports[n]).items() if n not in fed]
    return ints(n for n, _ in found), ints(end for _, end in found)
