"""What a store holds of a version, counted once for each state of a collection, and held to what was published.

A store that lost what it had acknowledged, or comes from an older backup, answers all the same, with what it has. Only who
published knows what must be there. Knows nothing of stores.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable

from mesh_core.vectors.store import FIRST_VERSION, CollectionOutdated, Published

__all__ = ["HeldCounts"]

_MOST = 256


class HeldCounts:
    """Remembers the counts that were made last."""

    def __init__(self) -> None:
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
        known = self._known.get(key)
        if known is None or known[0] != state:
            known = state, count()
            self._known.pop(key, None)
            self._known[key] = known
            while len(self._known) > _MOST:
                self._known.popitem(last=False)
        return known[1]

    def check(self, collection: str, version: int, *, published: Published, state: Hashable, count: Callable[[int], int]) -> None:
        """Returns if the version holds what was published. Raises: CollectionOutdated.

        `count` counts the passages that a version or a later one added.
        """
        wanted = {FIRST_VERSION: published.count}
        if published.newest_count is not None:
            wanted[published.newest] = published.newest_count
        for since, number in wanted.items():
            held = self.held(collection, version, since=since, state=state, count=lambda since=since: count(since))  # type: ignore[misc]
            if held != number:
                of = f" of version {since}" if since > FIRST_VERSION else ""
                raise CollectionOutdated(f"version {version} of {collection} has {held} passages{of}, {number} were published.")
