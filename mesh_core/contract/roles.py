"""The `roles` of a contract: what access each gives, and who approves it, level by level.

ODCS keeps approvers as text (`firstLevelApprovers`, `secondLevelApprovers`). What it has no word for sits in the role's
`customProperties`: `approval` (`any` or `all`, for both levels), `firstLevelApproval`, `secondLevelApproval`, and `ports`: the
schema objects the role is for.
Source: ODCS 3.1 "Roles".
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mesh_core.contract.model import Violation
from mesh_core.contract.older import custom_of
from mesh_core.contract.yaml_text import UnreadableText, parse_yaml
from mesh_core.names import InvalidName, check_principal

__all__ = ["Role", "RoleLevel", "read_roles", "role_problems", "roles_of"]

_LEVELS = (("firstLevelApprovers", "firstLevelApproval"), ("secondLevelApprovers", "secondLevelApproval"))
_MODES = frozenset({"approval", *(mode for _, mode in _LEVELS)})
_KIND = re.compile(r"(user|group|service|role|domain):")
_SEPARATOR = re.compile(r"[,;\n]")
_NOBODY = frozenset({"", "-", "na", "n/a", "none"})


@dataclass(frozen=True, slots=True)
class RoleLevel:
    """One level of approval: the names as they are written, at least one; `needs_all` unless any one of them is enough."""

    names: tuple[str, ...]
    needs_all: bool


@dataclass(frozen=True, slots=True)
class Role:
    """One entry of `roles`.

    Attributes:
        access: As written, like `read`; empty when absent.
        levels: First level first; a level that names nobody is left out.
        ports: The schema objects it is for; empty for all.
    """

    name: str
    access: str
    levels: tuple[RoleLevel, ...]
    ports: tuple[str, ...]


def read_roles(text: str) -> tuple[Role, ...]:
    """The roles of a contract that was accepted before, in order; none if it cannot be read."""
    try:
        document = parse_yaml(text)
    except UnreadableText:
        return ()
    return roles_of(document) if isinstance(document, dict) else ()


def roles_of(document: Mapping[str, Any]) -> tuple[Role, ...]:
    """The roles of a valid contract's document, in order."""
    return tuple(_role(entry) for entry in document.get("roles") or ())


def _role(entry: Mapping[str, Any]) -> Role:
    custom = custom_of(entry)
    levels = (
        RoleLevel(names, _needs_all(custom.get(mode, custom.get("approval", "any"))))
        for approvers, mode in _LEVELS
        if (names := _names(entry.get(approvers)))
    )
    return Role(
        name=entry["role"], access=str(entry.get("access") or ""), levels=tuple(levels), ports=_names(custom.get("ports"))
    )


def _names(value: object) -> tuple[str, ...]:
    parts = value if isinstance(value, list) else _SEPARATOR.split(str(value or ""))
    words = (str(part).strip() for part in parts)
    return tuple(dict.fromkeys(word for word in words if word.casefold() not in _NOBODY))


def _needs_all(mode: object) -> bool:
    """Only the plain word lifts it: what cannot be understood is the stricter."""
    return str(mode).strip().casefold() != "any"


def role_problems(document: Mapping[str, Any], ports: Collection[str]) -> Iterator[Violation]:
    """What in the roles would be silently without effect: a mode nobody knows, a port that is none, half a principal."""
    for index, entry in enumerate(document.get("roles") or ()):
        for place, item in enumerate(entry.get("customProperties") or ()):
            path = f"$.roles[{index}].customProperties[{place}].value"
            name, value = item.get("property"), item.get("value", "any")
            if name in _MODES and str(value).strip().casefold() not in ("any", "all"):
                yield Violation(path, f"{value!r} is no way to approve: write any or all.")
            for port in sorted(set(_names(value)) - set(ports)) if name == "ports" and "value" in item else ():
                yield Violation(path, f"the contract has no port {port!r}; name one of {', '.join(sorted(ports))}.")
        for approvers, _ in _LEVELS:
            for name in _names(entry.get(approvers)):
                if _KIND.match(name) and not _is_principal(name):
                    yield Violation(f"$.roles[{index}].{approvers}", f"{name!r} is no principal: write it like user:kim.")


def _is_principal(name: str) -> bool:
    try:
        check_principal(name)
    except InvalidName:
        return False
    return True
