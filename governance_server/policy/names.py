"""Which principals, groups and roles hold an action, and the names that count for a principal, domain by domain."""

from __future__ import annotations

from contextlib import suppress

from governance_server.caller import Caller
from governance_server.policy.projection import PolicyProjection
from governance_server.rules.errors import AccessDenied, PurposeNotHeld
from governance_server.rules.policy_facts import ADMINISTRATOR
from governance_server.rules.policy_rows import ANY, domain_of

__all__ = ["all_names_of", "domains_where", "holders_of", "is_disabled", "may_know"]


def all_names_of(policy: PolicyProjection, principal: str, domains: frozenset[str]) -> dict[str, frozenset[str]]:
    """The principal with its mesh-wide groups and roles under `*`, and under each domain the roles that count only there."""
    with policy.pinned():
        everywhere = policy.engine.roles_of(principal, ANY)
        found = {domain: policy.engine.roles_of(principal, domain) - everywhere for domain in domains}
    return {ANY: everywhere, **{domain: names for domain, names in found.items() if names}}


def holders_of(policy: PolicyProjection, action: str, obj: str, *, now: str) -> tuple[str, ...]:
    """Who is allowed the action on an object of a domain by a rule that holds now, as rules name them.

    The central team is named only if nobody else is.
    """
    with policy.pinned():
        rules = policy.engine.rules_on(obj, action)
    subjects = {rule.sub for rule in rules if rule.section == "p" and rule.value == "allow" and rule.nbf <= now < rule.exp}
    named = sorted(subjects - {ANY, ADMINISTRATOR}) if domain_of(obj) != ANY else []
    return tuple(named) or (ADMINISTRATOR,)


def domains_where(policy: PolicyProjection, caller: Caller, action: str) -> frozenset[str] | None:
    """The domains in which the caller may do this to something at least; None if that may be any domain."""
    given = policy.visibility(caller, action).allowed
    domains = frozenset(domain_of(obj) if domain == ANY else domain for domain, obj in given)
    return None if ANY in domains else domains


def may_know(policy: PolicyProjection, caller: Caller, port: str) -> bool:
    """True if the caller may discover the port, or read some of it for whatever purpose it holds."""
    with policy.pinned():
        if policy.check(caller, "discover", port).allowed or policy.readable(caller)(port):
            return True
        for purpose in sorted(policy.facts().purposes):
            with suppress(AccessDenied, PurposeNotHeld):
                policy.plan(caller, port, purpose)
                return True
    return False


def is_disabled(policy: PolicyProjection, principal: str) -> bool:
    """True if the principal exists and its tokens are refused."""
    known = policy.facts().principals.get(principal)
    return known is not None and known.is_disabled
