"""What one principal may take of a server, so that nobody is kept out by a single caller.

Owns a rate of calls and a share of streams for each principal, of this process. Knows nothing of gRPC.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable

from governance_server.rules.errors import Overloaded

__all__ = ["Quotas"]


class Quotas:
    """Counts by principal; any thread may use it. Only of authenticated callers, so it grows with their number only.

    Args:
        calls_per_second: How many calls a second, of which two seconds' worth may come at once.
        streams: How many streams at once.
        monotonic: Seconds of a clock that never goes back.
    """

    def __init__(self, *, calls_per_second: int, streams: int, monotonic: Callable[[], float]) -> None:
        self._rate, self._streams_at_once = calls_per_second, streams
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._left: dict[str, tuple[float, float]] = {}
        self._streams: Counter[str] = Counter()

    def take_call(self, principal: str) -> None:
        """One call more is made. Raises: Overloaded."""
        now, most = self._monotonic(), 2.0 * self._rate
        with self._lock:
            left, since = self._left.get(principal, (most, now))
            left = min(most, left + (now - since) * self._rate)
            self._left[principal] = (left - 1 if left >= 1 else left, now)
        if left < 1:
            raise Overloaded(
                f"You made more than {self._rate} calls a second: slow down, or ask about many at once (check_many and the like)."
            )

    def enter_stream(self, principal: str) -> None:
        """One stream more runs. Raises: Overloaded."""
        with self._lock:
            if self._streams[principal] >= self._streams_at_once:
                raise Overloaded(f"You have {self._streams_at_once} streams open already: close one or try again later.")
            self._streams[principal] += 1

    def leave_stream(self, principal: str) -> None:
        """One stream less runs."""
        with self._lock:
            self._streams[principal] -= 1
            if not self._streams[principal]:
                del self._streams[principal]
