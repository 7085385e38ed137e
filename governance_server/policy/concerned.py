"""Which denials bind a giver, and which grants a change may end: an index kept with the facts, so that neither is searched for.

Every denial, and every grant that rests on others (ADR 0009), is noted under what would make it count. Knows nothing of decisions
or of the journal.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from domainmesh.v1 import grant_pb2
from governance_server.rules.policy_rows import domain_of

__all__ = ["Concerned", "Key", "denial_key", "giver_key", "home_key", "rule_key"]

Key = tuple[str, str, str]


def denial_key(subject: str, domain: str) -> Key:
    """Of the denials for the subject in the domain, `*` for those on the whole mesh."""
    return "denies", subject, domain


def rule_key(rule: str) -> Key:
    """Of the grants that rest on the rule."""
    return "rests on", rule, ""


def giver_key(principal: str) -> Key:
    """Of the resting grants that the principal made, and of the emergencies that it opened."""
    return "is held by", principal, ""


def home_key(domain: str) -> Key:
    """Of the resting grants in the domain, `*` for those on the whole mesh."""
    return "lies in", domain, ""


class Concerned:
    """Key → the ids of the grants it concerns; or the changes of that, on top of a base that stays as it is until `settle`."""

    __slots__ = ("_base", "_noted")

    def __init__(self, base: Concerned | None = None) -> None:
        self._base = base
        self._noted: dict[Key, dict[str, bool]] = {}

    def note(self, grant: grant_pb2.Grant, *, present: bool) -> None:
        """The index has the grant, or has it no more; the work grows with the grant's own keys only."""
        for key in _keys(grant):
            self._note(key, grant.id, present)

    def named(self, keys: Iterable[Key]) -> set[str]:
        """The ids of the grants that any of the keys leads to."""
        return {name for key in keys for name, present in self._entry(key).items() if present}

    def fork(self) -> Concerned:
        """An index that equals this one and may change without it."""
        return Concerned(self)

    def settle(self) -> Concerned:
        """The base, which has the changes now."""
        assert self._base is not None, "only a fork has changes of its own"
        for key, noted in self._noted.items():
            for name, present in noted.items():
                self._base._note(key, name, present)
        return self._base

    def copy(self) -> Concerned:
        """An index of its own that equals this one."""
        copied = Concerned() if self._base is None else self._base.copy()
        for key, noted in self._noted.items():
            for name, present in noted.items():
                copied._note(key, name, present)
        return copied

    def _entry(self, key: Key) -> dict[str, bool]:
        own = self._noted.get(key, {})
        return own if self._base is None else {**self._base._entry(key), **own}

    def _note(self, key: Key, name: str, present: bool) -> None:
        if present or self._base is not None:
            self._noted.setdefault(key, {})[name] = present
            return
        noted = self._noted.get(key, {})
        noted.pop(name, None)
        if not noted:
            self._noted.pop(key, None)


def _keys(grant: grant_pb2.Grant) -> Iterator[Key]:
    domain = domain_of(grant.resource)
    if grant.effect != grant_pb2.EFFECT_ALLOW:
        yield denial_key(grant.subject, domain)
        return
    yield from map(rule_key, grant.basis)
    yield giver_key(grant.grantor)
    yield home_key(domain)
    if grant.break_glass:
        yield giver_key(grant.subject)
