"""Events that were sent together, on their way to their receipts: one thing to wait for instead of one for each event."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from governance_server.lineage.judging import AcceptedEvent
from governance_server.lineage.receipt import LineageReceipt

__all__ = ["Answer", "Taking", "waited_for"]

Answer = LineageReceipt | Exception
"""The receipt of an event that is durable, or why it is not."""


class Taking:
    """Events and, once they are durable or given up, an answer to each; one thread at a time answers."""

    __slots__ = ("_done", "_left", "answers", "events")

    def __init__(self, events: Sequence[AcceptedEvent], done: Callable[[Taking], None]) -> None:
        """`done` is called by the thread that gave the last answer; it must neither fail nor wait."""
        self.events = events
        self.answers: list[Answer | None] = [None] * len(events)
        self._left = len(events)
        self._done = done

    def answer(self, index: int, answer: Answer) -> None:
        """The event has its answer; nobody has given it one before."""
        self.answers[index] = answer
        self._left -= 1
        if not self._left:
            self._done(self)


def waited_for(events: Sequence[AcceptedEvent], take: Callable[[Taking], None]) -> list[Answer]:
    """The answers to the events, when all are there; `take` takes them in."""
    if not events:
        return []
    all_there = threading.Event()
    taking = Taking(events, lambda _: all_there.set())
    take(taking)
    all_there.wait()
    return [answer for answer in taking.answers if answer is not None]
