"""The labels of a Weaviate collection's passages: read once each, and ahead of being found once that pays.

A question finds a hundred candidates. By their keys Weaviate takes several times as long to read them as in order. Loaded only
with the Weaviate store.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from itertools import islice
from typing import Any

from weaviate.exceptions import WeaviateBaseError

from mesh_core.vectors.labels import MOST_LABELS, Label
from mesh_core.vectors.state_memory import StateMemory
from mesh_core.vectors.weaviate_rows import LABEL, candidate

__all__ = ["WeaviateLabels", "read_objects"]

_LOG = logging.getLogger(__name__)
_PAGE = 250
_WORTH_READING = 2
"""Who asks once may never ask again."""

_Properties = Mapping[str, Any]


class WeaviateLabels:
    """What is remembered of candidates, by collection and by how many objects it holds."""

    def __init__(self) -> None:
        self._known = StateMemory[Label](MOST_LABELS)
        self._asked: dict[str, tuple[int, Counter[int]]] = {}
        """Collection → its total, and how many questions to each version found what was not known. Two may count as one."""
        self._is_closed = threading.Event()
        self._ahead = ThreadPoolExecutor(1, thread_name_prefix="labels")

    def of(self, keys: Sequence[str], *, used: Any, at: tuple[str, int], version: int) -> list[Label]:  # noqa: ANN401
        """The labels of these keys, in order; those of objects that are gone are left out.

        After the second question that finds unknown ones, all that there is room for are read in the background.

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

        return self._known.of(keys, at=at, read=read, is_settled=lambda label: label.valid_from <= version)

    def forget(self, collection: str) -> None:
        """Nothing of the collection is remembered."""
        self._asked.pop(collection, None)
        self._known.forget(collection)

    def close(self) -> None:
        """Nothing is read ahead any more."""
        self._is_closed.set()
        self._ahead.shutdown(wait=False, cancel_futures=True)

    def _read_ahead(self, used: Any, at: tuple[str, int], version: int) -> None:  # noqa: ANN401
        try:
            objects = used.iterator(return_properties=list(LABEL), cache_size=_PAGE)
            labels = (_label(str(it.uuid), it.properties) for it in objects)  # the client's begins anew at each `iter`
            while page := list(islice(labels, _PAGE)):
                settled = {label.key: label for label in page if label.valid_from <= version}
                if self._is_closed.is_set() or not self._known.add(settled, at=at):
                    return
        except WeaviateBaseError as error:  # nobody waits for it: what is missing is read when it is found
            _LOG.info("labels are not read ahead collection=%s: %s", at[0], type(error).__name__)


def _report(done: Future[None]) -> None:
    """Nobody waits for what is read ahead: a failure is logged, or never known."""
    if not done.cancelled() and (error := done.exception()) is not None:
        _LOG.error("labels are not read ahead", exc_info=error)


def read_objects(used: Any, keys: Sequence[str], properties: Sequence[str]) -> Iterator[tuple[str, _Properties]]:  # noqa: ANN401
    """The key and these properties of each object, in any order; those that are gone are left out."""
    if keys:
        answer = used.query.fetch_objects_by_ids(keys, limit=len(keys), return_properties=list(properties))
        yield from ((str(item.uuid), item.properties) for item in answer.objects)


def _label(key: str, properties: _Properties) -> Label:
    return Label(key, key, properties["valid_from"], candidate(properties))
