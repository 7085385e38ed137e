"""When passages of a Weaviate collection are read ahead, how many, and how that ends."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from mesh_core.vectors.labels import MOST_CHARACTERS
from mesh_core.vectors.weaviate_memory import WeaviateMemory


class _Used:
    """A collection of no objects that says when it is read whole."""

    def __init__(self, whole: Callable[[], None] = lambda: None) -> None:
        self.query = SimpleNamespace(fetch_objects_by_ids=lambda *args, **options: SimpleNamespace(objects=[]))
        self.read, self._whole = threading.Semaphore(0), whole

    def iterator(self, **options: Any) -> Iterator[Any]:
        self.read.release()
        self._whole()
        return iter(())


class _Stocked(_Used):
    """A collection of objects with texts, read in pages; notes which properties it was asked for, and for whom one by one."""

    def __init__(self, texts: int, characters: int) -> None:
        super().__init__()
        plain = {"document": "a.md", "title": "A", "heading": "", "start": 0, "end": 1, "attributes": "{}", "valid_to": 9}
        plain["text"] = "x" * characters
        self._objects = [
            SimpleNamespace(uuid=f"{n:04}", properties={**plain, "passage_id": str(n), "valid_from": 5 if n % 2 else 1})
            for n in range(texts)
        ]
        self.pages: list[bool] = []
        self.read_by_key: list[str] = []
        self.query = SimpleNamespace(fetch_objects_by_ids=self._fetch)

    def iterator(self, *, return_properties: list[str], after: str | None = None, **options: Any) -> Iterator[Any]:
        self.pages.append("text" in return_properties)
        return iter([it for it in self._objects if after is None or it.uuid > after])

    def _fetch(self, keys: Sequence[str], **options: Any) -> Any:
        self.read_by_key += keys
        return SimpleNamespace(objects=[it for it in self._objects if it.uuid in keys])


def _until_read(memory: WeaviateMemory, used: _Stocked, version: int) -> None:
    read: dict[str, Any] = {"used": used, "at": ("a.b.c", 1000), "version": version}
    for key in ("0000", "0002"):
        memory.labels([key], **read)
        memory.given([key], **read)
    memory._ahead.shutdown()
    used.read_by_key.clear()


def test_texts_are_read_ahead_with_the_labels_of_what_the_version_holds() -> None:
    memory, used = WeaviateMemory(), _Stocked(1000, 10)
    _until_read(memory, used, version=2)
    read: dict[str, Any] = {"used": used, "at": ("a.b.c", 1000), "version": 2}
    even = [f"{n:04}" for n in range(0, 1000, 2)]
    assert [it.candidate.title for it in memory.labels(even, **read)] == ["A"] * 500
    assert [it.passage.id for it in memory.given(even, **read)] == [str(n) for n in range(0, 1000, 2)]
    assert used.read_by_key == []
    memory.given(["0001"], **read)
    assert used.read_by_key == ["0001"]  # of a version that may still be replaced


def test_labels_are_read_ahead_though_there_is_no_room_for_the_texts() -> None:
    memory, used = WeaviateMemory(), _Stocked(1000, MOST_CHARACTERS // 200)
    _until_read(memory, used, version=5)
    assert used.pages == [True, False, False, False, False]  # 250 a page, and one that is empty
    read: dict[str, Any] = {"used": used, "at": ("a.b.c", 1000), "version": 5}
    assert len(memory.labels([f"{n:04}" for n in range(1000)], **read)) == 1000
    assert used.read_by_key == []


def _ask(labels: WeaviateMemory, used: _Used, version: int) -> None:
    for key in ("one", "other"):
        labels.labels([key], used=used, at=("a.b.c", 9), version=version)


def test_each_version_is_read_ahead_though_another_was_before_at_the_same_total() -> None:
    labels, used = WeaviateMemory(), _Used()
    for version in (1, 2):
        _ask(labels, used, version)
        assert used.read.acquire(timeout=10)
    labels.close()


def test_closing_waits_for_nobody_and_questions_after_it_are_answered() -> None:
    answered = threading.Event()
    labels, used = WeaviateMemory(), _Used(lambda: answered.wait(30) and None)
    _ask(labels, used, 1)
    assert used.read.acquire(timeout=10)
    closing = threading.Thread(target=labels.close)
    closing.start()
    closing.join(10)
    is_closed = not closing.is_alive()
    answered.set()
    assert is_closed
    _ask(labels, used, 2)


def test_a_failure_of_reading_ahead_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    def fails() -> None:
        raise KeyError("document")

    labels, used = WeaviateMemory(), _Used(fails)
    with caplog.at_level(logging.INFO):
        _ask(labels, used, 1)
        assert used.read.acquire(timeout=10)
        labels._ahead.shutdown()
    assert "KeyError" in caplog.text
