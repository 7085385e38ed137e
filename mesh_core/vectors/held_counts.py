"""What a store holds of a version, counted once for each state of a collection, and held to what was published.

A store that lost what it had acknowledged, or comes from an older backup, answers all the same, with what it has. Only who
published knows what must be there. Knows nothing of stores.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from functools import partial

from mesh_core.vectors.store import FIRST_VERSION, CollectionOutdated, Published

__all__ = ["HeldCounts"]

_MOST = 4096
_COUNTS, _PAUSE_SECONDS = 4, 0.1
"""So often passages are counted again before some are said to be lost."""


class HeldCounts:
    """Remembers the counts that were asked for last."""

    def __init__(self, most: int = _MOST) -> None:
        """So many are remembered."""
        self._most = most
        self._lock = threading.Lock()
        self._known: OrderedDict[tuple[str, int, int], tuple[Hashable, int]] = OrderedDict()

    def held(self, collection: str, version: int, *, since: int, state: Hashable, count: Callable[[], int]) -> int:
        """How many passages that `since` or a later version added readers of the version could see.

        Args:
            collection: Its name.
            version: The version; 0 for all passages, of whichever.
            since: A version.
            state: What changes when passages come or go.
            count: Counts them, for the first question at this state.
        """
        key = collection, version, since
        with self._lock:
            known = self._known.get(key)
            if known is not None and known[0] == state:
                self._known.move_to_end(key)
                return known[1]
        made = count()
        with self._lock:
            self._known[key] = state, made
            self._known.move_to_end(key)
            while len(self._known) > self._most:
                self._known.popitem(last=False)
        return made

    def forget(self, collection: str) -> None:
        """No count of the collection is remembered."""
        with self._lock:
            for key in [key for key in self._known if key[0] == collection]:
                del self._known[key]

    def check(self, collection: str, version: int, *, published: Published, state: Hashable, count: Callable[[int], int]) -> None:
        """Returns if the version holds what was published. Raises: CollectionOutdated.

        `count` counts the passages that a version or a later one added.
        """
        wanted = {FIRST_VERSION: published.count}
        if published.newest_count is not None:
            wanted[published.newest] = published.newest_count
        for since, number in wanted.items():
            held = self.settled((collection, version, since), wanted=number, state=state, count=partial(count, since))
            if held != number:
                of = f" of version {since}" if since > FIRST_VERSION else ""
                raise CollectionOutdated(f"version {version} of {collection} has {held} passages{of}, {number} were published.")

    def settled(self, key: tuple[str, int, int], *, wanted: int, state: Hashable, count: Callable[[], int]) -> int:
        """As many passages of the key (collection, version, since) as are `wanted`, unless some stay away.

        A count that does not agree is not remembered, and made a few times more: it may be of a moment when the collection was
        built anew, or a later version ended rows, some of which are in no answer of Weaviate's then.
        """
        collection, version, since = key
        held = self.held(collection, version, since=since, state=state, count=count)
        if held == wanted:
            return held
        with self._lock:
            self._known.pop(key, None)
        for _ in range(_COUNTS):
            time.sleep(_PAUSE_SECONDS)
            if (held := count()) == wanted:
                break
        return held
