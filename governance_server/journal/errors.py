"""What a submitted command can fail with, besides its own domain errors; what a caller can understand is a `GovernanceError`.

    JournalError
    ├── RequestIdReused     the request id was used for another request
    ├── Overloaded          too many commands wait
    ├── JournalClosed       the server is shutting down
    ├── OutcomeRejected     the command decided something the journal cannot store: a defect of the command
    │   └── InvalidText     a text of the caller that no database stores
    └── JournalDamaged      the stored journal contradicts itself

Storage failures are `governance_server.storage.errors.StorageUnavailable`.
"""

from __future__ import annotations

from governance_server.rules import errors

__all__ = ["InvalidText", "JournalClosed", "JournalDamaged", "JournalError", "OutcomeRejected", "Overloaded", "RequestIdReused"]


class JournalError(Exception):
    """Base of what the journal itself raises."""


class RequestIdReused(JournalError, errors.RequestIdReused):
    """The same principal has used this request id for a request with another content."""

    def __init__(self, principal: str, request_id: str) -> None:
        super().__init__(f"request id {request_id!r} of {principal} was used for another request: send a new id")
        self.principal = principal
        self.request_id = request_id


class Overloaded(JournalError, errors.Overloaded):
    """The queue of commands is full; this one was not taken."""


class JournalClosed(JournalError, errors.Unavailable):
    """The journal takes no more commands."""


class OutcomeRejected(JournalError):
    """A command's outcome cannot be stored; nothing of it is."""


class InvalidText(OutcomeRejected, errors.Invalid):
    """A principal, request id, name or kind holds text that not every database stores."""


class JournalDamaged(JournalError):
    """The journal is not what was written: verify it and restore from a backup."""
