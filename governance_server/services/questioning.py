"""Who asks about many, of which state of the policy, and about which resources it may be told.

Owns the authorization of questions about others: `grant` on the resource, or `administer` on `mesh`, now and at the revision
asked about. What the caller may not ask about is left out, as if it did not exist.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property

from governance_server.backend import Backend
from governance_server.caller import Caller
from governance_server.policy.audience import Audience
from governance_server.policy.paths import Paths
from governance_server.policy.projection import PolicyProjection, denied
from governance_server.rules.errors import NotFound
from governance_server.rules.policy_rows import ANY, Rule
from governance_server.rules.refusals import unknown_purpose
from mesh_core.names import MESH, check_column, check_principal, parse_port
from mesh_core.near_names import did_you_mean

__all__ = ["Questioning", "check_known", "port_and_column"]


class Questioning:
    """One question of one caller."""

    def __init__(self, backend: Backend, caller: Caller, as_of: int = 0) -> None:
        """Decided now for the right to ask, and at `as_of` (0: now) for the answer too. Raises: Invalid."""
        self.caller = caller
        self.now = backend.now()
        self._live = backend.policy.snapshot()
        self.policy = backend.policy_at(as_of).snapshot() if as_of else self._live
        self._rights: dict[str, bool] = {}

    @cached_property
    def audience(self) -> Audience:
        """Everybody the policy knows of; the caller as it calls."""
        audience = Audience(self.policy)
        audience.adopt(self.caller)
        return audience

    @cached_property
    def paths(self) -> Paths:
        """How people come by rules."""
        return Paths(self.audience)

    @cached_property
    def is_central(self) -> bool:
        """True if the caller may ask about everything."""
        return self.holds("administer", MESH)

    def may_ask(self, resource: str) -> bool:
        """True if the caller may ask what others do with the resource."""
        if resource not in self._rights:
            self._rights[resource] = self.is_central or self.holds("grant", resource)
        return self._rights[resource]

    def may_see(self, name: str, port: str) -> bool:
        """True if the caller may be told what the principal sees of the port: about itself, if it may discover it."""
        return self.may_ask(port) or (name == self.caller.name and self.holds("discover", port))

    def subject(self, principal: str) -> str:
        """Whom the question is about. Raises: AccessDenied if the caller may ask about others nowhere, InvalidName."""
        if principal in ("", self.caller.name):
            return self.caller.name
        if principal != ANY:
            check_principal(principal)
        if not self.is_central and not any(self.may_ask(port) for port in self.audience.ports()):
            raise denied("ask about others on", MESH)
        return principal

    def known_subject(self, principal: str) -> str:
        """As `subject`; the centre, which may know who there is, is told of a name that nobody has. Raises: NotFound too."""
        name = self.subject(principal)
        if self.is_central and name != ANY:
            check_known((self._live, self.policy), name)
        return name

    def check_purpose(self, purpose: str) -> None:
        """Returns if the purpose is stated nowhere or exists, now or then. Raises: Invalid."""
        known = {*self._live.facts().purposes, *self.policy.facts().purposes}
        if purpose and purpose not in known:
            raise unknown_purpose(purpose, known)

    def authorise(self, resource: str) -> None:
        """Returns if the caller may ask about others on the resource. Raises: AccessDenied."""
        if not self.may_ask(resource):
            raise denied("ask about others on", resource)

    def holds(self, action: str, resource: str) -> bool:
        """True if the caller may do it, now and then."""
        return all(policy.check(self.caller, action, resource).allowed for policy in {self._live, self.policy})


def check_known(policies: Iterable[PolicyProjection], name: str) -> None:
    """Returns if a principal of that name is registered, or a rule or membership names it. Raises: NotFound."""
    known: set[str] = set()
    for policy in policies:
        principals = policy.facts().principals
        if name in principals:
            return
        known.update(principals)
    if not any(name in Audience(policy).names or _is_named(policy, name) for policy in policies):
        hint = did_you_mean(name, known, otherwise="list them with `mesh admin list principals`.")
        raise NotFound(f"There is no principal {name!r}: {hint}", resource=name)


def _is_named(policy: PolicyProjection, name: str) -> bool:
    """True if some rule or membership is about the name, as about roles and domains, which are no principals."""
    rows = (row for of_resource in policy.facts().rows.values() for row in of_resource)
    return any(name == row.sub if isinstance(row, Rule) else name in (row.child, row.parent) for row in rows)


def port_and_column(resource: str) -> tuple[str, str]:
    """The port and column of `a.b.c`, `a.b.c.column` or `a.b.c#column`; no column for the first. Raises: InvalidName."""
    port, mark, column = resource.partition("#")
    if not mark:
        parts = resource.split(".", 3)
        port, column = ".".join(parts[:3]), parts[3] if len(parts) == 4 else ""
        mark = "." if len(parts) == 4 else ""
    parse_port(port)
    return port, check_column(column) if mark else ""
