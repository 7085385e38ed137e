"""Delta tables that were opened before: brought up to date instead of read anew, so that a long log costs a look at what is new.

Owns nothing but the handles; whoever uses one has the product's lease, or sees what an opened table sees: its newest state then.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deltalake import DeltaTable
from deltalake.exceptions import DeltaError, TableNotFoundError

from governance_server.warehouse.errors import StorageUnavailable
from governance_server.warehouse.folder import Folder
from governance_server.warehouse.local_folder import LocalFolder
from governance_server.warehouse.windowed_table import WindowedTable, open_newest

__all__ = ["OpenTables"]

_MOST = 64


class OpenTables:
    """Handles of the tables used last. Safe to use from several threads: a handle is one user's at a time."""

    def __init__(self, scratch: Path | None = None) -> None:
        """Windows on logs lie in the folder `scratch`, the system's own for temporary files if none is given."""
        self._scratch = scratch
        self._lock = threading.Lock()
        self._tables: OrderedDict[str, DeltaTable] = OrderedDict()

    @contextmanager
    def newest(self, folder: Folder) -> Iterator[DeltaTable | None]:
        """The folder's table at its newest version; None if there is none. One that failed its user is not kept.

        Raises: StorageUnavailable if it cannot be opened.
        """
        table = self._opened(folder)
        yield table
        if table is not None:
            with self._lock:
                self._tables[folder.uri] = table
                while len(self._tables) > _MOST:
                    self._tables.popitem(last=False)

    def _opened(self, folder: Folder) -> DeltaTable | None:
        with self._lock:
            known = self._tables.pop(folder.uri, None)
        try:
            if known is not None and _followed(folder, known):
                return known
            return open_newest(folder, self._scratch)
        except TableNotFoundError:
            return None
        except (DeltaError, OSError) as error:
            if known is not None:  # its log is another one than it was: look as if for the first time
                return self._opened(folder)
            raise StorageUnavailable(folder.uri, str(error).splitlines()[0]) from error


def _followed(folder: Folder, table: DeltaTable) -> bool:
    """True if the handle is at the newest version now. On a local disk only a window tells whether it is still the same table."""
    if isinstance(table, WindowedTable):
        return table.follow()
    if isinstance(folder, LocalFolder):
        return False
    table.update_incremental()
    return True
