"""Edges laid out for walking: sorted by source and by target in arrays of small numbers, never changed once made.

An edge takes 16 bytes here. Imports numpy: loaded when a graph is first walked.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Adjacency", "Hops", "Ints", "Layout", "ints"]

Ints = npt.NDArray[np.int32]
Hops = tuple[Ints, Ints, Ints]
"""Three arrays of one length: the place of the asking node among those asked for, the node at the other end, the edge's kind."""


def ints(numbers: Iterable[int] = ()) -> Ints:
    """The numbers as an array."""
    return np.fromiter(numbers, dtype=np.int32)


class Adjacency:
    """A set of edges, indexed both ways."""

    def __init__(self, edges: bytes, *, size: int) -> None:
        """`edges` are triples of 32-bit numbers: source, target, kind. All nodes are below `size`."""
        triples = np.frombuffer(edges, dtype=np.int32).reshape(-1, 3)
        source, target, kind = (np.ascontiguousarray(triples[:, i]) for i in range(3))
        self._out = _sorted_by(source, target, kind, size)
        self._into = _sorted_by(target, source, kind, size)
        self.size = size
        self.count = len(kind)

    def hops(self, nodes: Ints, *, is_upstream: bool) -> Hops:
        """Every edge into (or out of) the nodes; a node that is newer than these edges has none."""
        start, other, kind = self._into if is_upstream else self._out
        places = np.arange(len(nodes), dtype=np.int32)
        if len(nodes) and nodes.max() >= self.size:
            places = places[nodes < self.size]
        known = nodes[places]
        first = start[known]
        counts = start[known + 1] - first
        total = int(counts.sum())
        ends = counts.cumsum()
        positions = np.repeat(first - (ends - counts), counts) + np.arange(total)
        return np.repeat(places, counts), other[positions], kind[positions]

    def around(self, node: int, *, is_upstream: bool) -> tuple[list[int], list[int]]:
        """The same for one node: the nodes at the other ends, and the kinds."""
        if node >= self.size:
            return [], []
        start, other, kind = self._into if is_upstream else self._out
        part = slice(int(start[node]), int(start[node + 1]))
        return other[part].tolist(), kind[part].tolist()


def _sorted_by(key: Ints, other: Ints, kind: Ints, size: int) -> tuple[npt.NDArray[np.int64], Ints, Ints]:
    order = np.argsort(key, kind="stable")
    start = np.zeros(size + 1, dtype=np.int64)
    np.cumsum(np.bincount(key, minlength=size), out=start[1:])
    return start, other[order], kind[order]


@dataclass(frozen=True, slots=True)
class Layout:
    """A graph at one moment: most edges in `base`; those of ports that changed since in `recent`, which count instead."""

    base: Adjacency
    recent: Adjacency
    is_stale: npt.NDArray[np.bool_]
    """By node: true if the edges into it are those of `recent`."""
    ports: Ints
    """By node: its port."""
    shown: Ints
    """By node: what it is shown as."""
    is_loose: npt.NDArray[np.bool_]
    """By node: true for a port into which values flow from columns that nobody could tell."""
    ranks: npt.NDArray[np.uint64]
    """By node: its place in an order that tells nothing of names."""
    has_recent: bool
    """False if nothing changed since the base was laid out."""

    def hops(self, nodes: Ints, *, is_upstream: bool) -> Hops:
        """As `Adjacency.hops`, of the whole graph."""
        place, other, kind = self.base.hops(nodes, is_upstream=is_upstream)
        if not self.has_recent:
            return place, other, kind
        target = nodes[place] if is_upstream else other
        kept = ~self.is_stale[target]
        more = self.recent.hops(nodes, is_upstream=is_upstream)
        return (
            np.concatenate((place[kept], more[0])),
            np.concatenate((other[kept], more[1])),
            np.concatenate((kind[kept], more[2])),
        )

    def around(self, node: int, *, is_upstream: bool) -> list[tuple[int, int]]:
        """The neighbours of one node and the kinds of the edges to them."""
        others, kinds = self.base.around(node, is_upstream=is_upstream)
        found = list(zip(others, kinds, strict=True))
        if self.has_recent:
            if is_upstream:
                found = [] if self.is_stale[node] else found
            else:
                found = [(other, kind) for other, kind in found if not self.is_stale[other]]
            found += zip(*self.recent.around(node, is_upstream=is_upstream), strict=True)
        return found
