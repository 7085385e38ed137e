"""The names of the lineage graph as small numbers: ports, their columns, and the ways lineage can transform a value.

Append-only and shared by every copy of a graph, so a number means the same for as long as the process lives. A port takes three
numbers: the port itself; its rows, where what decides them ends; and its loose end, where what cannot be told from which column
begins. Where it arrives is a loose end of the lineage that says so. Datasets outside the mesh are ports here. Knows no edges.
"""

from __future__ import annotations

import threading
from array import array
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from types import MappingProxyType

from domainmesh.v1 import lineage_pb2
from mesh_core.lineage import Subtype, Transformation
from mesh_core.lineage_wire import transformation_from_wire
from mesh_core.names import column_object

__all__ = ["BETWEEN_PORTS", "LOOSE", "ROWS", "UNKNOWN", "Kinds", "Nodes"]

ROWS, LOOSE = 1, 2
"""What to add to a port's number."""

BETWEEN_PORTS, UNKNOWN = 0, 1
"""The kinds of an edge from port to port, and of one from columns nobody could tell."""

_NO_COLUMNS: Mapping[str, int] = MappingProxyType({})


class Nodes:
    """Numbers of ports and columns, in the order they were first heard of."""

    def __init__(self) -> None:
        self.labels: list[str] = []
        """A port's name, a column's own name, or nothing for rows and loose ends."""
        self.ports = array("i")
        """The number of the port each belongs to; a port's is its own."""
        self.shown = array("i")
        """What each is shown as: itself, or the port in place of its rows and loose ends."""
        self.ranks = array("Q")
        """A number that follows from the full name alone: the same order in every process, which tells nothing of names."""
        self._port_numbers: dict[str, int] = {}
        self._columns: dict[int, dict[str, int]] = {}
        self._ends: dict[tuple[int, str], int] = {}
        self._adding = threading.Lock()

    def __len__(self) -> int:
        """How many numbers are taken."""
        return len(self.labels)

    def port(self, name: str) -> int:
        """The port's number, a new one if it was never heard of."""
        known = self._port_numbers.get(name)
        return known if known is not None else self._add_port(name)

    def column(self, port: int, column: str) -> int:
        """The number of a port's column, a new one if it was never heard of."""
        known = self._columns.get(port, _NO_COLUMNS).get(column)
        return known if known is not None else self._add_column(port, column)

    def find(self, name: str) -> int | None:
        """The number of a port or column object, None if it was never heard of."""
        known = self._port_numbers.get(name)
        if known is not None:
            return known
        port, mark, column = name.partition("#")
        return self.find_column(port, column) if mark else None

    def find_column(self, port: str, column: str) -> int | None:
        """The number of a port's column, None if it was never heard of."""
        number = self._port_numbers.get(port)
        return None if number is None else self._columns.get(number, _NO_COLUMNS).get(column)

    def columns(self, port: int) -> Mapping[str, int]:
        """Every column of the port that was ever heard of, by name."""
        return self._columns.get(port, _NO_COLUMNS)

    def name(self, node: int) -> str:
        """The port's name, or the column's object."""
        port = self.ports[node]
        return column_object(self.labels[port], self.labels[node]) if self.is_column(node) else self.labels[port]

    def is_column(self, node: int) -> bool:
        """True for a column; false for a port, its rows and loose ends."""
        return self.shown[node] != self.ports[node]

    def loose_end(self, port: int, source: str) -> int:
        """Where what a source says of the port arrives, if it cannot tell from which columns."""
        known = self._ends.get((port, source))
        if known is None:
            with self._adding:
                known = self._ends.get((port, source))
                if known is None:
                    known = self._ends[port, source] = len(self.labels)
                    self._append("", port, self.labels[port], is_column=False)
        return known

    def _add_port(self, name: str) -> int:
        with self._adding:
            if name not in self._port_numbers:
                number = len(self.labels)
                for label in (name, "", ""):
                    self._append(label, number, name, is_column=False)
                self._port_numbers[name] = number
            return self._port_numbers[name]

    def _add_column(self, port: int, column: str) -> int:
        with self._adding:
            columns = self._columns.setdefault(port, {})
            if column not in columns:
                number = len(self.labels)
                self._append(column, port, column_object(self.labels[port], column), is_column=True)
                columns[column] = number
            return columns[column]

    def _append(self, label: str, port: int, name: str, *, is_column: bool) -> None:
        self.shown.append(len(self.labels) if is_column else port)
        self.ranks.append(int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "big"))
        self.ports.append(port)
        self.labels.append(label)


class Kinds:
    """Numbers of transformations, and what each lets through."""

    def __init__(self) -> None:
        self.transformations: list[Transformation | None] = [None, Transformation.of(Subtype.TRANSFORMATION)]
        self.is_direct = bytearray((0, 1))
        self.is_open = bytearray((0, 1))
        """1 if a tag flows along an edge of the kind."""
        self._numbers: dict[tuple[int, str, str, bool], int] = {}
        self._adding = threading.Lock()

    def number(self, edge: lineage_pb2.ColumnEdge) -> int:
        """The number of an edge's transformation."""
        key = (edge.type, edge.subtype, edge.function, edge.is_masking)
        known = self._numbers.get(key)
        return known if known is not None else self._add(key, transformation_from_wire(edge))

    def matching(self, types: Iterable[str]) -> frozenset[int]:
        """The kinds of one of these types (`DIRECT`) or subtypes (`FILTER`); edges between ports are of none."""
        wanted = frozenset(types)
        return frozenset(n for n, t in enumerate(self.transformations) if t is not None and wanted & {str(t.type), t.subtype})

    def _add(self, key: tuple[int, str, str, bool], t: Transformation) -> int:
        with self._adding:
            if key not in self._numbers:
                number = len(self.transformations)
                self.is_direct.append(t.is_direct)
                self.is_open.append(t.is_direct and not t.is_breaker)
                self.transformations.append(t)
                self._numbers[key] = number
            return self._numbers[key]
