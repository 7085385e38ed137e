"""Answers to questions about many, as values: sights, readers, impacts and proofs.

Owns how they look to a user. Knows nothing of the wire.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

__all__ = [
    "AccessChange",
    "AccessPath",
    "ActionChange",
    "ColumnChange",
    "Counterexample",
    "Impact",
    "Proof",
    "Question",
    "ReadChange",
    "Readers",
    "RowChange",
    "SeenColumn",
    "Shown",
    "Sight",
    "Visible",
]


class Shown(StrEnum):
    """How much of a column is shown."""

    UNSPECIFIED = "unspecified"
    HIDDEN = "hidden"
    PARTLY = "partly"
    """Under a mask, or not at all, on some rows only."""
    MASKED = "masked"
    CLEAR = "clear"


class RowChange(StrEnum):
    """How the visible rows change."""

    UNSPECIFIED = "unspecified"
    SAME = "same"
    WIDER = "wider"
    NARROWER = "narrower"
    UNKNOWN = "unknown"
    """They change, and comparing the filters cannot tell which keeps more."""


@dataclass(frozen=True, slots=True)
class Question:
    """Whom and what is asked about."""

    port: str
    principal: str = ""
    """The caller when empty."""
    purpose: str = ""
    """None stated when empty."""


@dataclass(frozen=True, slots=True)
class SeenColumn:
    """A visible column."""

    name: str
    shown: Shown
    mask: str
    """The mask that always applies; empty if none."""


@dataclass(frozen=True, slots=True)
class AccessPath:
    """One rule, and how somebody comes by it."""

    rule: str
    """The grant's id; `domain:sales` for the rights of owners and members."""
    via: tuple[str, ...]
    """From the principal to the rule's subject."""
    purpose: str
    """What the rule is for; empty for any purpose."""
    resource: str
    """What the rule is on."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What one principal sees of one port for some purposes that come to the same."""

    principal: str
    """A user or service; a group or role stands for any further member of it, `*` for anybody else."""
    port: str
    purposes: tuple[str, ...]
    """An empty one stands for none stated."""
    columns: tuple[SeenColumn, ...]
    """The visible ones that were asked about, in the port's order; none: it sees nothing."""
    hidden_column_count: int
    row_filter: str
    """The rows that are kept, as SQL; empty for all, `restricted` if the caller may not see the rule."""
    paths: tuple[AccessPath, ...]
    reasons: tuple[str, ...]
    """Why nothing is visible, in words; empty otherwise."""

    @property
    def is_visible(self) -> bool:
        """True if at least one of the columns is visible."""
        return bool(self.columns)


@dataclass(frozen=True, slots=True)
class Visible:
    """What a principal sees, by port."""

    sights: tuple[Sight, ...]
    is_restricted: bool
    """True if only those resources are covered that the caller may ask about."""
    revision: int
    """The journal revision the last page was decided at."""


@dataclass(frozen=True, slots=True)
class Readers:
    """Who sees a port or column, by principal; who sees nothing is left out."""

    sights: tuple[Sight, ...]
    principal_count: int
    """How many were asked about: every user, service, group and role known, and anybody else."""
    revision: int
    """The journal revision the last page was decided at."""


@dataclass(frozen=True, slots=True)
class ColumnChange:
    """A column that is shown otherwise."""

    column: str
    before: Shown
    before_mask: str
    after: Shown
    after_mask: str


@dataclass(frozen=True, slots=True)
class AccessChange:
    """One change in what principals read of one port."""

    port: str
    principals: tuple[str, ...]
    """At most 50 of them."""
    principal_count: int
    purposes: tuple[str, ...]
    """At most 50; an empty one stands for none stated."""
    could_read: bool
    can_read: bool
    columns: tuple[ColumnChange, ...]
    rows: RowChange
    gains: bool
    """True if something more is shown, or may be."""
    loses: bool
    """True if something less is shown, or may be."""


@dataclass(frozen=True, slots=True)
class ActionChange:
    """One change in an action other than reading."""

    action: str
    resource: str
    principals: tuple[str, ...]
    """At most 50 of them."""
    principal_count: int
    purpose: str
    is_allowed: bool
    """True if they may afterwards, False if they may no longer."""


@dataclass(frozen=True, slots=True)
class ReadChange:
    """Recorded reads of one principal that would have shown less."""

    principal: str
    port: str
    purpose: str
    read_count: int
    is_denied: bool
    hidden_columns: tuple[str, ...]
    masked_columns: tuple[str, ...]
    """Of which less would be shown, or maybe less."""
    rows: RowChange


@dataclass(frozen=True, slots=True)
class Impact:
    """What changes would do to access."""

    access: tuple[AccessChange, ...]
    actions: tuple[ActionChange, ...]
    reads: tuple[ReadChange, ...]
    principal_count: int
    """How many were compared."""
    port_count: int
    """How many ports the changes can touch."""
    compared_port_count: int
    gained_count: int
    """Pairs of principal and port that gain something for some purpose."""
    lost_count: int
    """Pairs that lose something for some purpose."""
    is_cut: bool
    """True if not everything was compared in time, or the lists are shortened; `cut_reason` says what."""
    cut_reason: str
    is_restricted: bool
    """True if only those resources are covered that the asker may ask about."""
    recorded_days: int
    """How many days of recorded reads were judged again; 0 if none were."""
    recorded_read_count: int
    affected_read_count: int
    revision: int
    """The journal revision the changes were compared with."""

    def __bool__(self) -> bool:
        """True if anything changes, or may have been overlooked."""
        return bool(self.access or self.actions or self.is_cut)


@dataclass(frozen=True, slots=True)
class Counterexample:
    """A reading that contradicts a claim."""

    principal: str
    purposes: tuple[str, ...]
    column: str
    shown: Shown
    mask: str
    from_time: datetime | None
    """From when on; None for at once."""
    paths: tuple[AccessPath, ...]
    exemptions: tuple[AccessPath, ...]
    """Guardrails that do not bind here, and how the principal or purpose comes to be exempt."""


@dataclass(frozen=True, slots=True)
class Proof:
    """Whether a claim holds over everything that was enumerated, and what contradicts it."""

    holds: bool
    claim: str
    """In words."""
    counterexamples: tuple[Counterexample, ...]
    """At most 200."""
    counterexample_count: int
    principal_count: int
    purpose_count: int
    column_count: int
    moment_count: int
    """Now, and each later moment at which a rule begins or ends."""
    decision_count: int
    is_restricted: bool
    revision: int

    def __bool__(self) -> bool:
        """True if the claim holds."""
        return self.holds
