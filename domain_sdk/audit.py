"""`mesh.audit`: the journal of everything the server ever accepted. Needs `administer` on `mesh`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from domain_sdk._times import from_timestamp

if TYPE_CHECKING:
    from domain_sdk._transport import Transport
    from domainmesh.v1.journal_pb2 import Change as ChangeMessage

__all__ = ["Audit", "Change", "JournalProof"]


@dataclass(frozen=True, slots=True)
class Change:
    """One entry of the journal, without what it wrote."""

    revision: int
    """Its sequence number, from 1, without gaps."""
    time: datetime | None
    principal: str
    request_id: str
    kind: str
    """What happened, like `grant.created`."""
    subject: str
    """The resource it is about."""
    hash: str
    """SHA-256 in hex over the entry and the hash before it."""
    previous_hash: str


@dataclass(frozen=True, slots=True)
class JournalProof:
    """What a recomputation of the journal's hash chain found."""

    is_intact: bool
    checked: int
    """How many changes were checked."""
    head_hash: str
    """The newest hash in hex: keep it elsewhere to detect a truncated journal later."""
    problems: tuple[str, ...]


class Audit:
    """The journal. Reached as `mesh.audit`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def verify(self, *, include_tables: bool = True, timeout_seconds: float = 600.0) -> JournalProof:
        """Whether the hash chain holds and, unless left out, whether the tables equal a replay of it."""
        from domainmesh.v1.journal_service_pb2 import VerifyJournalRequest
        from domainmesh.v1.journal_service_pb2_grpc import JournalServiceStub

        method = self._transport.control(JournalServiceStub).VerifyJournal
        request = VerifyJournalRequest(include_tables=include_tables)
        response = self._transport.call(method, request, timeout_seconds=timeout_seconds)
        return JournalProof(response.is_intact, response.checked, response.head_hash.hex(), tuple(response.problems))

    def changes(self, *, after: int = 0, kinds: Sequence[str] = (), limit: int | None = None) -> list[Change]:
        """The changes after a revision, oldest first; only of these kinds, if any."""
        from domain_sdk._paging import all_items
        from domainmesh.v1.journal_service_pb2 import ListChangesRequest
        from domainmesh.v1.journal_service_pb2_grpc import JournalServiceStub

        method = self._transport.control(JournalServiceStub).ListChanges
        request = ListChangesRequest(after_revision=after, kinds=kinds)
        return [_change(it) for it in all_items(self._transport, method, request, field="changes", limit=limit)]

    def watch(self, *, after: int = 0, kinds: Sequence[str] = ()) -> Iterator[Change]:
        """Changes as they are accepted, without end; closing the iterator or Ctrl-C ends the call."""
        from domainmesh.v1.journal_service_pb2 import WatchChangesRequest
        from domainmesh.v1.journal_service_pb2_grpc import JournalServiceStub

        method = self._transport.control(JournalServiceStub).WatchChanges
        for message in self._transport.stream(method, WatchChangesRequest(after_revision=after, kinds=kinds)):
            yield _change(message)


def _change(message: ChangeMessage) -> Change:
    return Change(
        revision=message.revision,
        time=from_timestamp(message, "time"),
        principal=message.principal,
        request_id=message.request_id,
        kind=message.kind,
        subject=message.subject,
        hash=message.hash.hex(),
        previous_hash=message.previous_hash.hex(),
    )
