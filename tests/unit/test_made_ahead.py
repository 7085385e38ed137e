"""Things that are made ahead in a thread: in order, some of them early, all of what was begun ended."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator

import pytest

from domain_sdk._made_ahead import made_ahead


def test_as_many_are_made_ahead_as_there_is_room_for() -> None:
    third = threading.Event()

    def things() -> Generator[int, None, None]:
        yield from (1, 2)
        third.set()
        yield 3

    with made_ahead(things(), queue.Queue(2), name="ahead") as made:
        assert next(made) == 1
        assert third.wait(30)
        assert list(made) == [2, 3]


def test_the_first_is_made_before_it_is_asked_for() -> None:
    first = threading.Event()

    def things() -> Generator[int, None, None]:
        first.set()
        yield 1

    with made_ahead(things(), queue.Queue(1), name="ahead") as made:
        assert first.wait(30)
        assert list(made) == [1]


def test_what_is_raised_is_raised_behind_the_things_before_it() -> None:
    def things() -> Generator[int, None, None]:
        yield 1
        raise ZeroDivisionError

    with made_ahead(things(), queue.Queue(2), name="ahead") as made:
        assert next(made) == 1
        with pytest.raises(ZeroDivisionError):
            next(made)


def test_things_made_ahead_of_things_made_ahead_all_end_when_nobody_wants_more() -> None:
    ended: list[str] = []

    def numbers() -> Generator[int, None, None]:
        try:
            yield from range(1000)
        finally:
            ended.append(threading.current_thread().name)

    def doubled() -> Generator[int, None, None]:
        with made_ahead(numbers(), queue.Queue(1), name="inner") as inner:
            yield from (2 * number for number in inner)

    with made_ahead(doubled(), queue.Queue(1), name="outer") as made:
        assert [next(made), next(made)] == [0, 2]
    assert ended == ["inner"]
    assert not [it for it in threading.enumerate() if it.name in ("inner", "outer")]
