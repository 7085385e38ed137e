"""JournalService: the journal, listed and watched. For the central team."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import grpc

from domainmesh.v1 import journal_pb2, journal_service_pb2_grpc
from domainmesh.v1 import journal_service_pb2 as pb
from governance_server.backend import Backend, Page, stamp
from governance_server.caller import Caller, current_caller, recheck_caller
from governance_server.rules.apply import Change
from governance_server.rules.errors import AccessDenied, Invalid
from mesh_core.names import MESH

__all__ = ["JournalService", "change_to_wire"]

_WATCH_SECONDS, _WATCH_PAGE = 1.0, 100
"""How long a watcher sleeps before it looks whether its client is still there; and changes read at once."""


class JournalService(journal_service_pb2_grpc.JournalServiceServicer):
    """Serves the journal."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def ListChanges(self, request: pb.ListChangesRequest, context: grpc.ServicerContext) -> pb.ListChangesResponse:
        """Lists changes, oldest first."""
        self._backend.policy.authorise(current_caller(), "administer", MESH)
        page = Page.of(request.page_size, request.page_token)
        after = page.position or _revision(request.after_revision)
        changes = self._backend.journal.read_changes(after, page.size + 1, request.kinds or None)
        shown = changes[: page.size]
        more = Page.token(str(shown[-1].revision)) if len(changes) > page.size else ""
        return pb.ListChangesResponse(
            changes=[change_to_wire(c, include_body=request.include_body) for c in shown], next_page_token=more
        )

    def WatchChanges(self, request: pb.WatchChangesRequest, context: grpc.ServicerContext) -> Iterator[journal_pb2.Change]:
        """Streams changes as they are accepted; ends when the right to see them does."""
        caller = current_caller()
        gone = threading.Event()
        after = _revision(request.after_revision)
        if not context.add_callback(gone.set):  # the client went away before it could be told
            return
        while not gone.is_set():
            recheck_caller()  # while nothing is sent, nobody else looks whether the token still holds
            self._check_still(caller)
            head = self._backend.journal.wait_for(after + 1, _WATCH_SECONDS)
            while after < head and not gone.is_set():
                changes = self._backend.journal.read_changes(after, _WATCH_PAGE, request.kinds or None)
                for change in changes:
                    self._check_still(caller)
                    yield change_to_wire(change, include_body=True)
                last = max((change.revision for change in changes), default=0)
                after = last if len(changes) == _WATCH_PAGE else max(head, last)

    def _check_still(self, caller: Caller) -> None:
        """Returns if the caller may administer the mesh now, after everything that came since it asked. Raises: AccessDenied."""
        if not self._backend.policy.check(caller, "administer", MESH).allowed:
            raise AccessDenied("You may not administer mesh, or not any more.", resource=MESH)


def _revision(number: int) -> int:
    if number >= 1 << 63:
        raise Invalid(f"after_revision is {number}: no revision is that high.")
    return number


def change_to_wire(change: Change, *, include_body: bool) -> journal_pb2.Change:
    """The entry as a message; its body only if it is wanted and was not erased."""
    message = journal_pb2.Change(
        revision=change.revision, time=stamp(change.time), principal=change.principal, request_id=change.request_id,
        kind=change.kind,
        subject=change.subject, body_digest=change.body_digest, previous_hash=change.previous_hash, hash=change.hash,
    )  # fmt: skip
    if include_body and change.body is not None:
        message.body.ParseFromString(change.body)
    return message
