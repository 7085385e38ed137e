"""What events tell of lineage, with every physical dataset read as the port it backs, whichever of the two was known first.

Owns which datasets back which port, and turning lineage as it was told into lineage between ports as far as they are known. Knows
nothing of storage, events or the graph.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from mesh_core.dataset_names import is_outside
from mesh_core.lineage import Basis, InputVersion, PortLineage

__all__ = ["Backing", "ObservedLineage", "backed"]

_NAMES = (Basis.SYMLINK, Basis.ALIAS)


class Backing(NamedTuple):
    """A dataset outside the mesh (its node), and the port it backs or the dataset it is another name of."""

    dataset: str
    port: str
    is_owned: bool
    """True if whoever says so owns the dataset; else it counts only while no owner says otherwise."""


@dataclass(slots=True)
class ObservedLineage:
    """Lineage by the name it is kept under; `read` is it between ports, `told` as it came."""

    told: dict[str, PortLineage] = field(default_factory=dict)
    read: dict[str, PortLineage] = field(default_factory=dict)
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
            dict(self.told), dict(self.read), dict(self._mentions), dict(self._backings), said, dict(self._names)
        )

    def put(self, name: str, lineage: PortLineage | None) -> Mapping[str, PortLineage]:
        """This is what is told under the name; None takes it back. Returned is what reads otherwise now, as it read before."""
        earlier = dict(self._forget(name))
        if lineage is None or lineage.basis in _NAMES:
            is_owned = lineage is not None and lineage.basis is Basis.ALIAS
            same = [] if lineage is None else [Backing(lineage.target_port, i.port, is_owned) for i in lineage.inputs]
            return {**self.back(f"name:{name}", same), **earlier}
        self.told[name] = lineage
        for node in _outside(lineage):
            self._mentions[node] = self._mentions.get(node, frozenset()) | {name}
        self.read[name] = self._read(lineage)
        return earlier

    def back(self, who: str, backings: Iterable[Backing]) -> Mapping[str, PortLineage]:
        """`who` (like `product:finance.ledger`) says that these datasets back these ports, and no others any more.

        Returned is what reads otherwise now, by name: as it read before.
        """
        before, after = self._backings.pop(who, ()), tuple(sorted(set(backings)))
        if after:
            self._backings[who] = after
        if before == after:
            return {}
        for backing, step in [*((it, -1) for it in before), *((it, 1) for it in after)]:
            self._count(backing, step)
        changed = self._reached({it.dataset for it in {*before, *after}})
        earlier = {name: self.read[name] for dataset in changed for name in self._mentions.get(dataset, ())}
        for name in earlier:
            self.read[name] = self._read(self.told[name])
        return earlier

    def port_of(self, node: str) -> str:
        """The port that the dataset backs, or the dataset it is another name of, or itself.

        What an owner says goes before what others claim; where several say different things nobody can tell.
        """
        seen = {node}
        while True:
            said = self._said.get(node)
            if not said:
                return node
            owned = {it.port for it in said if it.is_owned}
            ports = owned or {it.port for it in said}
            if len(ports) != 1 or (following := next(iter(ports))) in seen:
                return node
            node = following
            seen.add(node)

    def datasets_of(self, port: str) -> list[str]:
        """The datasets that are the port (or dataset) under other names."""
        return sorted(node for node in self._reached({port}) - {port} if self.port_of(node) == port)

    def _forget(self, name: str) -> Mapping[str, PortLineage]:
        known = self.told.pop(name, None)
        for node in _outside(known) if known is not None else ():
            left = self._mentions[node] - {name}
            if left:
                self._mentions[node] = left
            else:
                del self._mentions[node]
        return {} if known is None else {name: self.read.pop(name)}

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

    def _read(self, lineage: PortLineage) -> PortLineage:
        return backed(lineage, {node: port for node in _outside(lineage) if (port := self.port_of(node)) != node})


def backed(lineage: PortLineage, ports: Mapping[str, str]) -> PortLineage:
    """The lineage with each dataset that backs a port named as that port."""
    if not ports:
        return lineage

    def name(node: str) -> str:
        return ports.get(node, node)

    return replace(
        lineage,
        target_port=name(lineage.target_port),
        inputs=tuple(sorted({InputVersion(name(i.port), i.version) for i in lineage.inputs})),
        edges=tuple(sorted({replace(e, source_port=name(e.source_port)) for e in lineage.edges})),
        unknown_inputs=tuple(sorted({name(node) for node in lineage.unknown_inputs})),
        row_edges=tuple(sorted({replace(e, source_port=name(e.source_port)) for e in lineage.row_edges})),
    )


def _outside(lineage: PortLineage) -> Iterator[str]:
    """The datasets outside the mesh that the lineage tells of, each once."""
    nodes = {lineage.target_port, *lineage.unknown_inputs}
    nodes.update(i.port for i in lineage.inputs)
    nodes.update(e.source_port for e in lineage.edges)
    nodes.update(e.source_port for e in lineage.row_edges)
    return (node for node in sorted(nodes) if is_outside(node))
