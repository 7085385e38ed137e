"""Contract versions: semantic versions, and whether the step from one to the next is as large as the change. Pure.

Source: Semantic Versioning 2.0.0, §2, §9 to §11.
"""

from __future__ import annotations

import re
from enum import IntEnum
from typing import NamedTuple

__all__ = ["Bump", "ContractVersion", "bump_between", "parse_version", "suggested"]

_NUMBER = r"(0|[1-9][0-9]*)"
_IDENTIFIER = r"(?:0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
_VERSION = re.compile(
    rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}(?:-({_IDENTIFIER}(?:\.{_IDENTIFIER})*))?(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?", re.ASCII
)
_LONGEST = 100


class Bump(IntEnum):
    """How far a version goes up; ordered."""

    NONE = 0
    PATCH = 1
    MINOR = 2
    MAJOR = 3


class ContractVersion(NamedTuple):
    """A semantic version in the order of precedence; build metadata does not count."""

    major: int
    minor: int
    patch: int
    release: int
    """0 for a pre-release, 1 for the release itself."""
    identifiers: tuple[tuple[int, int, str], ...]
    """The pre-release's, numbers before words."""


def parse_version(text: str) -> ContractVersion | None:
    """The version; None if the text is no semantic version."""
    found = _VERSION.fullmatch(text) if len(text) <= _LONGEST else None
    if found is None:
        return None
    words = found[4].split(".") if found[4] else []
    identifiers = tuple((0, int(word), "") if word.isdecimal() else (1, 0, word) for word in words)
    return ContractVersion(int(found[1]), int(found[2]), int(found[3]), 0 if words else 1, identifiers)


def bump_between(old: ContractVersion, new: ContractVersion) -> Bump | None:
    """How far it goes up; None if it goes back."""
    if new < old:
        return None
    if new == old:
        return Bump.NONE
    if new.major > old.major:
        return Bump.MAJOR
    return Bump.MINOR if new.minor > old.minor else Bump.PATCH


def suggested(old: ContractVersion, bump: Bump) -> str:
    """The nearest version that goes up so far."""
    if bump is Bump.MAJOR:
        return f"{old.major + 1}.0.0"
    if bump is Bump.MINOR:
        return f"{old.major}.{old.minor + 1}.0"
    return f"{old.major}.{old.minor}.{old.patch + old.release}"
