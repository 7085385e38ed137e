"""Writes that run beside the preparation of what is written next, a bounded number at once."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self

__all__ = ["Writers"]


class Writers:
    """Runs writes in threads of its own. No more than one waits while `count` run, so what is prepared stays small."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._pool = ThreadPoolExecutor(max_workers=count, thread_name_prefix="vectors")
        self._begun: deque[Future[None]] = deque()
        self._has_failed = threading.Event()

    def __enter__(self) -> Self:
        return self

    def run(self, write: Callable[[], None]) -> None:
        """The write is done before the block ends. Raises what an earlier write raised; then this one is not begun."""
        while len(self._begun) > self._count:
            self._begun.popleft().result()
        self._begun.append(self._pool.submit(self._written, write))

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """All writes have ended. Raises what the first of them raised, unless the block itself failed."""
        self._pool.shutdown(wait=True, cancel_futures=error is not None)
        if error is None:
            for it in self._begun:
                it.result()

    def _written(self, write: Callable[[], None]) -> None:
        """The write is done, unless another has failed: one that waits would only wait for the same store."""
        if self._has_failed.is_set():
            return
        try:
            write()
        except BaseException:
            self._has_failed.set()
            raise
