"""LineageService: where data comes from and where it goes; names the caller may not discover are hidden, the shape is kept."""

from __future__ import annotations

import grpc

from domainmesh.v1 import lineage_pb2, lineage_service_pb2_grpc
from domainmesh.v1 import lineage_service_pb2 as pb
from governance_server.backend import Backend, Page, stamp
from governance_server.caller import current_caller
from governance_server.lineage.stored import read_stored
from governance_server.policy.lineage_sight import LineageSight
from governance_server.policy.projection import Facts, PolicyProjection, denied
from governance_server.rules.errors import Invalid, NotFound
from governance_server.rules.lineage_walk import Direction, GraphEdge, Node, walk
from governance_server.storage.events import Event, EventLog
from mesh_core.dataset_names import dataset_node, is_outside, parse_node
from mesh_core.names import MESH, check_column, column_object, parse_port

__all__ = ["LineageService"]

_DEFAULT_DEPTH, _MAX_DEPTH = 5, 100
_LAST_POSITION = 2**62
_DIRECTIONS = {
    pb.LINEAGE_DIRECTION_UNSPECIFIED: (Direction.UPSTREAM, Direction.DOWNSTREAM),
    pb.LINEAGE_DIRECTION_UPSTREAM: (Direction.UPSTREAM,),
    pb.LINEAGE_DIRECTION_DOWNSTREAM: (Direction.DOWNSTREAM,),
}
_TYPES = {"DIRECT": lineage_pb2.TRANSFORMATION_TYPE_DIRECT, "INDIRECT": lineage_pb2.TRANSFORMATION_TYPE_INDIRECT}


class LineageService(lineage_service_pb2_grpc.LineageServiceServicer):
    """Serves lineage."""

    def __init__(self, backend: Backend, events: EventLog) -> None:
        self._backend = backend
        self._events = events

    def GetLineage(self, request: pb.GetLineageRequest, context: grpc.ServicerContext) -> pb.GetLineageResponse:
        """Returns the graph around a port or column."""
        start = _node(request.name, self._backend.policy.facts())
        if request.depth > _MAX_DEPTH:
            raise Invalid(f"depth is {request.depth}: use at most {_MAX_DEPTH}.", resource=request.name)
        policy = self._backend.policy_at(request.as_of)
        caller = current_caller()
        sights = (LineageSight(policy, caller), LineageSight(self._backend.policy, caller))

        def is_visible(name: str) -> bool:
            return all(sight.sees(name) for sight in sights)

        for sight in sights:  # now, not only then
            sight.require(start)
        _check_exists(policy, start)
        facts = policy.facts()
        response = pb.GetLineageResponse(is_complete=True)
        seen: dict[str, None] = {}
        edges: dict[GraphEdge, None] = {}
        for direction in _DIRECTIONS[request.direction]:
            with policy.pinned():  # the graph is live: nobody changes it meanwhile
                found = walk(facts.graph, start, direction, depth=request.depth or _DEFAULT_DEPTH, is_visible=is_visible)
            marked = f"{direction}:"
            for node in found.nodes:
                shown = marked + node.id if node.is_hidden else node.id
                if shown not in seen:
                    seen[shown] = None
                    response.nodes.append(_node_message(facts, node, shown))
            hidden = {node.id for node in found.nodes if node.is_hidden}
            for edge in found.edges:
                source, target = (marked + name if name in hidden else name for name in (edge.source, edge.target))
                edges[GraphEdge(source, target, edge.transformation)] = None
            response.is_complete &= found.is_complete
        response.edges.extend(_edge_message(edge) for edge in edges)
        return response

    def ListLineageEvents(
        self, request: pb.ListLineageEventsRequest, context: grpc.ServicerContext
    ) -> pb.ListLineageEventsResponse:
        """Lists OpenLineage events, oldest first."""
        self._backend.policy.authorise(current_caller(), "administer", MESH)
        page = Page.of(request.page_size, request.page_token)
        events = self._events.read_events(page.position or min(request.after, _LAST_POSITION), page.size + 1)
        shown = [_event_message(e) for e in events[: page.size]]
        more = Page.token(str(shown[-1].sequence)) if len(events) > page.size else ""
        return pb.ListLineageEventsResponse(events=shown, next_page_token=more)


def _event_message(event: Event) -> lineage_pb2.LineageEvent:
    sender, body = read_stored(event.body)
    text = body.decode(errors="replace")
    return lineage_pb2.LineageEvent(sequence=event.sequence, receive_time=stamp(event.received_at), json=text, sender=sender)


def _check_exists(policy: PolicyProjection, start: str) -> None:
    """Returns if there is such a port or column; of datasets outside the mesh there are as many as anybody names."""
    name, _, column = start.partition("#")
    port = policy.find_port(name)
    if is_outside(start):
        return
    if port is None:
        raise denied("discover", start)
    if column and column not in {known.name for known in port.columns}:
        raise NotFound(f"{name} has no column {column!r}: see its columns with `mesh show {name}`.", resource=name)


def _node(name: str, facts: Facts) -> str:
    """The graph's node: `a.b.c` is a port, `a.b.c.col` and `a.b.c#col` are columns. Raises: InvalidName.

    A dataset outside the mesh is written `namespace|name`, its column `namespace|name#col`; it may turn out to be a port.
    """
    if is_outside(name):
        node, mark, column = name.partition("#")
        return f"{facts.observed.port_of(dataset_node(*parse_node(node)))}{mark}{column}"
    if "#" in name:
        port, _, column = name.partition("#")
        return column_object(str(parse_port(port)), check_column(column))
    parts = name.split(".", 3)
    port = str(parse_port(".".join(parts[:3])))
    return column_object(port, check_column(parts[3])) if len(parts) == 4 else port


def _node_message(facts: Facts, node: Node, shown: str) -> lineage_pb2.LineageNode:
    if node.is_hidden:
        return lineage_pb2.LineageNode(id=shown, is_hidden=True)
    port_name, _, column_name = node.id.partition("#")
    product = facts.products.get(port_name.rpartition(".")[0])
    port = next((p for p in product.ports if p.name == port_name), None) if product else None
    if is_outside(node.id):
        return lineage_pb2.LineageNode(id=shown, kind="column" if column_name else "dataset")
    if not column_name:
        kind = "collection" if port is not None and port.kind == 2 else "table"
        return lineage_pb2.LineageNode(id=shown, kind=kind)
    declared = next((list(c.tags) for c in port.columns if c.name == column_name), []) if port else []
    return lineage_pb2.LineageNode(id=shown, kind="column", tags=sorted({*declared, *facts.derived.get(node.id, {})}))


def _edge_message(edge: GraphEdge) -> lineage_pb2.LineageEdge:
    change = edge.transformation
    if change is None:
        return lineage_pb2.LineageEdge(source=edge.source, target=edge.target)
    return lineage_pb2.LineageEdge(
        source=edge.source, target=edge.target, type=_TYPES[change.type], subtype=change.subtype, is_masking=change.masking
    )
