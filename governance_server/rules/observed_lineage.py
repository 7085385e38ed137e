"""What events tell of lineage, with every physical dataset read as the port it backs, whichever of the two was known first.

Owns which datasets back which port, and turning lineage as it was told into lineage between ports as far as they are known. Knows
nothing of storage, events or the graph.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from domainmesh.v1 import lineage_pb2
from mesh_core.dataset_names import is_outside
from mesh_core.lineage import Basis

__all__ = ["Backing", "ObservedLineage", "Place"]

_NAMES = (Basis.SYMLINK, Basis.ALIAS)


class Backing(NamedTuple):
    """A dataset outside the mesh (its node), and the port it backs or the dataset it is another name of."""

    dataset: str
    port: str
    is_owned: bool
    """True if whoever says so owns the dataset; else it counts only while no owner says otherwise."""


class Place(NamedTuple):
    """Where a lineage stands in the graph: of which target, and from which source."""

    target: str
    source: str


@dataclass(slots=True)
class ObservedLineage:
    """Lineage by the name it is kept under, packed: a hundred thousand of them are tens of megabytes, not hundreds."""

    _told: dict[str, bytes] = field(default_factory=dict)
    """As it came: a compressed message."""
    _places: dict[str, Place] = field(default_factory=dict)
    """As it is read now."""
    _mentions: dict[str, frozenset[str]] = field(default_factory=dict)
    _backings: dict[str, tuple[Backing, ...]] = field(default_factory=dict)
    _said: dict[str, dict[Backing, int]] = field(default_factory=dict)
    """Dataset → what is said of it → by how many."""
    _names: dict[str, frozenset[str]] = field(default_factory=dict)
    """Port or dataset → the datasets that are said to be it."""

    def copy(self) -> ObservedLineage:
        """The same; changing the copy leaves the origin alone."""
        said = {dataset: dict(found) for dataset, found in self._said.items()}
        return ObservedLineage(
            dict(self._told), dict(self._places), dict(self._mentions), dict(self._backings), said, dict(self._names)
        )

    def put(self, name: str, lineage: lineage_pb2.PortLineage | None) -> Mapping[str, Place]:
        """This is what is told under the name; None takes it back. Returned is where what reads otherwise now stood before."""
        earlier = dict(self._forget(name))
        if lineage is None or lineage.basis in _NAMES:
            is_owned = lineage is not None and lineage.basis == Basis.ALIAS
            same = [] if lineage is None else [Backing(lineage.port, i.port, is_owned) for i in lineage.inputs]
            return {**self.back(f"name:{name}", same), **earlier}
        self._told[name] = zlib.compress(lineage.SerializeToString(), 1)
        for node in _outside(lineage):
            self._mentions[node] = self._mentions.get(node, frozenset()) | {name}
        self._places[name] = self._place(lineage)
        return earlier

    def read(self, name: str) -> lineage_pb2.PortLineage | None:
        """The lineage under the name, between ports as far as they are known; None if there is none."""
        packed = self._told.get(name)
        if packed is None:
            return None
        lineage = _unpacked(packed)
        ports = {node: port for node in _outside(lineage) if (port := self.port_of(node)) != node}
        return _backed(lineage, ports) if ports else lineage

    def back(self, who: str, backings: Iterable[Backing]) -> Mapping[str, Place]:
        """`who` (like `product:finance.ledger`) says that these datasets back these ports, and no others any more.

        Returned is what reads otherwise now, by name: where it stood before.
        """
        before, after = self._backings.pop(who, ()), tuple(sorted(set(backings)))
        if after:
            self._backings[who] = after
        if before == after:
            return {}
        for backing, step in [*((it, -1) for it in before), *((it, 1) for it in after)]:
            self._count(backing, step)
        changed = self._reached({it.dataset for it in {*before, *after}})
        earlier = {name: self._places[name] for dataset in changed for name in self._mentions.get(dataset, ())}
        for name in earlier:
            self._places[name] = self._place(_unpacked(self._told[name]))
        return earlier

    def port_of(self, node: str) -> str:
        """The port that the dataset backs, or the dataset it is another name of, or itself.

        What an owner says goes before what others claim; where several say different things nobody can tell. Of datasets that
        are said to be each other it is the first by name.
        """
        if node not in self._said:
            return node
        way = [node]
        while (following := self._following(way[-1])) is not None:
            if following in way:
                return min(way[way.index(following) :])
            way.append(following)
        return way[-1]

    def _following(self, node: str) -> str | None:
        """What the dataset is said to be, if it is one thing."""
        said = self._said.get(node, ())
        ports = {it.port for it in said if it.is_owned} or {it.port for it in said}
        return next(iter(ports)) if len(ports) == 1 else None

    def datasets_of(self, port: str) -> list[str]:
        """The datasets that are the port (or dataset) under other names."""
        return sorted(node for node in self._reached({port}) - {port} if self.port_of(node) == port)

    def _forget(self, name: str) -> Mapping[str, Place]:
        packed = self._told.pop(name, None)
        if packed is None:
            return {}
        for node in _outside(_unpacked(packed)):
            left = self._mentions[node] - {name}
            if left:
                self._mentions[node] = left
            else:
                del self._mentions[node]
        return {name: self._places.pop(name)}

    def _count(self, backing: Backing, step: int) -> None:
        found = self._said.setdefault(backing.dataset, {})
        found[backing] = found.get(backing, 0) + step
        if found[backing] <= 0:
            del found[backing]
        if not found:
            del self._said[backing.dataset]
        is_said = any(it.port == backing.port for it in found)
        names = self._names.get(backing.port, frozenset())
        self._names[backing.port] = names | {backing.dataset} if is_said else names - {backing.dataset}
        if not self._names[backing.port]:
            del self._names[backing.port]

    def _reached(self, nodes: Set[str]) -> set[str]:
        """The nodes and everything that is said, in any number of steps, to be one of them."""
        found, waiting = set(nodes), list(nodes)
        while waiting:
            for name in self._names.get(waiting.pop(), frozenset()) - found:
                found.add(name)
                waiting.append(name)
        return found

    def _place(self, lineage: lineage_pb2.PortLineage) -> Place:
        return Place(self.port_of(lineage.port) if is_outside(lineage.port) else lineage.port, lineage.source)


def _unpacked(packed: bytes) -> lineage_pb2.PortLineage:
    return lineage_pb2.PortLineage.FromString(zlib.decompress(packed))


def _backed(lineage: lineage_pb2.PortLineage, ports: Mapping[str, str]) -> lineage_pb2.PortLineage:
    """The lineage, which may be changed, with each dataset that backs a port named as that port, and nothing in it twice."""
    lineage.port = ports.get(lineage.port, lineage.port)
    for it in lineage.inputs:
        it.port = ports.get(it.port, it.port)
    for edge in (*lineage.edges, *lineage.row_edges):
        edge.source_port = ports.get(edge.source_port, edge.source_port)
    unknown = sorted({ports.get(node, node) for node in lineage.unknown_inputs})
    del lineage.unknown_inputs[:]
    lineage.unknown_inputs.extend(unknown)
    for kept in (lineage.inputs, lineage.edges, lineage.row_edges):
        _drop_repeated(kept)
    return lineage


def _drop_repeated(messages: Any) -> None:  # noqa: ANN401  # a repeated field
    seen: set[bytes] = set()
    for place, text in reversed(list(enumerate(it.SerializeToString(deterministic=True) for it in messages))):
        if text in seen:
            del messages[place]
        seen.add(text)


def _outside(lineage: lineage_pb2.PortLineage) -> Iterator[str]:
    """The datasets outside the mesh that the lineage tells of, each once."""
    nodes = {lineage.port, *lineage.unknown_inputs}
    nodes.update(i.port for i in lineage.inputs)
    nodes.update(e.source_port for e in lineage.edges)
    nodes.update(e.source_port for e in lineage.row_edges)
    return (node for node in sorted(nodes) if is_outside(node))
