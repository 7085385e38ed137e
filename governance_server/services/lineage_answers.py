"""Walks as messages: nodes, edges and origins of a page, and the plain list of everything reached."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from typing import TYPE_CHECKING

from domainmesh.v1 import lineage_pb2, product_pb2
from domainmesh.v1 import lineage_service_pb2 as pb
from governance_server.rules import kinds
from governance_server.services.lineage_questions import Asking
from governance_server.storage.catalog import Catalog
from mesh_core.dataset_names import is_outside
from mesh_core.names import column_object

if TYPE_CHECKING:
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
    nodes, distances = found.nodes.tolist(), found.distance.tolist()
    labels, shown = asking.graph.nodes.labels, _Shown(asking)
    for first in range(0, len(nodes), _ITEMS_IN_PART):
        part = nodes[first : first + _ITEMS_IN_PART]
        places: dict[int, int] = {}
        at, columns = [], []
        for port, column in map(shown, part):
            at.append(places.setdefault(port, len(places)))
            columns.append(column)
        yield pb.ListReachResponse(
            is_cut_by_depth=found.is_cut, distances=distances[first : first + _ITEMS_IN_PART], port_places=at, columns=columns,
            ports=["" if port < 0 else labels[port] for port in places],
        )  # fmt: skip


class _Shown:
    """What is shown of a node: its port (-1 if it is hidden) and its column. One without rule or tag is hidden as its port is."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking
        self._labels, self._ports = asking.graph.nodes.labels, asking.graph.nodes.ports
        self._known: dict[int, tuple[bool, str, tuple[Container[str], ...] | None]] = {}
        """Port → whether it is hidden, how its columns' objects begin, and where the exceptions among these are."""

    def __call__(self, node: int) -> tuple[int, str]:
        port = self._ports[node]
        is_hidden, beginning, exceptions = self._known.get(port) or self._look(port)
        if node == port:
            return (-1 if is_hidden else port), ""
        column = self._labels[node]
        name = beginning + column
        if exceptions is None or any(name in place for place in exceptions):
            is_hidden = not self._asking.sees(name)
        return (-1, "") if is_hidden else (port, column)

    def _look(self, port: int) -> tuple[bool, str, tuple[Container[str], ...] | None]:
        name = self._labels[port]
        places: list[Container[str]] | None = []
        for sight in self._asking.sights:
            more = sight.exceptions(name)
            places = None if places is None or more is None else [*places, *more]
        found = (not self._asking.sees(name), column_object(name, ""), None if places is None else tuple(places))
        self._known[port] = found
        return found


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
