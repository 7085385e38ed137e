"""Where documents mention a record: the link from a customer to the papers that speak of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from domain_sdk._arguments import checked_text

if TYPE_CHECKING:
    from domain_sdk._transport import Transport

__all__ = ["Mention", "list_mentions"]


@dataclass(frozen=True, slots=True)
class Mention:
    """One value of a record in a document."""

    collection: str
    version: int
    """The version of the collection's product that was searched."""
    document: str
    passage: str
    """The passage's id."""
    start: int
    """Where it starts in the document's text, in characters."""
    end: int
    """Where it ends, exclusive; `start` again if it stands in the title, a heading or the document's name."""
    column: str
    """The column of the table that it is a value of."""
    tag: str


def list_mentions(transport: Transport, port: str, key: object, *, purpose: str = "") -> list[Mention]:
    """The mentions of the record with this primary key (one value, or several in the key's order)."""
    from domainmesh.v1.mention_service_pb2 import ListMentionsRequest
    from domainmesh.v1.mention_service_pb2_grpc import MentionServiceStub

    values = key if isinstance(key, Sequence) and not isinstance(key, str) else [key]
    request = ListMentionsRequest(
        port=checked_text(port, "port", example="sales.customers.customers"),
        key=[str(value) for value in values],
        purpose=checked_text(purpose, "purpose"),
    )
    response = transport.call(transport.control(MentionServiceStub).ListMentions, request)
    return [
        Mention(
            collection=found.port,
            version=found.version,
            document=it.document,
            passage=it.passage,
            start=it.start,
            end=it.end,
            column=it.source_column,
            tag=it.tag,
        )
        for found in response.collections
        for it in found.mentions
    ]
