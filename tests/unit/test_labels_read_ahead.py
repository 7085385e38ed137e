"""When labels of a Weaviate collection are read ahead, and how that ends."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from mesh_core.vectors.weaviate_labels import WeaviateLabels


class _Used:
    """A collection of no objects that says when it is read whole."""

    def __init__(self, whole: Callable[[], None] = lambda: None) -> None:
        self.query = SimpleNamespace(fetch_objects_by_ids=lambda *args, **options: SimpleNamespace(objects=[]))
        self.read, self._whole = threading.Semaphore(0), whole

    def iterator(self, **options: Any) -> Iterator[Any]:
        self.read.release()
        self._whole()
        return iter(())


def _ask(labels: WeaviateLabels, used: _Used, version: int) -> None:
    for key in ("one", "other"):
        labels.of([key], used=used, at=("a.b.c", 9), version=version)


def test_each_version_is_read_ahead_though_another_was_before_at_the_same_total() -> None:
    labels, used = WeaviateLabels(), _Used()
    for version in (1, 2):
        _ask(labels, used, version)
        assert used.read.acquire(timeout=10)
    labels.close()


def test_closing_waits_for_nobody_and_questions_after_it_are_answered() -> None:
    answered = threading.Event()
    labels, used = WeaviateLabels(), _Used(lambda: answered.wait(30) and None)
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

    labels, used = WeaviateLabels(), _Used(fails)
    with caplog.at_level(logging.INFO):
        _ask(labels, used, 1)
        assert used.read.acquire(timeout=10)
        labels._ahead.shutdown()
    assert "KeyError" in caplog.text
