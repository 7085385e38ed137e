"""LineageService: where data comes from and where it goes; names the caller may not discover are hidden, the shape is kept."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import grpc

from domainmesh.v1 import lineage_pb2, lineage_service_pb2_grpc
from domainmesh.v1 import lineage_service_pb2 as pb
from governance_server.backend import Backend, Page, stamp
from governance_server.caller import current_caller
from governance_server.lineage.stored import read_stored
from governance_server.rules.errors import Invalid
from governance_server.services.lineage_answers import GraphAnswer, origins_of, reach_parts
from governance_server.services.lineage_questions import Asking, LineageQuestions, node_named
from governance_server.storage.events import Event, EventLog
from mesh_core.names import MESH

if TYPE_CHECKING:
    from governance_server.rules.lineage_walk import Reach

__all__ = ["LineageService"]

_DEFAULT_DEPTH, _MAX_DEPTH = 5, 100
_DEFAULT_NODES, _MAX_NODES = 1_000, 10_000
_LAST_POSITION = 2**62
_UP, _DOWN = "upstream", "downstream"
_DIRECTIONS = {
    pb.LINEAGE_DIRECTION_UNSPECIFIED: (_UP, _DOWN),
    pb.LINEAGE_DIRECTION_UPSTREAM: (_UP,),
    pb.LINEAGE_DIRECTION_DOWNSTREAM: (_DOWN,),
}


class LineageService(lineage_service_pb2_grpc.LineageServiceServicer):
    """Serves lineage."""

    def __init__(self, backend: Backend, events: EventLog) -> None:
        self._backend = backend
        self._events = events
        self._questions = LineageQuestions(backend)

    def GetLineage(self, request: pb.GetLineageRequest, context: grpc.ServicerContext) -> pb.GetLineageResponse:
        """Returns a page of the graph around a port, column or dataset, or of what lies between two."""
        _check_depth(request.name, request.depth)
        begun_at, way, offset = _place(request.page_token)
        asking = self._questions.ask(current_caller(), as_of=request.as_of, begun_at=begun_at)
        answer = GraphAnswer(asking, offset=offset, limit=min(request.page_size or _DEFAULT_NODES, _MAX_NODES))
        ways = ("between",) if request.to else _DIRECTIONS[request.direction]
        if way >= len(ways):
            raise Invalid("page_token is not one this server gave out for this question: leave it empty to start anew.")
        for place, direction in enumerate(ways):
            if place < way:
                continue
            following = answer.add(direction, _reached(asking, request, direction))
            if following is not None:
                answer.message.next_page_token = Page.token(f"{asking.revision}/{place}/{following}")
                break
        message = answer.message
        message.is_complete = not (request.page_token or message.next_page_token or message.is_cut_by_depth)
        message.origins.extend(origins_of(self._backend.catalog, asking, answer.ports, as_of=request.as_of))
        return message

    def ListReach(self, request: pb.ListReachRequest, context: grpc.ServicerContext) -> Iterator[pb.ListReachResponse]:
        """Streams everything upstream or downstream, names and distances only."""
        _check_depth(request.name, request.depth)
        asking = self._questions.ask(current_caller(), as_of=request.as_of)
        direction = _UP if request.direction == pb.LINEAGE_DIRECTION_UPSTREAM else _DOWN
        asked = pb.GetLineageRequest(
            name=request.name, depth=request.depth or _MAX_DEPTH, level=request.level, types=request.types
        )
        yield from reach_parts(asking, _reached(asking, asked, direction))

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


def _reached(asking: Asking, request: pb.GetLineageRequest, direction: str) -> Reach:
    """The walk that is asked for. Raises: AccessDenied, NotFound, Invalid, InvalidName."""
    from governance_server.rules.lineage_walk import Direction, between, reach

    start = node_named(request.name, asking.facts)
    asking.require(start)
    is_dataset_level = request.level == pb.LINEAGE_LEVEL_DATASET
    is_column_level = request.level == pb.LINEAGE_LEVEL_COLUMN
    kinds, depth = asking.kinds(request.types), request.depth or _DEFAULT_DEPTH
    starts = asking.starts(start, is_dataset_level=is_dataset_level, is_column_level=is_column_level)
    if not request.to:
        return reach(asking.graph, starts, Direction(direction), depth=depth, kinds=kinds)
    end = node_named(request.to, asking.facts)
    asking.require(end)
    ends = asking.starts(end, is_dataset_level=is_dataset_level, is_column_level=is_column_level or "#" in start)
    if "#" not in end and not is_dataset_level:
        ends += asking.starts(end, is_dataset_level=True, is_column_level=False)
    return between(asking.graph, starts, ends, depth=depth, kinds=kinds)


def _check_depth(name: str, depth: int) -> None:
    if depth > _MAX_DEPTH:
        raise Invalid(f"depth is {depth}: use at most {_MAX_DEPTH}.", resource=name)


def _place(token: str) -> tuple[int, int, int]:
    """The revision, the way and the offset at which a page begins. Raises: Invalid."""
    parts = Page.of(0, token).after.split("/") if token else ["0", "0", "0"]
    if len(parts) != 3 or not all(part.isascii() and part.isdecimal() and len(part) < 19 for part in parts):
        raise Invalid("page_token is not one this server gave out: leave it empty to start anew.")
    return int(parts[0]), int(parts[1]), int(parts[2])


def _event_message(event: Event) -> lineage_pb2.LineageEvent:
    sender, body = read_stored(event.body)
    text = body.decode(errors="replace")
    return lineage_pb2.LineageEvent(sequence=event.sequence, receive_time=stamp(event.received_at), json=text, sender=sender)
