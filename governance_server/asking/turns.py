"""Turns of conversations: kept for a product that takes them in, rated by who asked, and given to who publishes them.

A turn is kept with its answer or not at all. When it is collected its answer is given again, as its asker may read it then, and
only to a collector who may read all of that: nothing reaches the product that was taken from the one or is hidden from the other.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextvars import copy_context
from dataclasses import replace

from domainmesh.v1 import answer_pb2, product_pb2
from domainmesh.v1 import conversation_service_pb2 as pb
from governance_server.asking.again import answer_again
from governance_server.asking.evidence import Asking, Readers
from governance_server.asking.records import kept_answer, without_sources
from governance_server.backend import Backend
from governance_server.caller import Caller, set_caller
from governance_server.contracts import parse_contract
from governance_server.policy.projection import denied
from governance_server.rules import kinds
from governance_server.rules.conversations import CONVERSATIONS, holds_conversations
from governance_server.rules.errors import GovernanceError, Overloaded, Precondition, Unavailable
from governance_server.storage.turns import KeptTurn, waiting_turns
from mesh_core.answers.answer import Answer
from mesh_core.answers.wire import answer_to_wire

__all__ = ["check_takes_turns", "collect"]

_LOG = logging.getLogger(__name__)


def check_takes_turns(backend: Backend, caller: Caller, product: str) -> None:
    """Returns if the caller may have its turns recorded for the product.

    Raises:
        AccessDenied: it may not discover the product, or there is none.
        Precondition: the product takes in no conversations.
    """
    backend.policy.authorise(caller, "discover", product)
    found = backend.policy.facts().products.get(product)
    if found is None or not found.version:
        raise denied("discover", product)
    body = backend.catalog.get(kinds.CONTRACT, kinds.versioned_name(product, found.version))
    contract = parse_contract(product_pb2.Contract.FromString(body).text) if body else None
    if contract is None or not holds_conversations(contract.custom_properties):
        raise Precondition(
            f"{product} takes in no conversations: its contract would have to say {CONVERSATIONS}: true.", resource=product
        )


def collect(readers: Readers, collector: Asking, product: str) -> Iterator[pb.Turn | None]:
    """The product's turns that wait, each with what its asker may read of the answer now.

    None stands for one whose collector may not read all of that: it goes on waiting, for another collector or another purpose.

    Args:
        readers: The governed ways to read.
        collector: Who collects, for which purpose; the question is that of each turn.
        product: The product that takes the turns in.
    """
    policy = readers.backend.policy
    for turn in waiting_turns(readers.backend.database, product):
        asker = policy.caller_of(turn.principal)
        known = policy.facts().principals.get(turn.principal)
        if asker is None or known is None or known.is_disabled:
            continue
        try:
            kept = kept_answer(readers.backend, turn.principal, turn.answer_id)
            kept.ClearField("closest")  # what was only shown to its asker is no part of the turn
            asker = asker.in_call(collector.caller.call_id, collector.caller.revision)
            asked = Asking(asker, kept.question, kept.purpose, collector.on_start)
            answer = copy_context().run(_again, readers, asked, kept)
            collecting = replace(collector, question=kept.question)
            seen = copy_context().run(_again, readers, collecting, without_sources(answer))
        except (Unavailable, Overloaded):
            raise
        except GovernanceError as error:
            _LOG.info("turn not collected answer=%s reason=%s", turn.answer_id, type(error).__name__)
            yield None
            continue
        if _told(seen) != _told(answer):
            yield None
            continue
        answer.notices[:] = [it for it in answer.notices if it in seen.notices]
        yield _turn(turn, answer)


def _again(readers: Readers, asking: Asking, kept: answer_pb2.Answer) -> answer_pb2.Answer:
    """The answer as that reader may read it now, with its own purpose and time. Run in a context of its own."""
    set_caller(asking.caller)
    for part in answer_again(readers, asking, kept):
        if isinstance(part, Answer):
            sent = answer_to_wire(part)
            sent.purpose = kept.purpose
            sent.create_time.CopyFrom(kept.create_time)
            return sent
    raise AssertionError("an answer given again ends with the answer")


def _told(answer: answer_pb2.Answer) -> answer_pb2.Answer:
    """What the answer tells of what it rests on: without how it was made and which rights were used for it."""
    told = answer_pb2.Answer()
    told.CopyFrom(answer)
    for name in ("ports", "stages", "notices"):
        told.ClearField(name)
    for figure in told.figures:
        figure.ClearField("ports")
    return told


def _turn(kept: KeptTurn, answer: answer_pb2.Answer) -> pb.Turn:
    turn = pb.Turn(answer=answer, principal=kept.principal, conversation=kept.conversation, position=kept.position)
    if kept.feedback:
        turn.feedback.CopyFrom(pb.Feedback.FromString(kept.feedback))
    return turn
