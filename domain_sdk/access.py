"""Who may do what, as values: grants, guardrails, decisions and what a port shows.

Owns how policy looks to a user. Knows nothing of the wire.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from domain_sdk.access_requests import ApproverLevel
    from domain_sdk.questions import Shown

__all__ = ["Decision", "ExplainedColumn", "Explanation", "Grant", "Guardrail", "ReadPlan", "VisibleColumn", "WayKind", "WayOut"]


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
    approval_rule: str = ""
    """The approval rule that approved its request; empty if people did, or if it came from none."""
    renewed_by: str = ""
    """The grant that goes on where this one ends; empty if none does."""
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
    warning: str = ""
    """What is odd about it when it was just created: a tag that nothing carries yet."""


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


class WayKind(StrEnum):
    """What kind of thing would change an answer."""

    UNSPECIFIED = "unspecified"
    STATE_PURPOSE = "state purpose"
    ASSIGN_PURPOSE = "assign purpose"
    """By the central team."""
    WAIT = "wait"
    """Until a grant begins."""
    RENEW = "renew"
    """A grant that ended."""
    END_DENIAL = "end denial"
    EXEMPTION = "exemption"
    """From a guardrail."""
    ASK = "ask"


@dataclass(frozen=True, slots=True)
class ExplainedColumn:
    """One column, and why it is shown so."""

    name: str
    shown: Shown
    mask: str
    """The mask that always applies; empty if none."""
    reasons: tuple[str, ...]
    """The rules that decide, in words."""


@dataclass(frozen=True, slots=True)
class WayOut:
    """One thing that would change an answer."""

    kind: WayKind
    words: str
    rule: str
    """The grant or guardrail it is about; empty if none."""
    purpose: str
    columns: tuple[str, ...]
    """Of which more would be shown."""
    actor: str
    """Who set the rule, if the asker may know."""


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
    columns: tuple[ExplainedColumn, ...] = ()
    """Every column of the port, in its order, with the rules that decide it."""
    ways: tuple[WayOut, ...] = ()
    """What would change the answer, the nearest first."""
    approvers: tuple[ApproverLevel, ...] = ()
    """Who must approve a request, level by level."""
    request_command: str = ""
    """The command that asks for what is missing; empty if nothing is, or the principal may not ask."""
