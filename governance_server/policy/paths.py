"""How a principal comes by a rule, and why a guardrail does not bind it: the groups, roles and purposes in between.

Asks one audience; knows nothing of the wire.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain

from governance_server.policy.audience import Audience
from governance_server.policy.projection import NO_PURPOSE
from governance_server.rules.policy_facts import BASE_ROWS
from governance_server.rules.policy_rows import ANY, NO_EXEMPTION, Link, Rule, domain_of
from governance_server.rules.read_plans import ReadPlan
from mesh_core.names import column_object

__all__ = ["Path", "Paths"]


@dataclass(frozen=True, slots=True, order=True)
class Path:
    """A rule, and the chain from somebody (or from a purpose) to the subject (or exemption) it names."""

    rule: str
    via: tuple[str, ...]
    purpose: str
    resource: str


class Paths:
    """The links of one audience's policy, from member to group and from purpose to wider purpose."""

    def __init__(self, audience: Audience) -> None:
        """Reads every link once."""
        self._audience = audience
        self._engine = audience.policy.engine
        self._up: dict[tuple[str, str], list[str]] = {}
        for row in chain(BASE_ROWS, *audience.policy.facts().rows.values()):
            if isinstance(row, Link) and row.section != "g2":
                self._up.setdefault((row.domain, row.child), []).append(row.parent)

    def grants(self, name: str, plan: ReadPlan, columns: Iterable[str] = ()) -> list[Path]:
        """The grants the plan rests on, those that give one of the columns if some are named, and how the principal has them."""
        used = {reason.rule for reason in plan.reasons if reason.effect == "grant"}
        around = {obj for column in columns for obj in self._engine.ancestors(column_object(plan.port, column))}
        rules = self._audience.rules_of(plan.port).rules
        wanted = [rule for rule in rules if rule.rid in used and rule.section == "p" and rule.value == "allow"]
        near = [rule for rule in wanted if not around or rule.obj in around]
        return self.of_rules(name, near, domain_of(plan.port), plan.purpose)

    def of_rules(self, name: str, rules: Iterable[Rule], domain: str, purpose: str) -> list[Path]:
        """Those of the rules that name the principal for the purpose, each once for every thing it is on."""
        above = self._engine.purposes_above(purpose or NO_PURPOSE)
        found = set()
        for rule in rules:
            via = self.to(name, rule.sub, domain)
            if via and (rule.purpose == ANY or rule.purpose in above):
                found.add(Path(rule.rid, via, "" if rule.purpose == ANY else rule.purpose, rule.obj))
        return sorted(found)

    def to(self, name: str, subject: str, domain: str) -> tuple[str, ...]:
        """The shortest chain from the principal to the subject of a rule, in the domain or mesh-wide; empty if there is none."""
        if subject == ANY:
            return (name,) if name == ANY else (name, ANY)
        chains = [self._chain(name, subject, home) for home in (domain, ANY)]
        return min((found for found in chains if found), key=len, default=())

    def exemptions(self, name: str, port: str, column: str, purpose: str) -> list[Path]:
        """The guardrails on the column that do not bind the principal for the purpose, and what exempts it."""
        around = self._engine.ancestors(column_object(port, column))
        found = set()
        for rule in self._audience.rules_of(port).rules:
            if rule.kind == "guard" and rule.unless != NO_EXEMPTION and rule.obj in around:
                by_purpose = self._chain(purpose, rule.unless, "") if purpose else ()
                via = by_purpose or self._chain(name, rule.unless, ANY)
                if via:
                    prefix = ("purpose:" + via[0], *via[1:-1]) if by_purpose else via[:-1]
                    found.add(Path(rule.rid, prefix, "", rule.obj))
        return sorted(found)

    def _chain(self, start: str, end: str, domain: str) -> tuple[str, ...]:
        came: dict[str, str] = {start: ""}
        level = [start]
        while level and end not in came:
            following = []
            for name in level:
                for parent in sorted(self._up.get((domain, name), ())):
                    if parent not in came:
                        came[parent] = name
                        following.append(parent)
            level = following
        return tuple(reversed(list(_back(came, end)))) if end in came else ()


def _back(came: Mapping[str, str], end: str) -> Iterator[str]:
    name = end
    while name:
        yield name
        name = came[name]
