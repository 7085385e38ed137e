"""Tickets for governed files: a URL that is worth something only while its holder's token is valid and its plan unchanged.

Owns what the gateway remembers of files it announced. Every request for one is decided anew (design §6): the token is
authenticated
again and the plan compared; a ticket is an address, not a right.
"""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from domainmesh.v1 import decision_log_pb2 as pb
from governance_server.audit.decision_log import DecisionLog
from governance_server.authentication import Authenticator
from governance_server.caller import Caller
from governance_server.rules.errors import GovernanceError

if TYPE_CHECKING:
    from governance_server.gateway.governed_files import FileSet

__all__ = ["Tickets"]

_LIMIT = 10_000


@dataclass(frozen=True, slots=True)
class _Ticket:
    authorization: str
    files: dict[str, Path]
    is_current: Callable[[Caller], bool]
    record: pb.DecisionRecord
    sizes: dict[str, tuple[int, int]]
    """Rows and bytes by file."""
    served: set[str]
    """The files whose serving is in the decision log."""


class Tickets:
    """Issues tickets and resolves them, in memory; the oldest are forgotten beyond 10,000."""

    def __init__(self, authenticator: Authenticator, log: DecisionLog) -> None:
        self.base_url = ""
        self._authenticator = authenticator
        self._log = log
        self._lock = threading.Lock()
        self._tickets: OrderedDict[str, _Ticket] = OrderedDict()

    def issue(
        self, authorization: str, files: FileSet, is_current: Callable[[Caller], bool], record: pb.DecisionRecord
    ) -> list[str]:
        """One URL for each file, in order; `record` is how the decision log has the call that asked for them."""
        secret = secrets.token_urlsafe(32)
        paths = {file.name: file.path for file in files.files}
        sizes = {file.name: (file.rows, file.size) for file in files.files}
        ticket = _Ticket(authorization, paths, is_current, record, sizes, set())
        with self._lock:
            self._tickets[secret] = ticket
            while len(self._tickets) > _LIMIT:
                self._tickets.popitem(last=False)
        return [f"{self.base_url}/files/{secret}/{file.name}" for file in files.files]

    def resolve(self, secret: str, name: str) -> tuple[Path | None, Future[int] | None]:
        """Where the file lies, if the ticket's holder may still have it; and what must be durable before anybody is answered.

        The first time that a ticket's file is served is logged, and every time that one is refused.
        """
        with self._lock:
            ticket = self._tickets.get(secret)
        if ticket is None or name not in ticket.files:
            return None, None
        try:
            caller = self._authenticator.authenticate(ticket.authorization, call_id="file")
            is_allowed = ticket.is_current(caller)
        except GovernanceError:
            is_allowed = False
        with self._lock:
            if is_allowed and name in ticket.served:
                return ticket.files[name], None
        promise = self._log.submit(_served(ticket, name, self._log.clock(), is_allowed=is_allowed))
        if not is_allowed:
            return None, promise
        promise.add_done_callback(lambda done: ticket.served.add(name) if done.exception() is None else None)
        return ticket.files[name], promise


def _served(ticket: _Ticket, name: str, now: datetime, *, is_allowed: bool) -> pb.DecisionRecord:
    record = pb.DecisionRecord()
    record.CopyFrom(ticket.record)
    record.kind, record.is_allowed, record.duration_microseconds = pb.DECISION_KIND_FILE, is_allowed, 0
    record.end = pb.DECISION_END_COMPLETE if is_allowed else pb.DECISION_END_DENIED
    record.rows, record.bytes = ticket.sizes[name] if is_allowed else (0, 0)
    record.decide_time.FromDatetime(now)
    return record
