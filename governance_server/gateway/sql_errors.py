"""What can go wrong when the engine runs a query.

    EngineError
    ├── QueryRefused        it cannot run on these tables; the message is for the caller
    ├── EngineTimeout       the time was over, or it was stopped
    ├── EngineOutOfMemory   it needs more memory, or room to spill, than one query may have
    └── EngineFailed        the engine broke; the message belongs in the log only

Knows nothing of status codes: the edge maps these onto the server's errors.
"""

from __future__ import annotations

__all__ = ["EngineError", "EngineFailed", "EngineOutOfMemory", "EngineTimeout", "QueryRefused"]


class EngineError(Exception):
    """Anything that kept a query from its answer."""


class QueryRefused(EngineError):
    """The engine cannot run this query on these tables; the message is for the caller, who sees every value it may name."""


class EngineTimeout(EngineError):
    """The time was over."""


class EngineOutOfMemory(EngineError):
    """The query needs more memory than one query may have."""


class EngineFailed(EngineError):
    """The engine broke; its message belongs in the log only."""
