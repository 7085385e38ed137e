"""What events tell of lineage, with every physical dataset read as the port it backs, whichever of the two was known first.

Owns which datasets back which port, and turning lineage as it was told into lineage between ports as far as they are known. Knows
nothing of storage, events or the graph.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from mesh_core.dataset_names import is_outside
from mesh_core.lineage import InputVersion, PortLineage

__all__ = ["Backing", "ObservedLineage", "backed"]

Backing = tuple[str, str]
"""A dataset outside the mesh (its node), and the port it backs."""


@dataclass(slots=True)
class ObservedLineage:
    """Lineage by the name it is kept under; `read` is it between ports, `told` as it came."""

    told: dict[str, PortLineage] = field(default_factory=dict)
    read: dict[str, PortLineage] = field(default_factory=dict)
    _mentions: dict[str, frozenset[str]] = field(default_factory=dict)
    _backings: dict[str, tuple[Backing, ...]] = field(default_factory=dict)
    _ports: dict[str, dict[str, int]] = field(default_factory=dict)
    """Dataset → port → how many say so."""

    def copy(self) -> ObservedLineage:
        """The same; changing the copy leaves the origin alone."""
        ports = {dataset: dict(found) for dataset, found in self._ports.items()}
        return ObservedLineage(dict(self.told), dict(self.read), dict(self._mentions), dict(self._backings), ports)

    def put(self, name: str, lineage: PortLineage | None) -> None:
        """This is what is told under the name; None takes it back."""
        known = self.told.pop(name, None)
        self.read.pop(name, None)
        for node in _outside(known) if known is not None else ():
            left = self._mentions[node] - {name}
            if left:
                self._mentions[node] = left
            else:
                del self._mentions[node]
        if lineage is not None:
            self.told[name] = lineage
            for node in _outside(lineage):
                self._mentions[node] = self._mentions.get(node, frozenset()) | {name}
            self.read[name] = self._read(lineage)

    def back(self, who: str, backings: Iterable[Backing]) -> Mapping[str, PortLineage]:
        """`who` (like `product:finance.ledger`) says that these datasets back these ports, and no others any more.

        Returned is what reads otherwise now, by name: as it read before.
        """
        before, after = self._backings.pop(who, ()), tuple(sorted(set(backings)))
        if after:
            self._backings[who] = after
        if before == after:
            return {}
        for (dataset, port), step in [*((it, -1) for it in before), *((it, 1) for it in after)]:
            found = self._ports.setdefault(dataset, {})
            found[port] = found.get(port, 0) + step
            if not found[port]:
                del found[port]
            if not found:
                del self._ports[dataset]
        changed = {dataset for dataset, _ in {*before, *after}}
        earlier = {name: self.read[name] for dataset in changed for name in self._mentions.get(dataset, ())}
        for name in earlier:
            self.read[name] = self._read(self.told[name])
        return earlier

    def port_of(self, node: str) -> str:
        """The port that the dataset backs, or the node itself; of one that several ports claim nobody can tell."""
        ports = self._ports.get(node)
        return next(iter(ports)) if ports is not None and len(ports) == 1 else node

    def datasets_of(self, port: str) -> list[str]:
        """The datasets that back the port and no other, by node."""
        return sorted(node for node, ports in self._ports.items() if list(ports) == [port])

    def mentioned(self, node: str) -> bool:
        """True if some lineage tells of the dataset."""
        return node in self._mentions

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
