"""ConversationService: what people think of answers, and turns on their way into a product. Runs in the gateway."""

from __future__ import annotations

from collections.abc import Iterator

import grpc

from domainmesh.v1 import conversation_service_pb2 as pb
from domainmesh.v1 import conversation_service_pb2_grpc
from domainmesh.v1.decision_log_pb2 import DECISION_KIND_ASK
from governance_server.asking.evidence import Asking, Readers
from governance_server.asking.turns import check_takes_turns, collect
from governance_server.backend import stamp
from governance_server.caller import Caller, current_caller
from governance_server.rules.errors import Invalid, NotFound, PurposeNotHeld
from governance_server.services.queries import stop_with
from governance_server.storage.turns import acknowledge_turns, rate_turn
from mesh_core.names import parse_product

__all__ = ["ConversationService"]

_LONGEST_EDIT, _LONGEST_COMMENT = 10_000, 2_000
_MOST_TURNS = 1_000


class ConversationService(conversation_service_pb2_grpc.ConversationServiceServicer):
    """Serves conversations."""

    def __init__(self, readers: Readers) -> None:
        self._readers = readers
        self._backend = readers.backend

    def RateAnswer(self, request: pb.RateAnswerRequest, context: grpc.ServicerContext) -> pb.RateAnswerResponse:
        """Says what the asker thinks of a recorded answer of theirs."""
        said = request.feedback
        if len(said.edit) > _LONGEST_EDIT or len(said.comment) > _LONGEST_COMMENT:
            raise Invalid(f"An edit has at most {_LONGEST_EDIT} characters, a comment {_LONGEST_COMMENT}.")
        if said.rating not in pb.Rating.values() or not (said.rating or said.edit.strip() or said.comment.strip()):
            raise Invalid("Rate the answer up or down, say what it should have been (edit), or comment on it.")
        now = stamp(self._backend.now())

        def together(before: bytes) -> bytes:
            kept = pb.Feedback.FromString(before)
            kept.rating = said.rating or kept.rating
            kept.edit = said.edit.strip() or kept.edit
            kept.comment = said.comment.strip() or kept.comment
            kept.create_time.CopyFrom(now)
            return kept.SerializeToString(deterministic=True)

        kept = rate_turn(self._backend.database, request.answer_id, current_caller().name, together)
        if kept is None:
            raise NotFound(
                f"No answer {request.answer_id!r} of yours is being recorded: ask with --record-in (record_in) to record one.",
                resource=request.answer_id,
            )
        return pb.RateAnswerResponse(feedback=pb.Feedback.FromString(kept))

    def CollectTurns(self, request: pb.CollectTurnsRequest, context: grpc.ServicerContext) -> Iterator[pb.CollectTurnsResponse]:
        """Streams the turns recorded for a product that were not acknowledged yet, as asker and collector may read them."""
        limit = request.limit or _MOST_TURNS
        if limit > _MOST_TURNS:
            raise Invalid(f"limit is {limit}: collect at most {_MOST_TURNS} turns at once.")
        caller = self._publisher(request.product)
        if request.purpose and request.purpose not in self._backend.policy.facts().purposes:
            raise PurposeNotHeld(f"You do not hold the purpose {request.purpose!r}: leave it out, or state another one.")
        collector = Asking(caller, "", request.purpose, lambda stop: stop_with(context, stop))
        with self._backend.recording(
            DECISION_KIND_ASK, action="write", resource=request.product, purpose=request.purpose
        ) as recording:
            recording.answered(True)
            found, held = [], 0
            for turn in collect(self._readers, collector, request.product):
                if turn is None:
                    held += 1
                else:
                    found.append(pb.CollectTurnsResponse(turn=turn))
                if len(found) == limit:
                    break
            found.append(pb.CollectTurnsResponse(held_count=held))
            recording.served(len(found) - 1, sum(it.ByteSize() for it in found))
            recording.complete()
            yield from found

    def AcknowledgeTurns(self, request: pb.AcknowledgeTurnsRequest, context: grpc.ServicerContext) -> pb.AcknowledgeTurnsResponse:
        """Says that turns have been published."""
        if len(request.turns) > _MOST_TURNS:
            raise Invalid(f"{len(request.turns)} turns: acknowledge at most {_MOST_TURNS} at once.")
        self._publisher(request.product)
        states = [(it.answer_id, it.position) for it in request.turns]
        return pb.AcknowledgeTurnsResponse(waiting_count=acknowledge_turns(self._backend.database, request.product, states))

    def _publisher(self, product: str) -> Caller:
        """The caller, who may publish the product. Raises: AccessDenied, Precondition."""
        parse_product(product)
        caller = current_caller()
        self._backend.policy.authorise(caller, "write", product)
        check_takes_turns(self._backend, caller, product)
        return caller
