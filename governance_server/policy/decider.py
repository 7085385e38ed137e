"""Questions in the mesh's own words, answered by a policy engine: may this principal do that, and what does it see of a port.

Owns the derivation of an object's domain (from its name, never from the caller) and the collection of a port's rules into a plan.
Knows nothing of the journal, tokens or data.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from governance_server.policy.engine import Decision, Matches, PolicyEngine, Request
from governance_server.policy.retagged import RetaggedEngine
from governance_server.rules.policy_rows import Rule, domain_of
from governance_server.rules.read_plans import ColumnRules, Denied, ReadPlan, build_plan
from mesh_core.expressions.binding import bind_subject
from mesh_core.expressions.fitting import reads_only
from mesh_core.expressions.tree import Expression, Scalar
from mesh_core.names import column_object

__all__ = ["Decider", "column_rules"]


class Decider:
    """Bridges one engine and the facts a decision needs."""

    def __init__(self, engine: PolicyEngine | RetaggedEngine) -> None:
        """Asks the engine at whatever revision it serves."""
        self._engine = engine
        self.valid_until = ""
        """The time from which on the last plan may be another; empty if unknown."""

    def check(self, principal: str, action: str, *, obj: str, purpose: str, now: str) -> Decision:
        """The decision on one action; denied if anything is missing or misspelt."""
        assert not isinstance(self._engine, RetaggedEngine), "an engine for plans only"
        return self._engine.decide(Request(principal, domain_of(obj), obj, action, purpose, now))

    def plan(
        self,
        principal: str,
        port: str,
        *,
        columns: Sequence[str],
        purpose: str,
        now: str,
        subject_attributes: Mapping[str, Scalar],
        filters: Mapping[str, Expression],
        types: Mapping[str, str] | None = None,
    ) -> ReadPlan | Denied:
        """What the principal sees of the port, all of it decided at one revision.

        Args:
            principal: Who reads.
            port: The port's dotted name.
            columns: Every column of the port, in order: a guardrail found on any of them filters the rows.
            purpose: What for; a held one.
            now: The server's time, `YYYY-MM-DDTHH:MM:SSZ`.
            subject_attributes: What the verified identity says, for `subject.*` in filters; a missing one is null.
            filters: Row filters by id, parsed; only those that apply are bound.
            types: Logical type by column: a filter that reads a column that is gone, or of another type by now, is unknown.
        """
        request = Request(principal, domain_of(port), port, "read", purpose, now)
        collected = self._engine.collect(request, [column_object(port, column) for column in columns])
        self.valid_until = collected.until
        rules = [column_rules(column, match) for column, match in zip(columns, collected.matches, strict=True)]
        needed = {rule.value for column in rules for rule in column.filters} & set(filters)
        return build_plan(
            port=port,
            principal=principal,
            purpose=purpose,
            revision=collected.revision,
            columns=rules,
            filters={
                i: bind_subject(filters[i], subject_attributes)
                for i in sorted(needed)
                if types is None or reads_only(filters[i], types)
            },
        )


def column_rules(column: str, matches: Matches) -> ColumnRules:
    """What matched the column's object, as the merge wants it."""
    allows, denies = _by_effect(matches.p)
    return ColumnRules(column, allows, denied=bool(denies), masks=matches.p2, filters=matches.p3, denies=denies)


def _by_effect(rules: tuple[Rule, ...]) -> tuple[tuple[Rule, ...], tuple[Rule, ...]]:
    denies = tuple([rule for rule in rules if rule.value != "allow"])
    return (tuple([rule for rule in rules if rule.value == "allow"]), denies) if denies else (rules, ())
