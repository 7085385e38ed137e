"""Read plans: what exactly one principal may see of one port, as values.

Owns the plan's shape and the pure merge of grants and guardrails into it (design §5): a value is shown only where one single
grant gives both its row and its column, and guardrails come on top. Knows nothing of casbin, SQL text or polars.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from governance_server.rules.column_branches import Branch, Share, branches_of
from governance_server.rules.policy_rows import Rule
from governance_server.rules.row_conditions import (
    ALWAYS,
    Conjunction,
    Disjunction,
    absorb,
    all_of,
    canonical,
    write,
    write_all,
)
from mesh_core.expressions.binding import attributes
from mesh_core.expressions.tree import TRUE, Expression
from mesh_core.masks import Mask, allowed_masks, join_all

__all__ = ["Branch", "ColumnPlan", "ColumnRules", "Denied", "ReadPlan", "Reason", "build_plan", "fit_masks"]


@dataclass(frozen=True, slots=True)
class ColumnPlan:
    """One visible column: the first branch whose condition holds decides, null if none does; then `guard_mask` on top."""

    name: str
    branches: tuple[Branch, ...]
    guard_mask: Mask | None

    @property
    def is_clear(self) -> bool:
        """True if every visible row shows the raw value."""
        return self.guard_mask is None and self.branches == (Branch(TRUE, None),)


@dataclass(frozen=True, slots=True)
class Reason:
    """One rule that shaped the plan, in words. Effects: grant, mask, filter, deny, hidden, ignored."""

    rule: str
    effect: str
    text: str


@dataclass(frozen=True, slots=True)
class ReadPlan:
    """The decision on one port. `row_filter` keeps the visible rows (raw values); columns not in `columns` are hidden."""

    port: str
    principal: str
    purpose: str
    revision: int
    row_filter: Expression
    columns: tuple[ColumnPlan, ...]
    hidden_columns: tuple[str, ...]
    reasons: tuple[Reason, ...]
    withheld_columns: tuple[str, ...] = ()
    """Those of the hidden columns that a rule withholds; of the others no rule says anything."""

    @property
    def has_obligations(self) -> bool:
        """True if anything is filtered, masked or hidden, so that the table's own files may not be handed out."""
        return self.row_filter != TRUE or bool(self.hidden_columns) or not all(c.is_clear for c in self.columns)

    def digest(self) -> str:
        """The SHA-256 (hex) of everything that affects the bytes served; plans of equal digest may share files.

        Revision, wording and rule order do not count. Principal and purpose count only under a mask that is local to a query,
        whose output no two readers may compare.
        """
        columns = [[c.name, [[canonical(b.condition), b.mask] for b in c.branches], c.guard_mask] for c in self.columns]
        masks = {mask for c in self.columns for mask in (c.guard_mask, *(b.mask for b in c.branches))}
        reader = [self.principal, self.purpose] if Mask.SHA_256_QUERY_LOCAL in masks else []
        text = json.dumps(["read plan 1", self.port, canonical(self.row_filter), columns, reader], separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Denied:
    """No column may be read, and why."""

    port: str
    principal: str
    purpose: str
    revision: int
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class ColumnRules:
    """What matched one column: the allows (p), whether a deny did and which, the masks (p2) and the row filters (p3)."""

    name: str
    allows: tuple[Rule, ...]
    denied: bool
    masks: tuple[Rule, ...] = ()
    filters: tuple[Rule, ...] = ()
    denies: tuple[Rule, ...] = ()


@dataclass(slots=True)
class _Merge:
    """The rules of one question on their way into a plan."""

    columns: Sequence[ColumnRules]
    filters: Mapping[str, Expression]
    reasons: list[Reason] = field(default_factory=list)

    def say(self, rule: str, effect: str, text: str) -> None:
        self.reasons.append(Reason(rule, effect, text))

    def conjunction(self, ids: Iterable[str]) -> Conjunction | None:
        """All the filters together; None if one is unknown or still asks for an attribute of the identity."""
        known = [self.filters.get(i) for i in sorted(ids)]
        usable = [e for e in known if e is not None and not attributes(e)]
        return all_of(usable) if len(usable) == len(known) else None

    def filter_ids(self, kind: str) -> dict[str, set[str]]:
        """Rule name → ids of its row filters, whichever column they were found on: a row filter is about the row."""
        ids: dict[str, set[str]] = {}
        for rule in (rule for column in self.columns for rule in column.filters if rule.kind == kind):
            ids.setdefault(rule.rid, set()).add(rule.value)
        return ids


def build_plan(
    *,
    port: str,
    principal: str,
    purpose: str,
    revision: int,
    columns: Sequence[ColumnRules],
    filters: Mapping[str, Expression],
) -> ReadPlan | Denied:
    """The plan for the port's columns (all of them, in order), or the denial with its reasons.

    What is unknown fails closed: a grant with an unknown filter gives nothing, one with an unknown mask does not give that
    column, an unknown guardrail mask hides the column, an unknown guardrail filter denies the read.

    Args:
        port: The port's dotted name.
        principal: Who asks.
        purpose: What for.
        revision: The policy revision the rules were taken from.
        columns: Per column of the port, every rule that matches it.
        filters: Row filters by id, bound to the identity.
    """
    merge = _Merge(columns, filters)
    guards = _guard_condition(merge)
    conditions = _grant_conditions(merge, guards)
    guard_masks = _guard_masks(merge)
    shares = {column.name: _shares(merge, column, conditions) for column in columns}
    shown = [c.name for c in columns if shares[c.name] and c.name in guard_masks]
    hidden = tuple(c.name for c in columns if c.name not in set(shown))
    withheld = tuple(c.name for c in columns if c.name in hidden and (c.denied or c.allows))
    for name in (name for name in hidden if name not in withheld):
        merge.say("", "hidden", f"No rule gives column {name}.")
    if guards is None or not shown:
        return Denied(port, principal, purpose, revision, tuple(merge.reasons))
    rows = absorb(share.condition for name in shown for share in shares[name])
    branches = {same: branches_of(same, rows) for same in {shares[name] for name in shown}}
    plans = tuple(ColumnPlan(name, branches[shares[name]], guard_masks[name]) for name in shown)
    row_filter = _row_filter(guards, rows)
    return ReadPlan(port, principal, purpose, revision, row_filter, plans, hidden, tuple(merge.reasons), withheld)


def _row_filter(guards: Conjunction, rows: Disjunction) -> Expression:
    if len(rows) == 1:
        return write_all(guards | next(iter(rows)))
    return write_all(guards) if rows == ALWAYS else write_all(guards, write(rows))


def _guard_condition(merge: _Merge) -> Conjunction | None:
    """What every visible row must pass; None if a guardrail cannot be evaluated, so that nothing may be read."""
    total: Conjunction | None = frozenset()
    for rid, ids in sorted(merge.filter_ids("guard").items()):
        condition = merge.conjunction(ids)
        if condition is None:
            merge.say(rid, "deny", f"Guardrail {rid} denies the read: its row filter is unknown, or reads what is gone.")
            total = None
            continue
        merge.say(rid, "filter", f"Guardrail {rid} keeps only the rows that pass its filter.")
        total = None if total is None else total | condition
    return total if total is None else all_of(atom.expression for atom in total)


def _grant_conditions(merge: _Merge, guards: Conjunction | None) -> dict[str, Conjunction]:
    """Rule name → the rows it gives, beyond what guardrails demand of every row; grants that cannot be evaluated are left out."""
    filters = merge.filter_ids("grant")
    conditions: dict[str, Conjunction] = {}
    for rid in sorted({rule.rid for column in merge.columns for rule in column.allows}):
        condition = merge.conjunction(filters.get(rid, ()))
        if condition is None:
            merge.say(rid, "ignored", f"Grant {rid} is ignored: its row filter is unknown, or reads what is gone.")
            continue
        conditions[rid] = condition - (guards or frozenset())
        names = [c.name for c in merge.columns if not c.denied and any(rule.rid == rid for rule in c.allows)]
        rows = "the rows that pass its filter" if condition else "every row"
        if names:
            what = "every column" if len(names) == len(merge.columns) else ", ".join(names)
            merge.say(rid, "grant", f"Grant {rid} gives {what} on {rows}.")
    return conditions


def _guard_masks(merge: _Merge) -> dict[str, Mask | None]:
    """Column → the strictest of the guardrails' masks; a column with an unknown one is left out and so stays hidden."""
    found: dict[str, Mask | None] = {}
    for column in merge.columns:
        rules = sorted({rule for rule in column.masks if rule.kind == "guard"})
        unknown = [rule for rule in rules if _mask(rule) is None]
        for rule in unknown:
            merge.say(rule.rid, "deny", f"Guardrail {rule.rid} hides {column.name}: its mask {rule.value!r} is unknown.")
        if not unknown:
            found[column.name] = join_all(map(_mask, rules))
            for rule in rules:
                merge.say(rule.rid, "mask", f"Guardrail {rule.rid} masks {column.name} with {rule.value}.")
    return found


def _shares(merge: _Merge, column: ColumnRules, conditions: Mapping[str, Conjunction]) -> tuple[Share, ...]:
    """Who gives the column, where and under which mask; nobody if it is denied."""
    if column.denied or column.denies:
        for rule in column.denies:
            merge.say(rule.rid, "deny", f"Rule {rule.rid} denies {column.name}.")
        if not column.denies:
            merge.say("", "deny", f"A rule denies {column.name}.")
        return ()
    shares = []
    for rid in sorted({rule.rid for rule in column.allows} & set(conditions)):
        rules = sorted({rule for rule in column.masks if rule.kind != "guard" and rule.rid == rid})
        masks = [_mask(rule) for rule in rules]
        if None in masks:
            merge.say(rid, "ignored", f"Grant {rid} does not give {column.name}: its mask is unknown.")
            continue
        mask = join_all(masks)
        if mask is not None:
            merge.say(rid, "mask", f"Grant {rid} masks {column.name} with {mask}.")
        shares.append(Share(conditions[rid], mask))
    return tuple(shares)


def _mask(rule: Rule) -> Mask | None:
    return Mask(rule.value) if rule.value in set(Mask) else None


def fit_masks(plan: ReadPlan, types: Mapping[str, str]) -> ReadPlan:
    """The plan with every mask that is not defined for its column's logical type replaced by the strictest, replace-with-null.

    A guardrail on a tag meets columns of any type; one it cannot mask must not be shown, and must not stop the rest of the read.
    """

    def fitted(mask: Mask | None, column: str) -> Mask | None:
        return mask if mask is None or mask in allowed_masks(types.get(column, "")) else Mask.REPLACE_WITH_NULL

    columns = tuple(
        replace(
            column,
            guard_mask=fitted(column.guard_mask, column.name),
            branches=tuple(replace(branch, mask=fitted(branch.mask, column.name)) for branch in column.branches),
        )
        for column in plan.columns
    )
    return replace(plan, columns=columns)
