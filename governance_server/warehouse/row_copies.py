"""Which Delta versions hold the same rows: compaction and vacuum write entries that change none, and some entries were undone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deltalake import DeltaTable

__all__ = ["ERASURE_KEY", "RESTORED_KEY", "SAME_ROWS_KEY", "keeps_rows", "newest_copy", "standing"]

SAME_ROWS_KEY = "domainMesh.sameRows"
"""In the metadata of an entry of ours that puts the same rows into other files."""
ERASURE_KEY = "domainMesh.erasureId"
"""In the metadata of an entry that takes a data subject's rows out."""
RESTORED_KEY = "domainMesh.restoredVersion"
"""In the metadata of an entry of ours that undoes those after this Delta version."""

_ROWS_STAY = frozenset({"OPTIMIZE", "VACUUM START", "VACUUM END"})
"""Operations of delta-rs after which a table holds exactly the rows it held before."""


def keeps_rows(entry: Mapping[str, Any]) -> bool:
    """True if the table holds exactly the same rows before and after this entry of its history."""
    return entry.get("operation") in _ROWS_STAY or SAME_ROWS_KEY in entry


def standing(table: DeltaTable, delta_version: int) -> list[Mapping[str, Any]] | None:
    """The entries of the opened table after this version, without those that were undone; None if it was undone itself."""
    since = int(table.version()) - delta_version
    if since < 0:
        return None
    entries: list[Mapping[str, Any]] = []
    newest = delta_version + since
    for entry in table.history(since) if since else ():
        if entry["version"] > newest:
            continue
        if RESTORED_KEY in entry:
            newest = int(entry[RESTORED_KEY])
        else:
            entries.append(entry)
    return entries if newest >= delta_version else None


def newest_copy(table: DeltaTable, delta_version: int) -> int | None:
    """The newest version of the opened table if it holds the rows of this one; None if something else was written since."""
    entries = standing(table, delta_version)
    return None if entries is None or not all(map(keeps_rows, entries)) else int(table.version())
