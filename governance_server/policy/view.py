"""One state of the policy: the engine and the facts it was made from; and copies of it that share everything until they change.

A copy costs microseconds whatever the size of the policy, so a group of commands can be decided on what it has written itself.
Knows nothing of the journal, threads or locks.
"""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, TypeVar

from domainmesh.v1 import product_pb2
from governance_server.caller import Caller
from governance_server.policy.facts import Facts, delta, follow_up, replace_resource, touched_by
from governance_server.policy.indexed_engine import IndexedEngine
from governance_server.policy.kept_plans import KeptPlans
from governance_server.rules.apply import ResourceWrite

__all__ = ["Overlay", "View"]

_K = TypeVar("_K")
_V = TypeVar("_V")
_ABSENT: Any = object()


class Overlay(MutableMapping[_K, _V]):
    """A mapping with its own changes on top of another one, which stays as it is until `settle`."""

    __slots__ = ("_base", "_gone", "_own")

    def __init__(self, base: MutableMapping[_K, _V]) -> None:
        self._base = base
        self._own: dict[_K, _V] = {}
        self._gone: set[_K] = set()

    def __getitem__(self, key: _K) -> _V:
        found = self._own.get(key, _ABSENT)
        if found is not _ABSENT:
            return found  # type: ignore[no-any-return]  # a value of the own mapping
        if key in self._gone:
            raise KeyError(key)
        return self._base[key]

    def __setitem__(self, key: _K, value: _V) -> None:
        self._own[key] = value
        self._gone.discard(key)

    def __delitem__(self, key: _K) -> None:
        self[key]  # raises for what is not there
        self._own.pop(key, None)
        self._gone.add(key)

    def __iter__(self) -> Iterator[_K]:
        yield from (key for key in self._base if key not in self._own and key not in self._gone)
        yield from self._own

    def __bool__(self) -> bool:
        return any(True for _ in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def settle(self) -> MutableMapping[_K, _V]:
        """The base, which has the changes now; the work grows with their number."""
        for key in self._gone:
            self._base.pop(key, None)
        self._base.update(self._own)
        return self._base


@dataclass(slots=True)
class View:
    """What decisions rest on at one revision. `revision` is the last change of policy in it, -1 while there is none."""

    engine: IndexedEngine = field(default_factory=IndexedEngine)
    facts: Facts = field(default_factory=Facts)
    revision: int = -1
    plans: KeptPlans = field(default_factory=KeptPlans)
    """Plans made on this very view."""
    callers: dict[str, Caller] = field(default_factory=dict)
    """Known principals as callers, as far as they were asked about."""
    ports: dict[str, product_pb2.Port] = field(default_factory=dict)
    """Ports by name, as far as they were asked about."""

    def fork(self) -> View:
        """A view that equals this one and may change without it; of resources other than `kinds.FOLLOWED_KINDS` it must not."""
        overlays: dict[str, Any] = {
            known.name: Overlay(value)
            for known in fields(self.facts)
            if isinstance(value := getattr(self.facts, known.name), MutableMapping)
        }
        return View(self.engine.fork(), replace(self.facts, concerned=self.facts.concerned.fork(), **overlays), self.revision)

    def settle(self) -> View:
        """The view that this one was forked from, brought to the state of this one."""
        settled: dict[str, Any] = {
            known.name: value.settle()
            for known in fields(self.facts)
            if isinstance(value := getattr(self.facts, known.name), Overlay)
        }
        return View(self.engine, replace(self.facts, concerned=self.facts.concerned.settle(), **settled), self.revision)

    def change(self, writes: Sequence[ResourceWrite], *, revision: int) -> None:
        """The view has the new states of the resources; after an error it is worth nothing. Raises: ValueError."""
        self.plans, self.callers, self.ports = KeptPlans(), {}, {}
        before = {key: self.facts.rows.get(key, ()) for key in touched_by(writes)}
        for write in writes:
            replace_resource(self.facts, write.kind, write.name, write.body)
        before = {**follow_up(self.facts, before.keys()), **before}
        self.engine.apply(delta(before, self.facts.rows), revision=revision)
        self.revision = revision
