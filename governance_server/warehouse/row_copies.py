"""Which Delta versions hold the same rows: compaction and vacuum write entries that change none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deltalake import DeltaTable

__all__ = ["SAME_ROWS_KEY", "keeps_rows", "newest_copy"]

SAME_ROWS_KEY = "domainMesh.sameRows"
"""In the metadata of an entry of ours that puts the same rows into other files."""

_ROWS_STAY = frozenset({"OPTIMIZE", "VACUUM START", "VACUUM END"})
"""Operations of delta-rs after which a table holds exactly the rows it held before."""


def keeps_rows(entry: Mapping[str, Any]) -> bool:
    """True if the table holds exactly the same rows before and after this entry of its history."""
    return entry.get("operation") in _ROWS_STAY or SAME_ROWS_KEY in entry


def newest_copy(table: DeltaTable, delta_version: int) -> int | None:
    """The newest version of the opened table if it holds the rows of this one; None if something else was written since."""
    since = int(table.version()) - delta_version
    if since < 0 or (since and not all(map(keeps_rows, table.history(since)))):
        return None
    return int(table.version())
