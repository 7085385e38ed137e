"""The queries of checks: each in a process of its own, with a deadline and a bound of memory; what it does, it does to that.

One way for `sql` rules and foreign keys. Knows nothing of what is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from governance_server.publishing.candidate_files import Found

if TYPE_CHECKING:
    import pyarrow as pa

    from governance_server.gateway.query_processes import QueryProcesses
    from governance_server.gateway.sql_errors import EngineError
    from governance_server.gateway.sql_jobs import QueryJob

__all__ = ["CheckQuery", "ended"]


@dataclass(frozen=True, slots=True)
class CheckQuery:
    """A check's query, and what asks whether the ports of other products in it still are as the caller may see them."""

    job: QueryJob
    checks: Sequence[Callable[[], None]]

    def answer(self, processes: QueryProcesses) -> pa.Table:
        """All of it; it must be small. Raises: ScanError, EngineError, and what the checks raise."""
        from governance_server.gateway.sql_jobs import Kind
        from governance_server.gateway.sql_workers import table_of

        with closing(processes.workers().run(self.job, may_go_on=self._still_current)) as frames:
            table = table_of(frame.payload for frame in frames if frame.kind is Kind.ARROW)
        self._still_current()
        return table

    def _still_current(self) -> None:
        for check in self.checks:
            check()


def ended(error: EngineError, what: str, timeout_seconds: float) -> Found:
    """What a check has found whose query broke as it ran: on a value, its time, its memory, or with its process."""
    from governance_server.gateway import sql_errors as errors

    match error:
        case errors.EngineTimeout():
            return Found(False, f"{what} was stopped after {timeout_seconds:g} seconds")
        case errors.EngineOutOfMemory():
            return Found(False, f"{what} takes more memory than a query may have")
        case errors.QueryRefused():
            return Found(False, f"{what} ended with an error: {error}")
    return Found(False, f"{what} broke the engine")
