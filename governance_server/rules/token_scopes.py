"""Token scopes: what a token narrows its principal's rights to. A scope gives nothing; policy decides within it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from governance_server.rules.grants import contains

__all__ = ["TokenScope"]


@dataclass(frozen=True, slots=True)
class TokenScope:
    """What is left of a principal's rights to whoever holds the token."""

    permissions: frozenset[tuple[str, str]]
    """Pairs of action and resource; a resource stands for everything in it. None at all: nothing is left."""
    purposes: frozenset[str] = frozenset()
    """Data is read for one of these, or a narrower one, only. Empty: for any that the principal holds, and for none."""

    def covers(self, action: str, obj: str) -> bool:
        """True if the action on the object is within the scope; a tag is within `mesh` only."""
        return any(action == allowed and contains(resource, obj) for allowed, resource in self.permissions)

    def covers_purpose(self, wider: Collection[str]) -> bool:
        """True if reading is within the scope for a purpose, given with everything above it; none at all is empty."""
        return not self.purposes or not self.purposes.isdisjoint(wider)
