"""Who may do what, as values: access requests, grants, guardrails, decisions and what a port shows.

Owns how policy looks to a user. Knows nothing of the wire.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from domain_sdk.errors import DeadlineExceeded

__all__ = ["AccessRequest", "AccessRequestState", "Decision", "Explanation", "Grant", "Guardrail", "ReadPlan", "VisibleColumn"]

_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 5.0


class AccessRequestState(StrEnum):
    """Where an access request stands."""

    UNSPECIFIED = "unspecified"
    REQUESTED = "requested"
    APPROVED = "approved"
    DENIED = "denied"
    WITHDRAWN = "withdrawn"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class AccessRequest:
    """Asks for a grant; approval creates it in the same transaction."""

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
    """What was approved: the rows, as SQL; empty for all."""
    masks: Mapping[str, str]
    """What was approved: column → mask."""
    create_time: datetime | None
    decide_time: datetime | None
    fetch: Callable[[str], AccessRequest] | None = field(default=None, repr=False, compare=False)
    """How `refresh` asks again; set by the mesh it came from."""

    @property
    def is_decided(self) -> bool:
        """True once it is approved, denied, withdrawn or revoked."""
        return self.state is not AccessRequestState.REQUESTED

    @property
    def is_approved(self) -> bool:
        """True while the grants it became hold."""
        return self.state is AccessRequestState.APPROVED

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


@dataclass(frozen=True, slots=True)
class Grant:
    """A policy rule of a domain (or, on `mesh`, of the central team)."""

    id: str
    subject: str
    """A principal, group, role, `domain:sales` (its members) or `*`."""
    resource: str
    actions: tuple[str, ...]
    """Of discover, request, read, write, grant, administer; none implies another."""
    is_deny: bool
    """True if it takes instead of gives; overrides every allow."""
    purpose: str
    columns: tuple[str, ...]
    row_filter: str
    masks: Mapping[str, str]
    """Column → mask."""
    start_time: datetime | None
    until: datetime | None
    """Exclusive; None for ever."""
    reason: str
    grantor: str
    access_request: str
    """The request it came from; empty if none."""
    create_time: datetime | None
    revoke_time: datetime | None
    revoke_reason: str
    revoker: str
    basis: tuple[str, ...] = ()
    """The rules it rests on, by id: when one of them ends, it ends too. Empty if an owner or administrator gave it."""

    @property
    def is_revoked(self) -> bool:
        """True if it was revoked."""
        return self.revoke_time is not None


@dataclass(frozen=True, slots=True)
class Guardrail:
    """A rule of the central governance team that binds every domain."""

    id: str
    description: str
    resource: str
    """`tag:pii.email`, `tag:pii.*`, `mesh`, a domain, a product or a port."""
    mask: str
    """The mask it puts on columns; empty if it is another kind of rule."""
    row_filter: str
    """The rows it keeps, as SQL; empty if it is another kind of rule."""
    is_deny_read: bool
    """True if it forbids reading."""
    exempt: tuple[str, ...]
    create_time: datetime | None
    creator: str


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether an action is allowed, and why."""

    is_allowed: bool
    reasons: tuple[str, ...]
    """The rules that decided, in words."""
    revision: int
    """The journal revision it was decided at."""

    def __bool__(self) -> bool:
        """True if allowed."""
        return self.is_allowed


@dataclass(frozen=True, slots=True)
class VisibleColumn:
    """A column a plan shows."""

    name: str
    mask: str
    """The mask that always applies; empty if none."""
    is_conditional: bool
    """True if it is shown under a mask, or not at all, on some rows only."""

    @property
    def is_masked(self) -> bool:
        """True if no row shows the raw value."""
        return bool(self.mask)


@dataclass(frozen=True, slots=True)
class ReadPlan:
    """What exactly one principal may see of one port."""

    port: str
    principal: str
    purpose: str
    revision: int
    columns: tuple[VisibleColumn, ...]
    hidden_column_count: int
    row_filter: str
    """The rows that are kept, as SQL; empty for all, `restricted` if the caller may not see the rule."""
    reasons: tuple[str, ...]
    has_obligations: bool


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a principal sees of a port, and why."""

    is_allowed: bool
    plan: ReadPlan | None
    """None if nothing is visible."""
    reasons: tuple[str, ...]
    next_step: str
    """What could be done about a denial, in words."""
    revision: int
