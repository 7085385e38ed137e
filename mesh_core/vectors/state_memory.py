"""What was read of stored passages, remembered: a stored passage never changes under its id, so each is read once.

Reading a hundred candidates costs a store more than finding them. Nothing is looked up here but ids that a search within the
reader's scope has found. Knows nothing of stores.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Generic, TypeVar

__all__ = ["StateMemory"]

_Thing = TypeVar("_Thing")


class StateMemory(Generic[_Thing]):
    """The things looked at last, by collection and id. Those of a collection are forgotten as soon as its state is another."""

    def __init__(self, most: int, *, size: Callable[[_Thing], int] = lambda thing: 1) -> None:
        """All that is remembered is together at most so large; by default, so many things."""
        self._most, self._size_of = most, size
        self._lock = threading.Lock()
        self._known: OrderedDict[tuple[str, str], _Thing] = OrderedDict()
        self._states: dict[str, Hashable] = {}
        self._size = 0

    def of(
        self,
        ids: Sequence[str],
        *,
        at: tuple[str, Hashable],
        read: Callable[[Sequence[str]], Mapping[str, _Thing]],
        is_settled: Callable[[_Thing], bool] = lambda thing: True,
    ) -> list[_Thing]:
        """What has these ids, in order; what is gone is left out.

        Args:
            ids: Of what a search has found.
            at: The collection, and its state: what changes when anything of it does.
            read: Reads those of the ids given, by id.
            is_settled: False of what may still be replaced, and so is not remembered.
        """
        collection, state = at
        with self._lock:
            if self._states.get(collection, state) != state:
                self._drop(collection)
            self._states[collection] = state
            found = {it: thing for it in ids if (thing := self._known.get((collection, it))) is not None}
            for it in found:
                self._known.move_to_end((collection, it))
        if len(found) == len(ids):
            return list(found.values())
        read_now = read([it for it in ids if it not in found])
        new = {it: read_now[it] for it in ids if it in read_now}
        with self._lock:
            if self._states.get(collection) == state:
                self._remember(collection, {it: thing for it, thing in new.items() if is_settled(thing)})
        return [found[it] if it in found else new[it] for it in dict.fromkeys(ids) if it in found or it in new]

    def add(self, things: Mapping[str, _Thing], *, at: tuple[str, Hashable]) -> bool:
        """True if these are remembered; False if there is no room, or the collection is not in this state any more.

        What was looked at never makes room for what was not. `at` is the collection and its state, as in `of`.
        """
        collection, state = at
        with self._lock:
            size = sum(map(self._size_of, things.values()))
            if self._states.get(collection) != state or self._size + size > self._most:
                return False
            self._remember(collection, things)
        return True

    def forget(self, collection: str) -> None:
        """Nothing of the collection is remembered."""
        with self._lock:
            self._drop(collection)

    def _remember(self, collection: str, things: Mapping[str, _Thing]) -> None:
        for it, thing in things.items():
            if (collection, it) not in self._known:
                self._size += self._size_of(thing)
                self._known[collection, it] = thing
            self._known.move_to_end((collection, it))
        while self._size > self._most:
            _, gone = self._known.popitem(last=False)
            self._size -= self._size_of(gone)

    def _drop(self, collection: str) -> None:
        self._states.pop(collection, None)
        for known in [known for known in self._known if known[0] == collection]:
            self._size -= self._size_of(self._known.pop(known))
