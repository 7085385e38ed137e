"""Tables whose log delta-rs reads through a window: opening one, committing to one and following it cost the same at any length.

A table elsewhere than on a local disk, or with a log of another kind, is opened as a whole: a store lists from a given name on.
Source: delta-rs 1.6, where `history` of a handle that is not the newest counts from the newest entry of the log.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError

from governance_server.warehouse.folder import Folder
from governance_server.warehouse.local_folder import LocalFolder
from governance_server.warehouse.log_window import LogWindow

__all__ = ["WindowedTable", "open_newest", "open_version"]


_MEMORY = Path("/dev/shm")
"""Where a window lies that is needed for one opening: on a disk, making and removing its links waits for whoever writes there."""


class WindowedTable(DeltaTable):
    """A table at its own place, read through a window on its log.

    Asked for versions, files, statistics, schema and history it answers as the table would, and commits go into the table's log.
    Nothing that opens data files (queries, merges, optimize, vacuum) may be asked of it: in the window there are none.
    """

    def __init__(self, folder: LocalFolder, window: LogWindow) -> None:
        super().__init__(window.path)
        self._window = window
        self._place = folder.path
        self._prefix = super().table_uri.removeprefix("file://")
        self._is_spoiled = False

    @property
    def table_uri(self) -> str:
        """Where the table is, not its window."""
        return f"file://{self._place}/"

    def file_uris(self, *arguments: Any, **named: Any) -> list[str]:  # noqa: ANN401  # passed on
        """Where the table's files are."""
        return [f"{self._place}/{uri.removeprefix(self._prefix)}" for uri in super().file_uris(*arguments, **named)]

    def history(self, limit: int | None = None) -> list[dict[str, Any]]:
        """The commit infos of this version and those before it, from the whole log if the window has too few."""
        version = int(self.version())
        known = version - self._window.first + 1
        if self._window.newest == version and limit is not None and limit <= known:
            return super().history(limit)
        entries = DeltaTable(self._place).history()
        return [entry for entry in entries if entry["version"] <= version][:limit]

    def create_write_transaction(self, *arguments: Any, **named: Any) -> None:  # noqa: ANN401  # passed on
        """The table has an entry more; this handle is where it was.

        Raises: CommitFailedError if another writer was faster; DeltaError, StorageUnavailable.
        """
        self._is_spoiled = True
        super().create_write_transaction(*arguments, **named)
        if not self._window.release():
            raise CommitFailedError(f"the log of {self._place} has another entry {self.version() + 1}")
        self._is_spoiled = False

    def follow(self) -> bool:
        """This handle is at the newest version; False if the table must be opened anew."""
        if self._is_spoiled or self._window.is_long or not self._window.follow():
            return False
        if self._window.newest > int(self.version()):
            self.update_incremental()
        return True

    def close(self) -> WindowedTable:
        """This handle, without its window: what was loaded is known, nothing can be committed."""
        self._window.close()
        return self


def open_newest(folder: Folder, scratch: Path | None = None) -> DeltaTable:
    """The table at its newest version, to be read and committed to. Windows lie in the folder `scratch`.

    Raises: TableNotFoundError, DeltaError, OSError, StorageUnavailable.
    """
    window = LogWindow.of_newest(folder, scratch) if isinstance(folder, LocalFolder) else None
    if window is None or not isinstance(folder, LocalFolder):
        return DeltaTable(folder.uri, storage_options=folder.storage_options)
    return WindowedTable(folder, window)


def open_version(folder: Folder, version: int) -> DeltaTable:
    """The table at a version, to be read only. Raises: TableNotFoundError, DeltaError, OSError, StorageUnavailable."""
    memory = _MEMORY if os.access(_MEMORY, os.W_OK | os.X_OK) else None
    window = LogWindow.of_version(folder, version, memory) if isinstance(folder, LocalFolder) else None
    if window is None or not isinstance(folder, LocalFolder):
        return DeltaTable(folder.uri, version=version, storage_options=folder.storage_options)
    return WindowedTable(folder, window).close()
