"""Pieces of numerical work side by side, a thread for each core, each of them with a BLAS that has no threads of its own.

BLAS's own threads serve one matrix product at a time, stand idle between two, and wait for each other by spinning, which takes
processor time from others on a busy machine. Knows nothing of what is computed.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from threadpoolctl import ThreadpoolController

__all__ = ["CoreThreads", "core_count"]

_TURN_SECONDS = 0.0001
"""So long a thread keeps the interpreter while others wait for it, for each operation on arrays; fifty times that by default."""
_ONE_AT_A_TIME = threading.Lock()
"""Limits of BLAS and of turns are the process's: two at once would be restored in the wrong order, whoever they are for."""
_Piece = TypeVar("_Piece")


def core_count() -> int:
    """How many cores this process may use; all there are where the system does not say."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class CoreThreads:
    """Threads for pieces of work that leave the interpreter most of the time, as numpy's operations on arrays do."""

    def __init__(self, count: int | None = None) -> None:
        """By default as many as BLAS would use: the cores, or what OPENBLAS_NUM_THREADS says."""
        self._blas = ThreadpoolController().select(user_api="blas")
        self.count = count or max((it["num_threads"] for it in self._blas.info()), default=1)

    def each(self, work: Callable[[_Piece], object], pieces: Sequence[_Piece]) -> None:
        """`work` was called with each piece; a single piece is left to BLAS's own threads. Raises: what it raised first."""
        if self.count < 2 or len(pieces) < 2:
            for piece in pieces:
                work(piece)
            return
        with _ONE_AT_A_TIME, self._blas.limit(limits=1), _short_turns(), ThreadPoolExecutor(self.count, "core") as threads:
            for _ in threads.map(work, pieces):
                pass


@contextmanager
def _short_turns() -> Iterator[None]:
    """Threads that only compute with Python, beside these, let them have the interpreter soon."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(min(before, _TURN_SECONDS))
    try:
        yield
    finally:
        sys.setswitchinterval(before)
