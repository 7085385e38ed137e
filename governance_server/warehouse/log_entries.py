"""The entries of a Delta log: where they are, and what they are called.

Source: Delta protocol, "Delta Log Entries" (numbered from 0 without a gap, unless older ones were cleaned up).
"""

from __future__ import annotations

import re

from governance_server.warehouse.folder import Folder

__all__ = ["LOG_FOLDER", "all_entries", "entry_name", "settle_entry"]

LOG_FOLDER = "_delta_log"
"""Within a table's folder."""
_ENTRY = re.compile(r"(\d{20})\.json\Z")


def entry_name(version: int) -> str:
    """The name of a version's entry."""
    return f"{version:020}.json"


def settle_entry(table_root: Folder, version: int) -> None:
    """The version's entry is on the disk under its name. Raises: StorageUnavailable."""
    table_root.settle(LOG_FOLDER, entry_name(version))


def all_entries(log: Folder) -> list[str] | None:
    """The names of all entries from version 0 on, in order; None if some are missing."""
    names = sorted(file.name for file in log.files() if _ENTRY.match(file.name))
    return names if names == [entry_name(version) for version in range(len(names))] else None
