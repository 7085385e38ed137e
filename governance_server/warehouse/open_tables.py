"""Delta tables that were opened before: brought up to date instead of read anew, so that a long log costs a look at what is new.

On a local disk, looking for what is new would list the whole log, which grows with every version: there the newest entry is
looked for by its name. Owns nothing but the handles; whoever uses one has the product's lease, or sees what an opened table sees:
its newest state then.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from deltalake import DeltaTable
from deltalake.exceptions import DeltaError, TableNotFoundError

from governance_server.warehouse.errors import StorageUnavailable
from governance_server.warehouse.folder import Folder, FoundFile
from governance_server.warehouse.local_folder import LocalFolder

__all__ = ["OpenTables"]

_MOST = 64


@dataclass(frozen=True, slots=True)
class _Opened:
    """A handle, and its version's log entry as it was found on the local disk."""

    table: DeltaTable
    entry: FoundFile | None


class OpenTables:
    """Handles of the tables used last. Safe to use from several threads: a handle is one user's at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tables: OrderedDict[str, _Opened] = OrderedDict()

    @contextmanager
    def newest(self, folder: Folder) -> Iterator[DeltaTable | None]:
        """The folder's table at its newest version; None if there is none. One that failed its user is not kept.

        Raises: StorageUnavailable if it cannot be opened.
        """
        table = self._opened(folder)
        entry = _entry(folder, table.version()) if table is not None else None
        yield table
        if table is not None:
            with self._lock:
                self._tables[folder.uri] = _Opened(table, entry)
                while len(self._tables) > _MOST:
                    self._tables.popitem(last=False)

    def _opened(self, folder: Folder) -> DeltaTable | None:
        with self._lock:
            known = self._tables.pop(folder.uri, None)
        try:
            if known is None or known.entry != _entry(folder, known.table.version()):
                return DeltaTable(folder.uri, storage_options=folder.storage_options)
            if known.entry is None or _entry(folder, known.table.version() + 1) is not None:
                known.table.update_incremental()
        except TableNotFoundError:
            return None
        except (DeltaError, OSError) as error:
            if known is not None:  # its log is another one than it was: look as if for the first time
                return self._opened(folder)
            raise StorageUnavailable(folder.uri, str(error).splitlines()[0]) from error
        return known.table


def _entry(folder: Folder, version: int) -> FoundFile | None:
    """The version's log entry; None if there is none, or if the table is elsewhere, where listing what is new costs no more.

    Entries are numbered without a gap: where the next one is absent, so are all after it.
    """
    return folder.inside("_delta_log").find(f"{version:020}.json") if isinstance(folder, LocalFolder) else None
