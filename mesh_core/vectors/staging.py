"""Staging: how a version's passages become intervals, the same for every store.

Owns the comparison of what a collection holds with what it shall hold, and the order of writes that keeps it repairable.
Knows a store only as `Rows`, five primitive operations.
"""

from __future__ import annotations

import uuid
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Protocol

import numpy as np
import numpy.typing as npt

from mesh_core.vectors.passages import Passage, check_passage, content_digest, keyword_text
from mesh_core.vectors.store import FIRST_VERSION, OPEN, StageResult, StagingConflict
from mesh_core.vectors.writers import Writers

__all__ = ["NewRow", "Row", "Rows", "check_version", "keys_about", "reopen", "stage", "unseen"]

_FIRST_BATCH, _BATCH = 125, 1000
_SAME_VECTOR = 1 - 1e-4
_NAMESPACE = uuid.UUID("6f0b9a52-7a55-5d3c-9a25-4b0d1c7d7d10")


@dataclass(frozen=True, slots=True)
class Row:
    """What a store holds of one passage over one interval, as far as staging must know it."""

    key: str
    id: str
    digest: str
    valid_from: int
    valid_to: int


@dataclass(frozen=True, slots=True)
class NewRow:
    """A passage to insert; `key` is a UUID made of the passage's id and the version, so that a repetition meets the same row.

    `keywords` is what the keyword index is given for it.
    """

    key: str
    digest: str
    valid_from: int
    keywords: str
    passage: Passage


class Rows(Protocol):
    """One collection of one store, seen as rows with a key and an interval."""

    @property
    def dimensions(self) -> int:
        """The length of every vector."""

    @property
    def attributes(self) -> Mapping[str, type]:
        """The declared attributes."""

    @property
    def writers(self) -> int:
        """How many calls of `insert` may run at once, beside reads."""

    def since(self, version: int) -> Iterator[Row]:
        """Every row with valid_to >= version, in any order."""

    def texts(self) -> Iterator[tuple[str, str, str]]:
        """Key, the passage's id and all that is written in it (document, title, heading, text), of every row, in any order."""

    def vectors(self, keys: Sequence[str]) -> Mapping[str, npt.NDArray[np.float32]]:
        """The stored vectors of these keys."""

    def insert(self, rows: Sequence[NewRow]) -> None:
        """The rows are there, open-ended, in place of any of the same key."""

    def set_valid_to(self, keys: Sequence[str], version: int) -> None:
        """The rows of these keys end at `version`."""

    def delete(self, keys: Sequence[str]) -> None:
        """The rows of these keys are gone."""


def check_version(version: int) -> None:
    """Returns if `version` can be the number of a version. Raises: ValueError."""
    if not FIRST_VERSION <= version < OPEN:
        raise ValueError(f"{version} is no version number: versions go from {FIRST_VERSION} to {OPEN - 1}.")


def stage(rows: Rows, *, collection: str, version: int, passages: Iterable[Passage]) -> StageResult:
    """At `version` the rows are exactly `passages`. See VectorStore.stage for the promises and errors."""
    check_version(version)
    before, mine = _split(rows, collection=collection, version=version)
    seen: set[str] = set()
    kept: set[str] = set()
    reopened: list[str] = []
    with Writers(rows.writers) as writers:  # the next batch is read and compared while the last ones are written
        for batch in _batches(passages):
            _check_batch(batch, rows, seen)
            made = [_new_row(it, version) for it in batch]
            stored = _unchanged(rows, made, before)
            mine_stored = _unchanged(rows, made, mine)
            kept |= stored.keys()
            reopened += [row.key for row in stored.values() if row.valid_to == version]
            new = [it for it in made if it.passage.id not in stored and it.passage.id not in mine_stored]
            replaced = [mine[it.passage.id].key for it in new if it.passage.id in mine]
            writers.run(partial(_insert, rows, new, replaced=replaced))
    rows.set_valid_to(reopened, OPEN)
    rows.delete([row.key for row in mine.values() if row.id not in seen or row.id in kept])
    closed = [row for row in before.values() if row.id not in kept]
    rows.set_valid_to([row.key for row in closed if row.valid_to != version], version)
    return StageResult(added=len(seen) - len(kept), kept=len(kept), closed=len(closed))


def reopen(rows: Rows, *, collection: str, version: int) -> list[str]:
    """The keys that `version` has added, which are to be removed; what it closed is open again. See VectorStore.unstage."""
    check_version(version)
    before, mine = _split(rows, collection=collection, version=version)
    rows.set_valid_to([row.key for row in before.values() if row.valid_to == version], OPEN)
    return [row.key for row in mine.values()]


def unseen(rows: Rows, keep: Collection[int]) -> list[str]:
    """The keys of closed rows that no version in `keep` sees. See VectorStore.prune."""
    versions = sorted(keep)
    return [
        row.key
        for row in rows.since(FIRST_VERSION)
        if row.valid_to < OPEN and bisect_left(versions, row.valid_from) == bisect_left(versions, row.valid_to)
    ]


def keys_about(rows: Rows, is_about: Callable[[str], bool]) -> list[str]:
    """The keys of the rows, of every version, of whose texts `is_about` is true. See VectorStore.erase."""
    return [key for key, _, text in rows.texts() if is_about(text)]


def ids_about(rows: Rows, is_about: Callable[[str], bool]) -> frozenset[str]:
    """The ids of the passages, of every version, of whose texts `is_about` is true. See VectorStore.about."""
    return frozenset(id for _, id, text in rows.texts() if is_about(text))


def _split(rows: Rows, *, collection: str, version: int) -> tuple[dict[str, Row], dict[str, Row]]:
    """Rows by passage id: those that readers just before `version` see, and those `version` itself has added."""
    before: dict[str, Row] = {}
    mine: dict[str, Row] = {}
    for row in rows.since(version):
        if row.valid_from > version or version < row.valid_to < OPEN:
            later = max(row.valid_from, row.valid_to if row.valid_to < OPEN else 0)
            raise StagingConflict(
                f"version {version} of {collection} cannot be changed: version {later} is already staged. "
                "Unstage the later one first, or use a higher number."
            )
        (mine if row.valid_from == version else before)[row.id] = row
    return before, mine


def _check_batch(batch: Sequence[Passage], rows: Rows, seen: set[str]) -> None:
    for passage in batch:
        check_passage(passage, dimensions=rows.dimensions, attributes=rows.attributes)
        if passage.id in seen:
            raise StagingConflict(
                f"passage id {passage.id!r} (document {passage.document!r}) occurs twice: ids are unique in a version."
            )
        seen.add(passage.id)


def _new_row(passage: Passage, version: int) -> NewRow:
    keywords = keyword_text(passage)
    key = str(uuid.uuid5(_NAMESPACE, f"{version}/{passage.id}"))
    return NewRow(key, content_digest(passage, keywords), version, keywords, passage)


def _unchanged(rows: Rows, batch: Sequence[NewRow], stored: Mapping[str, Row]) -> dict[str, Row]:
    """The stored rows, by passage id, whose content equals the batch's and whose vector differs by rounding at most."""
    known = [(stored[it.passage.id], it) for it in batch if it.passage.id in stored]
    same = {it.passage.id: (row, it.passage.vector) for row, it in known if row.digest == it.digest}
    vectors = rows.vectors([row.key for row, _ in same.values()])
    return {i: row for i, (row, it) in same.items() if row.key in vectors and _is_same_direction(vectors[row.key], it)}


def _is_same_direction(left: npt.NDArray[np.float32], right: Sequence[float] | npt.NDArray[np.float32]) -> bool:
    one, other = np.asarray(left, dtype=np.float64), np.asarray(right, dtype=np.float64)
    return bool(one @ other >= _SAME_VECTOR * np.linalg.norm(one) * np.linalg.norm(other))


def _insert(rows: Rows, new: Sequence[NewRow], *, replaced: Sequence[str]) -> None:
    rows.delete(replaced)
    if new:
        rows.insert(new)


def _batches(passages: Iterable[Passage]) -> Iterator[list[Passage]]:
    """Small ones first, so that the store has something to write while more are prepared."""
    iterator, size = iter(passages), _FIRST_BATCH
    while batch := list(islice(iterator, size)):
        yield batch
        size = min(2 * size, _BATCH)
