"""Tells whether another server serves the same home: each holds an advisory lock on a file there for as long as it runs.

Several servers on one database are supported; who starts a second one by mistake is to hear of it. The system gives the lock up
when the process ends, however it ends.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["serving"]

_FILE = "serving.lock"


@contextmanager
def serving(home: Path) -> Iterator[bool]:
    """Within the block this process counts as a server of the home; True if another was one before. Raises: OSError."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(home / _FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        yield _is_shared(descriptor)
    finally:
        os.close(descriptor)


def _is_shared(descriptor: int) -> bool:
    """True if another process holds the lock; then or not, this one does, too."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        is_shared = True
    else:
        is_shared = False
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    return is_shared
