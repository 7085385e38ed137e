"""That this process shall end: asked for by a signal or by a thread, waited for by the main thread."""

from __future__ import annotations

import os
import select
import signal
from types import FrameType

__all__ = ["StopRequest"]


class StopRequest:
    """Set once and for good, like `threading.Event`, and safe to set from a signal.

    An event is neither: its lock may be held by the very thread that the handler interrupts, and a signal that comes between the
    interpreter's last look and the wait for the lock is noticed only when the wait ends. Here the system itself writes to a pipe
    (`signal.set_wakeup_fd`), and who waits, waits for that pipe.
    """

    def __init__(self) -> None:
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._writer, False)

    def set_by(self, *signals: signal.Signals) -> None:
        """Each of these signals sets it. Main thread only."""
        signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        for number in signals:
            signal.signal(number, _noticed)

    def set(self) -> None:
        """Whoever waits goes on."""
        try:
            os.write(self._writer, b"\0")
        except BlockingIOError:  # full of earlier requests
            return

    def is_set(self) -> bool:
        """Whether the end has been asked for."""
        return self.wait(0)

    def wait(self, seconds: float | None = None) -> bool:
        """True once it is set, False if that takes longer than `seconds`."""
        return bool(select.select([self._reader], [], [], seconds)[0])


def _noticed(signal_number: int, frame: FrameType | None) -> None:
    """A handler of Python's is what makes the interpreter write to the pipe."""
