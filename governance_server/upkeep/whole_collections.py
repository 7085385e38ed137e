"""Collections as they were published: how many passages each version must have, and which have others.

A vector store of an older backup, or one that lost what it had acknowledged, answers with what it has. The journal has how many
passages were published as a version; an erasure, which takes passages from every version, corrects that when it is complete.
A release that was made before the mesh kept which version was its newest is not compared: erasures did not correct it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from domainmesh.v1 import erasure_pb2, product_pb2
from governance_server.backend import Reader, store
from governance_server.publishing.facets import outdate_facets
from governance_server.rules import kinds
from governance_server.rules.apply import ResourceWrite
from governance_server.storage.catalog import Catalog
from governance_server.upkeep.versions import find_release, kept_releases
from governance_server.vector_access import VectorAccess
from mesh_core.names import parse_port

if TYPE_CHECKING:
    from mesh_core.vectors.store import Published

__all__ = [
    "Counts",
    "collections_of",
    "corrected_counts",
    "counts_after",
    "erased_since",
    "is_being_erased",
    "lacking",
    "published_as",
    "published_on",
    "uncounted",
]

Counts = Mapping[tuple[str, int], "Published"]
"""By collection and version."""


def published_as(reader: Reader, port: str, version: int) -> Published | None:
    """What was published as the version, less what was erased since; None if nobody knows."""
    body = reader.get(kinds.RELEASE, kinds.versioned_name(parse_port(port).product_name, version))
    return _published_in(body, port) if body else None


def published_on(port: product_pb2.Port) -> Published | None:
    """The same of the version served, as the catalog's entry says it; None if that was made before it did."""
    return _published(port)


def is_being_erased(reader: Reader, port: str) -> bool:
    """True while an erasure takes passages from the collection and the journal has not yet how many."""
    receipts = uncounted(reader, f"{parse_port(port).product_name}/")
    return any(port in {erased.port for erased in it.ports} for it in receipts)


def erased_since(catalog: Catalog, product: str, revision: int) -> frozenset[str]:
    """The collections that erasures have taken passages from since then."""
    then = dict(catalog.list(kinds.SUBJECT_ERASURE, prefix=f"{product}/", as_of=revision))
    ended = {name for name, body in then.items() if erasure_pb2.Erasure.FromString(body).is_complete}
    now = catalog.list(kinds.SUBJECT_ERASURE, prefix=f"{product}/")
    return frozenset(collections_of(erasure_pb2.Erasure.FromString(body) for name, body in now if name not in ended))


def uncounted(reader: Reader, prefix: str = "") -> list[erasure_pb2.Erasure]:
    """The receipts that are not complete, of whose passages the journal has not how many were taken."""
    receipts = (erasure_pb2.Erasure.FromString(body) for _, body in reader.list(kinds.SUBJECT_ERASURE, prefix=prefix))
    return [it for it in receipts if not (it.is_complete or it.is_counted)]


def collections_of(receipts: Iterable[erasure_pb2.Erasure]) -> list[str]:
    """The collections that erasures take passages from."""
    ports = (port for receipt in receipts for port in receipt.ports)
    return sorted({port.port for port in ports if port.kind == product_pb2.PORT_KIND_COLLECTION})


def lacking(reader: Reader, vectors: VectorAccess, port: str) -> list[str]:
    """Which versions that may be read are not as they were published, in words, oldest first. Raises: VectorStoreError."""
    found = []
    for version, published in _versions(reader, port):
        held = _held(vectors, port, version, published)
        if held.count != published.count:
            found.append(f"version {version} of {port} has {held.count} passages, {published.count} were published")
        elif held != published:
            new = f"{held.newest_count} passages of version {held.newest}, {published.newest_count} were published"
            found.append(f"version {version} of {port} has {new}")
    return found


def counts_after(reader: Reader, vectors: VectorAccess, ports: Sequence[str], receipts: Sequence[erasure_pb2.Erasure]) -> Counts:
    """What versions have now that these erasures took theirs, as far as they can have taken it; those that have fewer.

    `receipts` are all that are not counted: each may have taken its passages already.

    Raises: VectorStoreError.
    """
    taken = {port: sum(it.count for receipt in receipts for it in receipt.ports if it.port == port) for port in ports}
    counts = {}
    for port in (name for name, count in taken.items() if count):
        for version, published in _versions(reader, port):
            held = _held(vectors, port, version, published)
            if published.count - taken[port] <= held.count < published.count:
                counts[port, version] = held
    return counts


def corrected_counts(reader: Reader, product: product_pb2.Product, counts: Counts) -> list[ResourceWrite]:
    """What makes product and releases say these counts, and nothing more of documents some of which are gone."""
    writes = []
    for version in sorted({version for _, version in counts}):
        release = find_release(reader, product.name, version)
        for port in release.ports:
            if known := counts.get((port.port, version)):
                port.row_count, port.newest_count = known.count, known.newest_count or 0
        writes.append(store(kinds.RELEASE, kinds.versioned_name(product.name, version), release))
    for entry in product.ports:
        if known := counts.get((entry.name, product.version)):
            entry.row_count, entry.newest_count = known.count, known.newest_count or 0
            outdate_facets(entry)
    return [*writes, store(kinds.PRODUCT, product.name, product)] if writes else []


@lru_cache(maxsize=64)
def _published_in(release: bytes, port: str) -> Published | None:
    """What the release says, as it is kept: a release is long, and each search asks this of the same few."""
    return next((_published(it) for it in product_pb2.Release.FromString(release).ports if it.port == port), None)


def _published(port: product_pb2.ReleasedPort | product_pb2.Port) -> Published | None:
    from mesh_core.vectors.store import Published

    if not port.newest_version:
        return None
    return Published(port.row_count, port.newest_version, port.newest_count)


def _held(vectors: VectorAccess, port: str, version: int, published: Published) -> Published:
    """What the store has, as it is counted for `published`."""
    from mesh_core.vectors.store import Published

    count = vectors.store.count(port, version)
    if published.newest_count is None:
        return Published(count)
    return Published(count, published.newest, vectors.store.count(port, version, since=published.newest))


def _versions(reader: Reader, port: str) -> Iterator[tuple[int, Published]]:
    """The versions that may be read and of which it is known, and what was published as each."""
    for release in kept_releases(reader, parse_port(port).product_name):
        for it in release.ports:
            if it.port == port and it.kind == product_pb2.PORT_KIND_COLLECTION and (published := _published(it)) is not None:
                yield release.version, published
