"""Emergency access as a value. Knows nothing of the wire."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

__all__ = ["BreakGlass"]


@dataclass(frozen=True, slots=True)
class BreakGlass:
    """Access that somebody opened for itself in an emergency; it lifts a missing grant, never a denial or a guardrail."""

    id: str
    principal: str
    resource: str
    reason: str
    grant: str
    """The id of the grant that it is."""
    create_time: datetime | None
    until: datetime | None
    """When it ends by itself, exclusive."""
    is_open: bool
    """True while it gave access when it was asked for."""
    acknowledger: str
    """The owner or administrator who took note of it; empty while nobody has."""
    acknowledgement: str
    acknowledge_time: datetime | None
