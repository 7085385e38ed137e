"""Things made in a thread of their own, ahead of who consumes them."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

__all__ = ["made_ahead"]

_LOOK_SECONDS = 0.2
"""How often it is looked whether anybody still wants them."""
_END_SECONDS = 10.0
_Thing = TypeVar("_Thing")


@dataclass(frozen=True, slots=True)
class _End:
    """There is no more, or the next one could not be made."""

    error: BaseException | None = None


@contextmanager
def made_ahead(
    things: Generator[_Thing, None, None], ready: queue.Queue[Any], *, name: str
) -> Generator[Iterator[_Thing], None, None]:
    """Gives the things in their order, as many of them ahead as `ready` takes; what is raised between them is raised there.

    `things` runs in a thread of this name, from now on, and is closed there, at its end or at that of the context.
    """
    is_over = threading.Event()

    def hand_over(thing: _Thing | _End) -> bool:
        while not is_over.is_set():
            try:
                ready.put(thing, timeout=_LOOK_SECONDS)
            except queue.Full:
                continue
            return True
        return False

    def make() -> None:
        try:
            for thing in things:
                if not hand_over(thing):
                    break
            things.close()
            hand_over(_End())
        except BaseException as error:  # noqa: BLE001  (raised where they are consumed)
            hand_over(_End(error))

    maker = threading.Thread(target=make, name=name, daemon=True)
    maker.start()
    try:
        yield _taken(ready)
    finally:
        is_over.set()
        maker.join(timeout=_END_SECONDS)


def _taken(ready: queue.Queue[Any]) -> Iterator[Any]:
    """What is ready, in order, to its end."""
    while not isinstance(thing := ready.get(), _End):
        yield thing
    if thing.error is not None:
        raise thing.error
