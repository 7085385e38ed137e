"""How long a question about many may take, so that it ends in time and others are served meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable

__all__ = ["Budget"]


class Budget:
    """A number of seconds from now on. Asked between the steps of a long question, which then says what it left out."""

    def __init__(self, seconds: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Starts now."""
        self._clock = clock
        self._end = clock() + seconds

    def is_over(self) -> bool:
        """True once the time is spent. Lets other threads go first: a decision takes microseconds and must not wait for this."""
        time.sleep(0)
        return self._clock() >= self._end
