"""Every error the SDK raises on purpose.

Owns the exception tree and how one reads. Which class a failed call becomes is decided by its reason, never by its text.
Must not know gRPC or the wire.

    MeshError
    ├── NotConfigured                no server or no token is known
    ├── ServerUnreachable            nothing answers at the address
    ├── Unauthenticated              the token is missing, malformed, unknown, expired or revoked
    ├── AccessDenied                 policy does not allow it, or the thing does not exist
    │   └── PurposeNotHeld           the purpose is unknown or not the caller's to declare
    ├── NotFound                     the thing does not exist
    ├── AlreadyExists                the thing exists already
    │   └── RequestIdReused          the request id belonged to a different request
    ├── InvalidRequest               an argument is malformed
    │   ├── InvalidContract          the contract is not a valid ODCS document
    │   └── InvalidExpression        a row filter or predicate is outside the expression language
    ├── WrongState                   the thing is not in a state that allows it
    │   ├── ContractViolated         the data breaks the contract
    │   ├── IncompatibleContract     the new contract would break consumers
    │   └── SecondPersonNeeded       a central change needs another administrator
    ├── Conflict                     another writer got there first
    ├── Overloaded                   too much at once; retry later
    ├── TooLarge                     the request or a part of it is too large
    ├── StorageUnavailable           database, warehouse or vector store cannot be reached
    │   └── RevisionNotReached       the server has not caught up with what this client has seen
    ├── DeadlineExceeded             the call took too long or was cancelled
    └── InternalError                a defect of the server
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = [
    "AccessDenied",
    "AlreadyExists",
    "Conflict",
    "ContractViolated",
    "DeadlineExceeded",
    "IncompatibleContract",
    "InternalError",
    "InvalidContract",
    "InvalidExpression",
    "InvalidRequest",
    "MeshError",
    "NotConfigured",
    "NotFound",
    "Overloaded",
    "PurposeNotHeld",
    "RequestIdReused",
    "RevisionNotReached",
    "SecondPersonNeeded",
    "ServerUnreachable",
    "StorageUnavailable",
    "TooLarge",
    "Unauthenticated",
    "Violation",
    "WrongState",
    "error_class",
]


@dataclass(frozen=True, slots=True)
class Violation:
    """One of several things that are wrong."""

    path: str
    """Where: a field, JSON path, column or check."""
    message: str
    """What is wrong there and what would be right."""

    def __str__(self) -> str:
        """The violation in one line."""
        return f"{self.path}: {self.message}" if self.path else self.message


class MeshError(Exception):
    """Something the mesh was asked to do failed; catch this to catch all of them."""

    reason: str = "UNSPECIFIED"
    """The documented `ErrorReason` without its prefix, like `ACCESS_DENIED`."""
    next_step: str = ""
    """What to do when the message does not say it."""

    def __init__(self, message: str, *, resource: str = "", violations: Sequence[Violation] = (), request_id: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.resource = resource
        self.violations = tuple(violations)
        self.request_id = request_id

    def __reduce__(self) -> tuple[object, ...]:
        """Errors survive a trip between processes with all their attributes."""
        return (_rebuilt, (type(self), self.message, self.resource, self.violations, self.request_id))

    def __str__(self) -> str:
        """One block: what failed, on which thing, every violation, what to do."""
        lines = [self.message or type(self).__doc__ or type(self).__name__]
        if self.resource and self.resource not in lines[0]:
            lines.append(f"on: {self.resource}")
        lines += [f"- {violation}" for violation in self.violations]
        if self.next_step:
            lines.append(f"next: {self.next_step}")
        if self.request_id:
            lines.append(f"request id: {self.request_id}")
        return "\n".join(lines)


def _rebuilt(kind: type[MeshError], message: str, resource: str, violations: tuple[Violation, ...], request_id: str) -> MeshError:
    return kind(message, resource=resource, violations=violations, request_id=request_id)


class NotConfigured(MeshError):
    """Something that this side must be told or must have is missing: a server, a token, a package, a model that embeds."""

    reason = "NOT_CONFIGURED"


class ServerUnreachable(MeshError):
    """Nothing answers at the server's address."""

    reason = "SERVER_UNREACHABLE"
    next_step = "check that the server runs (`mesh serve`) and that the address is right."


class Unauthenticated(MeshError):
    """The token is missing, malformed, unknown, expired or revoked."""

    reason = "UNAUTHENTICATED"
    next_step = "run `mesh login` again or get a new token."


class AccessDenied(MeshError):
    """Policy does not allow it, or the thing does not exist: the two are not told apart."""

    reason = "ACCESS_DENIED"


class PurposeNotHeld(AccessDenied):
    """The purpose is unknown, or not the caller's to declare."""

    reason = "PURPOSE_NOT_HELD"


class NotFound(MeshError):
    """The thing does not exist and the caller may know that."""

    reason = "NOT_FOUND"


class AlreadyExists(MeshError):
    """The thing exists already."""

    reason = "ALREADY_EXISTS"


class RequestIdReused(AlreadyExists):
    """The request id was used before for a different request."""

    reason = "REQUEST_ID_REUSED"


class InvalidRequest(MeshError):
    """An argument is malformed."""

    reason = "INVALID"


class InvalidContract(InvalidRequest):
    """The contract is not a valid ODCS document; every violation is listed."""

    reason = "INVALID_CONTRACT"


class InvalidExpression(InvalidRequest):
    """A row filter or predicate is outside the closed expression language or names an unknown column."""

    reason = "INVALID_EXPRESSION"


class WrongState(MeshError):
    """The thing is not in a state that allows the call."""

    reason = "WRONG_STATE"


class ContractViolated(WrongState):
    """The data breaks the contract; every violation of every port is listed and nothing was published."""

    reason = "CONTRACT_VIOLATED"
    next_step = "correct the data, or the contract if it promises too much, and publish again; nothing was published."


class IncompatibleContract(WrongState):
    """The new contract would break what consumers rely on."""

    reason = "INCOMPATIBLE_CONTRACT"


class SecondPersonNeeded(WrongState):
    """A change of the central team that one administrator alone cannot make: propose it, and let another approve it."""

    reason = "SECOND_PERSON_NEEDED"


class Conflict(MeshError):
    """Another writer got there first."""

    reason = "CONFLICT"
    next_step = "read again and retry."


class Overloaded(MeshError):
    """Too many calls, streams or bytes at once."""

    reason = "OVERLOADED"
    next_step = "retry later."


class TooLarge(MeshError):
    """The request or a part of it is larger than allowed."""

    reason = "TOO_LARGE"


class StorageUnavailable(MeshError):
    """Database, warehouse or vector store cannot be reached or is full."""

    reason = "STORAGE_UNAVAILABLE"
    next_step = "retry later; if it lasts, ask who runs the server."


class RevisionNotReached(StorageUnavailable):
    """The server has not caught up with what this client has already seen."""

    reason = "REVISION_NOT_REACHED"
    next_step = "retry in a moment."


class DeadlineExceeded(MeshError):
    """The call took longer than allowed, or was cancelled."""

    reason = "DEADLINE_EXCEEDED"


class InternalError(MeshError):
    """A defect of the server; its log knows more under the request id."""

    reason = "INTERNAL"
    next_step = "look for the request id in the server's log."


def _tree(root: type[MeshError]) -> list[type[MeshError]]:
    return [root, *(kind for child in root.__subclasses__() for kind in _tree(child))]


def error_class(reason: str) -> type[MeshError]:
    """The class for a reason like `ACCESS_DENIED`; `MeshError` for one this SDK does not know."""
    return next((kind for kind in _tree(MeshError) if kind.reason == reason), MeshError)
