"""Whom changes of a contract break: who really read what changes, and what is really made of it. Pure.

Owns the match of changes with recorded reads and lineage, and who answers for a consumer. A whole-file read counts as reading
every column. What belongs to the product's own domain is told and waits for nobody: the domain publishes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Protocol

from governance_server.rules.contract_changes import ContractChange
from governance_server.rules.policy_rows import domain_of
from mesh_core.names import InvalidName, column_object, parse_port

__all__ = ["Consumer", "ConsumerKind", "Read", "derived_consumers", "owners_of", "reading_consumers", "starts"]


class ConsumerKind(Enum):
    """How a consumer is affected."""

    DERIVED = "derived"
    READER = "reader"


class Read(Protocol):
    """Recorded reads of one principal."""

    @property
    def principal(self) -> str:
        """Who read."""

    @property
    def port(self) -> str:
        """What."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Which columns."""

    @property
    def count(self) -> int:
        """How often."""

    @property
    def last_time(self) -> datetime:
        """When last."""


@dataclass(frozen=True, slots=True)
class Consumer:
    """One that changes break: a port made of what changes, or a principal that read it."""

    kind: ConsumerKind
    name: str
    party: str
    """Who answers for it; empty if nobody in the mesh does."""
    columns: tuple[str, ...]
    changes: tuple[ContractChange, ...]
    is_own: bool
    """True if it belongs to the product's own domain."""
    read_count: int = 0
    last_read: datetime | None = None

    def words(self) -> str:
        """What it has to do with the change."""
        if self.kind is ConsumerKind.DERIVED:
            return f"{', '.join(self.columns) or 'it'} is made of what changes"
        last = f", last on {self.last_read:%Y-%m-%d}" if self.last_read else ""
        times = "once" if self.read_count == 1 else f"{self.read_count} times"
        return f"read {', '.join(self.columns) or 'it'} {times}{last}"


def owners_of(domain: str) -> str:
    """The role of a domain's owners."""
    return f"role:owner-of-{domain}"


def reading_consumers(
    product: str, changes: Sequence[ContractChange], reads: Iterable[Read], *, is_own: Callable[[str], bool]
) -> list[Consumer]:
    """Everybody who read what changes, by name. `is_own` tells who belongs to the product's domain."""
    found: dict[str, tuple[dict[str, None], dict[ContractChange, None], int, datetime]] = {}
    for read in reads:
        part = read.port.removeprefix(f"{product}.")
        touching = [change for change in changes if change.port in ("", part) and change.column in ("", *read.columns)]
        if not touching:
            continue
        columns, broken, count, last = found.get(read.principal, ({}, {}, 0, read.last_time))
        named = {change.column for change in touching}
        columns |= dict.fromkeys(f"{part}.{name}" for name in read.columns if name in named or "" in named)
        broken |= dict.fromkeys(touching)
        found[read.principal] = columns, broken, count + read.count, max(last, read.last_time)
    return [
        Consumer(ConsumerKind.READER, name, name, tuple(columns), tuple(broken), is_own(name), count, last)
        for name, (columns, broken, count, last) in sorted(found.items())
    ]


def starts(product: str, change: ContractChange, ports: Iterable[tuple[str, Sequence[str]]]) -> Iterator[str]:
    """The nodes of the lineage graph that the change touches; `ports` are the served ones, three-part, with their columns."""
    for port, columns in ports:
        if change.port and port != f"{product}.{change.port}":
            continue
        if change.column:
            yield column_object(port, change.column)
        else:
            yield port
            yield from (column_object(port, column) for column in columns)


def derived_consumers(product: str, touched: Iterable[tuple[ContractChange, Iterable[str]]]) -> list[Consumer]:
    """The ports that nodes downstream of each change belong to, by name."""
    found: dict[str, tuple[dict[str, None], dict[ContractChange, None]]] = {}
    for change, nodes in touched:
        for node in nodes:
            port, _, column = node.partition("#")
            if port.startswith(f"{product}.") and column in ("", change.column):
                continue
            columns, broken = found.setdefault(port, ({}, {}))
            broken[change] = None
            if column:
                columns[column] = None
    return [
        Consumer(ConsumerKind.DERIVED, port, _party(port), tuple(columns), tuple(broken), domain_of(port) == domain_of(product))
        for port, (columns, broken) in sorted(found.items())
    ]


def _party(port: str) -> str:
    """The owners of the port's domain; nobody for what is no port of the mesh."""
    try:
        return owners_of(parse_port(port).domain)
    except InvalidName:
        return ""
