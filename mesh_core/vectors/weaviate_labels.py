"""What Weaviate's candidates are put in order by, remembered: a passage never changes under its key, so each is read once.

Reading a hundred objects costs Weaviate more than finding them. Nothing is looked up here but keys that a search within the
reader's scope has found. Texts are not kept. Loaded only with the Weaviate store.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from mesh_core.vectors.passages import Candidate

__all__ = ["Label", "WeaviateLabels"]

_MOST = 20_000


class Label(NamedTuple):
    """What is known of one object before it is among the best."""

    key: str
    valid_from: int
    candidate: Candidate


class WeaviateLabels:
    """The 20,000 labels looked at last. Those of a collection are forgotten as soon as it holds more or less than it did."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[tuple[str, str], Label] = OrderedDict()
        self._totals: dict[str, int] = {}

    def of(
        self, keys: Sequence[str], *, at: tuple[str, int], version: int, read: Callable[[Sequence[str]], Iterable[Label]]
    ) -> list[Label]:
        """The labels of the objects of these keys, in order; those that are gone are left out.

        Args:
            keys: Of objects that a search has found.
            at: The collection, and how many objects it holds.
            version: The version read: what a later one adds may still be replaced, and is not remembered.
            read: Reads the labels of the keys given, in any order.
        """
        collection, total = at
        with self._lock:
            if self._totals.get(collection, total) != total:
                self._drop(collection)
            self._totals[collection] = total
            found = {key: label for key in keys if (label := self._known.get((collection, key)))}
        new = {label.key: label for label in read([key for key in keys if key not in found])} if len(found) < len(keys) else {}
        labels = [label for key in keys if (label := found.get(key) or new.get(key))]
        with self._lock:
            if self._totals.get(collection) == total:
                self._remember(collection, [label for label in labels if label.valid_from <= version])
        return labels

    def forget(self, collection: str) -> None:
        """Nothing of the collection is remembered."""
        with self._lock:
            self._drop(collection)

    def _remember(self, collection: str, labels: Iterable[Label]) -> None:
        for label in labels:
            self._known[collection, label.key] = label
            self._known.move_to_end((collection, label.key))
        while len(self._known) > _MOST:
            self._known.popitem(last=False)

    def _drop(self, collection: str) -> None:
        self._totals.pop(collection, None)
        for known in [known for known in self._known if known[0] == collection]:
            del self._known[known]
