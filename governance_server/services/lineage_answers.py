"""Walks as messages: nodes, edges and origins of a page, and the plain list of everything reached."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from domainmesh.v1 import lineage_pb2, product_pb2
from domainmesh.v1 import lineage_service_pb2 as pb
from governance_server.rules import kinds
from governance_server.services.lineage_questions import Asking
from governance_server.storage.catalog import Catalog
from mesh_core.dataset_names import is_outside
from mesh_core.names import column_object

if TYPE_CHECKING:
    from governance_server.rules.lineage_adjacency import Ints
    from governance_server.rules.lineage_walk import GraphEdge, Node, Reach

__all__ = ["GraphAnswer", "origins_of", "reach_parts"]

_ITEMS_IN_PART = 20_000
_TYPES = {"DIRECT": lineage_pb2.TRANSFORMATION_TYPE_DIRECT, "INDIRECT": lineage_pb2.TRANSFORMATION_TYPE_INDIRECT}


class GraphAnswer:
    """One page, filled from one walk or from two, one after the other."""

    def __init__(self, asking: Asking, *, offset: int, limit: int) -> None:
        self.message = pb.GetLineageResponse()
        self.ports: dict[str, None] = {}
        """The ports and datasets on the page that the caller may know."""
        self._asking = asking
        self._offset = offset
        self._left = limit
        self._seen: set[str] = set()
        self._walked: set[GraphEdge] = set()

    def add(self, way: str, found: Reach) -> int | None:
        """The page has as much of the walk as fits. Returns where the next page begins; None if all of it is there."""
        from governance_server.rules.lineage_walk import GraphEdge, Page, subgraph

        if self._left <= 0:
            return 0
        page = subgraph(self._asking.graph, found, is_visible=self._asking.sees, page=Page(self._offset, self._left))
        for node in page.nodes:
            shown = f"{way}:{node.id}" if node.is_hidden else node.id
            if shown not in self._seen:
                self._seen.add(shown)
                self.message.nodes.append(self._node(node, shown))
        for edge in page.edges:
            shown_edge = GraphEdge(_end(edge.source, way), _end(edge.target, way), edge.transformation)
            if shown_edge not in self._walked:
                self._walked.add(shown_edge)
                self.message.edges.append(_edge(shown_edge))
        self.message.is_cut_by_depth |= found.is_cut
        self._left -= len(page.nodes)
        self._offset = 0
        return page.next_offset

    def _node(self, node: Node, shown: str) -> lineage_pb2.LineageNode:
        if node.is_hidden:
            return lineage_pb2.LineageNode(id=shown, is_hidden=True, distance=node.distance)
        name, mark, column = node.id.partition("#")
        self.ports[name] = None
        facts = self._asking.facts
        product = facts.products.get(name.rpartition(".")[0])
        port = next((p for p in product.ports if p.name == name), None) if product else None
        if not mark:
            return lineage_pb2.LineageNode(id=shown, kind=_kind(name, port), distance=node.distance)
        declared = next((list(c.tags) for c in port.columns if c.name == column), []) if port else []
        tags = sorted({*declared, *facts.derived.get(node.id, ())})
        return lineage_pb2.LineageNode(id=shown, kind="column", tags=tags, distance=node.distance)


def origins_of(catalog: Catalog, asking: Asking, ports: Iterable[str], *, as_of: int) -> Iterator[lineage_pb2.LineageOrigin]:
    """By which runs the ports were made: the publication of each, and what events told of it."""
    revision = as_of or None
    for port in ports:
        body = None if is_outside(port) else catalog.get(kinds.LINEAGE, port, as_of=revision)
        told = [body] if body is not None else []
        told += [found for _, found in catalog.list(kinds.OBSERVED_LINEAGE, prefix=f"{port}<", as_of=revision)]
        for each in told:
            lineage = lineage_pb2.PortLineage.FromString(each)
            inputs = [
                lineage_pb2.InputVersion(port=it.port if asking.sees(it.port) else "", version=it.version)
                for it in lineage.inputs
            ]
            yield lineage_pb2.LineageOrigin(
                port=port, version=lineage.version, job=lineage.job, run_id=lineage.run_id, inputs=inputs, basis=lineage.basis
            )


def reach_parts(asking: Asking, found: Reach) -> Iterator[pb.ListReachResponse]:
    """Everything the walk reached, nearest first, in parts."""
    shown = _Shown(asking)
    for first in range(0, len(found.nodes), _ITEMS_IN_PART):
        part = slice(first, first + _ITEMS_IN_PART)
        ports, places, columns = shown.of(found.nodes[part])
        yield pb.ListReachResponse(
            is_cut_by_depth=found.is_cut,
            distances=found.distance[part].tolist(),
            port_places=places,
            columns=columns,
            ports=ports,
        )


class _Everything:
    """Holds whatever it is asked about."""

    def __contains__(self, _: object) -> bool:
        return True


_Places = tuple[Container[str], ...]
_ANY: _Places = (_Everything(),)


class _Shown:
    """What is shown of nodes. Of tens of thousands most are never asked about, and each is looked at once.

    A column that neither a rule nor a tag is on is hidden if its port is, a port if its product is.
    """

    def __init__(self, asking: Asking) -> None:
        self._asking = asking
        self._nodes = asking.graph.nodes
        self._ports: dict[int, tuple[bool, _Places]] = {}
        self._products: dict[str, tuple[bool, _Places]] = {}
        """Whether it is hidden, and where the objects below it are that may be shown otherwise."""

    def of(self, nodes: Ints) -> tuple[list[str], list[int], list[str]]:
        """Names of ports, and of each node the place of its port among them and its column; all that is hidden has one place."""
        import numpy as np

        labels, of_port = self._nodes.labels, self._asking.graph.layout().ports[nodes]
        ports, inverse = np.unique(of_port, return_inverse=True)
        names, places = [labels[port] for port in ports.tolist()], inverse.tolist()
        columns = [labels[node] for node in nodes.tolist()]
        for index in np.flatnonzero(nodes == of_port).tolist():
            columns[index] = ""
        looked = [self._ports.get(port) or self._look(port) for port in ports.tolist()]
        hidden = {place for place, (is_hidden, _) in enumerate(looked) if is_hidden}
        odd = self._odd(names, places, columns, [exceptions for _, exceptions in looked])
        if not hidden and all(odd.values()):
            return names, places, columns
        is_shown = [odd.get(index, place not in hidden) for index, place in enumerate(places)]
        used = sorted({place for place, is_seen in zip(places, is_shown, strict=True) if is_seen})
        moved = {place: index for index, place in enumerate(used)}
        return (
            [*(names[place] for place in used), ""],
            [moved[place] if is_seen else len(used) for place, is_seen in zip(places, is_shown, strict=True)],
            [column if is_seen else "" for column, is_seen in zip(columns, is_shown, strict=True)],
        )

    def _odd(
        self, names: Sequence[str], places: Sequence[int], columns: Sequence[str], exceptions: Sequence[_Places]
    ) -> dict[int, bool]:
        """The indices of columns that may be shown otherwise than their ports, and whether they are."""
        beginnings, sees, found = [column_object(name, "") for name in names], self._asking.sees, {}
        for index, (place, column) in enumerate(zip(places, columns, strict=True)):
            name = beginnings[place] + column
            for container in exceptions[place]:
                if name in container and column:
                    found[index] = sees(name)
                    break
        return found

    def _look(self, port: int) -> tuple[bool, _Places]:
        name = self._nodes.labels[port]
        if is_outside(name):
            is_hidden, exceptions = not self._asking.sees(name), self._exceptions(name)
        else:
            product = name.rpartition(".")[0]
            is_hidden, exceptions = self._products.get(product) or self._look_at_product(product)
            if any(name in container for container in exceptions):
                is_hidden = not self._asking.sees(name)
        found = self._ports[port] = is_hidden, exceptions
        return found

    def _look_at_product(self, product: str) -> tuple[bool, _Places]:
        found = self._products[product] = not self._asking.sees(product), self._exceptions(product)
        return found

    def _exceptions(self, name: str) -> _Places:
        places: _Places = ()
        for sight in self._asking.sights:
            more = sight.exceptions(name)
            if more is None:
                return _ANY
            places += more
        return places


def _kind(name: str, port: product_pb2.Port | None) -> str:
    if is_outside(name):
        return "dataset"
    return "collection" if port is not None and port.kind == product_pb2.PORT_KIND_COLLECTION else "table"


def _end(node: str, way: str) -> str:
    return f"{way}:{node}" if node.startswith("hidden:") else node


def _edge(edge: GraphEdge) -> lineage_pb2.LineageEdge:
    change = edge.transformation
    if change is None:
        return lineage_pb2.LineageEdge(source=edge.source, target=edge.target)
    return lineage_pb2.LineageEdge(
        source=edge.source, target=edge.target, type=_TYPES[change.type], subtype=change.subtype, is_masking=change.masking
    )
