"""Who must approve an access request: levels from the contract's roles, and how far given approvals fill them.

Pure. The rules are those of the moment: approvals given before count as long as who gave them could still give them (ADR 0010).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from governance_server.rules.errors import Invalid
from mesh_core.contract.roles import Role, RoleLevel
from mesh_core.names import InvalidName, check_principal

__all__ = ["GRANT_HOLDERS", "Level", "Progress", "adds", "is_filled", "levels_of", "progress"]

GRANT_HOLDERS = "grant"
"""Stands for whoever may grant on the resource: who approves where the contract names nobody whom the mesh knows."""

MayFill = Callable[[str, str], bool]
"""Tells of a person and an entry of a level whether the person may fill it."""


@dataclass(frozen=True, slots=True)
class Level:
    """One level: its entries are principals, groups, roles or `GRANT_HOLDERS`."""

    number: int
    approvers: tuple[str, ...]
    needs_all: bool = False


@dataclass(frozen=True, slots=True)
class Progress:
    """How far approvals fill the levels: who counts on each, and the level that waits; None once all are filled."""

    counted: tuple[tuple[str, ...], ...]
    waiting: Level | None

    @property
    def people(self) -> frozenset[str]:
        """Everybody whose approval counts."""
        return frozenset(person for level in self.counted for person in level)


def levels_of(roles: Sequence[Role], ports: Sequence[str], *, product: str) -> tuple[Level, ...]:
    """The levels for reading these ports of the product, by the roles of its contract. Raises: Invalid if the ports differ.

    A role is for reading if its access begins with `read` or is not stated. One that names the port comes before one that names
    none, and then the first in the contract.
    """
    reading = [role for role in roles if role.levels and (not role.access or role.access.strip().casefold().startswith("read"))]
    chosen = {port: _role_for(reading, port) for port in ports}
    if len(set(chosen.values())) > 1:
        names = ", ".join(sorted(f"{product}.{port}" for port in chosen))
        raise Invalid(f"The ports of {product} have approvers of their own: ask for one of {names}.", resource=product)
    role = next(iter(chosen.values()), None)
    levels = tuple(_level(number, level) for number, level in enumerate(role.levels if role else (), start=1))
    names_somebody = any(level.approvers != (GRANT_HOLDERS,) for level in levels)
    return levels if names_somebody else (Level(1, (GRANT_HOLDERS,)),)


def _role_for(roles: Sequence[Role], port: str) -> Role | None:
    named = [role for role in roles if port in role.ports]
    return next(iter([*named, *(role for role in roles if not role.ports)]), None)


def _level(number: int, level: RoleLevel) -> Level:
    """A word that is no principal ("Reporting Manager") names nobody the mesh knows: whoever may grant stands in."""
    entries = tuple(dict.fromkeys(_entry(name) for name in level.names))
    return Level(number, entries, level.needs_all)


def _entry(name: str) -> str:
    try:
        return check_principal(name)
    except InvalidName:
        return GRANT_HOLDERS


def progress(levels: Sequence[Level], approvals: Iterable[tuple[int, str]], may_fill: MayFill) -> Progress:
    """How far the approvals (level, person) fill the levels: in order, nobody on two of them."""
    given = list(approvals)
    used: set[str] = set()
    counted: list[tuple[str, ...]] = []
    for level in levels:
        people = tuple(
            dict.fromkeys(
                person
                for number, person in given
                if number == level.number and person not in used and any(may_fill(person, entry) for entry in level.approvers)
            )
        )
        counted.append(people)
        used.update(people)
        if not is_filled(level, people, may_fill):
            return Progress(tuple(counted), level)
    return Progress(tuple(counted), None)


def is_filled(level: Level, people: Sequence[str], may_fill: MayFill) -> bool:
    """True if the people are enough: one of them, or one for each entry and nobody for two."""
    needed = len(level.approvers) if level.needs_all else 1
    return _matched(level, people, may_fill) >= needed


def adds(level: Level, people: Sequence[str], person: str, may_fill: MayFill) -> bool:
    """True if one more person brings the level nearer to being filled."""
    return _matched(level, [*people, person], may_fill) > _matched(level, people, may_fill)


def _matched(level: Level, people: Sequence[str], may_fill: MayFill) -> int:
    """How many entries can be filled at once by different people: a largest matching, by augmenting paths."""
    filler: dict[str, str] = {}

    def place(person: str, tried: set[str]) -> bool:
        for entry in level.approvers:
            if entry not in tried and may_fill(person, entry):
                tried.add(entry)
                if entry not in filler or place(filler[entry], tried):
                    filler[entry] = person
                    return True
        return False

    return sum(place(person, set()) for person in dict.fromkeys(people))
