"""What a submitted command can fail with, besides its own domain errors.

JournalError
├── RequestIdReused     the request id was used for another request
├── OutcomeRejected     the command decided something the journal cannot store
├── Overloaded          too many commands wait
├── JournalClosed       the server is shutting down
└── JournalDamaged      the stored journal contradicts itself
Storage failures are `governance_server.storage.errors.StorageUnavailable`.
"""

from __future__ import annotations

__all__ = ["JournalClosed", "JournalDamaged", "JournalError", "OutcomeRejected", "Overloaded", "RequestIdReused"]


class JournalError(Exception):
    """Base of what the journal itself raises."""


class RequestIdReused(JournalError):
    """The same principal has used this request id for a request with another content."""

    def __init__(self, principal: str, request_id: str) -> None:
        super().__init__(f"request id {request_id!r} of {principal} was used for another request: send a new id")
        self.principal = principal
        self.request_id = request_id


class OutcomeRejected(JournalError):
    """A command's texts or its outcome cannot be stored; nothing of it is."""


class Overloaded(JournalError):
    """The queue of commands is full; this one was not taken."""


class JournalClosed(JournalError):
    """The journal takes no more commands."""


class JournalDamaged(JournalError):
    """The journal is not what was written: verify it and restore from a backup."""
