"""The server's errors: one tree, each with a reason, the resource and what to do next.

    GovernanceError
    ├── Unauthenticated       no valid credential
    ├── AccessDenied          policy says no, or the thing does not exist: the two look alike
    │   └── PurposeNotHeld    the purpose is unknown or not the caller's
    ├── NotFound              the caller may know that it does not exist
    ├── AlreadyExists
    │   └── RequestIdReused   same id, different request
    ├── Invalid               a malformed field
    │   ├── InvalidContractText
    │   └── InvalidFilter
    ├── Precondition          the state does not allow it
    │   ├── ContractViolated
    │   ├── IncompatibleContract
    │   └── SecondPersonNeeded    one administrator alone cannot do it
    ├── Conflict              somebody else was first; read again and retry
    ├── Overloaded            too much at once
    │   └── TooLarge
    ├── TimeOver              it took longer than it may
    └── Unavailable           storage cannot be reached or is full
        └── RevisionNotReached

Status codes belong to `interceptors.py`; this module knows nothing of gRPC or HTTP.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from domainmesh.v1 import error_reason_pb2 as pb

__all__ = [
    "AccessDenied",
    "AlreadyExists",
    "Conflict",
    "ContractViolated",
    "GovernanceError",
    "IncompatibleContract",
    "Invalid",
    "InvalidContractText",
    "InvalidFilter",
    "NotFound",
    "Overloaded",
    "Precondition",
    "Problem",
    "PurposeNotHeld",
    "RequestIdReused",
    "RevisionNotReached",
    "SecondPersonNeeded",
    "TimeOver",
    "TooLarge",
    "Unauthenticated",
    "Unavailable",
]


@dataclass(frozen=True, slots=True)
class Problem:
    """One of several things that are wrong: where, and what."""

    path: str
    message: str


class GovernanceError(Exception):
    """A refusal the caller can understand; `problems` lists every violation when several were found at once."""

    reason: ClassVar[pb.ErrorReason.ValueType] = pb.ERROR_REASON_INTERNAL

    def __init__(self, message: str, *, resource: str = "", problems: Sequence[Problem] = ()) -> None:
        """Holds a message for people, the resource's name and the violations."""
        super().__init__(message)
        self.message = message
        self.resource = resource
        self.problems = tuple(problems)


class Unauthenticated(GovernanceError):
    """No credential, or one that is malformed, unknown, expired or revoked."""

    reason = pb.ERROR_REASON_UNAUTHENTICATED


class AccessDenied(GovernanceError):
    """Policy does not allow the action, or the resource does not exist."""

    reason = pb.ERROR_REASON_ACCESS_DENIED


class PurposeNotHeld(AccessDenied):
    """The purpose is unknown, or the caller does not hold it."""

    reason = pb.ERROR_REASON_PURPOSE_NOT_HELD


class NotFound(GovernanceError):
    """The resource does not exist and the caller may know that."""

    reason = pb.ERROR_REASON_NOT_FOUND


class AlreadyExists(GovernanceError):
    """The resource exists already."""

    reason = pb.ERROR_REASON_ALREADY_EXISTS


class RequestIdReused(AlreadyExists):
    """The request id was used before for a different request."""

    reason = pb.ERROR_REASON_REQUEST_ID_REUSED


class Invalid(GovernanceError):
    """A field of the request is malformed."""

    reason = pb.ERROR_REASON_INVALID


class InvalidContractText(Invalid):
    """The contract is not a valid ODCS document, or not one the mesh can serve."""

    reason = pb.ERROR_REASON_INVALID_CONTRACT


class InvalidFilter(Invalid):
    """A row filter or predicate is outside the closed expression language."""

    reason = pb.ERROR_REASON_INVALID_EXPRESSION


class Precondition(GovernanceError):
    """The resource is not in a state that allows the call."""

    reason = pb.ERROR_REASON_WRONG_STATE


class ContractViolated(Precondition):
    """The delivered data breaks the contract."""

    reason = pb.ERROR_REASON_CONTRACT_VIOLATED


class IncompatibleContract(Precondition):
    """The new contract would break what consumers rely on."""

    reason = pb.ERROR_REASON_INCOMPATIBLE_CONTRACT


class SecondPersonNeeded(Precondition):
    """A central change that one administrator alone cannot make."""

    reason = pb.ERROR_REASON_SECOND_PERSON_NEEDED


class Conflict(GovernanceError):
    """Another writer got there first."""

    reason = pb.ERROR_REASON_CONFLICT


class Overloaded(GovernanceError):
    """Too many calls or streams at once."""

    reason = pb.ERROR_REASON_OVERLOADED


class TooLarge(Overloaded):
    """The request or a part of it is larger than allowed."""

    reason = pb.ERROR_REASON_TOO_LARGE


class TimeOver(GovernanceError):
    """It took longer than it may."""

    reason = pb.ERROR_REASON_DEADLINE_EXCEEDED


class Unavailable(GovernanceError):
    """Storage cannot be reached or is full."""

    reason = pb.ERROR_REASON_STORAGE_UNAVAILABLE


class RevisionNotReached(Unavailable):
    """The journal has not reached the revision the client asked for."""

    reason = pb.ERROR_REASON_REVISION_NOT_REACHED
