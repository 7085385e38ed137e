"""Wire enums as ours: members stand in the order of the wire's numbers, the unspecified one first."""

from __future__ import annotations

from enum import StrEnum
from typing import TypeVar

__all__ = ["enum_member"]

Member = TypeVar("Member", bound=StrEnum)


def enum_member(kind: type[Member], number: int) -> Member:
    """The member of that number; the unspecified one for a number this SDK does not know."""
    members = list(kind)
    return members[number] if 0 <= number < len(members) else members[0]
