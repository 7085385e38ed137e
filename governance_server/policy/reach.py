"""Which principals and ports a change of resources can touch at all: the rest need not be compared.

Errs on the side of too many, never of too few. One pass over the rows of each of the two policies, then look-ups.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import TypeVar

from domainmesh.v1 import product_pb2
from governance_server.policy.facts import Facts, touched_by
from governance_server.rules import kinds
from governance_server.rules.apply import ResourceWrite
from governance_server.rules.grants import contains
from governance_server.rules.policy_facts import BASE_ROWS
from governance_server.rules.policy_rows import ANY, Row, Rule, domain_of
from mesh_core.names import MESH

__all__ = ["Reach", "Touched", "touched"]

_T = TypeVar("_T")

Names = set[str] | None
"""Principals; None for all."""


@dataclass(slots=True)
class Touched:
    """What may be decided otherwise: per port whose reading, and per (action, resource, purpose) whose other actions."""

    reads: dict[str, Names] = field(default_factory=dict)
    actions: dict[tuple[str, str, str], Names] = field(default_factory=dict)


class Reach:
    """The rows of one policy from the other end: who is below a role, what is below an object, which rules name somebody."""

    def __init__(self, facts: Facts) -> None:
        """Reads the facts once."""
        self.facts = facts
        self._below: dict[str, set[str]] = {}
        self._above: dict[str, set[str]] = {}
        self._tagged: dict[str, set[str]] = {}
        self._by_subject: dict[str, list[Rule]] = {}
        self._by_purpose: dict[str, list[Rule]] = {}
        self._by_exemption: dict[str, list[Rule]] = {}
        self._ports: dict[str, list[str]] = {}
        self.places: dict[str, set[str]] = {}
        """Action → the objects its rules name: between two of them no decision differs."""
        self.purposes: dict[str, set[str]] = {}
        """Action → the purposes its rules name."""
        for row in chain(BASE_ROWS, *facts.rows.values()):
            self._note(row)
        for product in facts.products.values():
            self._ports.setdefault(domain_of(product.name), []).extend(port.name for port in product.ports)

    def _note(self, row: Row) -> None:
        if isinstance(row, Rule):
            self._by_subject.setdefault(row.sub, []).append(row)
            self._by_purpose.setdefault(row.purpose, []).append(row)
            self._by_exemption.setdefault(row.unless, []).append(row)
            self.places.setdefault(row.act, set()).add(row.obj)
            self.purposes.setdefault(row.act, set()).add(row.purpose)
        elif row.section == "g2":
            self._tagged.setdefault(row.parent, set()).add(row.child)
        else:
            self._below.setdefault(row.parent, set()).add(row.child)
            self._above.setdefault(row.child, set()).add(row.parent)

    def below(self, name: str) -> set[str]:
        """Everybody (every purpose) that has the role (the wider purpose), in whatever domain, itself included."""
        return _closed(name, self._below)

    def above(self, name: str) -> set[str]:
        """Every role and group (wider purpose), in whatever domain, itself included."""
        return _closed(name, self._above)

    def naming_principals(self, names: Iterable[str]) -> set[Rule]:
        """The rules whose subject or exemption is one of these."""
        return {rule for name in names for index in (self._by_subject, self._by_exemption) for rule in index.get(name, ())}

    def naming_purposes(self, names: Iterable[str]) -> set[Rule]:
        """The rules whose purpose or exemption is one of these."""
        return {rule for name in names for index in (self._by_purpose, self._by_exemption) for rule in index.get(name, ())}

    def ports(self, obj: str) -> Iterator[str]:
        """The ports that the object contains, is a column of, or is carried by."""
        if obj.startswith("tag:"):
            for tag, carriers in self._tagged.items():
                if tag == obj or tag.startswith(obj + "."):
                    for carrier in carriers:
                        yield from self.ports(carrier)
            return
        name = obj.partition("#")[0]
        inside = chain(*self._ports.values()) if name == MESH else self._ports.get(domain_of(name), ())
        yield from (port for port in inside if name in (MESH, port) or port.startswith(name + "."))


def _closed(start: str, links: dict[str, set[str]]) -> set[str]:
    seen, todo = {start}, [start]
    while todo:
        fresh = links.get(todo.pop(), set()) - seen
        seen |= fresh
        todo += fresh
    return seen


def touched(before: Reach, after: Reach, writes: Sequence[ResourceWrite]) -> Touched:
    """What the writes, which lead from the one policy to the other, can touch."""
    return _Search(before, after).run(writes)


class _Search:
    """The two policies side by side."""

    def __init__(self, before: Reach, after: Reach) -> None:
        self._sides = (before, after)
        self._found = Touched()
        self._acted: dict[tuple[str, str], Names] = {}

    def run(self, writes: Sequence[ResourceWrite]) -> Touched:
        for kind, name in sorted(touched_by(writes)):
            for row in self._changed_rows(kind, name):
                self._row(row)
        for write in writes:
            if write.kind == kinds.PRODUCT:
                self._product(write.name)
            elif write.kind == kinds.PRINCIPAL:
                self._principal(write.name)
            elif write.kind == kinds.PURPOSE:
                self._purposes({write.name})
        before, after = self._sides
        self._purposes(set(before.facts.exempting ^ after.facts.exempting))
        for (action, obj), who in self._acted.items():
            self._action(action, obj, who)
        return self._found

    def _action(self, action: str, obj: str, who: Names) -> None:
        """A denial of a whole domain takes what a grant on one port gives: every place below is to be looked at."""
        purposes = {"", *self._everywhere(lambda side: side.purposes.get(action, set()))} - {ANY}
        for place in self._everywhere(lambda side: side.places.get(action, set())):
            if contains(obj, place):
                for purpose in purposes:
                    _add(self._found.actions, (action, place, purpose), who)

    def _changed_rows(self, kind: str, name: str) -> set[Row]:
        """The rows that come or go; all of a rule whose row filter, which they name by its id only, says something else."""
        before, after = (side.facts for side in self._sides)
        old, new = (set(facts.rows.get((kind, name), ())) for facts in (before, after))
        if kind in (kinds.GRANT, kinds.GUARDRAIL) and before.filters.get(name) != after.filters.get(name):
            return old | new
        return old ^ new

    def _row(self, row: Row) -> None:
        if isinstance(row, Rule):
            self._rule(row, None if row.sub == ANY else self._everywhere(lambda side: side.below(row.sub)))
        elif row.section == "g2":
            self._ports(row.child, None)
        elif row.section == "g3":
            self._purposes({row.child})
        else:
            who = self._everywhere(lambda side: side.below(row.child))
            roles = self._everywhere(lambda side: side.above(row.parent))
            for rule in self._everywhere(lambda side: side.naming_principals(roles)):
                self._rule(rule, who)

    def _rule(self, rule: Rule, who: Names) -> None:
        if rule.act == "read":
            self._ports(rule.obj, who)
        else:
            _add(self._acted, (rule.act, rule.obj), who)

    def _ports(self, obj: str, who: Names) -> None:
        for side in self._sides:
            for port in side.ports(obj):
                _add(self._found.reads, port, who)

    def _purposes(self, names: set[str]) -> None:
        """Rules that name a purpose around one of these: wider than one that is narrower than it."""
        inside = {low for side in self._sides for name in names for low in side.below(name)}
        around = {high for side in self._sides for low in inside for high in side.above(low)}
        for rule in self._everywhere(lambda side: side.naming_purposes(around)):
            self._rule(rule, None)

    def _principal(self, name: str) -> None:
        """A principal whose purposes, attributes or state may differ: wherever a rule gives it something."""
        before, after = (side.facts.principals.get(name) for side in self._sides)
        if before == after:
            return
        roles = {*self._everywhere(lambda side: side.above(name)), ANY}
        for rule in self._everywhere(lambda side: side.naming_principals(roles)):
            if rule.section == "p" and rule.value == "allow":
                self._rule(rule, {name})

    def _product(self, name: str) -> None:
        before, after = (_columns(side.facts.products.get(name)) for side in self._sides)
        for port in before.keys() | after.keys():
            if before.get(port) != after.get(port):
                _add(self._found.reads, port, None)

    def _everywhere(self, ask: Callable[[Reach], set[_T]]) -> set[_T]:
        return ask(self._sides[0]) | ask(self._sides[1])


def _columns(product: product_pb2.Product | None) -> dict[str, list[tuple[str, str]]]:
    """Port → its columns with their types; tags are links and compared as such."""
    return {port.name: [(c.name, c.logical_type) for c in port.columns] for port in product.ports} if product else {}


def _add(found: dict[_T, Names], key: _T, who: Names) -> None:
    known = found.get(key, set())
    found[key] = None if known is None or who is None else known | who
