"""Governed tags as values: what belongs to the centre, and what it lets lose one. Knows nothing of the wire."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

__all__ = ["GovernedTag", "TagRelease"]


@dataclass(frozen=True, slots=True)
class GovernedTag:
    """A tag that domains may add and only the centre lets go."""

    tag: str
    """The tag, or a family of tags like `pii.*`."""
    description: str
    creator: str
    create_time: datetime | None


@dataclass(frozen=True, slots=True)
class TagRelease:
    """The centre's consent that one thing may be released without a governed tag it has carried."""

    object: str
    """The product, port or column, like `finance.ledger.entries#iban`."""
    tag: str
    reason: str
    creator: str
    create_time: datetime | None
