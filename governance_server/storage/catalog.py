"""The catalog: the read side of the journal's resources.

Owns reading committed resources, now or as of a revision. Every answer is one statement on the calling thread's connection,
and raises StorageUnavailable if the database fails.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from governance_server.storage.engine import Database
from governance_server.storage.resources import ResourceList, Selection, get_resource, list_resources, list_under

__all__ = ["Catalog", "CatalogSnapshot"]

_STRETCH = 100
"""So many of a list are read at once."""


class Catalog:
    """Reads resources by kind and name."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def revision(self) -> int:
        """The last committed revision."""
        return self._database.head().revision

    def get(self, kind: str, name: str, *, as_of: int | None = None) -> bytes | None:
        """The stored message of one resource; None if it does not exist (then) or that state was erased."""
        try:
            return get_resource(self._database.reader(), kind, name, as_of=as_of)
        except self._database.driver.errors as error:
            raise self._database.unavailable(error) from error

    def list(
        self,
        kind: str,
        *,
        domain: str | None = None,
        prefix: str | None = None,
        after_name: str = "",
        limit: int | None = None,
        as_of: int | None = None,
        is_descending: bool = False,
    ) -> ResourceList:
        """Names and stored messages, by name in byte order, all if `limit` is None; see `Selection`."""
        selection = Selection(
            domain=domain, prefix=prefix, after_name=after_name, limit=limit, as_of=as_of, is_descending=is_descending
        )
        return self.select(kind, selection)

    def select(self, kind: str, selection: Selection) -> ResourceList:
        """What `list` gives, for a selection that is at hand as a value."""
        try:
            return list_resources(self._database.reader(), kind, selection)
        except self._database.driver.errors as error:
            raise self._database.unavailable(error) from error

    def walk(
        self, kind: str, lists: Sequence[str], *, after: str = "", is_descending: bool = False
    ) -> Iterator[tuple[str, bytes]]:
        """Places and current messages of what stands in any of the lists (`rules.listings`), once each, in order.

        It begins beyond the place `after`, if that is given, and reads only as far as it is asked for.
        """
        walks = [self._walk(kind, listed, after, is_descending=is_descending) for listed in lists]
        last = ""
        for place, body in heapq.merge(*walks, key=lambda found: found[0], reverse=is_descending):
            if place != last:
                yield place, body
            last = place

    def _walk(self, kind: str, listed: str, after: str, *, is_descending: bool) -> Iterator[tuple[str, bytes]]:
        beyond = after
        while True:
            try:
                found = list_under(
                    self._database.reader(), kind, listed, limit=_STRETCH, after=beyond, is_descending=is_descending
                )
            except self._database.driver.errors as error:
                raise self._database.unavailable(error) from error
            yield from found
            if len(found) < _STRETCH:
                return
            beyond = found[-1][0]

    def snapshot(self, as_of: int | None = None) -> CatalogSnapshot:
        """The catalog at one revision, the last one if None: its reads agree with each other whatever is committed meanwhile."""
        return CatalogSnapshot(catalog=self, revision=self.revision() if as_of is None else as_of)


@dataclass(frozen=True, slots=True)
class CatalogSnapshot:
    """Reads that all see the catalog at `revision`. It holds no transaction: rows carry the revisions they are valid in."""

    catalog: Catalog
    revision: int

    def get(self, kind: str, name: str) -> bytes | None:
        """The stored message of one resource at this revision, or None."""
        return self.catalog.get(kind, name, as_of=self.revision)

    def select(self, kind: str, selection: Selection) -> ResourceList:
        """Names and stored messages at this revision, by name in byte order."""
        return self.catalog.select(kind, replace(selection, as_of=self.revision))
