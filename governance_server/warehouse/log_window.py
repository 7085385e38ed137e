"""The end of a Delta log as a folder of its own: links to the entries since a checkpoint, however long the whole log is.

Delta-rs lists a log wherever it looks for something, several times for each commit, and on a local disk a listing touches every
file. In a window it finds what it needs and nothing else. What it writes there is no part of the table until it is released: then
it gets its name in the log, if nothing there has that name. Knows nothing of what entries say (ADR 0035).
Source: Delta protocol, "Delta Log Entries" (numbered without a gap), "Checkpoints", "Last Checkpoint File".
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import weakref
from contextlib import suppress
from pathlib import Path

from governance_server.warehouse.faults import fault_point
from governance_server.warehouse.folder import FoundFile
from governance_server.warehouse.local_folder import LocalFolder
from governance_server.warehouse.log_entries import LOG_FOLDER, entry_name

__all__ = ["LogWindow"]

_LAST = "_last_checkpoint"
_NAME = re.compile(r"(\d{20})\.(json|checkpoint\.parquet)\Z")
_MOST_ENTRIES = 100
"""Of a window that grows with the table; and how far back a checkpoint is looked for by name. Ours lie 20 entries apart."""


def _checkpoint_name(version: int) -> str:
    return f"{version:020}.checkpoint.parquet"


class LogWindow:
    """A folder at `path` with a `_delta_log`.

    It is gone after `close`, or when nobody holds the window any more; a table opened of it then knows what it has read.
    """

    def __init__(self, table_root: LocalFolder, first: int, newest: int, scratch: Path | None) -> None:
        """The entries from `first`, with its checkpoint if there is one, to `newest`. Use `of_newest` or `of_version`."""
        self._log = table_root.inside(LOG_FOLDER)
        self._first = first
        self._newest = first - 1
        self.path = Path(tempfile.mkdtemp(prefix="mesh-log-", dir=scratch))
        self.close = weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)
        self._window = self.path / LOG_FOLDER
        self._window.mkdir()
        self._base = self._log.find(_checkpoint_name(first))
        if self._base is not None:
            self._link(_checkpoint_name(first))
        for version in range(first, newest + 1):
            self._take(version)

    @classmethod
    def of_newest(cls, table_root: LocalFolder, scratch: Path | None = None) -> LogWindow | None:
        """A window from the newest checkpoint to the newest entry; None if the log has other kinds of files instead."""
        entries, checkpoints = _listed(table_root.inside(LOG_FOLDER))
        newest = max(entries, default=-1)
        first = max((it for it in checkpoints if it <= newest), default=0)
        if not entries.issuperset(range(first, newest + 1)) or not entries:
            return None
        return cls(table_root, first, newest, scratch)

    @classmethod
    def of_version(cls, table_root: LocalFolder, version: int, scratch: Path | None = None) -> LogWindow | None:
        """A window that ends with the version; None if no checkpoint of a plain name is near."""
        log = table_root.inside(LOG_FOLDER)
        nearest = range(version, max(-1, version - _MOST_ENTRIES), -1)
        first = next((it for it in nearest if log.find(_checkpoint_name(it)) is not None), 0)
        needed = range(first, version + 1)
        if len(needed) > _MOST_ENTRIES or any(log.find(entry_name(it)) is None for it in needed):
            return None
        return cls(table_root, first, version, scratch)

    @property
    def first(self) -> int:
        """The first version whose entry is in it."""
        return self._first

    @property
    def newest(self) -> int:
        """The last version whose entry is in it."""
        return self._newest

    @property
    def is_long(self) -> bool:
        """True if a new window would be a good deal shorter."""
        return self._newest - self._first >= _MOST_ENTRIES

    def follow(self) -> bool:
        """The newest entry of the log is in the window; False if the log is not the one that it was a window on."""
        found = self._log.find(entry_name(self._newest))
        if found != self._last or self._log.find(_checkpoint_name(self._first)) != self._base:
            return False
        while self._log.find(entry_name(self._newest + 1)) is not None:
            self._take(self._newest + 1)
        return True

    def release(self) -> bool:
        """The entry that was written into the window is the log's next one, and a checkpoint that was made with it is there, too.

        What they hold is on the disk; that their names are is for who settles the log. False if the log has another entry of that
        number: then, and after an error, the window is of no use.

        Raises: StorageUnavailable.
        """
        version = self._newest + 1
        name = entry_name(version)
        fault_point("log_window.staged")
        if not self._log.create(name, self._window / name):
            return False
        fault_point("log_window.released")
        (self._window / name).unlink()
        self._take(version)
        made = self._window / _checkpoint_name(version)
        if made.is_file() and not made.is_symlink():
            self._log.put(made.name, made)
            fault_point("log_window.checkpoint")
            self._link(made.name)
            self._log.replace(_LAST, (self._window / _LAST).read_bytes())
        return True

    def _take(self, version: int) -> None:
        self._link(entry_name(version))
        self._newest = version
        self._last: FoundFile | None = self._log.find(entry_name(version))

    def _link(self, name: str) -> None:
        (self._window / name).symlink_to(self._log.path / name)


def _listed(log: LocalFolder) -> tuple[set[int], set[int]]:
    """Numbers of the log's entries, and of its checkpoints."""
    found: dict[str, set[int]] = {"json": set(), "checkpoint.parquet": set()}
    with suppress(FileNotFoundError):
        for match in filter(None, map(_NAME.match, os.listdir(log.path))):
            found[match[2]].add(int(match[1]))
    return found["json"], found["checkpoint.parquet"]
