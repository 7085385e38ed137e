"""Things made by several makers in turns, given in order, or before their turn while one of them takes long."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack
from typing import Any, TypeVar

from domain_sdk._made_ahead import made_ahead

__all__ = ["Weighed", "made_early"]

_Thing = TypeVar("_Thing")


class Weighed(queue.Queue[Any]):
    """A queue that is full when what is in it weighs so much."""

    def __init__(self, most: int, weigh: Callable[[Any], int], is_more: threading.Event | None = None) -> None:
        """`is_more` is set whenever something comes."""
        super().__init__(most)
        self._weigh = weigh
        self._is_more = is_more

    def _qsize(self) -> int:
        return sum(map(self._weigh, self.queue))

    def _put(self, item: Any) -> None:  # noqa: ANN401
        super()._put(item)
        if self._is_more is not None:
            self._is_more.set()


def made_early(
    makers: Sequence[Generator[_Thing, None, None]],
    count: int,
    *,
    weigh: Callable[[Any], int],
    ahead: int,
    early: int,
    name: str,
) -> Generator[tuple[int, _Thing], None, None]:
    """Each of `count` things after its place, from 0; the first maker makes the first, the next the second, and so on around.

    Whatever is ready comes while the thing whose turn it is is not, until what came early weighs `early`.

    Args:
        makers: Each runs in a thread of this name, and as far ahead as what it made weighs `ahead`.
        count: How many things they make together.
        weigh: The weight of a thing; it is asked about the end of all things, too.
        ahead: A weight.
        early: A weight.
        name: The threads'.
    """
    is_more = threading.Event()
    queues = [Weighed(ahead, weigh, is_more) for _ in makers]
    left = [deque(range(first, count, len(makers))) for first in range(len(makers))]
    came_early: dict[int, int] = {}
    with ExitStack() as stack:
        made = [stack.enter_context(made_ahead(it, ready, name=name)) for it, ready in zip(makers, queues, strict=True)]
        while working := [it for it in range(len(makers)) if left[it]]:
            is_more.clear()
            due = min(working, key=lambda it: left[it][0])
            came_early = {place: weight for place, weight in came_early.items() if place > left[due][0]}
            wanted = [due, *working] if sum(came_early.values()) < early else [due]
            first = next((it for it in wanted if not queues[it].empty()), None)
            if first is None:
                is_more.wait()
                continue
            thing = next(made[first])
            place = left[first].popleft()
            came_early[place] = weigh(thing)
            yield place, thing
