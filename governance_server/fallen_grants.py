"""Which grants end with a change: those whose grantor no longer holds what it gave, to any depth (ADR 0009).

Owns finding the few that the change can concern, by the index of the facts; whether one of them still stands is decided in
`granting`. Called inside commands only, so that nothing can change between the look and the write.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

from domainmesh.v1 import grant_pb2
from governance_server.backend import Backend
from governance_server.editing.state import State
from governance_server.granting import policy_now, stands, stored_grants
from governance_server.policy.concerned import giver_key, home_key, rule_key
from governance_server.policy.facts import Facts
from governance_server.policy.projection import PolicyProjection
from governance_server.rules import kinds
from governance_server.rules.apply import ResourceWrite
from governance_server.rules.delegation import denial_binds
from governance_server.rules.policy_facts import policy_time
from governance_server.rules.policy_rows import ANY, FOREVER, Link, domain_of

__all__ = ["fallen"]

_PEOPLE = frozenset({kinds.PRINCIPAL, kinds.IDENTITY, kinds.DOMAIN})
_PERSONS = ("user:", "service:")


def fallen(backend: Backend, tx: State, writes: Sequence[ResourceWrite]) -> list[grant_pb2.Grant]:
    """The grants that end with these writes: what they rest on ends, shrinks, or is no longer held by who gave them.

    Goes through any depth. Grants that have run out already are left as they are.
    """
    policy = backend.policy
    with policy.pinned():
        facts = policy.facts()
        if not facts.resting or not _may_fell(facts, writes):
            return []
        after = policy.supposing(writes)
        suspects = _suspects(facts, after, writes)
        if suspects is not None:
            return _ended(after, tx, writes, suspects)
        after = policy.with_changes(writes)  # a longer look, for which nobody is to wait
    return _ended(after, tx, writes, list(after.facts().resting))


def _may_fell(facts: Facts, writes: Sequence[ResourceWrite]) -> bool:
    """False if nothing that grants rest on is written, which is nearly always."""
    if any(write.kind in _PEOPLE or write.kind == kinds.PURPOSE for write in writes):
        return True
    grants = [write for write in writes if write.kind == kinds.GRANT]
    if facts.concerned.named(rule_key(write.name) for write in grants):
        return True
    return any(grant_pb2.Grant.FromString(it.body).effect != grant_pb2.EFFECT_ALLOW for it in grants if it.body is not None)


def _suspects(before: Facts, after: PolicyProjection, writes: Sequence[ResourceWrite]) -> set[str] | None:
    """The resting grants that the writes can end, and perhaps more; None if it may be any."""
    facts = after.facts()
    if facts.closed_groups != before.closed_groups:
        return None  # whoever is in the group
    found: set[str] = set()
    for write in writes:
        if write.kind == kinds.PURPOSE:
            return None
        if write.kind == kinds.GRANT:
            found |= facts.concerned.named([rule_key(write.name)])
            if (denial := facts.denials.get(write.name)) is not None:
                found.update(_denied(facts, denial))
        if write.kind in _PEOPLE:
            key = (write.kind, write.name)
            changed = set(before.rows.get(key, ())).symmetric_difference(facts.rows.get(key, ()))
            names = {row.child for row in changed if isinstance(row, Link)}
            if not all(name.startswith(_PERSONS) for name in names):
                return None  # a group, and with it whoever is in it
            found |= facts.concerned.named(map(giver_key, {*names, write.name}))  # by name, as it may be disabled
            if write.kind == kinds.DOMAIN and any(not isinstance(row, Link) for row in changed):
                found |= facts.concerned.named([home_key(write.name)])
    return found


def _denied(facts: Facts, denial: grant_pb2.Grant) -> Iterator[str]:
    """The resting grants that give some of what is denied, if their grantor is one of those that it is denied."""
    if denial.subject.startswith(_PERSONS):
        near: Collection[str] = facts.concerned.named([giver_key(denial.subject)])
    elif domain_of(denial.resource) == ANY:
        near = list(facts.resting)
    else:
        near = facts.concerned.named([home_key(domain_of(denial.resource)), home_key(ANY)])
    for name in near:
        grant = facts.resting[name]
        if denial_binds(denial, grant, related=frozenset(), actions=grant.actions):
            yield name


def _ended(
    after: PolicyProjection, tx: State, writes: Iterable[ResourceWrite], suspects: Collection[str]
) -> list[grant_pb2.Grant]:
    """Those of the suspects that stand no more, and all that rest on them."""
    facts, now = after.facts(), policy_now(tx)
    stored = stored_grants(tx, {w.name: grant_pb2.Grant.FromString(w.body or b"") for w in writes if w.kind == kinds.GRANT})
    gone: dict[str, grant_pb2.Grant] = {}
    doubtful = sorted(suspects)
    while doubtful:
        resting = [facts.resting[name] for name in doubtful if name in facts.resting]
        fell = [it for it in resting if _end(it) > now and not stands(after, it, gone, stored, now=now)]
        gone.update((grant.id, grant) for grant in fell)
        doubtful = sorted(facts.concerned.named(rule_key(grant.id) for grant in fell) - gone.keys())
    return list(gone.values())


def _end(grant: grant_pb2.Grant) -> str:
    return policy_time(grant.expire_time, default=FOREVER)
