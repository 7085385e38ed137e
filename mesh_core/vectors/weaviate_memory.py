"""What is remembered of a Weaviate collection's passages: read once each, and ahead of being found once that pays.

A question finds a hundred candidates, of which a few are given. By their keys Weaviate takes several times as long to read them
as in order. Loaded only with the Weaviate store.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from itertools import islice
from typing import Any, NamedTuple

from weaviate.exceptions import WeaviateBaseError

from mesh_core.vectors.labels import MOST_CHARACTERS, MOST_LABELS, Label
from mesh_core.vectors.passages import Candidate, StoredPassage
from mesh_core.vectors.state_memory import StateMemory
from mesh_core.vectors.weaviate_rows import LABEL, READ, candidate, stored_passage

__all__ = ["Given", "WeaviateMemory"]

_LOG = logging.getLogger(__name__)
_PAGE = 250
_WORTH_READING = 2
"""Who asks once may never ask again."""

_Properties = Mapping[str, Any]


class Given(NamedTuple):
    """A passage as it is given, and the versions that hold it."""

    passage: StoredPassage
    valid_from: int
    valid_to: int
    """As seen by readers of the version that was read: a later one may have closed it since."""


class WeaviateMemory:
    """What is remembered of candidates and of passages given, by collection and by how many objects it holds."""

    def __init__(self) -> None:
        self._labels = StateMemory[Label](MOST_LABELS)
        self._given = StateMemory[Given](MOST_CHARACTERS, size=lambda given: len(given.passage.text))
        self._asked: dict[str, tuple[int, Counter[int]]] = {}
        """Collection → its total, and how many questions to each version found what was not known. Two may count as one."""
        self._is_closed = threading.Event()
        self._ahead = ThreadPoolExecutor(1, thread_name_prefix="passages")

    def labels(self, keys: Sequence[str], *, used: Any, at: tuple[str, int], version: int) -> list[Label]:  # noqa: ANN401
        """The labels of these keys, in order; those of objects that are gone are left out.

        After the second question that finds unknown ones, all that there is room for are read in the background, and passages.

        Args:
            keys: Of objects that were found.
            used: The client's collection.
            at: The collection's name, and how many objects it holds.
            version: The version read. What a later one adds may still be replaced, and is not remembered.
        """

        def read(unknown: Sequence[str]) -> Mapping[str, Label]:
            collection, total = at
            known_total, questions = self._asked.get(collection, (total, Counter()))
            questions = questions if known_total == total else Counter()
            self._asked[collection] = total, questions
            questions[version] += 1
            if questions[version] == _WORTH_READING and total <= MOST_LABELS:
                with suppress(RuntimeError):  # closed meanwhile
                    self._ahead.submit(self._read_ahead, used, at, version).add_done_callback(_report)
            return {key: _label(key, properties) for key, properties in read_objects(used, unknown, LABEL)}

        return self._labels.of(keys, at=at, read=read, is_settled=lambda label: label.valid_from <= version)

    def given(self, keys: Sequence[str], *, used: Any, at: tuple[str, int], version: int) -> list[Given]:  # noqa: ANN401
        """The passages of these keys, in order; those that are gone are left out. As `labels` has it."""

        def read(unknown: Sequence[str]) -> Mapping[str, Given]:
            return {key: _given(properties) for key, properties in read_objects(used, unknown, READ)}

        return self._given.of(keys, at=_at_version(at, version), read=read)

    def forget(self, collection: str) -> None:
        """Nothing of the collection is remembered."""
        self._asked.pop(collection, None)
        self._labels.forget(collection)
        self._given.forget(collection)

    def close(self) -> None:
        """Nothing is read ahead any more."""
        self._is_closed.set()
        self._ahead.shutdown(wait=False, cancel_futures=True)

    def _read_ahead(self, used: Any, at: tuple[str, int], version: int) -> None:  # noqa: ANN401
        """Labels, and passages as long as there is room for their texts."""
        try:
            has_room, last = True, None
            while page := _page(used, READ if has_room else LABEL, after=last):
                last = page[-1].uuid
                settled = {str(it.uuid): it.properties for it in page if it.properties["valid_from"] <= version}
                passages = {key: _given(it) for key, it in settled.items()} if has_room else {}
                labels = {key: _label(key, it, passages.get(key)) for key, it in settled.items()}
                if self._is_closed.is_set() or not self._labels.add(labels, at=at):
                    return
                has_room = has_room and self._given.add(passages, at=_at_version(at, version))
        except WeaviateBaseError as error:  # nobody waits for it: what is missing is read when it is found
            _LOG.info("passages are not read ahead collection=%s: %s", at[0], type(error).__name__)


def _page(used: Any, properties: Sequence[str], *, after: Any) -> list[Any]:  # noqa: ANN401
    objects = used.iterator(return_properties=list(properties), after=after, cache_size=_PAGE)
    return list(islice(objects, _PAGE))


def _at_version(at: tuple[str, int], version: int) -> tuple[str, tuple[int, int]]:
    """Readers of one version see no later one close a passage."""
    collection, total = at
    return collection, (total, version)


def _report(done: Future[None]) -> None:
    """Nobody waits for what is read ahead: a failure is logged, or never known."""
    if not done.cancelled() and (error := done.exception()) is not None:
        _LOG.error("passages are not read ahead", exc_info=error)


def read_objects(used: Any, keys: Sequence[str], properties: Sequence[str]) -> Iterator[tuple[str, _Properties]]:  # noqa: ANN401
    """The key and these properties of each object, in any order; those that are gone are left out."""
    if keys:
        answer = used.query.fetch_objects_by_ids(keys, limit=len(keys), return_properties=list(properties))
        yield from ((str(item.uuid), item.properties) for item in answer.objects)


def _label(key: str, properties: _Properties, given: Given | None = None) -> Label:
    """The label; of what is remembered as a passage too, nothing is kept twice."""
    if given is None:
        return Label(key, key, properties["valid_from"], candidate(properties))
    its = given.passage
    return Label(key, key, given.valid_from, Candidate(its.document, its.title, its.page, its.attributes))


def _given(properties: _Properties) -> Given:
    return Given(stored_passage(properties), properties["valid_from"], properties["valid_to"])
