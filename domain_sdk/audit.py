"""`mesh.audit`: the journal of everything the server ever accepted, the log of what it decided, and the proof of both.

The journal and the proof need `administer` on `mesh`. Decisions and reports are there for who may `grant` on the resource, too,
and for everybody about itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from domain_sdk._times import from_timestamp

if TYPE_CHECKING:
    from domain_sdk._times import Until
    from domain_sdk._transport import Transport
    from domain_sdk.audit_log import AuditProof, AuditReport, Checkpoint, DecisionRecord
    from domain_sdk.open_lineage import ReceivedEvent
    from domainmesh.v1.journal_pb2 import Change as ChangeMessage

__all__ = ["Audit", "Change"]


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


class Audit:
    """Journal, decision log and proofs. Reached as `mesh.audit`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def verify(
        self,
        *,
        include_tables: bool = True,
        checkpoints: Sequence[Checkpoint] = (),
        keys: Mapping[str, bytes] | None = None,
        timeout_seconds: float = 600.0,
    ) -> AuditProof:
        """Whether journal, decision log and lineage events are what was written, and no checkpoint contradicts them.

        Args:
            include_tables: Also compare the tables with a replay of the journal.
            checkpoints: Those kept elsewhere (`read_checkpoints`): they find a dropped end and a rewritten history.
            keys: Public keys kept elsewhere (`keys()`); if given, no other is trusted.
            timeout_seconds: How long it may take.
        """
        from domain_sdk import _audit_calls

        return _audit_calls.verify(
            self._transport,
            include_tables=include_tables,
            checkpoints=checkpoints,
            keys=keys or {},
            timeout_seconds=timeout_seconds,
        )

    def decisions(
        self,
        *,
        resource: str = "",
        principal: str = "",
        since: Until | None = None,
        until: Until | None = None,
        only_denied: bool = False,
        limit: int | None = 50,
    ) -> list[DecisionRecord]:
        """What was decided, newest first: of a domain, product, port or column, or of a person, or everything."""
        from domain_sdk import _audit_calls

        scope = _audit_calls.to_scope(resource, principal, since=since, until=until)
        return _audit_calls.list_decisions(self._transport, scope, only_denied=only_denied, limit=limit)

    def report(
        self,
        resource: str = "",
        *,
        principal: str = "",
        since: Until | None = None,
        until: Until | None = None,
        timeout_seconds: float = 600.0,
    ) -> AuditReport:
        """Who was given what, by which grants and who approved them, what was refused, and how policy changed meanwhile.

        Args:
            resource: A domain, product, port or column, like `finance.ledger.entries.amount`.
            principal: A person or service; alone, or together with a resource.
            since: From when on, inclusive; everything kept when None.
            until: Until when, exclusive; now when None.
            timeout_seconds: How long it may take.
        """
        from domain_sdk import _audit_calls

        scope = _audit_calls.to_scope(resource, principal, since=since, until=until)
        return _audit_calls.get_report(self._transport, scope, timeout_seconds=timeout_seconds)

    def checkpoints(self, *, stream: str = "", limit: int | None = None) -> list[Checkpoint]:
        """The signed checkpoints, oldest first; of one log (`journal`, `decisions`, `openlineage`) if it is given."""
        from domain_sdk import _audit_calls

        return _audit_calls.list_checkpoints(self._transport, stream, limit)

    def create_checkpoints(self) -> list[Checkpoint]:
        """The checkpoints just made, one for each log that has grown since its last."""
        from domain_sdk import _audit_calls

        return _audit_calls.create_checkpoints(self._transport)

    def keys(self) -> dict[str, bytes]:
        """The public keys (raw Ed25519) that checkpoints are verified with, by id: keep them elsewhere, with the checkpoints."""
        from domain_sdk import _audit_calls

        return _audit_calls.list_keys(self._transport)

    def changes(self, *, after: int = 0, kinds: Sequence[str] = (), limit: int | None = None) -> list[Change]:
        """The changes after a revision, oldest first; only of these kinds, if any."""
        from domain_sdk._paging import all_items
        from domainmesh.v1.journal_service_pb2 import ListChangesRequest
        from domainmesh.v1.journal_service_pb2_grpc import JournalServiceStub

        method = self._transport.control(JournalServiceStub).ListChanges
        request = ListChangesRequest(after_revision=after, kinds=kinds)
        return [_change(it) for it in all_items(self._transport, method, request, field="changes", limit=limit)]

    def lineage_events(self, *, after: int = 0, limit: int | None = None) -> list[ReceivedEvent]:
        """The OpenLineage events after a position of their stream, oldest first, as they were received."""
        from domain_sdk.open_lineage import list_events

        return list_events(self._transport, after=after, limit=limit)

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
