"""Answers as they are kept: what each was made from, so that it can be given again, and what of it the audit is told.

Kept are the question, which passages and queries it rests on, by id, version and digest, and the words that are the answer's own,
a recommendation's among them.
The text of passages and the rows of figures are not: they are read again, as the asker, when the answer is given again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from domainmesh.v1 import answer_pb2
from domainmesh.v1 import decision_log_pb2 as log_pb2
from domainmesh.v1.conversation_service_pb2 import Feedback
from governance_server.backend import Backend, stamp
from governance_server.rules.errors import NotFound
from governance_server.storage.answers import find_answer, insert_answer
from governance_server.storage.times import to_microseconds
from governance_server.storage.turns import KeptTurn, insert_turn
from mesh_core.answers.answer import Answer
from mesh_core.answers.wire import answer_to_wire

__all__ = ["TurnOf", "is_about", "is_feedback_about", "keep", "kept_answer", "sent_answer", "summary_of", "without_sources"]


@dataclass(frozen=True, slots=True)
class TurnOf:
    """What an answer is recorded for: the product that takes it in, and the conversation it belongs to."""

    product: str
    conversation: str


def keep(backend: Backend, principal: str, sent: answer_pb2.Answer, turn: TurnOf | None = None) -> None:
    """The answer can be given again to who asked, and waits to be collected if it is recorded. Raises: StorageUnavailable."""
    body = without_sources(sent).SerializeToString(deterministic=True)
    now = to_microseconds(backend.now())
    with backend.database.write() as connection:
        insert_answer(connection, sent.id, principal, time_us=now, body=body)
        if turn is not None:
            new = KeptTurn(sent.id, principal, turn.conversation, b"", 0)
            insert_turn(connection, new, product=turn.product, time_us=now)


def without_sources(sent: answer_pb2.Answer) -> answer_pb2.Answer:
    """The answer as it is kept: what it was made from, without the text of that."""
    kept = answer_pb2.Answer()
    kept.CopyFrom(sent)
    for sentence in kept.sentences:
        if sentence.HasField("quote"):
            sentence.ClearField("text")
    for citation in (*kept.citations, *kept.closest):
        for name in ("text", "title", "section"):
            citation.ClearField(name)
    for figure in kept.figures:
        figure.ClearField("rows")
    return kept


def kept_answer(backend: Backend, principal: str, id: str) -> answer_pb2.Answer:
    """What was kept of the principal's answer. Raises: NotFound, also if it is somebody else's."""
    body = find_answer(backend.database, id, principal)
    if body is None:
        raise NotFound(
            f"There is no answer {id!r} of yours: its id was given with it, and it is kept for a time only.", resource=id
        )
    return answer_pb2.Answer.FromString(body)


def sent_answer(backend: Backend, answer: Answer) -> answer_pb2.Answer:
    """The answer as it is sent and kept, with the time."""
    sent = answer_to_wire(answer)
    sent.create_time.CopyFrom(stamp(backend.now()))
    return sent


def summary_of(sent: answer_pb2.Answer, sealed: Callable[[str], str]) -> log_pb2.AnswerSummary:
    """What the audit is told of the answer: no text of it, and digests under a key, lest a figure's number be tried out."""
    summary = log_pb2.AnswerSummary(id=sent.id, writer=sent.writer, ports=sorted({it.port for it in sent.ports}))
    for citation in (*sent.citations, *sent.closest):
        summary.passages.add(
            port=citation.port, version=citation.version, passage=citation.passage, digest=sealed(citation.digest)
        )
    for figure in sent.figures:
        summary.figures.add(ports=[it.port for it in figure.ports], digest=sealed(figure.digest))
    return summary


def is_about(is_in: Callable[[str], bool]) -> Callable[[bytes], bool]:
    """Tells of a kept answer whether its question, its own words or its queries are about somebody."""

    def check(body: bytes) -> bool:
        kept = answer_pb2.Answer.FromString(body)
        texts = [
            kept.question,
            *(it.text for it in (*kept.caveats, *kept.sentences)),
            *(it.document for it in (*kept.citations, *kept.closest)),
        ]
        texts += kept.recommendation.missing
        texts += [text for it in kept.recommendation.findings for text in (it.rule, it.because)]
        return any(map(is_in, [*texts, *(text for it in kept.figures for text in (it.sql, it.basis))]))

    return check


def is_feedback_about(is_in: Callable[[str], bool]) -> Callable[[bytes], bool]:
    """Tells of kept feedback whether it is about somebody."""

    def check(body: bytes) -> bool:
        said = Feedback.FromString(body)
        return is_in(said.edit) or is_in(said.comment)

    return check
