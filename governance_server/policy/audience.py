"""Everybody a policy knows of, and who of them are alike: principals whom the same rules name see the same of a port.

Owns who counts as known and what two principals must share for one answer to hold for both, so that a question about all
principals costs as much as there are different answers. Asks a snapshot; knows nothing of the wire.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from governance_server.caller import Caller
from governance_server.policy.projection import NO_PURPOSE, PolicyProjection
from governance_server.rules.errors import AccessDenied
from governance_server.rules.policy_facts import BASE_ROWS
from governance_server.rules.policy_rows import ANY, Rule, domain_of
from governance_server.rules.read_plans import Denied, ReadPlan
from governance_server.rules.sights import NOTHING, Sight, sight_of
from mesh_core.expressions.binding import attributes
from mesh_core.names import column_object

__all__ = ["Audience", "PortRules", "View", "is_person"]

_EXEMPTION = "exempt:"


@dataclass(frozen=True, slots=True)
class PortRules:
    """Every rule that reaches a port or a column of it for one action, and what of somebody it looks at."""

    port: str
    domain: str
    rules: tuple[Rule, ...]
    subjects: frozenset[str]
    exemptions: frozenset[str]
    purposes: frozenset[str]
    attributes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class View:
    """What somebody sees of a port for purposes that come to the same; `plan` is the one for the first of them."""

    sight: Sight
    plan: ReadPlan
    purposes: tuple[str, ...]


def is_person(name: str) -> bool:
    """True for a user or service; a group, a role, `domain:sales` and `*` stand for members nobody has named yet."""
    return name.startswith(("user:", "service:"))


class Audience:
    """The principals of one snapshot of the policy."""

    def __init__(self, policy: PolicyProjection) -> None:
        """Of a snapshot only, which never changes."""
        self.policy = policy
        self._engine = policy.engine
        self._facts = policy.facts()
        self._rules: dict[tuple[str, str], PortRules] = {}
        self._callers: dict[str, Caller] = {}

    @cached_property
    def names(self) -> frozenset[str]:
        """Every enabled user and service that is registered or named by some rule or link; groups and roles; and `*`.

        A group or role stands for any further member of it, `*` for anybody of whom no rule knows.
        """
        found = {ANY}
        for rows in (BASE_ROWS, *self._facts.rows.values()):
            for row in rows:
                if isinstance(row, Rule):
                    found.add(row.sub)
                elif row.section == "g":
                    found.update((row.child, row.parent))
        disabled = {name for name, known in self._facts.principals.items() if known.is_disabled}
        return frozenset(name for name in found | self._facts.principals.keys() if not name.startswith(_EXEMPTION)) - disabled

    @cached_property
    def _domains(self) -> frozenset[str]:
        links = (row for rows in self._facts.rows.values() for row in rows if not isinstance(row, Rule))
        return frozenset(link.domain for link in links if link.section == "g") | {ANY}

    def has(self, name: str, subject: str) -> bool:
        """True if the principal is the subject, or has it as a group or role in some domain."""
        return any(subject in self._engine.roles_of(name, domain) for domain in self._domains)

    def adopt(self, caller: Caller) -> None:
        """The caller is asked about as it calls: within the scope of its token."""
        self._callers[caller.name] = caller

    def caller(self, name: str) -> Caller:
        """The principal with the purposes and attributes it has; somebody without any if it is not registered."""
        if name not in self._callers:
            self._callers[name] = self.policy.caller_of(name) or Caller(name)
        return self._callers[name]

    def ports(self) -> Iterator[str]:
        """Every port, by product."""
        for product in self._facts.products.values():
            for port in product.ports:
                yield port.name

    def rules_of(self, port: str, action: str = "read") -> PortRules:
        """The rules that reach the port or a column of it for the action; none if there is no such port."""
        if (port, action) not in self._rules:
            found = self.policy.find_port(port)
            objects = [port, *(column_object(port, column.name) for column in found.columns)] if found else []
            self._rules[port, action] = self._described(port, self._engine.rules_on_any(objects, action))
        return self._rules[port, action]

    def _described(self, port: str, rules: Sequence[Rule]) -> PortRules:
        filters = [
            self._facts.filters[rule.value] for rule in rules if rule.section == "p3" and rule.value in self._facts.filters
        ]
        return PortRules(
            port=port,
            domain=domain_of(port),
            rules=tuple(rules),
            subjects=frozenset(rule.sub for rule in rules),
            exemptions=frozenset(rule.unless for rule in rules),
            purposes=frozenset(rule.purpose for rule in rules) - {ANY},
            attributes=tuple(sorted({name for one in filters for name in attributes(one)})),
        )

    def standing(self, name: str, rules: PortRules) -> Hashable:
        """What of the principal counts at the port: those of equal standing see the same of it, whatever the purpose."""
        caller = self.caller(name)
        wide = self._engine.roles_of(name, ANY)
        given = {**caller.attributes, "name": name}
        known = self._facts.principals.get(name)
        return (
            (self._engine.roles_of(name, rules.domain) | wide) & rules.subjects,
            wide & rules.exemptions,
            caller.purposes,
            tuple(given.get(attribute) for attribute in rules.attributes),
            known is not None and known.is_disabled,
        )

    def alike(self, names: Iterable[str], rules: PortRules) -> list[list[str]]:
        """The principals in groups of equal standing, each in order."""
        groups: dict[Hashable, list[str]] = {}
        for name in sorted(names):
            groups.setdefault(self.standing(name, rules), []).append(name)
        return list(groups.values())

    def weight(self, name: str, rules: PortRules, purpose: str) -> Hashable:
        """What of the purpose counts for the principal at the port: for purposes of equal weight it sees the same."""
        named = rules.purposes | rules.exemptions
        above = self._engine.purposes_above(purpose or NO_PURPOSE)
        wider = self.policy.wider_purposes(purpose)
        return (
            above & named,
            not purpose or bool(wider & self.caller(name).purposes),
            purpose in self._facts.purposes,
            bool(wider & self._facts.exempting),
        )

    def purposes(self, name: str) -> list[str]:
        """Every purpose the principal could think of stating: none, those the mesh has, and those assigned to it."""
        return ["", *sorted(self._facts.purposes.keys() | self.caller(name).purposes)]

    def views(self, name: str, port: str, purposes: Iterable[str]) -> list[View]:
        """What the principal sees of the port for the purposes, each kind of sight once, none that shows nothing."""
        rules = self.rules_of(port)
        alike: dict[Hashable, list[str]] = {}
        for purpose in purposes:
            alike.setdefault(self.weight(name, rules, purpose), []).append(purpose)
        found: dict[Sight, View] = {}
        for same in alike.values():
            outcome = self.outcome(name, port, same[0])
            if outcome is None or isinstance(outcome, Denied):
                continue
            sight = sight_of(outcome)
            known = found.get(sight)
            found[sight] = View(sight, outcome, tuple(sorted([*(known.purposes if known else ()), *same])))
        return list(found.values())

    def outcome(self, name: str, port: str, purpose: str) -> ReadPlan | Denied | None:
        """What a read would be given; None if it may not state the purpose, is disabled, or there is no such port."""
        try:
            return self.policy.explain(self.caller(name), port, purpose)
        except AccessDenied:
            return None

    def sight(self, name: str, port: str, purpose: str) -> Sight:
        """What the principal sees of the port."""
        outcome = self.outcome(name, port, purpose)
        return NOTHING if outcome is None else sight_of(outcome)
