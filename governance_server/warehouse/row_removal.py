"""The entry that takes rows out of a table's newest version: what it says of itself, that it is on the disk, and how it fails.

Knows nothing of which rows go or how files are written anew. Source: Delta protocol, "Transaction Identifiers".
"""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Transaction
from deltalake.exceptions import CommitFailedError, DeltaError

from governance_server.warehouse.delta_log import APP_ID, PUBLICATION_KEY, VERSION_KEY
from governance_server.warehouse.errors import StorageUnavailable, VersionConflict
from governance_server.warehouse.folder import Folder
from governance_server.warehouse.log_entries import settle_entry
from governance_server.warehouse.row_copies import ERASURE_KEY

__all__ = ["RowRemoval", "newest_without"]

RowRemoval = Callable[[DeltaTable, CommitProperties], None]
"""Commits the opened table without the rows, in one entry with these properties; none if there are no such rows."""


def newest_without(table_root: Folder, remove: RowRemoval, *, removal: str, version: int) -> int:
    """The newest Delta version, once the rows are gone.

    Args:
        table_root: Where the table is.
        remove: What takes the rows out.
        removal: The removal's id, for the log.
        version: The product's version that will serve the table.

    Raises: StorageUnavailable, VersionConflict.
    """
    properties = CommitProperties(
        custom_metadata={ERASURE_KEY: removal, PUBLICATION_KEY: removal, VERSION_KEY: version},
        app_transactions=[Transaction(APP_ID, version)],
        max_commit_retries=0,
    )
    try:
        remove(DeltaTable(table_root.uri, storage_options=table_root.storage_options), properties)
        found = int(DeltaTable(table_root.uri, storage_options=table_root.storage_options).version())
    except CommitFailedError as error:
        raise VersionConflict(f"Another writer changed {table_root.uri} meanwhile: try again.") from error
    except (DeltaError, pa.ArrowException, OSError) as error:
        raise StorageUnavailable(table_root.uri, type(error).__name__) from None  # its text may hold a value
    settle_entry(table_root, found)
    return found
