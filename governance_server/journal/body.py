"""The stored bytes of a change: its resource writes as a `domainmesh.v1.ChangeBody`.

Owns the encoding that the digest covers. Bytes are written once, hashed as they are, and never re-serialised.
"""

from __future__ import annotations

from collections.abc import Iterable

from google.protobuf.message import DecodeError, Message
from google.protobuf.unknown_fields import UnknownFieldSet

from domainmesh.v1 import journal_pb2
from governance_server.rules.apply import ResourceWrite

__all__ = ["BodyUnreadable", "decode_body", "encode_body"]


class BodyUnreadable(ValueError):
    """Stored bytes that are no change body of a release known here."""


def encode_body(writes: Iterable[ResourceWrite]) -> bytes:
    """The bytes to store for `writes`, in their order."""
    body = journal_pb2.ChangeBody()
    for write in writes:
        body.writes.add(kind=write.kind, name=write.name, resource=write.body or b"", is_removed=write.body is None)
    return body.SerializeToString(deterministic=True)


def decode_body(body: bytes) -> tuple[ResourceWrite, ...]:
    """The resource writes that `body` stores.

    Raises:
        BodyUnreadable: The bytes break off, or hold a field this release does not know; then a newer release wrote them.
    """
    try:
        message = journal_pb2.ChangeBody.FromString(body)
    except DecodeError as error:
        raise BodyUnreadable(f"a change body cannot be read: the payload is damaged ({error})") from error
    _refuse_unknown(message)
    return tuple(_write(write) for write in message.writes)


def _write(write: journal_pb2.ResourceWrite) -> ResourceWrite:
    _refuse_unknown(write)
    return ResourceWrite(kind=write.kind, name=write.name, body=None if write.is_removed else write.resource)


def _refuse_unknown(message: Message) -> None:
    if len(UnknownFieldSet(message)):
        raise BodyUnreadable("a change body holds a field unknown here: it was written by a newer release, upgrade this one")
