"""What a rewrite that broke off left in a table: files that no log entry names, and an entry whose rows were never served.

An entry is not taken back, the log only grows: another one restores the rows of the version served. Only for who alone may write
to the table. Source: Delta protocol, "Delta Log Entries", "Action Reconciliation".
"""

from __future__ import annotations

import json
from urllib.parse import unquote

from deltalake import CommitProperties, DeltaTable
from deltalake.exceptions import DeltaError

from governance_server.warehouse.errors import StorageUnavailable
from governance_server.warehouse.folder import Folder
from governance_server.warehouse.log_entries import LOG_FOLDER, all_entries, settle_entry
from governance_server.warehouse.row_copies import ERASURE_KEY, RESTORED_KEY, keeps_rows, newest_copy, standing

__all__ = ["undo_rewrite"]


def undo_rewrite(table_root: Folder, delta_version: int) -> None:
    """The table's newest state holds the rows of this Delta version, which is served, and no file that its log never named.

    A table that others have written to since is left as it is. Raises: StorageUnavailable.
    """
    try:
        if not DeltaTable.is_deltatable(table_root.uri, storage_options=table_root.storage_options):
            return
        table = DeltaTable(table_root.uri, storage_options=table_root.storage_options)
        if newest_copy(table, delta_version) is None and _is_only_erased(table, delta_version):
            properties = CommitProperties(custom_metadata={RESTORED_KEY: str(delta_version)}, max_commit_retries=0)
            table.restore(delta_version, commit_properties=properties)
            settle_entry(table_root, int(table.version()))
    except (DeltaError, OSError) as error:
        raise StorageUnavailable(table_root.uri, str(error).splitlines()[0]) from error
    named = _named(table_root)
    if named is None:
        return
    for file in [it for it in table_root.files() if it.name.endswith(".parquet") and it.name not in named]:
        table_root.remove(file.name)


def _is_only_erased(table: DeltaTable, delta_version: int) -> bool:
    entries = standing(table, delta_version)
    return entries is not None and all(keeps_rows(entry) or ERASURE_KEY in entry for entry in entries)


def _named(table_root: Folder) -> set[str] | None:
    """The files that entries name, whether they still are the table's or not; None if entries are missing."""
    log = table_root.inside(LOG_FOLDER)
    entries = all_entries(log)
    if entries is None:
        return None
    named: set[str] = set()
    for name in entries:
        with log.open(name) as source:
            for line in filter(bytes.strip, source.read().splitlines()):
                for action in json.loads(line).values():
                    if isinstance(action, dict) and "path" in action:
                        named |= {str(action["path"]), unquote(str(action["path"]))}
    return named
