"""Questions in words: asked of the gateway, answered a checked sentence at a time, with what each rests on.

Owns the call and its arguments; the values of an answer are `mesh_core.answers`, which both sides share.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING

from domain_sdk._arguments import checked_names, checked_text
from domain_sdk.errors import InternalError, InvalidRequest
from mesh_core.answers.answer import Answer, Citation, Figure, Finding, Recommendation, Sentence, Stage, UsedPort, Verdict

if TYPE_CHECKING:
    from domain_sdk._transport import Transport
    from domainmesh.v1.ask_service_pb2 import AskRequest, AskResponse

__all__ = [
    "Answer",
    "AsOf",
    "Citation",
    "Figure",
    "Finding",
    "OnPart",
    "Recommendation",
    "RecordIn",
    "Sentence",
    "Stage",
    "UsedPort",
    "Verdict",
    "ask",
    "to_request",
]

AsOf = int | str | date | datetime
"""Which state of the data: a journal revision, a point in time, or an earlier answer by its id (`a-…`)."""

OnPart = Callable[[Stage | Sentence], None]
"""Is told of steps as they begin (0 seconds) and end, and of sentences as they come."""

_ANSWER_ID = re.compile(r"a-[0-9A-Za-z_-]{1,64}")


@dataclass(frozen=True, slots=True)
class RecordIn:
    """The product that a turn is recorded for, and its conversation; nothing is recorded without a product."""

    product: str = ""
    conversation: str = ""


def to_request(
    question: str,
    *,
    purpose: str = "",
    collections: Sequence[str] = (),
    as_of: AsOf | None = None,
    extractive: bool = False,
    about: str = "",
    recording: RecordIn = RecordIn(),  # immutable
) -> AskRequest:
    """The call's arguments as a message.

    Raises:
        InvalidRequest: an argument is malformed; or there is neither a question nor an answer's id.
    """
    from domain_sdk._times import to_timestamp
    from domainmesh.v1.ask_service_pb2 import AskRequest

    request = AskRequest(
        question=checked_text(question, "question"),
        purpose=checked_text(purpose, "purpose"),
        collections=checked_names(collections, "collections"),
        is_extractive=extractive,
        about=checked_text(about, "about", example="customer C-0042"),
        record_in=checked_text(recording.product, "record_in", example="sales.conversations"),
        conversation=checked_text(recording.conversation, "conversation"),
    )
    if isinstance(as_of, str) and _ANSWER_ID.fullmatch(as_of):
        request.answer_id = as_of
    elif isinstance(as_of, bool) or (isinstance(as_of, int) and as_of < 1):
        raise InvalidRequest(f"as_of is {as_of!r}: give a revision from 1, a time, or an answer's id.")
    elif isinstance(as_of, int):
        request.as_of = as_of
    elif isinstance(as_of, str) and as_of.isdecimal():
        request.as_of = int(as_of)
    elif (time := to_timestamp(as_of)) is not None:
        request.as_of_time.CopyFrom(time)
    if not question.strip() and not request.answer_id:
        raise InvalidRequest("Ask a question, or name an earlier answer.")
    return request


def ask(transport: Transport, request: AskRequest, *, on_part: OnPart | None = None) -> Answer:
    """The whole answer; its steps and sentences are told of as they come.

    Raises:
        MeshError: the question could not be answered.
    """
    from domainmesh.v1.ask_service_pb2_grpc import AskServiceStub
    from mesh_core.answers.wire import answer_from_wire

    responses = transport.stream(transport.gateway(AskServiceStub).Ask, request)
    with closing(responses):
        for response in responses:
            if response.HasField("answer"):
                return answer_from_wire(response.answer)
            if on_part is not None:
                _tell(response, on_part)
    raise InternalError("The answer ended before it was whole: ask again.")


def _tell(response: AskResponse, on_part: OnPart) -> None:
    from mesh_core.answers.wire import sentence_from_wire, stage_from_wire

    part = response.WhichOneof("part")
    if part == "stage":
        on_part(stage_from_wire(response.stage))
    elif part == "sentence":
        on_part(sentence_from_wire(response.sentence))
