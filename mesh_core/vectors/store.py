"""The vector store seam: one Protocol, two adapters, and the scope without which nothing can be searched.

Owns the promises every adapter keeps (versions as intervals, pre-filtering, ranks only). The adapters own their stores' words;
this module imports neither until a store is opened.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import parse_qs, unquote, urlsplit

from mesh_core.expressions.binding import is_false, is_true
from mesh_core.expressions.tree import Expression
from mesh_core.vectors.passages import Candidate, Hit, Passage

__all__ = [
    "DEFAULT_ALPHA",
    "FIRST_VERSION",
    "OPEN",
    "AllowedScope",
    "Arrange",
    "AskedVector",
    "CollectionMismatch",
    "CollectionMissing",
    "CollectionOutdated",
    "CollectionUnfinished",
    "Published",
    "StageResult",
    "StagingConflict",
    "StoreUnavailable",
    "VectorStore",
    "VectorStoreError",
    "awaited",
    "open_store",
]

OPEN = 2**31 - 1
"""`valid_to` of a passage that no version has closed; never null, so that every filter is a positive one."""

FIRST_VERSION = 1

DEFAULT_ALPHA = 0.75
"""The dense part of the fused score; the rest is BM25. The least bad constant over the measured sets."""

Arrange = Callable[[Sequence[Candidate]], Sequence[int]]
"""Puts candidates, given best first, into another order: the positions of those wanted, best first."""


AskedVector = Sequence[float] | Future[Sequence[float]]
"""A question's vector, or the promise of it: what asks for words alone is done until then."""


class VectorStoreError(Exception):
    """Something a vector store could not do; the message names the collection and the way out."""


class CollectionMissing(VectorStoreError):
    """The collection was never created or has been dropped."""


class CollectionMismatch(VectorStoreError):
    """The collection exists with other dimensions or attribute types, or a filter names an undeclared attribute."""


class CollectionOutdated(VectorStoreError):
    """A version does not hold what was published as it: the store lost some of that, or is from an older backup."""


class CollectionUnfinished(VectorStoreError):
    """An attribute was added, and the store does not know which passages lack it: `rebuild` has it know."""


class StagingConflict(VectorStoreError):
    """The version cannot be staged or unstaged because a later one already is, or a passage id occurs twice."""


class StoreUnavailable(VectorStoreError):
    """The store cannot be reached, or refused a write after retries."""


@dataclass(frozen=True, slots=True)
class AllowedScope:
    """What a reader may find: passages whose attributes make `filter` true and that carry none of `excluded_tags`.

    `filter` is over declared attribute names, with subjects already bound; TRUE allows every passage, FALSE none.
    `excluded_tags` are exact tags: who excludes a tag passes its narrower ones too.
    """

    filter: Expression
    excluded_tags: frozenset[str] = field(default_factory=frozenset)

    @property
    def is_empty(self) -> bool:
        """True if nothing may be found, so that no store need be asked."""
        return is_false(self.filter)

    @property
    def allows_all(self) -> bool:
        """True if every passage of a version may be found."""
        return is_true(self.filter) and not self.excluded_tags


@dataclass(frozen=True, slots=True)
class StageResult:
    """What a version changed: passages it added, took over unchanged, and closed. A repetition gives the same numbers."""

    added: int
    kept: int
    closed: int


@dataclass(frozen=True, slots=True)
class Published:
    """What was published as a version, less what was erased since: how many passages, and how many of them are its newest."""

    count: int
    newest: int = FIRST_VERSION
    """The last version up to this one that brought new passages; what is equal in number may still be older."""
    newest_count: int | None = None
    """How many passages are of it; None if nobody knows."""


class VectorStore(Protocol):
    """Passages with vectors in named collections, readable at any staged version.

    A passage is visible to readers of the versions in [valid_from, valid_to). Safe to use from several threads for reading;
    one writer per collection at a time (the publication's lease).
    """

    def ensure_collection(self, name: str, *, dimensions: int, attributes: Mapping[str, type]) -> None:
        """The collection exists with these dimensions and at least these attributes (str, int, float or bool).

        Raises:
            CollectionMismatch: it exists with other dimensions, or with another type for an attribute.
        """

    def drop_collection(self, name: str) -> None:
        """The collection and all its versions are gone; nothing happens if it never was."""

    def rebuild(self, collection: str) -> int:
        """How many passages the collection holds, over all versions, now that its indexes are made anew from them.

        Searches meanwhile are answered from the old ones, never from half of the new. For after a restore. May be repeated.

        Raises:
            CollectionMissing: there is no such collection.
            StoreUnavailable: not all passages came over; the old indexes are in use.
        """

    def stage(self, collection: str, version: int, passages: Iterable[Passage]) -> StageResult:
        """At `version` the collection holds exactly `passages`; readers of earlier versions see no change.

        May be repeated after a crash or with other passages; `passages` is consumed in batches.

        Raises:
            InvalidPassage: a passage breaks a rule; repair with `unstage`.
            StagingConflict: a later version is staged, or an id occurs twice.
            StoreUnavailable: objects could not be written after retries.
            CollectionMissing: there is no such collection.
        """

    def is_overtaken(self, collection: str, version: int) -> bool:
        """True if a later version is staged, so that this one cannot be: the journal is from an older backup than the store.

        Raises:
            CollectionMissing: there is no such collection.
        """

    def unstage(self, collection: str, version: int) -> None:
        """Everything `stage(version)` did is undone: its passages are gone, what it closed is open again. May be repeated.

        Raises:
            StagingConflict: a later version is staged; unstage that one first.
            CollectionMissing: there is no such collection.
        """

    def prune(self, collection: str, keep: Collection[int], *, dry_run: bool = False) -> int:
        """How many passages are gone, or would be: those that ended and that no version in `keep` sees.

        Passages without an end stay. A collection that is not there has none.
        """

    def erase(self, collection: str, is_about: Callable[[str], bool], *, dry_run: bool = False) -> int:
        """How many passages are gone, or would be, from every version and from the store's own history and indexes.

        `is_about` is asked of all that is written in a passage: document, title, heading and text. May be repeated. A collection
        that is not there has none.
        """

    def about(self, collection: str, is_about: Callable[[str], bool]) -> frozenset[str]:
        """The ids of the passages that `erase` would take; none of a collection that is not there."""

    def search(
        self,
        collection: str,
        *,
        text: str,
        vector: AskedVector,
        version: int,
        scope: AllowedScope,
        limit: int,
        alpha: float = DEFAULT_ALPHA,
        arrange: Arrange | None = None,
        published: Published | None = None,
    ) -> list[Hit]:
        """The best `limit` passages of `version` inside `scope`, best first; fewer only if the scope holds fewer candidates.

        `arrange` is shown all candidates (at least 100 of each search, if there are so many) and decides which are best.

        BM25 over the indexed text and cosine over the vectors, each scaled to [0, 1] over its best candidates and added with
        weights 1 - alpha and alpha. Version and scope restrict both searches before they rank; equal scores keep one fixed order.
        Words weigh what they weigh among the permitted passages of the version, whatever else the collection holds. A promised
        `vector` is awaited only when nothing else is left to do; what it fails with is raised. The version is held to what
        was `published` as it, if that is given; passages are counted for that once for each state of the collection.

        Raises:
            CollectionOutdated: the version does not hold what was published.
            CollectionUnfinished: the filter asks what passages lack, and the store does not know that of all.
            InvalidPassage: the vector has other dimensions or is not finite.
            CollectionMismatch: the filter names an undeclared attribute, or the store cannot evaluate it.
            CollectionMissing: there is no such collection.
        """

    def count(self, collection: str, version: int, *, since: int = FIRST_VERSION) -> int:
        """How many passages readers of `version` could see if everything were allowed, of those added `since` that version."""

    def close(self) -> None:
        """Connections are released; the store cannot be used any more."""


def awaited(vector: AskedVector) -> Sequence[float]:
    """The vector, once it is made. Raises: what making it failed with."""
    return vector.result() if isinstance(vector, Future) else vector


def open_store(url: str, *, api_key: str | None = None) -> VectorStore:
    """A store for `lancedb:///absolute/folder` or `weaviate://host:http_port?grpc_port=…[&secure=true]` (setting `MESH_VECTORS`).

    Raises:
        VectorStoreError: the URL is of neither form.
        StoreUnavailable: the server does not answer.
    """
    parts = urlsplit(url)
    if parts.scheme == "lancedb" and not parts.netloc and parts.path.startswith("/"):
        try:
            from mesh_core.vectors.lancedb_store import LanceDbStore
        except ModuleNotFoundError as error:
            raise VectorStoreError(f"{url} needs {error.name}: install domain-mesh[server].") from error
        return LanceDbStore(unquote(parts.path))
    if parts.scheme == "weaviate" and parts.hostname:
        try:
            from mesh_core.vectors.weaviate_store import WeaviateStore
        except ModuleNotFoundError as error:
            raise VectorStoreError(f"{url} needs {error.name}: install domain-mesh[weaviate].") from error
        options = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        try:
            http_port, grpc_port = parts.port or 8080, int(options.get("grpc_port", "50051"))
        except ValueError as error:
            raise VectorStoreError(f"{url!r} has a port that is none: use weaviate://host:8080?grpc_port=50051.") from error
        return WeaviateStore(
            parts.hostname,
            http_port=http_port,
            grpc_port=grpc_port,
            secure=options.get("secure") == "true",
            api_key=api_key,
        )
    raise VectorStoreError(
        f"{url!r} names no vector store: use lancedb:///absolute/folder or weaviate://host:8080?grpc_port=50051."
    )
