"""Which Delta versions hold the same rows: compaction and vacuum write entries that change none."""

from __future__ import annotations

from deltalake import DeltaTable

__all__ = ["ROWS_STAY", "newest_copy"]

ROWS_STAY = frozenset({"OPTIMIZE", "VACUUM START", "VACUUM END"})
"""Operations after which a table holds exactly the rows it held before."""


def newest_copy(table: DeltaTable, delta_version: int) -> int | None:
    """The newest version of the opened table if it holds the rows of this one; None if something else was written since."""
    since = int(table.version()) - delta_version
    if since < 0 or (since and any(entry.get("operation") not in ROWS_STAY for entry in table.history(since))):
        return None
    return int(table.version())
