"""`mesh.conversations(…)`: questions, answers and feedback as a governed product of the domain that asks.

What people have agreed to record waits at the gateway until the domain collects it: published under the product's contract, with
its lineage, so that tags of what answers rest on mask them, too. Rows whose time is over by the contract leave with the next
collection.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

from domain_sdk._arguments import checked_text
from domain_sdk.errors import InvalidRequest
from domain_sdk.product import Product
from mesh_core.answers.answer import Answer
from mesh_core.names import InvalidName, parse_product

if TYPE_CHECKING:
    import polars as pl

    from domain_sdk._progress import Progress
    from domain_sdk._transport import Transport
    from domain_sdk.mesh import Mesh
    from domain_sdk.release import Release
    from domainmesh.v1 import conversation_service_pb2

__all__ = ["Collected", "Conversations", "Feedback", "Turn", "conversation_contract", "preference_contract", "rate"]

_PAGE = 1_000


@dataclass(frozen=True, slots=True)
class Feedback:
    """What an asker thinks of an answer."""

    rating: str
    """`up`, `down`, or empty."""
    edit: str
    """What the answer should have been; empty if nothing was said of it."""
    comment: str
    time: datetime


@dataclass(frozen=True, slots=True)
class Turn:
    """A question with its answer, as its asker and its collector may read it, and what the asker thinks of it."""

    answer: Answer
    asked_at: datetime
    asker: str
    conversation: str
    feedback: Feedback | None
    position: int


@dataclass(frozen=True, slots=True)
class Collected:
    """What a collection did."""

    turns: int
    """How many turns were published, new ones and those with new feedback."""
    removed: int
    """How many rows left because their time was over."""
    held: int
    """How many turns go on waiting, as the caller may not read all that their answers rest on."""
    release: Release | None
    """None if there was nothing to do."""


def conversation_contract(product: str, *, retention_days: int = 90) -> str:
    """A contract for a product of conversations, to be used as it is or as a beginning. Raises: InvalidRequest."""
    return _contract("conversations.odcs.yaml", product, retention_days)


def preference_contract(product: str, *, retention_days: int = 90) -> str:
    """A contract for a product of preferences. Raises: InvalidRequest."""
    return _contract("preferences.odcs.yaml", product, retention_days)


def _contract(file: str, product: str, retention_days: int) -> str:
    domain, _ = _parsed(product)
    if retention_days < 1:
        raise InvalidRequest(f"retention_days is {retention_days}: keep what people asked for one day or more.")
    text = Path(__file__).with_name(file).read_text(encoding="utf-8")
    return Template(text).substitute(product=product, domain=domain, days=retention_days)


def _parsed(product: str) -> tuple[str, str]:
    """Domain and last part of the product's name. Raises: InvalidRequest."""
    try:
        return parse_product(checked_text(product, "product", example="sales.conversations"))
    except InvalidName as error:
        raise InvalidRequest(f"{error} Name the product with its domain, like sales.conversations.") from error


def rate(transport: Transport, answer_id: str, rating: str = "", *, edit: str = "", comment: str = "") -> Feedback:
    """What the asker says of a recorded answer is kept; what is left out stays as it was said before.

    Raises:
        InvalidRequest: it says nothing, or too much.
        NotFound: no such answer of the caller's is being recorded.
    """
    from domainmesh.v1 import conversation_service_pb2 as pb
    from domainmesh.v1.conversation_service_pb2_grpc import ConversationServiceStub

    ratings = {"": pb.RATING_UNSPECIFIED, "up": pb.RATING_UP, "down": pb.RATING_DOWN}
    if rating not in ratings:
        raise InvalidRequest(f"The rating is {rating!r}: say up or down.")
    said = pb.Feedback(rating=ratings[rating], edit=checked_text(edit, "edit"), comment=checked_text(comment, "comment"))
    request = pb.RateAnswerRequest(answer_id=checked_text(answer_id, "answer_id", example="a-0f3c5a7712345678"), feedback=said)
    return _feedback(transport.call(transport.gateway(ConversationServiceStub).RateAnswer, request).feedback)


def _feedback(said: conversation_service_pb2.Feedback) -> Feedback:
    from domainmesh.v1 import conversation_service_pb2 as pb

    ratings = {pb.RATING_UP: "up", pb.RATING_DOWN: "down"}
    return Feedback(ratings.get(said.rating, ""), said.edit, said.comment, said.create_time.ToDatetime(tzinfo=UTC))


def _turn(sent: conversation_service_pb2.Turn) -> Turn:
    from mesh_core.answers.wire import answer_from_wire

    return Turn(
        answer=answer_from_wire(sent.answer), asked_at=sent.answer.create_time.ToDatetime(tzinfo=UTC), asker=sent.principal,
        conversation=sent.conversation, feedback=_feedback(sent.feedback) if sent.HasField("feedback") else None,
        position=sent.position,
    )  # fmt: skip


class Conversations:
    """The conversations of one product. Made by `mesh.conversations("sales.conversations")`."""

    def __init__(self, mesh: Mesh, product: str, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        _parsed(product)
        self._now = now
        self.mesh = mesh
        self.name = product

    def __repr__(self) -> str:
        """The product's name."""
        return f"Conversations({self.name!r})"

    def open(self, *, retention_days: int = 90, contract: str | Path | None = None, progress: Progress = None) -> Release:
        """The product takes conversations in from now on; it is published with no turns in it.

        Args:
            retention_days: How long turns are kept; part of the contract.
            contract: Another one than `conversation_contract` makes; it must say `conversations: true`.
            progress: As in `Product.publish`.

        Raises:
            AccessDenied: the caller may not publish the product.
            InvalidRequest: there is a release already, which would be emptied.
        """
        from domain_sdk import _conversation_rows as rows

        stated = contract or conversation_contract(self.name, retention_days=retention_days)
        product = self._product(self.name, stated)
        if product._ports_published():
            raise InvalidRequest(f"{self.name} has a release already: publish a new contract with it, or take another name.")
        return product.publish({"turns": rows.turn_frame([])}, progress=progress)

    def collect(self, *, purpose: str | None = None, progress: Progress = None) -> Collected:
        """The turns that wait are published, and rows whose time is over are gone from the version served.

        May be repeated and may fail at any point: a turn waits until it is published, and is there once.

        Args:
            purpose: For what the caller reads what answers rest on. A turn that rests on what it may not read goes on waiting.
            progress: As in `Product.publish`.

        Raises:
            AccessDenied: the caller may not publish the product, or not read its table `turns`.
            WrongState: the product takes in no conversations.
        """
        from domain_sdk import _conversation_rows as rows

        turns, removed, release = 0, 0, None
        while True:
            found, held = self._waiting(purpose, _PAGE)
            expired = self._expired() if release is None else rows.turn_frame([])
            if found or expired.height:
                release = self._product(self.name).publish(
                    {"turns": rows.merge_frame(found, expired)}, mode="merge", delete_flag=rows.DELETED,
                    lineage={"turns": rows.turn_lineage(found, port=f"{self.name}.turns")}, progress=progress,
                )  # fmt: skip
                self._acknowledge(found)
                turns, removed = turns + len(found), removed + expired.height
            if len(found) < _PAGE:
                return Collected(turns, removed, held, release)

    def waiting(self, *, purpose: str | None = None, limit: int = _PAGE) -> list[Turn]:
        """Turns that wait to be published, oldest first: those that the caller may read all of, as their askers may.

        Raises:
            AccessDenied: the caller may not publish the product.
            WrongState: the product takes in no conversations.
        """
        return self._waiting(purpose, limit)[0]

    def publish_preferences(
        self, to: str, *, purpose: str | None = None, retention_days: int = 90, progress: Progress = None
    ) -> Release:
        """What people prefer is published as pairs (prompt, chosen, rejected), from what the caller may read of the turns.

        Tags of questions and answers flow along; whoever reads the pairs needs a right or a purpose that lifts their masks.

        Args:
            to: The product, like `sales.preferences`; made with `preference_contract` if it has no release.
            purpose: For what the turns are read.
            retention_days: How long pairs are kept, of a product that is new, counted from when their question was asked.
            progress: As in `Product.publish`.

        Raises:
            InvalidRequest: the caller sees questions or answers masked, so that there is nothing to prefer.
        """
        from domain_sdk import _conversation_rows as rows

        contract = None
        if not self._product(to)._ports_published():
            contract = preference_contract(to, retention_days=retention_days)
        _parsed(to)
        self.mesh._source(f"{self.name}.turns", purpose=purpose).planned()  # a denial is told as one
        turns = self.mesh.scan(f"{self.name}.turns", purpose=purpose)
        missing = sorted(rows.NEEDED - set(turns.collect_schema().names()))
        if missing:
            raise InvalidRequest(f"{', '.join(missing)} of {self.name}.turns: you do not see what preferences are made of.")
        return self._product(to, contract).publish({"pairs": rows.preference_pairs(turns)}, progress=progress)

    def _waiting(self, purpose: str | None, limit: int) -> tuple[list[Turn], int]:
        """The turns, and how many were passed over."""
        from domainmesh.v1.conversation_service_pb2 import CollectTurnsRequest
        from domainmesh.v1.conversation_service_pb2_grpc import ConversationServiceStub

        request = CollectTurnsRequest(product=self.name, purpose=checked_text(purpose or "", "purpose"), limit=limit)
        transport = self.mesh._transport
        *turns, last = transport.stream(transport.gateway(ConversationServiceStub).CollectTurns, request)
        return [_turn(response.turn) for response in turns], last.held_count

    def _product(self, name: str, contract: str | Path | None = None) -> Product:
        return Product(self.mesh, name, contract)

    def _expired(self) -> pl.DataFrame:
        """The rows whose time is over by the contract."""
        import polars as pl

        from mesh_core.contract import load_contract

        days = load_contract(self._product(self.name).contract()).custom_properties.get("retentionDays")
        cutoff = self._now() - timedelta(days=int(str(days)))
        return self.mesh.scan(f"{self.name}.turns").select("answer", "asked_at").filter(pl.col("asked_at") < cutoff).collect()

    def _acknowledge(self, turns: list[Turn]) -> None:
        """The turns wait no more, unless something was said of them since."""
        from domainmesh.v1 import conversation_service_pb2 as pb
        from domainmesh.v1.conversation_service_pb2_grpc import ConversationServiceStub

        states = [pb.TurnState(answer_id=it.answer.id, position=it.position) for it in turns]
        transport = self.mesh._transport
        request = pb.AcknowledgeTurnsRequest(product=self.name, turns=states)
        transport.call(transport.gateway(ConversationServiceStub).AcknowledgeTurns, request)
