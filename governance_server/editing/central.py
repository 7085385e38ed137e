"""Two persons for what binds everybody: who the administrators are, and when one of them alone is not enough.

Source: ADR 0008.
"""

from __future__ import annotations

from typing import NamedTuple

from governance_server.caller import Caller
from governance_server.policy.projection import PolicyProjection
from governance_server.rules.errors import SecondPersonNeeded
from governance_server.rules.policy_facts import ADMINISTRATOR
from mesh_core.names import MESH

__all__ = ["TwoAdministrators", "acts_for_the_centre", "administrators", "check_alone", "is_administrator", "second_persons"]


def administrators(policy: PolicyProjection) -> list[str]:
    """The enabled users and services who may administer the mesh, by whatever right, by name."""
    with policy.pinned():
        principals = policy.facts().principals
        persons = {name: it for name, it in principals.items() if not it.is_disabled and not name.startswith("group:")}
        subjects = {rule.sub for rule in policy.engine.rules_on(MESH, "administer")}
        groups = any(it.is_administrator for name, it in principals.items() if name.startswith("group:"))
        if subjects <= {ADMINISTRATOR} and not groups:  # the usual case, without asking policy about everybody
            return sorted(name for name, it in persons.items() if it.is_administrator)
        return sorted(name for name in persons if is_administrator(policy, name))


def is_administrator(policy: PolicyProjection, name: str) -> bool:
    """True if the enabled principal may administer the mesh."""
    caller = policy.caller_of(name)
    known = policy.facts().principals.get(name)
    return caller is not None and known is not None and not known.is_disabled and _administers(policy, caller)


def second_persons(policy: PolicyProjection, proposer: str) -> list[str]:
    """Who may approve what this administrator proposes; nobody if it is the only one, who then acts alone."""
    return [name for name in administrators(policy) if name != proposer]


class TwoAdministrators:
    """Whether there are two administrators, so that nobody alone acts for the centre, or in somebody's name.

    Looked up anew when the policy has changed, and each second, as rights begin and end by the clock.
    """

    def __init__(self, policy: PolicyProjection) -> None:
        self._policy = policy
        self._known = _Known(-1, -1, -1, False)

    def recall(self, head: int) -> bool | None:
        """As `__call__`, at once; None if something has to be looked up, which may wait for others."""
        known = self._known
        return known.has_two if (known.head, known.second) == (head, self._second()) else None

    def __call__(self, head: int) -> bool:
        """The answer of this moment; `head` is the journal's, as it was just seen."""
        recalled = self.recall(head)
        if recalled is not None:  # most calls
            return recalled
        known, second = self._known, self._second()
        with self._policy.pinned(head) as revision:
            is_same = (known.revision, known.second) == (revision, second)
            has_two = known.has_two if is_same else len(administrators(self._policy)) > 1
        self._known = _Known(head, revision, second, has_two)
        return has_two

    def _second(self) -> int:
        return int(self._policy.moment.timestamp())


class _Known(NamedTuple):
    """What was found, at which head of the journal, for which revision of the policy, and when."""

    head: int
    revision: int
    second: int
    has_two: bool


def check_alone(policy: PolicyProjection, caller: Caller, what: str) -> None:
    """Returns if the caller may make a central change alone. Raises: SecondPersonNeeded."""
    others = second_persons(policy, caller.name)
    if others:
        who = ", ".join(others[:3]) + (" or another administrator" if len(others) > 3 else "")
        raise SecondPersonNeeded(
            f"A change of {what} is central and needs two administrators: propose it as a change set "
            f"(`mesh apply`, or mesh.changes.apply in Python), which {who} approves with `mesh approve`.",
            resource=what,
        )


def acts_for_the_centre(policy: PolicyProjection, caller: Caller, action: str, obj: str) -> bool:
    """True if the caller may do it by rights on the whole mesh alone, not by any of the domain's."""
    rules = policy.check(caller, action, obj).rules
    return all(rule.obj == MESH for rule in rules)


def _administers(policy: PolicyProjection, caller: Caller) -> bool:
    return policy.check(caller, "administer", MESH).allowed
