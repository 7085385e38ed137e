"""A bounded cache of folders on local disk, each built once and then read-only. Knows nothing of what is in them.

Threads and processes are kept apart by a file lock per entry; an entry appears by an atomic rename, so half-built ones are
never seen.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = ["FileCache"]

_KEY = re.compile(r"[0-9a-f]{64}\Z")
_LOCKS = ".locks"
_BUILDING = ".building"
_ABANDONED_SECONDS = 6 * 3600


class FileCache:
    """Entries below `root` (0700, created), together at most `max_bytes`; a single larger entry is kept until the next one comes.

    Raises: OSError.
    """

    def __init__(self, root: Path, max_bytes: int) -> None:
        self._root = root
        self._max_bytes = max_bytes
        for folder in (root, root / _LOCKS, root / _BUILDING):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.chmod(0o700)

    def get_or_build(self, key: str, build: Callable[[Path], None]) -> Path:
        """The entry's folder; `build` filled it, now or earlier. What `build` raises is raised and leaves no entry."""
        entry = self._entry(key)
        with self._locked(key):
            if not entry.is_dir():
                self._build(entry, build)
            os.utime(entry)
        self._evict(keep=entry.name)
        return entry

    def find(self, key: str) -> Path | None:
        """The entry's folder if it is in the cache, now counted as used."""
        entry = self._entry(key)
        try:
            os.utime(entry)
        except FileNotFoundError:
            return None
        return entry

    def clear(self) -> None:
        """No entry is left; files already opened stay readable until they are closed."""
        for path in self._root.iterdir():
            if _KEY.match(path.name):
                self._remove(path)

    def _remove(self, path: Path) -> None:
        """The entry is gone. It disappears by a rename first."""
        doomed = self._root / _BUILDING / f"{path.name}-{uuid.uuid4().hex}"
        with suppress(FileNotFoundError):
            path.rename(doomed)
            shutil.rmtree(doomed, ignore_errors=True)

    def _entry(self, key: str) -> Path:
        if not _KEY.match(key):
            raise ValueError(f"{key!r} is not a cache key: use a SHA-256 in hexadecimal digits.")
        return self._root / key

    def _build(self, entry: Path, build: Callable[[Path], None]) -> None:
        partial = self._root / _BUILDING / f"{entry.name}-{uuid.uuid4().hex}"
        partial.mkdir(mode=0o700)
        try:
            build(partial)
            partial.rename(entry)
        finally:
            shutil.rmtree(partial, ignore_errors=True)

    @contextmanager
    def _locked(self, key: str) -> Iterator[None]:
        descriptor = os.open(self._root / _LOCKS / key, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _evict(self, keep: str) -> None:
        """The least recently used entries are gone until the rest fits. An entry being removed disappears by a rename first."""
        self._sweep()
        entries = []
        for path in self._root.iterdir():
            with suppress(FileNotFoundError):
                if _KEY.match(path.name):
                    entries.append((path.stat().st_mtime_ns, _size(path), path))
        total = sum(size for _, size, _ in entries)
        for _, size, path in sorted(entries):
            if total <= self._max_bytes:
                return
            if path.name != keep:
                self._remove(path)
                total -= size

    def _sweep(self) -> None:
        """What a process that died left half-built or half-removed is gone."""
        oldest = time.time() - _ABANDONED_SECONDS
        for path in (self._root / _BUILDING).iterdir():
            with suppress(FileNotFoundError):
                if path.stat().st_mtime < oldest:
                    shutil.rmtree(path, ignore_errors=True)


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())
