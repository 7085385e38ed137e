"""Things made by several makers in turns: in order, and before their turn while one takes long."""

from __future__ import annotations

import threading
from collections.abc import Generator
from itertools import count

import pytest

from domain_sdk._made_early import made_early

_WAIT_SECONDS = 30


def _weight(thing: object) -> int:
    return 1


def _made(*makers: Generator[str, None, None], things: int, early: int = 100) -> Generator[tuple[int, str], None, None]:
    return made_early(makers, things, weigh=_weight, ahead=2, early=early, name="maker")


def _letters(letters: str) -> Generator[str, None, None]:
    yield from letters


def test_each_comes_once_after_its_place() -> None:
    assert sorted(_made(_letters("ace"), _letters("bd"), things=5)) == list(enumerate("abcde"))
    assert sorted(_made(_letters("a"), _letters(""), things=1)) == [(0, "a")]
    assert list(_made(_letters(""), _letters(""), things=0)) == []


def test_what_is_ready_comes_while_the_first_is_made() -> None:
    is_wanted = threading.Event()

    def slow() -> Generator[str, None, None]:
        assert is_wanted.wait(_WAIT_SECONDS)
        yield from "ac"

    made = _made(slow(), _letters("bd"), things=4)
    assert [next(made), next(made)] == [(1, "b"), (3, "d")]
    is_wanted.set()
    assert list(made) == [(0, "a"), (2, "c")]


def test_no_more_come_early_than_may() -> None:
    is_wanted = threading.Event()
    began: list[str] = []

    def slow() -> Generator[str, None, None]:
        assert is_wanted.wait(_WAIT_SECONDS)
        yield "first"
        for number in count():
            yield f"slow {number}"

    def quick() -> Generator[str, None, None]:
        for number in count():
            began.append(f"quick {number}")
            yield began[-1]

    made = _made(slow(), quick(), things=1000, early=3)
    assert [next(made)[0] for _ in range(3)] == [1, 3, 5]
    after = threading.Timer(0.2, is_wanted.set)
    after.start()
    assert next(made) == (0, "first"), "a fourth came early"
    made.close()
    assert len(began) <= 3 + 2 + 2


def test_what_one_maker_raises_is_raised() -> None:
    def broken() -> Generator[str, None, None]:
        yield "a"
        raise RuntimeError("power cut")

    with pytest.raises(RuntimeError, match="power cut"):
        list(_made(broken(), _letters("bd"), things=4))
