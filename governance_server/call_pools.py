"""Threads apart from those for short calls: which calls have them, and how many of those run at once."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from governance_server.rules import errors

__all__ = ["LONG_CALLS", "StreamPool"]

LONG_CALLS = frozenset(
    {
        "/domainmesh.v1.PublicationService/CommitPublication",
        "/domainmesh.v1.PublicationService/RepairPublications",
        "/domainmesh.v1.MaintenanceService/MaintainProduct",
        "/domainmesh.v1.MaintenanceService/CompactProduct",
        "/domainmesh.v1.MaintenanceService/VacuumProduct",
        "/domainmesh.v1.MaintenanceService/EraseSubject",
        "/domainmesh.v1.AuditService/VerifyAudit",
        "/domainmesh.v1.AuditService/GetAuditReport",
        "/domainmesh.v1.ReadService/PrepareFiles",
        "/domainmesh.v1.QuestionService/ListVisible",
        "/domainmesh.v1.QuestionService/ListReaders",
        "/domainmesh.v1.QuestionService/Simulate",
        "/domainmesh.v1.QuestionService/Prove",
    }
)
"""Calls that may take minutes: they have threads of their own, so that the short ones never wait for them."""


class StreamPool:
    """Threads for streams, apart from those for calls, and a bound on how many run at once.

    A few threads more than the bound exist only to refuse the excess at once instead of letting it queue.
    """

    _SPARE = 8

    def __init__(self, limit: int, what: str = "streams are open") -> None:
        self.limit = limit
        self._what = what
        self.executor = ThreadPoolExecutor(max_workers=limit + self._SPARE, thread_name_prefix="stream")
        self._running = 0
        self._lock = threading.Lock()

    def enter(self) -> None:
        """One more stream runs. Raises: Overloaded."""
        with self._lock:
            if self._running >= self.limit:
                raise errors.Overloaded(f"{self.limit} {self._what} already: close one or try again later.")
            self._running += 1

    def leave(self) -> None:
        """One stream less runs."""
        with self._lock:
            self._running -= 1
