"""What grants rest on: finds what a grantor holds, and whether that still contains what it gave (ADR 0009).

The comparison itself is pure (`rules/delegation.py`); this module asks the policy and the transaction for what it compares.
Called inside commands only, so that nothing can change between the check and the write.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

from domainmesh.v1 import grant_pb2, principal_pb2
from governance_server.backend import Backend
from governance_server.caller import Caller
from governance_server.editing.state import State
from governance_server.policy.concerned import denial_key
from governance_server.policy.facts import Facts
from governance_server.policy.projection import PolicyProjection
from governance_server.rules import kinds
from governance_server.rules.delegation import (
    Holding,
    basis_of,
    denial_binds,
    given,
    held_by_grant,
    held_by_right,
    is_right,
    shortfalls,
)
from governance_server.rules.errors import AccessDenied
from governance_server.rules.policy_facts import BREAK_GLASS_ROLE
from governance_server.rules.policy_rows import ANY, domain_of
from governance_server.rules.refusals import out_of_scope
from mesh_core.expressions.tree import Expression
from mesh_core.names import MESH, column_object

__all__ = ["check_lifting", "holds_office", "policy_now", "rest_grant", "stands", "stored_grants"]

_Lookup = Callable[[str], grant_pb2.Grant | None]


def rest_grant(backend: Backend, tx: State, caller: Caller, grant: grant_pb2.Grant) -> None:
    """The grant gives no more than the caller holds, and says what it rests on. Raises: AccessDenied.

    A denial rests on nothing: it takes. Call it on a grant that `prepare_grant` has settled.
    """
    grant.ClearField("basis")
    if grant.effect != grant_pb2.EFFECT_ALLOW:
        return
    with backend.policy.pinned():
        facts = backend.policy.facts()
        wider = _wider(grant.purpose, facts.purposes)
        _check_scope(caller, grant, wider)
        denial = _binding_denial(backend.policy, caller.name, grant)
        if denial is not None:
            raise AccessDenied(
                f"Nobody gives what it is denied: {denial.id} denies you {', '.join(sorted(denial.actions))} on "
                f"{denial.resource}. Ask an owner of the domain.",
                resource=grant.resource,
            )
        held = {
            action: [it for it in holdings if not _rests_on(facts, it.rule, grant.id)]
            for action, holdings in _held(backend.policy, caller.name, grant, stored_grants(tx)).items()
        }
        wanted = given(grant, _parsed([grant]))
        veiled = _veiled(backend.policy, caller.name, grant.resource)
        basis = basis_of(wanted, held, wider=wider, veiled=veiled, now=policy_now(tx))
    grant.basis.extend(basis)


def _check_scope(caller: Caller, grant: grant_pb2.Grant, wider: frozenset[str]) -> None:
    """What is given lies within the scope of the caller's token. Raises: AccessDenied."""
    for action in grant.actions:
        is_covered = action != "read" or caller.scope is None or caller.scope.covers_purpose(wider)
        if not (is_covered and caller.covers(action, grant.resource)):
            raise out_of_scope(action, grant.resource)


def check_lifting(backend: Backend, caller: Caller, grant: grant_pb2.Grant) -> None:
    """The caller may end this rule. Raises: AccessDenied.

    Ending a denial gives: only who made it, or an office (an owner of the domain, an administrator), may.
    """
    if grant.effect == grant_pb2.EFFECT_ALLOW or grant.grantor == caller.name or holds_office(backend, caller, grant.resource):
        return
    raise AccessDenied(
        f"A denial is lifted by who made it or by an owner of the domain: ask {grant.grantor}.", resource=grant.resource
    )


def holds_office(backend: Backend, caller: Caller, resource: str) -> bool:
    """True if the caller is an owner of the resource's domain or an administrator, by right and not by a grant."""
    rules = backend.policy.check(caller, "administer", resource).rules
    return any(is_right(rule) and held_by_right(rule).is_office for rule in rules)


def stands(after: PolicyProjection, grant: grant_pb2.Grant, gone: Collection[str], stored: _Lookup, *, now: str) -> bool:
    """True if its grantor still holds all of the grant by what it rests on."""
    known = after.facts().principals.get(grant.grantor)
    if grant.break_glass:
        return BREAK_GLASS_ROLE in after.names_of(grant.subject, ANY) and not (known is not None and known.is_disabled)
    if (known is not None and known.is_disabled) or _binding_denial(after, grant.grantor, grant) is not None:
        return False
    wanted = given(grant, _parsed([grant]))
    wider = _wider(grant.purpose, after.facts().purposes)
    basis = set(grant.basis).difference(gone)
    return all(
        any(not shortfalls(action, it, wanted, wider=wider, now=now) for it in holdings if it.is_office or it.rule in basis)
        for action, holdings in _held(after, grant.grantor, grant, stored).items()
    )


def _held(policy: PolicyProjection, grantor: str, grant: grant_pb2.Grant, stored: _Lookup) -> dict[str, list[Holding]]:
    """Per action of the grant, and for `grant` itself: what the grantor holds on its resource or columns of it."""
    port = policy.find_port(grant.resource)
    columns = [column.name for column in port.columns] if port else []
    objects = [grant.resource, *(column_object(grant.resource, column) for column in columns)]
    return {
        action: list(_holdings(policy, grantor, action, objects, "" if grant.purpose == ANY else grant.purpose, stored))
        for action in sorted({*grant.actions, "grant"})
    }


def _holdings(
    policy: PolicyProjection, grantor: str, action: str, objects: Sequence[str], purpose: str, stored: _Lookup
) -> Iterator[Holding]:
    facts = policy.facts()
    known = facts.principals.get(grantor)
    attributes = {**(dict(known.attributes) if known else {}), "name": grantor}
    found = policy.matches(grantor, action, objects, purpose)
    for rule in {rule.rid: rule for of_object in found for rule in of_object.p if rule.value == "allow"}.values():
        if is_right(rule):
            yield held_by_right(rule)
        elif (grant := stored(rule.rid)) is not None and not grant.break_glass:
            yield held_by_grant(grant, facts.filters, attributes)


def _binding_denial(policy: PolicyProjection, grantor: str, grant: grant_pb2.Grant) -> grant_pb2.Grant | None:
    """A denial by which the grantor itself is denied some of what the grant gives."""
    facts = policy.facts()
    names = policy.names_of(grantor, domain_of(grant.resource))
    near = [facts.denials[name] for name in sorted(_denials(facts, names, grant.resource))]
    if not near:
        return None
    related = _related(grant.purpose, facts.purposes)
    return next((it for it in near if denial_binds(it, grant, related=related, actions=grant.actions)), None)


def _denials(facts: Facts, names: frozenset[str], resource: str) -> Iterable[str]:
    """The ids of the denials for one of the names that may touch the resource."""
    if resource == MESH:
        return [name for name, denial in facts.denials.items() if denial.subject in names]
    return facts.concerned.named(denial_key(name, home) for name in names - {ANY} for home in (domain_of(resource), ANY))


def _veiled(policy: PolicyProjection, grantor: str, resource: str) -> frozenset[str]:
    """The columns of a port that a guardrail masks or hides for the grantor."""
    port = policy.find_port(resource)
    names = [column.name for column in port.columns] if port else []
    found = policy.matches(grantor, "read", [column_object(resource, name) for name in names])
    return frozenset(
        name
        for name, of_column in zip(names, found, strict=True)
        if any(rule.kind == "guard" for rule in (*of_column.p2, *of_column.p))
    )


def _rests_on(facts: Facts, rule: str, name: str) -> bool:
    """True if the rule is the named grant or rests on it, however far: nothing may rest on itself."""
    seen = {rule}
    todo = [rule]
    while todo:
        grant = facts.resting.get(todo.pop())
        for basis in grant.basis if grant else ():
            if basis not in seen:
                seen.add(basis)
                todo.append(basis)
    return name in seen


def stored_grants(tx: State, written: Mapping[str, grant_pb2.Grant] | None = None) -> _Lookup:
    """Gives the grant of an id, as written in this change or as stored."""

    def stored(name: str) -> grant_pb2.Grant | None:
        if written is not None and name in written:
            return written[name]
        body = tx.get(kinds.GRANT, name)
        return None if body is None else grant_pb2.Grant.FromString(body)

    return stored


def _parsed(grants: Iterable[grant_pb2.Grant]) -> dict[str, Expression]:
    from mesh_core.expressions.sql import parse_filter

    return {grant.id: parse_filter(grant.row_filter, None) for grant in grants if grant.row_filter}


def _wider(purpose: str, purposes: Mapping[str, principal_pb2.Purpose]) -> frozenset[str]:
    """The purpose and everything above it; empty for no purpose."""
    seen: set[str] = set()
    current = "" if purpose == ANY else purpose
    while current and current not in seen:
        seen.add(current)
        known = purposes.get(current)
        current = known.parent if known else ""
    return frozenset(seen)


def _related(purpose: str, purposes: Mapping[str, principal_pb2.Purpose]) -> frozenset[str]:
    """The purpose, everything above and everything below it; empty for any purpose."""
    if purpose in ("", ANY):
        return frozenset()
    return _wider(purpose, purposes) | {name for name in purposes if purpose in _wider(name, purposes)}


def policy_now(tx: State) -> str:
    """The time of the change, as policy text."""
    return tx.time.isoformat(timespec="seconds")[:19] + "Z"
