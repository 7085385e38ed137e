"""That a process ends in time once it was asked to, whatever hangs then: everything acknowledged is durable at any moment."""

from __future__ import annotations

import faulthandler
import logging
import os
import threading
import time
from collections.abc import Callable

from governance_server.stop_request import StopRequest

__all__ = ["TimelyEnd"]

_LOG = logging.getLogger(__name__)


class TimelyEnd:
    """Ends the process hard if it does not end by itself: at once while it starts, afterwards when its time is over.

    While it starts it may wait for something that never comes (a database that does not answer) and looks at no request to end.
    Later an orderly end may wait for the same.

    Args:
        stop: The request to end.
        seconds: How long an orderly end may take.
        on_giving_up: Is called before the process ends hard.
    """

    def __init__(self, stop: StopRequest, *, seconds: float, on_giving_up: Callable[[], None] = lambda: None) -> None:
        self._stop = stop
        self._seconds = seconds
        self._on_giving_up = on_giving_up
        self._is_starting = True
        self._lock = threading.Lock()

    def watch(self) -> None:
        """From now on the process ends in time."""
        threading.Thread(target=self._watch, name="timely-end", daemon=True).start()

    def has_started(self) -> None:
        """From now on the process looks at the request itself, and has its time to end in good order."""
        with self._lock:  # for good, if the process is being ended just now
            self._is_starting = False

    def _watch(self) -> None:
        self._stop.wait()
        with self._lock:
            if self._is_starting:
                self._end(0)
        time.sleep(self._seconds)
        _LOG.error("not ended %g seconds after it was asked to: what it still waits for follows, and it ends now", self._seconds)
        faulthandler.dump_traceback()
        self._end(1)

    def _end(self, status: int) -> None:
        try:
            self._on_giving_up()
        finally:
            os._exit(status)
