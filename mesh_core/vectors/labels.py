"""What candidates are put in order by, remembered: a stored passage never changes under its id, so each is read once.

Reading a hundred candidates costs a store more than finding them. Nothing is looked up here but ids that a search within the
reader's scope has found. Texts are not kept. Knows nothing of stores.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from mesh_core.vectors.passages import Candidate

__all__ = ["Label", "Labels"]

_MOST = 20_000


class Label(NamedTuple):
    """What is known of one stored passage before it is among the best."""

    id: str
    """What the store calls it in its present state: Weaviate by its key, LanceDB by its row."""
    key: str
    """What it is called in every state; equal scores are ordered by it."""
    valid_from: int
    candidate: Candidate


class Labels:
    """The 20,000 labels looked at last. Those of a collection are forgotten as soon as its state is another."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[tuple[str, str], Label] = OrderedDict()
        self._states: dict[str, int] = {}

    def of(
        self, ids: Sequence[str], *, at: tuple[str, int], version: int, read: Callable[[Sequence[str]], Iterable[Label]]
    ) -> list[Label]:
        """The labels of what has these ids, in order; those that are gone are left out.

        Args:
            ids: Of what a search has found.
            at: The collection, and its state: how many objects it holds, or its commit.
            version: The version read: what a later one adds may still be replaced, and is not remembered.
            read: Reads the labels of the ids given, in any order.
        """
        collection, state = at
        with self._lock:
            if self._states.get(collection, state) != state:
                self._drop(collection)
            self._states[collection] = state
            found = {it: label for it in ids if (label := self._known.get((collection, it)))}
        new = {label.id: label for label in read([it for it in ids if it not in found])} if len(found) < len(ids) else {}
        labels = [label for it in ids if (label := found.get(it) or new.get(it))]
        with self._lock:
            if self._states.get(collection) == state:
                self._remember(collection, [label for label in labels if label.valid_from <= version])
        return labels

    def forget(self, collection: str) -> None:
        """Nothing of the collection is remembered."""
        with self._lock:
            self._drop(collection)

    def _remember(self, collection: str, labels: Iterable[Label]) -> None:
        for label in labels:
            self._known[collection, label.id] = label
            self._known.move_to_end((collection, label.id))
        while len(self._known) > _MOST:
            self._known.popitem(last=False)

    def _drop(self, collection: str) -> None:
        self._states.pop(collection, None)
        for known in [known for known in self._known if known[0] == collection]:
            del self._known[known]
