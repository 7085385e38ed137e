"""AskService: questions in words, answered as the asker, streamed as they are answered. Runs in the gateway."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC

import grpc

from domainmesh.v1 import ask_service_pb2 as pb
from domainmesh.v1 import ask_service_pb2_grpc
from domainmesh.v1.answer_pb2 import AnswerStage
from domainmesh.v1.decision_log_pb2 import DECISION_KIND_ASK
from governance_server.asking.again import answer_again
from governance_server.asking.answering import Answering, Begun, Part
from governance_server.asking.evidence import Asking
from governance_server.asking.records import TurnOf, keep, kept_answer, sent_answer, summary_of
from governance_server.asking.turns import check_takes_turns
from governance_server.audit.recording import Recording
from governance_server.backend import Backend
from governance_server.caller import current_caller
from governance_server.journal.feed import first_revision_since
from governance_server.keyring import MASKS
from governance_server.rules.errors import Invalid
from governance_server.services.queries import stop_with
from governance_server.storage.times import to_microseconds
from mesh_core.answers.answer import Answer, Citation, Figure, Stage
from mesh_core.answers.wire import citation_to_wire, figure_to_wire, sentence_to_wire, stage_to_wire

__all__ = ["AskService"]

_LONGEST_QUESTION = 4000
_MOST_COLLECTIONS = 16
_LONGEST_CONVERSATION = 200
_LONGEST_ABOUT = 200


class AskService(ask_service_pb2_grpc.AskServiceServicer):
    """Serves questions in words."""

    def __init__(self, answering: Answering) -> None:
        self._answering = answering
        self._backend: Backend = answering.readers.backend

    def Ask(self, request: pb.AskRequest, context: grpc.ServicerContext) -> Iterator[pb.AskResponse]:
        """Streams the answer: its steps, its sources and sentences, and at last the whole of it."""
        _check(request)
        with self._backend.recording(DECISION_KIND_ASK, purpose=request.purpose, resource="") as recording:
            for part in self._parts(request, context):
                yield self._concluded(part, request, recording) if isinstance(part, Answer) else _to_wire(part)

    def _parts(self, request: pb.AskRequest, context: grpc.ServicerContext) -> Iterator[Part]:
        caller = current_caller()
        if request.record_in:
            check_takes_turns(self._backend, caller, request.record_in)
        if request.answer_id:
            kept = kept_answer(self._backend, caller.name, request.answer_id)
            if request.question and request.question != kept.question:
                raise Invalid(f"{request.answer_id} answered another question: leave the question out.")
            asking = Asking(caller, kept.question, kept.purpose, lambda stop: stop_with(context, stop))
            return answer_again(self._answering.readers, asking, kept)
        asking = Asking(
            caller, request.question, request.purpose, lambda stop: stop_with(context, stop), about=request.about.strip()
        )
        return self._answering.answer(
            asking, collections=request.collections, as_of=self._as_of(request), is_extractive=request.is_extractive
        )

    def _concluded(self, answer: Answer, request: pb.AskRequest, recording: Recording) -> pb.AskResponse:
        """The answer, once it is kept and in the audit."""
        sent = sent_answer(self._backend, answer)
        if not request.answer_id:
            turn = TurnOf(request.record_in, request.conversation) if request.record_in else None
            keep(self._backend, current_caller().name, sent, turn)
        recording.concluded(summary_of(sent, self._sealed), revision=answer.revision)
        recording.complete()
        return pb.AskResponse(answer=sent)

    def _sealed(self, digest: str) -> str:
        return self._backend.keys.hmac(MASKS, f"answered\0{digest}".encode())[1].hex()

    def _as_of(self, request: pb.AskRequest) -> int:
        """The revision whose data is asked, 0 for now. Raises: Invalid."""
        head = self._backend.database.head().revision
        if request.as_of > head:
            raise Invalid(f"as_of is {request.as_of}, the newest revision is {head}: ask for a revision that exists.")
        if not request.HasField("as_of_time"):
            return request.as_of
        try:
            time_us = to_microseconds(request.as_of_time.ToDatetime(tzinfo=UTC))
        except (ValueError, OverflowError):
            raise Invalid("as_of_time is no time between the years 1 and 9999.") from None
        if time_us > to_microseconds(self._backend.now()):
            raise Invalid("as_of is a time that has not come: ask for now, or for an earlier time.")
        found = first_revision_since(self._backend.database.reader(), time_us + 1, head) - 1
        if not found:
            raise Invalid("At that time there was no mesh yet: ask for a later one.")
        return found


def _check(request: pb.AskRequest) -> None:
    """Raises: Invalid."""
    if not (request.question.strip() or request.answer_id):
        raise Invalid("The question is empty: ask one, or name an earlier answer.")
    if len(request.question) > _LONGEST_QUESTION:
        raise Invalid(f"The question has {len(request.question):,} characters: ask one of at most {_LONGEST_QUESTION:,}.")
    if len(request.collections) > _MOST_COLLECTIONS:
        raise Invalid(f"{len(request.collections)} collections: name at most {_MOST_COLLECTIONS}, or none for all.")
    if len(request.conversation) > _LONGEST_CONVERSATION:
        raise Invalid(f"A conversation's name has at most {_LONGEST_CONVERSATION} characters.")
    if len(request.about) > _LONGEST_ABOUT:
        raise Invalid(f"Say whom it is about in at most {_LONGEST_ABOUT} characters, like 'customer C-0042'.")
    if request.record_in and request.answer_id:
        raise Invalid("An answer that is given again is not recorded once more: leave record_in out.")
    if bool(request.as_of) + request.HasField("as_of_time") + bool(request.answer_id) > 1:
        raise Invalid("State as_of, as_of_time or answer_id: one of them, as each says which data is meant.")


def _to_wire(part: Part) -> pb.AskResponse:
    if isinstance(part, Begun):
        return pb.AskResponse(stage=AnswerStage(name=part.stage))
    if isinstance(part, Stage):
        return pb.AskResponse(stage=stage_to_wire(part))
    if isinstance(part, Citation):
        return pb.AskResponse(citation=citation_to_wire(part))
    if isinstance(part, Figure):
        return pb.AskResponse(figure=figure_to_wire(part))
    assert not isinstance(part, Answer)
    return pb.AskResponse(sentence=sentence_to_wire(part))
