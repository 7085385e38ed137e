"""How long versions of a product are kept, by its contract's custom properties `retainVersions` and `retentionDays`.

Pure: which versions have expired is a matter of their numbers, their ages and the policy. The version now served never expires.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

__all__ = ["Kept", "Retention", "expired", "retention_of", "retention_problems"]

_VERSIONS, _DAYS = "retainVersions", "retentionDays"
_MOST = 1_000_000


@dataclass(frozen=True, slots=True)
class Retention:
    """A version is kept while it is among the newest `versions`, or younger than `days`; None does not keep any.

    Without either every version is kept.
    """

    versions: int | None = None
    days: int | None = None

    @property
    def keeps_all(self) -> bool:
        """True if no version ever expires."""
        return self.versions is None and self.days is None


@dataclass(frozen=True, slots=True)
class Kept:
    """A released version that was not retired: its number, and when it became visible (UTC)."""

    version: int
    time: datetime


def retention_of(custom_properties: Mapping[str, Any]) -> Retention:
    """The contract's policy; a value that says nothing counts as not there, see `retention_problems`."""
    return Retention(_number(custom_properties.get(_VERSIONS)), _number(custom_properties.get(_DAYS)))


def retention_problems(custom_properties: Mapping[str, Any]) -> list[str]:
    """What is wrong with the custom properties about retention; empty if nothing is."""
    wrong = [name for name in (_VERSIONS, _DAYS) if name in custom_properties and _number(custom_properties[name]) is None]
    return [f"{name} is {str(custom_properties[name])[:40]!r}: write a whole number from 1 to {_MOST}." for name in wrong]


def expired(kept: Iterable[Kept], served: int, retention: Retention, now: datetime) -> list[int]:
    """The versions whose time is over, in order. `now` is UTC; a version exactly `days` old has expired."""
    if retention.keeps_all:
        return []
    found = sorted(kept, key=lambda it: it.version)
    newest = {it.version for it in found[-retention.versions :]} if retention.versions is not None else set()
    return [it.version for it in found if it.version != served and it.version not in newest and not _is_young(it, retention, now)]


def _is_young(kept: Kept, retention: Retention, now: datetime) -> bool:
    return retention.days is not None and now - kept.time < timedelta(days=retention.days)


def _number(value: object) -> int | None:
    if isinstance(value, str) and value.strip().isascii() and value.strip().isdigit():
        value = int(value.strip()[:9])
    return value if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= _MOST else None
