"""The graph of ports and columns: what something was made of, and what was made of it.

Nodes are ports (`finance.ledger.entries`) and column objects (`finance.ledger.entries#amount`). A walk from a port follows ports;
a walk from a column follows columns, and ports from where the columns are not known. Kept as numbers in arrays (ADR 0023): 28
bytes an edge. Knows nothing of storage, tags or who asks.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping
from copy import copy
from threading import Lock
from types import MappingProxyType
from typing import TYPE_CHECKING

from domainmesh.v1 import lineage_pb2
from governance_server.rules.lineage_nodes import BETWEEN_PORTS, LOOSE, ROWS, UNKNOWN, Kinds, Nodes
from mesh_core.lineage import PortLineage
from mesh_core.lineage_wire import lineage_to_wire

if TYPE_CHECKING:
    from governance_server.rules.lineage_adjacency import Adjacency, Layout

__all__ = ["Graph"]

_RELAYOUT_SHARE = 8
_RELAYOUT_LEAST = 4096


_NO_ENDS: Mapping[int, frozenset[int]] = MappingProxyType({})


class Graph:
    """The lineage of every port, from each source. Replacing one costs what it has; a copy shares all that stays."""

    def __init__(self, lineages: Iterable[PortLineage] = ()) -> None:
        """Of several lineages of one port from one source the last counts."""
        self.nodes = Nodes()
        self.kinds = Kinds()
        self._parts: dict[int, dict[str, array[int]]] = {}
        self._ends: dict[int, dict[int, frozenset[int]]] = {}
        self._changed: set[int] = set()
        self._base: Adjacency | None = None
        self._layout: Layout | None = None
        self._laying_out = Lock()
        for lineage in lineages:
            self.put(lineage)

    def put(self, lineage: PortLineage | lineage_pb2.PortLineage) -> int:
        """The port has this lineage from its source and no other from there; what other sources say stays. Returns its number."""
        message = lineage_to_wire(lineage) if isinstance(lineage, PortLineage) else lineage
        port = self.nodes.port(message.port)
        self._parts[port] = {**self._parts.get(port, {}), message.source: array("i", self._triples(port, message))}
        self._end(port, message.source, message)
        return self._note(port)

    def remove(self, port: str, source: str = "") -> int:
        """The port has no lineage from the source; what was made of it stays. Returns its number."""
        number = self.nodes.port(port)
        left = {known: part for known, part in self._parts.get(number, {}).items() if known != source}
        if left:
            self._parts[number] = left
        else:
            self._parts.pop(number, None)
        self._end(number, source, None)
        return self._note(number)

    def copy(self) -> Graph:
        """The same graph, which goes its own way from here."""
        copied = copy(self)
        copied._laying_out = Lock()
        copied._parts, copied._ends, copied._changed = dict(self._parts), dict(self._ends), set(self._changed)
        return copied

    def loose_ends(self, port: int) -> Mapping[int, frozenset[int]]:
        """Where values flow in from columns that nobody could tell: by each, the port's columns that they do not flow into."""
        return self._ends.get(port, _NO_ENDS)

    @property
    def edge_count(self) -> int:
        """How many edges there are, those between ports included."""
        return sum(len(part) for parts in self._parts.values() for part in parts.values()) // 3

    def _end(self, port: int, source: str, lineage: lineage_pb2.PortLineage | None) -> None:
        """A column that a source says more of has no unknown origin as far as that source goes."""
        is_loose = lineage is not None and bool(lineage.unknown_inputs)
        if not is_loose and port not in self._ends:
            return
        end = self.nodes.loose_end(port, source)
        left = {known: fed for known, fed in self._ends.get(port, _NO_ENDS).items() if known != end}
        if lineage is not None and is_loose:
            is_direct, number = self.kinds.is_direct, self.kinds.number
            left[end] = frozenset(self.nodes.column(port, e.target_column) for e in lineage.edges if is_direct[number(e)])
        if left:
            self._ends[port] = left
        else:
            self._ends.pop(port, None)

    def layout(self) -> Layout:
        """The edges as they are now, laid out for walking; made anew if something changed."""
        known = self._layout
        if known is not None and len(known.ports) == len(self.nodes):
            return known
        with self._laying_out:
            self._layout = self._laid_out()
            return self._layout

    def _note(self, port: int) -> int:
        self._changed.add(port)
        self._layout = None
        return port

    def _laid_out(self) -> Layout:
        import numpy as np

        from governance_server.rules.lineage_adjacency import Layout

        recent = [part for port in self._changed for part in self._parts.get(port, {}).values()]
        if self._base is None or sum(map(len, recent)) // 3 > max(_RELAYOUT_LEAST, self._base.count // _RELAYOUT_SHARE):
            every = (part for parts in self._parts.values() for part in parts.values())
            self._base, self._changed, recent = self._adjacency(every), set(), []
        ports = np.array(self.nodes.ports, dtype=np.int32)
        is_stale = np.zeros(len(ports), dtype=bool)
        is_stale[list(self._changed)] = True
        is_loose = np.zeros(len(ports), dtype=bool)
        is_loose[list(self._ends)] = True
        return Layout(
            base=self._base, recent=self._adjacency(recent), is_stale=is_stale[ports], ports=ports,
            shown=np.array(self.nodes.shown, dtype=np.int32), is_loose=is_loose,
            ranks=np.array(self.nodes.ranks, dtype=np.uint64), has_recent=bool(self._changed),
        )  # fmt: skip

    def _adjacency(self, parts: Iterable[array[int]]) -> Adjacency:
        from governance_server.rules.lineage_adjacency import Adjacency

        edges = b"".join([part.tobytes() for part in parts])
        return Adjacency(edges, size=len(self.nodes))

    def _triples(self, target: int, lineage: lineage_pb2.PortLineage) -> list[int]:
        """Source, target and kind of each edge, one after the other; between ports, one for each port it depends on."""
        port, column, kind = self.nodes.port, self.nodes.column, self.kinds.number
        found: list[int] = []
        sources = {i.port: port(i.port) for i in lineage.inputs}
        for edges, is_row in ((lineage.edges, False), (lineage.row_edges, True)):
            for edge in edges:
                name, from_column = edge.source_port, edge.source_column
                source = sources.get(name)
                if source is None:
                    source = sources[name] = port(name)
                found += (
                    column(source, from_column) if from_column else source + LOOSE,
                    target + ROWS if is_row else column(target, edge.target_column),
                    kind(edge),
                )
        for name in lineage.unknown_inputs:
            sources[name] = source = port(name)
            found += (source + LOOSE, self.nodes.loose_end(target, lineage.source), UNKNOWN)
        for source in sources.values():
            found += (source, target, BETWEEN_PORTS)
        return found
