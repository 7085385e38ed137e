"""Searches of collection versions that are as they were published; others are refused.

Owns when a version counts as lost, and what is said of it. How many passages it has is said in the log alone: it tells of
hidden ones.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from domainmesh.v1 import product_pb2
from governance_server.backend import Backend
from governance_server.rules.errors import Unavailable
from governance_server.upkeep.versions import find_release, refuse_retired
from governance_server.upkeep.whole_collections import is_being_erased, published_as, published_on
from mesh_core.names import parse_port

if TYPE_CHECKING:
    from mesh_core.vectors.passages import Hit
    from mesh_core.vectors.store import Published

__all__ = ["WholeVersions"]

_LOG = logging.getLogger(__name__)
_SAID_SECONDS = 60


class WholeVersions:
    """Lets versions be searched that hold what was published as them."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._said: dict[tuple[str, int], float] = {}

    def published(self, port: product_pb2.Port, version: int, *, is_served: bool) -> Published | None:
        """What must be in the version; None if nobody knows. Of the one served the entry says it, so that nothing is read."""
        known = published_on(port) if is_served else None
        return known if known is not None else published_as(self._backend.catalog, port.name, version)

    def search(
        self, port: str, version: int, published: Published | None, find: Callable[[Published | None], list[Hit]]
    ) -> list[Hit]:
        """What `find` finds in the version, given what must be there; None is for a version that is not to be compared.

        Raises:
            Precondition: the version was retired meanwhile.
            Unavailable: the vector store lost some of it, or has to build it anew.
        """
        from mesh_core.vectors.store import CollectionMissing, CollectionOutdated, CollectionUnfinished

        catalog = self._backend.catalog
        try:
            return find(published)
        except (CollectionOutdated, CollectionMissing, CollectionUnfinished) as error:
            # What an erasure takes is gone before the journal has it.
            is_erased = is_being_erased(catalog, port)
            refuse_retired(find_release(catalog, parse_port(port).product_name, version))
            if not is_erased and published == published_as(catalog, port, version):
                raise self._refusal(port, version, error) from error
        try:
            return find(None)
        except (CollectionOutdated, CollectionMissing, CollectionUnfinished) as error:
            raise self._refusal(port, version, error) from error

    def _refusal(self, port: str, version: int, error: Exception) -> Unavailable:
        """What the asker is told, which is no number; the log has the rest."""
        from mesh_core.vectors.store import CollectionUnfinished

        self._tell(port, version, error)
        product = parse_port(port).product_name
        if isinstance(error, CollectionUnfinished):
            why = "its index was not built anew since it got another attribute"
            then = f"to run `mesh reindex {product}`, or publish it again."
        else:
            why = f"the vector store lost passages of version {version}, or is from an older backup than the journal"
            then = f"to run `mesh reindex {product}`, which says what is left to do."
        return Unavailable(f"{port} cannot be searched: {why}. Ask who runs the server {then}", resource=port)

    def _tell(self, port: str, version: int, error: Exception) -> None:
        """It is in the log, at most once a minute: every question to the collection fails with it."""
        now = time.monotonic()
        if now - self._said.get((port, version), -_SAID_SECONDS) >= _SAID_SECONDS:
            self._said[port, version] = now
            _LOG.warning("collection cannot be searched port=%s version=%d: %s", port, version, error)
