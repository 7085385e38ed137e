"""The processes that run queries, made when the first query comes: nothing that the engine needs is loaded before.

Knows nothing of what is asked, nor of whom for.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from governance_server.gateway.sql_workers import SqlWorkers

__all__ = ["QueryProcesses"]


class QueryProcesses:
    """Where queries run; as `SqlWorkers`, which is made on first use. Safe to use from several threads."""

    def __init__(self, folder: Path, memory_bytes: int) -> None:
        self._folder = folder
        self._memory_bytes = memory_bytes
        self._lock = threading.Lock()
        self._made: SqlWorkers | None = None

    def workers(self) -> SqlWorkers:
        """What runs queries."""
        from governance_server.gateway.sql_workers import SqlWorkers

        with self._lock:
            if self._made is None:
                self._made = SqlWorkers(self._folder, self._memory_bytes)
            return self._made

    def close(self) -> None:
        """No process is left but those whose query runs."""
        with self._lock:
            made = self._made
        if made is not None:
            made.close()
