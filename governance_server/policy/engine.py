"""The seam of the policy engines: what is asked, what is answered, and what both implementations promise.

`CasbinEngine` is the executable specification, `IndexedEngine` the default; one behaviour suite and a differential test hold
them together. Knows nothing of the journal, storage or the wire.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from governance_server.rules.policy_rows import (
    FROM_THE_START,
    Link,
    PolicyDelta,
    Row,
    Rule,
    RuleSection,
    UnreadableRule,
    domain_of,
    is_policy_time,
)

__all__ = ["Collected", "Decision", "Matches", "PolicyEngine", "Request", "UnknownRow", "Visibility", "in_order", "is_complete"]


class UnknownRow(UnreadableRule):
    """A delta removes a row the policy does not hold: the caller's policy is not this policy; load it again."""

    def __init__(self, row: Row) -> None:
        """Names the row."""
        super().__init__(f"cannot remove {row!r}: the policy does not hold it; reload the policy from the journal.")


class Request(NamedTuple):
    """One question. `dom` is the object's own domain, derived from its name; `now` is the server's UTC time of fixed width."""

    sub: str
    dom: str
    obj: str
    act: str
    purpose: str
    now: str


class Decision(NamedTuple):
    """The answer: `rules` are the denies if a deny decided, else the matching allows, in order; taken at `revision`."""

    allowed: bool
    rules: tuple[Rule, ...]
    revision: int


@dataclass(frozen=True, slots=True)
class Matches:
    """Every rule whose matcher holds for one object, by section, each in order."""

    obj: str
    p: tuple[Rule, ...]
    p2: tuple[Rule, ...]
    p3: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class Collected:
    """What several objects match, all taken from one revision."""

    revision: int
    matches: tuple[Matches, ...]
    until: str = field(default=FROM_THE_START, compare=False)
    """The time from which on the same question may match otherwise, if the engine knows; else long past."""


@dataclass(frozen=True, slots=True)
class Visibility:
    """Where one principal may act, without asking per object.

    `allowed` and `denied` are pairs (domain or `*` for every domain, object of a rule). A pair covers what its object contains,
    by name, tag or link, within its domain; an object is allowed if a pair of `allowed` covers it and none of `denied` does.
    `ancestors` gives everything that contains an object, itself included, at the revision the pairs were taken at.
    """

    allowed: frozenset[tuple[str, str]]
    denied: frozenset[tuple[str, str]]
    revision: int
    ancestors: Callable[[str], frozenset[str]]
    narrowed: Callable[[str], bool] | None = None
    """Objects for which it is false are left out whatever the pairs say: what the scope of the caller's token does not cover."""
    linked: Callable[[str], Container[str]] | None = None
    """The objects of a domain that more contains than their names say; None if nobody can tell which those are."""

    def allows(self, obj: str) -> bool:
        """True if the principal may act on the object: the same answer as `decide`, within what it is narrowed to."""
        if self.narrowed is not None and not self.narrowed(obj):
            return False
        domain = domain_of(obj)
        covered = [(d, a) for a in self.ancestors(obj) for d in (domain, "*")]
        return any(pair in self.allowed for pair in covered) and not any(pair in self.denied for pair in covered)

    def named(self) -> frozenset[str]:
        """The objects that rules name: any other one without links is allowed exactly if what its name lies in is."""
        return frozenset(obj for _, obj in (*self.allowed, *self.denied))


class PolicyEngine(Protocol):
    """Evaluates `model.conf` over rules and links. Any thread may read; one writer at a time calls load and apply."""

    @property
    def revision(self) -> int:
        """The revision of the policy being served; 0 before the first load."""
        ...

    def load(self, rules: Iterable[Rule], links: Iterable[Link], *, revision: int) -> None:
        """The given rows are the policy. All or nothing: the old policy serves on after an error. Raises: UnreadableRule."""
        ...

    def apply(self, delta: PolicyDelta, *, revision: int) -> None:
        """The delta is part of the policy, whole or not at all. Raises: UnreadableRule, UnknownRow."""
        ...

    def decide(self, request: Request) -> Decision:
        """The decision: allowed by at least one rule and denied by none. An unreadable request is denied."""
        ...

    def matching(self, section: RuleSection, request: Request) -> tuple[Rule, ...]:
        """Every rule of the section whose matcher holds, in order."""
        ...

    def collect(self, request: Request, objects: Sequence[str]) -> Collected:
        """What each object matches when put in the place of `request.obj`, within the request's domain, from one revision."""
        ...

    def visible_objects(self, sub: str, act: str, purpose: str, now: str) -> Visibility:
        """Where the principal may act, in every domain. The work grows with the rules that name the principal or its roles."""
        ...

    def rules_on(self, obj: str, act: str) -> tuple[Rule, ...]:
        """Every rule of every section that reaches the object for the action, whoever its subject, expired ones included."""
        ...

    def rules_on_any(self, objects: Sequence[str], act: str) -> tuple[Rule, ...]:
        """Every rule that `rules_on` gives for one of the objects, which all belong to one domain."""
        ...

    def ancestors(self, obj: str) -> frozenset[str]:
        """Everything that contains the object by name, tag or link, itself included."""
        ...

    def roles_of(self, principal: str, domain: str) -> frozenset[str]:
        """The groups and roles the principal has in the domain (`*`: mesh-wide), itself included."""
        ...

    def purposes_above(self, purpose: str) -> frozenset[str]:
        """The purposes (and exemptions) that include the purpose, itself included."""
        ...

    def fork(self) -> PolicyEngine:
        """An engine of the same policy; what is applied to either one does not reach the other."""
        ...


def in_order(rules: Iterable[Rule]) -> tuple[Rule, ...]:
    """The rules in the one order every engine answers in."""
    return tuple(sorted(rules))


def is_complete(request: Request) -> bool:
    """True if no part of the request is empty and its time is UTC of fixed width; anything else is denied unasked."""
    return bool(request.sub and request.dom and request.obj and request.act and request.purpose and is_policy_time(request.now))
