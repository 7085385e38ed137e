"""What Weaviate's vector index holds: a server that was killed may have all objects, and lack the newest in this index alone.

Neither filters nor counts of objects tell, and searches miss them without an error. So what was written is put into the index's
file before it counts as written, and what the index holds is counted after each start of the server. Loaded only with the
Weaviate store.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Hashable
from functools import partial
from typing import Any

from weaviate.classes.query import Filter
from weaviate.exceptions import WeaviateBaseError

from mesh_core.vectors.held_counts import HeldCounts
from mesh_core.vectors.store import FIRST_VERSION, CollectionOutdated, Published
from mesh_core.vectors.weaviate_connection import has_no_answer
from mesh_core.vectors.weaviate_objects import as_stored, insert_all
from mesh_core.vectors.weaviate_rows import EXACT_UP_TO

__all__ = ["IndexedVectors", "indexed", "write_down"]

_LOG = logging.getLogger(__name__)

_ASKED_SECONDS = 60.0
"""So often the server is asked whether it was started anew."""
_COUNTED_SECONDS = 3600
"""So often vectors are counted anew, whatever the server says of its starts."""
_ALL = Filter.by_property("valid_from").greater_or_equal(0)


def write_down(collection: Any) -> None:  # noqa: ANN401
    """All vectors that were written before are in the file of the index.

    Weaviate 1.35.2 writes that file before, not after, it has indexed the vectors of a batch (`putBatch`, `flushWALs`): the
    newest stay in memory until another batch comes. One object that is stored again as it is makes one and changes nothing.
    """
    some = [as_stored(it) for it in collection.query.fetch_objects(limit=1, include_vector=True).objects]
    if some:
        insert_all(collection, some, what="passages", named="passage_id")


def indexed(collection: Any, where: Any = None, *, dimensions: int, count: int) -> int:  # noqa: ANN401
    """How many of the `count` objects that a filter keeps, or that there are, a search by vector can find.

    Only so many are compared that each is: beyond, and without a filter, the graph of neighbours is searched, which may miss
    some. Where there are more, all are taken to be there.
    """
    if not 0 < count < EXACT_UP_TO:
        return count
    kept = _ALL if where is None else where
    found = collection.aggregate.near_vector([1.0] * dimensions, object_limit=count, filters=kept, total_count=True)
    return int(found.total_count or 0)


class IndexedVectors:
    """Holds the vector index to what was published, once for each state of a collection and start of the server."""

    def __init__(self, client: Any) -> None:  # noqa: ANN401
        self._client = client
        self._held = HeldCounts()
        self._asked: tuple[float, Hashable] = (-_ASKED_SECONDS, None)
        self._is_told = False

    def check(self, name: str, version: int, *, published: Published, state: Hashable, count: Callable[[int, int], int]) -> None:
        """Returns if the index holds the version, which has as many objects as were `published`. Raises: CollectionOutdated.

        `count` counts in the index the passages that a version or a later one added, and is told how many there must be; `state`
        changes when passages come or go.
        """
        since, wanted = FIRST_VERSION, published.count
        if wanted >= EXACT_UP_TO and published.newest_count is not None:
            since, wanted = published.newest, published.newest_count
        current = state, self._last_start(), int(time.monotonic() // _COUNTED_SECONDS)
        held = self._held.settled((name, version, since), wanted=wanted, state=current, count=partial(count, since, wanted))
        if held != wanted:
            raise CollectionOutdated(f"version {version} of {name}: {held} of {wanted} passages are in the vector index.")

    def forget(self, name: str) -> None:
        """Nothing of the collection is remembered."""
        self._held.forget(name)

    def start(self) -> Hashable:
        """What is another after the server was started anew: it elects a leader then, with a higher number. None: unknown."""
        try:
            return tuple(it.raft.term for it in self._client.cluster.statistics().statistics)
        except WeaviateBaseError as error:  # the key may not be allowed to ask
            if has_no_answer(error):
                raise
            self._tell(error)
        return None

    def _tell(self, error: WeaviateBaseError) -> None:
        """It is in the log, once."""
        if not self._is_told:
            self._is_told = True
            _LOG.warning(
                "weaviate.statistics_unknown error=%s: grant the API key of the mesh the right read_cluster, or passages that "
                "Weaviate lost when it was started anew are noticed up to an hour later, where it would be a minute.",
                type(error).__name__,
            )

    def _last_start(self) -> Hashable:
        """The same, as it was at most a minute ago."""
        if time.monotonic() - self._asked[0] >= _ASKED_SECONDS:
            self._asked = time.monotonic(), self.start()
        return self._asked[1]
