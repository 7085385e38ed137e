"""The subset rule: a grantor gives at most what it holds, and what it gave ends with what it rests on.

Pure: compares a wanted grant with the rules its grantor holds, as values. Knows nothing of engines, storage or the wire; who
holds which rule is found by `governance_server.granting` (ADR 0009).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from domainmesh.v1 import grant_pb2
from governance_server.rules.errors import AccessDenied
from governance_server.rules.grants import contains
from governance_server.rules.policy_facts import ADMINISTRATOR, policy_time
from governance_server.rules.policy_rows import ANY, FOREVER, FROM_THE_START, Rule
from governance_server.rules.row_conditions import Conjunction, all_of
from mesh_core.expressions.binding import bind_subject, columns
from mesh_core.expressions.tree import Expression, Scalar
from mesh_core.masks import Mask, is_stricter

__all__ = ["Holding", "basis_of", "denial_binds", "given", "held_by_grant", "held_by_right", "is_right", "shortfalls"]

_OWNER = "role:owner-of-"


@dataclass(frozen=True, slots=True)
class Holding:
    """What one rule gives for an action: a right its holder has, or the one a new grant would give.

    `columns` is None for all; `purpose` is empty for any; the interval excludes `end`. An office (owner, administrator) acts for
    its domain or the centre: what it gave stays when the person leaves.
    """

    rule: str
    resource: str
    columns: frozenset[str] | None = None
    filters: Conjunction = frozenset()
    masks: Mapping[str, str] = field(default_factory=dict)
    purpose: str = ""
    start: str = FROM_THE_START
    end: str = FOREVER
    is_office: bool = False


def given(grant: grant_pb2.Grant, filters: Mapping[str, Expression]) -> Holding:
    """What the grant gives, its row filter as it is written; `filters` holds the parsed ones by grant id."""
    return _from_grant(grant, all_of([filters[grant.id]] if grant.row_filter else []))


def held_by_grant(grant: grant_pb2.Grant, filters: Mapping[str, Expression], attributes: Mapping[str, Scalar]) -> Holding:
    """What the grant gives one holder: `subject.*` in its row filter stands for that holder's own attributes."""
    return _from_grant(grant, all_of([bind_subject(filters[grant.id], attributes)] if grant.row_filter else []))


def held_by_right(rule: Rule) -> Holding:
    """What a base right (of an administrator, owner or member) gives its holder."""
    return Holding(rule.rid, rule.obj, is_office=rule.sub == ADMINISTRATOR or rule.sub.startswith(_OWNER))


def is_right(rule: Rule) -> bool:
    """True if the rule is a base right, which follows from being somebody, and no grant."""
    return rule.rid.startswith(("base:", "domain:")) and (rule.sub == ADMINISTRATOR or rule.sub.startswith((_OWNER, "domain:")))


def _from_grant(grant: grant_pb2.Grant, filters: Conjunction) -> Holding:
    return Holding(
        rule=grant.id,
        resource=grant.resource,
        columns=frozenset(grant.columns) or None,
        filters=filters,
        masks={mask.column: mask.mask for mask in grant.masks},
        purpose="" if grant.purpose == ANY else grant.purpose,
        start=policy_time(grant.start_time, default=FROM_THE_START),
        end=policy_time(grant.expire_time, default=FOREVER),
    )


def basis_of(
    wanted: Holding,
    held: Mapping[str, Sequence[Holding]],
    *,
    wider: frozenset[str],
    veiled: frozenset[str] = frozenset(),
    now: str,
) -> tuple[str, ...]:
    """The rules the wanted grant rests on, offices left out: they neither end nor run out. Raises: AccessDenied.

    Args:
        wanted: What is to be given.
        held: Per action of the wanted grant, and for `grant` itself, everything its grantor holds on the resource.
        wider: The wanted purpose and all above it.
        veiled: Columns that guardrails mask or hide for the grantor: it must not probe them by a filter of its own.
        now: The time of the decision.
    """
    basis: set[str] = set()
    missing: list[str] = []
    for action, holdings in held.items():
        fits = [holding for holding in holdings if not shortfalls(action, holding, wanted, wider=wider, veiled=veiled, now=now)]
        if fits:
            best = min(fits, key=lambda it: (not it.is_office, [-ord(c) for c in it.end], it.rule))
            basis.update([] if best.is_office else [best.rule])
            continue
        gaps = [shortfalls(action, holding, wanted, wider=wider, veiled=veiled, now=now) for holding in holdings]
        closest = min(gaps, key=len, default=("not at all",))
        missing.append(f"{action}: {' and '.join(closest)}")
    if missing:
        raise AccessDenied(
            f"Nobody gives more than it holds, and on {wanted.resource} you hold {'; '.join(missing)}. "
            "Give less, or ask an owner of the domain.",
            resource=wanted.resource,
        )
    return tuple(sorted(basis))


def shortfalls(
    action: str,
    held: Holding,
    wanted: Holding,
    *,
    wider: frozenset[str],
    veiled: frozenset[str] = frozenset(),
    now: str,
) -> tuple[str, ...]:
    """In what the held rule is narrower than the wanted grant, in words; empty if it contains it.

    Columns, rows and masks count for `read` only; the other actions are held on the whole resource.
    """
    found = []
    if not contains(held.resource, wanted.resource):
        found.append(f"only {held.resource}")
    if held.start > max(now, wanted.start):
        found.append(f"it only from {held.start} on")
    if held.end < wanted.end:
        found.append(f"it only until {held.end}")
    if held.purpose and held.purpose not in wider:
        found.append(f"it only for {held.purpose}")
    if action == "read":
        found.extend(_cell_shortfalls(held, wanted, veiled))
    return tuple(found)


def _cell_shortfalls(held: Holding, wanted: Holding, veiled: frozenset[str]) -> Iterable[str]:
    if held.columns is not None and not (wanted.columns is not None and wanted.columns <= held.columns):
        yield f"only the columns {', '.join(sorted(held.columns))}"
    if not held.filters <= wanted.filters:
        yield f"only the rows that pass the filter of {held.rule} (repeat that filter, then narrow it with AND)"
    for column, mask in sorted(held.masks.items()):
        is_given = wanted.columns is None or column in wanted.columns
        if is_given and not _is_as_strict(wanted.masks.get(column, ""), mask):
            yield f"{column} only under {mask}"
    if held.is_office:
        return
    further = {name for atom in wanted.filters - held.filters for name in columns(atom.expression)}
    unseen = further & veiled | further & held.masks.keys() | (further - held.columns if held.columns is not None else set())
    if unseen:
        yield f"not the clear values of {', '.join(sorted(unseen))}, so that you may not filter by them"


def _is_as_strict(mask: str, other: str) -> bool:
    if mask not in set(Mask) or other not in set(Mask):
        return False
    return mask == other or is_stricter(Mask(mask), Mask(other))


def denial_binds(denial: grant_pb2.Grant, wanted: grant_pb2.Grant, *, related: frozenset[str], actions: Iterable[str]) -> bool:
    """True if the denial, where it binds the grantor, takes some of what the wanted grant would give of these actions.

    A denial that binds the grantee in the same words takes nothing from the subset rule: what it forbids reaches neither of them.

    Args:
        denial: A denial that is not revoked.
        wanted: The grant.
        related: The wanted purpose, all above and all below it; empty if the grant is for any purpose.
        actions: Those that count.
    """
    shared = set(denial.actions) & set(actions)
    if denial.subject in (ANY, wanted.subject) or not shared:
        return False
    if not (contains(denial.resource, wanted.resource) or contains(wanted.resource, denial.resource)):
        return False
    is_column_wise = shared == {"read"} and denial.columns and wanted.columns and denial.resource == wanted.resource
    if is_column_wise and not set(denial.columns) & set(wanted.columns):
        return False
    if denial.purpose not in ("", ANY) and related and denial.purpose not in related:
        return False
    start, end = _interval(denial)
    wanted_start, wanted_end = _interval(wanted)
    return start < wanted_end and wanted_start < end


def _interval(grant: grant_pb2.Grant) -> tuple[str, str]:
    return policy_time(grant.start_time, default=FROM_THE_START), policy_time(grant.expire_time, default=FOREVER)
