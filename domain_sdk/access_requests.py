"""Access requests as values: what was asked, who must approve, what was given, and who did what.

Owns how a request looks to a user. Knows nothing of the wire.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from domain_sdk.errors import DeadlineExceeded

__all__ = [
    "AccessApproval",
    "AccessRequest",
    "AccessRequestEvent",
    "AccessRequestState",
    "AccessRequestStep",
    "AccessTerms",
    "ApproverLevel",
]

_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 5.0


class AccessRequestState(StrEnum):
    """Where an access request stands at the moment of asking."""

    UNSPECIFIED = "unspecified"
    REQUESTED = "requested"
    APPROVED = "approved"
    DENIED = "denied"
    WITHDRAWN = "withdrawn"
    REVOKED = "revoked"
    ACTIVE = "active"
    EXPIRED = "expired"


class AccessRequestStep(StrEnum):
    """What somebody did with an access request."""

    UNSPECIFIED = "unspecified"
    FILED = "filed"
    LEVEL_APPROVED = "level approved"
    APPROVED = "approved"
    DENIED = "denied"
    WITHDRAWN = "withdrawn"
    REVOKED = "revoked"
    RENEWED = "renewed"


@dataclass(frozen=True, slots=True)
class AccessTerms:
    """What of a resource is asked for or given."""

    columns: tuple[str, ...] = ()
    """Only these; all when empty."""
    row_filter: str = ""
    """The rows, as SQL; empty for all, `restricted` if the caller may not see it."""
    masks: Mapping[str, str] = field(default_factory=dict)
    """Column → mask."""
    since: datetime | None = None
    """Inclusive; None for at once."""
    until: datetime | None = None
    """Exclusive; None for ever."""


@dataclass(frozen=True, slots=True)
class AccessApproval:
    """One approval: what it gives at most."""

    level: int
    approver: str
    approval_rule: str
    """The rule that stood for the approver; empty if the person decided."""
    terms: AccessTerms
    reason: str
    time: datetime | None


@dataclass(frozen=True, slots=True)
class ApproverLevel:
    """Who must approve on one level, by the rules of the moment, and who has."""

    level: int
    approvers: tuple[str, ...]
    """Principals, groups and roles; `grant` is whoever may grant on the resource."""
    needs_all: bool
    approved_by: tuple[str, ...]
    is_filled: bool


@dataclass(frozen=True, slots=True)
class AccessRequestEvent:
    """One line of a request's history."""

    time: datetime | None
    principal: str
    step: AccessRequestStep
    level: int
    """Of an approval, from 1; 0 for other steps."""
    reason: str
    approval_rule: str


@dataclass(frozen=True, slots=True)
class AccessRequest:
    """Asks for a grant; the last approval that is needed creates it in the same transaction."""

    id: str
    requester: str
    resource: str
    purpose: str
    columns: tuple[str, ...]
    """Only these columns; all when empty."""
    until: datetime | None
    """Until when, exclusive."""
    reason: str
    state: AccessRequestState
    decider: str
    decision_reason: str
    grants: tuple[str, ...]
    """Ids of the grants it became."""
    row_filter: str
    """What was asked: the rows, as SQL; empty for all."""
    masks: Mapping[str, str]
    """What was asked: column → mask."""
    create_time: datetime | None
    decide_time: datetime | None
    subject: str = ""
    """For whom: a group of the requester's; empty for the requester."""
    given: AccessTerms | None = None
    """What was given; None before it is approved."""
    is_less_than_asked: bool = False
    """True if less was given than was asked."""
    approvals: tuple[AccessApproval, ...] = ()
    levels: tuple[ApproverLevel, ...] = ()
    """Who must approve; empty once it is decided."""
    history: tuple[AccessRequestEvent, ...] = ()
    """Who did what, oldest first."""
    renews: str = ""
    """The grant it renews; empty if it is no renewal."""
    renewed_by: str = ""
    """The request that renewed it; empty if none did."""
    fetch: Callable[[str], AccessRequest] | None = field(default=None, repr=False, compare=False)
    """How `refresh` asks again; set by the mesh it came from."""

    @property
    def asked(self) -> AccessTerms:
        """What was asked for, to be held against `given`."""
        return AccessTerms(self.columns, self.row_filter, self.masks, None, self.until)

    @property
    def is_decided(self) -> bool:
        """True once it no longer waits for a decision."""
        return self.state is not AccessRequestState.REQUESTED

    @property
    def is_approved(self) -> bool:
        """True while the grants it became hold, or will."""
        return self.state in (AccessRequestState.APPROVED, AccessRequestState.ACTIVE)

    def refresh(self) -> AccessRequest:
        """The request as it stands now; this value itself never changes."""
        return self if self.fetch is None else self.fetch(self.id)

    def wait(self, timeout_seconds: float | None = None) -> AccessRequest:
        """The request once it is decided, whichever way; look at its `state`.

        Raises:
            DeadlineExceeded: nobody decided within the time. The request still stands.
        """
        started = time.monotonic()
        pause = _FIRST_PAUSE_SECONDS
        current = self.refresh()
        while not current.is_decided:
            waited = time.monotonic() - started
            if timeout_seconds is not None and waited >= timeout_seconds:
                raise DeadlineExceeded(
                    f"Nobody decided access request {self.id} within {timeout_seconds:g} s. It still stands: wait again.",
                    resource=self.resource,
                )
            time.sleep(pause if timeout_seconds is None else min(pause, timeout_seconds - waited))
            pause = min(pause * 1.5, _LONGEST_PAUSE_SECONDS)
            current = current.refresh()
        return current
