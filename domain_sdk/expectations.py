"""Expectations of consumers as values: what one relies on, and how a release came out. Knows nothing of the wire."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

__all__ = ["Expectation", "ExpectationResult", "ExpectationStatus"]


class ExpectationStatus(StrEnum):
    """How an expectation came out."""

    UNSPECIFIED = "unspecified"
    MET = "met"
    BROKEN = "broken"
    INACTIVE = "inactive"
    """Not judged: its consumer may not read what it names, or it cannot be evaluated."""


@dataclass(frozen=True, slots=True)
class ExpectationResult:
    """How one expectation came out at one release, on the rows its consumer may see."""

    expectation: str
    """Its id."""
    port: str
    principal: str
    """Whose it is; empty if the caller may not know."""
    rule: str
    status: ExpectationStatus
    failing_rows: int
    total_rows: int
    message: str
    is_blocking: bool
    """True if the product's policy lets it stop a release."""
    version: int
    """The product's version it was judged at; 0 for one that is not released."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a consumer relies on in a port."""

    id: str
    port: str
    principal: str
    """Empty if the caller may not know."""
    rule: str
    """A predicate, or an ODCS quality rule as JSON."""
    column: str
    """What an ODCS rule is about; empty for the whole port and for a predicate."""
    columns: tuple[str, ...]
    """The columns it names."""
    purpose: str
    reason: str
    create_time: datetime | None
    last_result: ExpectationResult | None
    """How the release last judged came out; None before."""
