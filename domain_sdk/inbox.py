"""The inbox as values: what waits for the caller, what became of what it asked for, what ends soon, what it was told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from domain_sdk.access import Grant
from domain_sdk.access_requests import AccessRequest
from domain_sdk.break_glass import BreakGlass
from domain_sdk.changes import ChangeSet
from domain_sdk.contract_changes import ContractChange

__all__ = ["Inbox", "Notice", "NoticeKind"]


class NoticeKind(StrEnum):
    """What a notice tells."""

    UNSPECIFIED = "unspecified"
    REQUEST_WAITS = "request waits"
    REQUEST_DECIDED = "request decided"
    GRANT_ENDS = "grant ends"
    BREAK_GLASS = "break-glass"
    GRANT_REVOKED = "grant revoked"
    CHANGES_PROPOSED = "changes proposed"
    CHANGES_DECIDED = "changes decided"
    TOKEN_MADE = "token made"
    TOKEN_ACTIVATED = "token activated"
    CONTRACT_CHANGE = "contract change"


@dataclass(frozen=True, slots=True)
class Notice:
    """Something the caller, or a group or role of its, was told."""

    id: str
    recipient: str
    kind: NoticeKind
    resource: str
    about: str
    """The request or grant it is about."""
    text: str
    time: datetime | None
    is_read: bool
    """True if the caller has marked it as read."""


@dataclass(frozen=True, slots=True)
class Inbox:
    """What waits, happened and ends. Of each list the first 50; the counts are of all."""

    to_decide: tuple[AccessRequest, ...]
    """Requests that wait for the caller's decision, the oldest first."""
    to_decide_count: int
    own: tuple[AccessRequest, ...]
    """The caller's own requests that wait, or were decided within the last 30 days; newest first."""
    own_count: int
    ending: tuple[Grant, ...]
    """Grants to the caller that end within 14 days and are not renewed, the next end first."""
    ending_count: int
    notices: tuple[Notice, ...]
    """What the caller has not read, newest first."""
    notice_count: int
    changes_to_approve: tuple[ChangeSet, ...] = ()
    """Change sets that wait for the caller as the second person, the oldest first."""
    changes_to_approve_count: int = 0
    to_acknowledge: tuple[BreakGlass, ...] = ()
    """Emergency accesses of others that wait for the caller's acknowledgement, the oldest first."""
    to_acknowledge_count: int = 0
    contract_changes: tuple[ContractChange, ...] = ()
    """Contract changes that wait for the caller's acceptance, the oldest first."""
    contract_change_count: int = 0
    mark: Callable[[Sequence[str]], int] | None = field(default=None, repr=False, compare=False)
    """How `mark_read` tells the server; set by the mesh it came from."""

    @property
    def is_empty(self) -> bool:
        """True if nothing waits for the caller and nothing is unread."""
        waiting = self.to_decide_count + self.changes_to_approve_count + self.to_acknowledge_count + self.contract_change_count
        return not (waiting or self.ending_count or self.notice_count)

    def mark_read(self) -> int:
        """How many of these notices were unread; now none is."""
        return self.mark([notice.id for notice in self.notices]) if self.mark is not None and self.notices else 0
