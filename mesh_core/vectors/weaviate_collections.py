"""Where the mesh's collections are on a Weaviate server: an alias for each, the collection behind it, a tenant per domain.

Everybody reads and writes by the alias. So a collection can be built anew beside the one that is read and take its place in one
step. What lies in a collection belongs to the tenant of the port's domain: a shard of its own, and what a role of Weaviate's can
be limited to. Knows nothing of searching or staging. Loaded only with the Weaviate store.
"""

from __future__ import annotations

import hashlib
import logging
import re
import time
from collections.abc import Collection, Iterator, Mapping
from functools import lru_cache
from itertools import islice
from typing import Any

from weaviate.classes.config import Reconfigure
from weaviate.classes.query import Filter
from weaviate.classes.tenants import Tenant
from weaviate.exceptions import InsufficientPermissionsError

from mesh_core.vectors.identifiers import collection_identifier, encoded
from mesh_core.vectors.store import CollectionMismatch, CollectionMissing, StoreUnavailable
from mesh_core.vectors.weaviate_objects import as_stored, insert_all
from mesh_core.vectors.weaviate_rows import TAG_SETS, collection_settings, read_declaration, tag_sets_settings
from mesh_core.vectors.weaviate_vectors import indexed, write_down

__all__ = ["WeaviateCollections", "missing", "tenant_of"]

_LOG = logging.getLogger(__name__)

_PAGE = 500
_LONGEST_TENANT = 64
_DRAIN_SECONDS = 1.0
_MOST_USED = 256


def tenant_of(name: str) -> str:
    """The tenant of a collection: its domain's; `finance` for `finance.memos.pages`."""
    domain = encoded(name.partition(".")[0]) or "none"
    return domain if len(domain) <= _LONGEST_TENANT else hashlib.sha256(domain.encode()).hexdigest()


class WeaviateCollections:
    """The collections on one server, by their names in the mesh."""

    def __init__(self, client: Any) -> None:  # noqa: ANN401
        self._client = client
        self._used = lru_cache(_MOST_USED)(self._use)  # the client takes as long to make one as to ask it

    def use(self, name: str) -> Any:  # noqa: ANN401
        """The collection as its readers have it; whether it is there is found out when it is used."""
        return self._used(name)

    def _use(self, name: str) -> Any:  # noqa: ANN401
        return self._client.collections.use(collection_identifier(name)).with_tenant(tenant_of(name))

    def existing(self, name: str) -> Any:  # noqa: ANN401
        """The collection. Raises: CollectionMissing."""
        if self._target(name) is None:
            raise missing(name)
        return self.use(name)

    def exists(self, name: str) -> bool:
        """Whether it is there."""
        return self._target(name) is not None

    def tag_sets(self, name: str) -> Any:  # noqa: ANN401
        """The tag sets of the collection's domain."""
        return self._client.collections.use(TAG_SETS).with_tenant(tenant_of(name))

    def create(self, name: str, *, dimensions: int, attributes: Mapping[str, type]) -> None:
        """The collection is there, if it was not, and so are the tag sets. Raises: CollectionMismatch."""
        if not self._client.collections.exists(TAG_SETS):
            self._client.collections.create(TAG_SETS, **tag_sets_settings())
        self._add_tenant(TAG_SETS, name)
        if self._target(name) is not None:
            return
        if self._client.collections.exists(collection_identifier(name)):
            raise CollectionMismatch(
                f"{name} lies in Weaviate as it was before aliases: delete {collection_identifier(name)} there, publish again."
            )
        target = self._create(name, 1, dimensions=dimensions, attributes=attributes)
        self._client.alias.create(alias_name=collection_identifier(name), target_collection=target)

    def add_property(self, name: str, added: Any) -> None:  # noqa: ANN401
        """The collection has one more property."""
        self._client.collections.use(self._target(name)).config.add_property(added)

    def drop(self, name: str) -> None:
        """The collection, what was left of building it anew, and its tag sets are gone."""
        self._client.alias.delete(alias_name=collection_identifier(name))
        for made in self._made(name):
            self._client.collections.delete(made)
        if self._has_tag_sets(name):
            self.tag_sets(name).data.delete_many(where=Filter.by_property("collection").equal(name))

    def clear(self, name: str) -> None:
        """Only the collection that is read is there: what a rebuild that broke off left, erased passages among it, is gone."""
        target = self._target(name)
        for left in self._made(name):
            if target is not None and left != target:
                self._client.collections.delete(left)

    def settle(self, name: str) -> None:
        """What was written to the collection is in its files, and found by its words. Nobody may be searching it meanwhile."""
        self._settle(str(self._target(name)), name)

    def rebuild(self, name: str, *, without: Collection[str] = ()) -> int:
        """How many objects the collection holds, now that it is built anew, but for those of the ids in `without`.

        Raises:
            CollectionMissing: there is none.
            StoreUnavailable: not all came over; the old one is in use.
        """
        self.clear(name)
        source, target = self.existing(name), str(self._target(name))
        dimensions, attributes = read_declaration(source)
        number = int(target.rpartition("__")[2]) + 1
        made = self._create(name, number, dimensions=dimensions, attributes=attributes)
        copy = self._client.collections.use(made).with_tenant(tenant_of(name))
        objects = (it for it in _objects(source) if str(it.uuid) not in without)
        while batch := list(islice(objects, _PAGE)):
            insert_all(copy, batch, what=f"passages of {name}", named="passage_id")
        self._settle(made, name)
        wanted = _count(source) - len(without)
        found = min(_count(copy), indexed(copy, dimensions=dimensions, count=wanted))
        if wanted != found:
            raise StoreUnavailable(f"{name} could not be built anew: {found} of {wanted} passages came over. Repeat it.")
        self._client.alias.update(alias_name=collection_identifier(name), new_target_collection=made)
        time.sleep(_DRAIN_SECONDS)  # a search that looked the alias up before may still be on its way to the old collection
        self._client.collections.delete(target)
        return found

    def _settle(self, identifier: str, name: str) -> None:
        """The tenant is put out of use and into use again, which writes all it has in memory to its segments.

        Weaviate 1.35.2 ranks wrongly by words, without an error, what is not in a segment yet: it stops after the first hundred
        passages that hold a word, whichever they are. Its own writing comes seconds to a minute later. A tenant that many search
        just then may hang, and who searches it fails. Whoever is killed in between leaves it out of use, until it is used.
        """
        used = self._client.collections.use(identifier)
        try:
            if not used.config.get().multi_tenancy_config.auto_tenant_activation:  # an earlier release made the collection
                used.config.update(multi_tenancy_config=Reconfigure.multi_tenancy(auto_tenant_activation=True))
            used.tenants.deactivate(tenant_of(name))
            used.tenants.activate(tenant_of(name))
        except InsufficientPermissionsError:
            _LOG.warning(
                "weaviate.tenant_not_settled collection=%s: grant the API key of the mesh the right update_tenants, or new "
                "passages are ranked wrongly by their words until Weaviate has written them, up to a minute later.", name,
            )  # fmt: skip
            write_down(used.with_tenant(tenant_of(name)))

    def _target(self, name: str) -> str | None:
        found = self._client.alias.get(alias_name=collection_identifier(name))
        return None if found is None else str(found.collection)

    def _create(self, name: str, number: int, *, dimensions: int, attributes: Mapping[str, type]) -> str:
        identifier = f"{collection_identifier(name)}__{number}"
        if not self._client.collections.exists(identifier):
            self._client.collections.create(identifier, **collection_settings(dimensions=dimensions, attributes=attributes))
        self._add_tenant(identifier, name)
        return identifier

    def _add_tenant(self, identifier: str, name: str) -> None:
        tenants = self._client.collections.use(identifier).tenants
        if not tenants.exists(tenant_of(name)):
            tenants.create([Tenant(name=tenant_of(name))])

    def _has_tag_sets(self, name: str) -> bool:
        collections = self._client.collections
        return bool(collections.exists(TAG_SETS) and collections.use(TAG_SETS).tenants.exists(tenant_of(name)))

    def _made(self, name: str) -> list[str]:
        """Every collection that was made for the name: the one that is read, and what a rebuild left that did not end."""
        made = re.compile(rf"{collection_identifier(name)}__\d+")
        return [it for it in self._client.collections.list_all(simple=True) if made.fullmatch(it)]


def missing(name: str) -> CollectionMissing:
    """The error that says so."""
    return CollectionMissing(f"there is no collection {name}: create it with ensure_collection (publishing does so).")


def _objects(collection: Any) -> Iterator[Any]:  # noqa: ANN401
    return map(as_stored, collection.iterator(include_vector=True, cache_size=_PAGE))


def _count(collection: Any) -> int:  # noqa: ANN401
    return int(collection.aggregate.over_all(total_count=True).total_count or 0)
