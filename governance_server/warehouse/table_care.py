"""Compaction and vacuum of a port's table: the same rows in fewer or better sorted files, and no file that nobody needs.

A Delta version that is pinned reads the same before and after. Delta-rs does the work, of partitioned tables
a partition at a time; what is here says what may be done.
Source: Delta protocol, "Add File" (`dataChange`); delta-rs, `optimize` and `vacuum`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable
from deltalake.exceptions import CommitFailedError, DeltaError

from governance_server.warehouse.errors import StorageUnavailable, VersionConflict
from governance_server.warehouse.folder import Folder
from governance_server.warehouse.log_entries import settle_entry
from governance_server.warehouse.partition_rewriting import Rewriting, leave_folders, pack_partitions
from governance_server.warehouse.row_copies import newest_copy

__all__ = ["Compacted", "clear_files", "compact", "flatten", "rewriting_of", "vacuum"]

_TARGET_BYTES = 128 << 20
_SPILL_BYTES = 256 << 20
_MOST_RECENT = 1000
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Compacted:
    """A compacted table: the Delta version that holds the rows now, and how many files they lay and lie in."""

    delta_version: int
    files_before: int
    files_after: int


def compact(
    table_root: Folder, delta_version: int, *, z_order: Sequence[str] = (), scratch: Path | None = None
) -> Compacted | None:
    """The rows of this Delta version lie in few files, sorted along a Z-curve of the columns if any are given.

    None if something else was written to the table since: it is then no copy of that version any more. A partition is written in
    the folder `scratch` first, the system's own for temporary files if none is given.

    Raises: StorageUnavailable; VersionConflict if another writer was faster.
    """
    return _told(table_root, lambda: _compact(table_root, delta_version, z_order, scratch))


def flatten(table_root: Folder, *, scratch: Path | None = None) -> None:
    """The newest version's rows lie in files of plain names: older releases compacted into folders of partitions.

    Raises: StorageUnavailable; VersionConflict if another writer was faster.
    """

    def work() -> None:
        table = DeltaTable(table_root.uri, storage_options=table_root.storage_options)
        leave_folders(rewriting_of(table, table_root, scratch))
        settle_entry(table_root, int(table.version()))

    _told(table_root, work)


def rewriting_of(table: DeltaTable, table_root: Folder, scratch: Path | None) -> Rewriting:
    """What writing partitions of the opened table anew needs to know."""
    return Rewriting(table, table_root, scratch, target_bytes=_TARGET_BYTES, spill_bytes=_SPILL_BYTES)


def _compact(table_root: Folder, delta_version: int, z_order: Sequence[str], scratch: Path | None) -> Compacted | None:
    table = DeltaTable(table_root.uri, storage_options=table_root.storage_options)
    if newest_copy(table, delta_version) is None:
        return None
    before, rows = _size(table)
    properties = CommitProperties(max_commit_retries=0)
    if table.metadata().partition_columns:
        pack_partitions(rewriting_of(table, table_root, scratch), z_order)
    elif z_order:
        table.optimize.z_order(
            list(z_order), target_size=_TARGET_BYTES, max_spill_size=_SPILL_BYTES, commit_properties=properties
        )
    elif before > 1:
        table.optimize.compact(target_size=_TARGET_BYTES, commit_properties=properties)
    after, same_rows = _size(table)
    if rows != same_rows:
        raise StorageUnavailable(table_root.uri, f"compaction found {same_rows} rows where there are {rows}")
    version = int(table.version())
    settle_entry(table_root, version)
    return Compacted(version, before, after)


def vacuum(table_root: Folder, keep: Sequence[int], *, grace: timedelta, dry_run: bool = False) -> int:
    """The number of files removed, or that would be: those that neither a Delta version in `keep` nor the newest one needs.

    A file that was in use within `grace` stays, for reads that run. Nobody else may write to the table meanwhile.

    Raises: StorageUnavailable.
    """
    return _told(table_root, lambda: _vacuum(table_root, keep, grace, dry_run))


def clear_files(folder: Folder, keep: Collection[str], *, now: datetime, grace: timedelta, dry_run: bool) -> int:
    """The number of files removed from the folder, or that would be: those not kept that are older than `grace`.

    Raises: StorageUnavailable.
    """
    oldest = (now - grace).timestamp() * 1000
    over = [file.name for file in folder.files() if file.name not in keep and file.modified_milliseconds <= oldest]
    for name in () if dry_run else over:
        folder.remove(name)
    return len(over)


def _vacuum(table_root: Folder, keep: Sequence[int], grace: timedelta, dry_run: bool) -> int:
    if not DeltaTable.is_deltatable(table_root.uri, storage_options=table_root.storage_options):
        return 0
    table = DeltaTable(table_root.uri, storage_options=table_root.storage_options)
    hours = -(-int(grace.total_seconds()) // 3600)
    kept = sorted({*keep, *_lately_newest(table, grace)})
    gone = table.vacuum(retention_hours=hours, dry_run=dry_run, enforce_retention_duration=False, full=True, keep_versions=kept)
    return len(gone)


def _lately_newest(table: DeltaTable, grace: timedelta) -> set[int]:
    """Versions that were the newest one within `grace`. The log forgets removed files early, so their age says nothing of it."""
    if not grace:
        return set()
    oldest = (time.time() - grace.total_seconds()) * 1000
    followers = [entry for entry in table.history(_MOST_RECENT) if entry["timestamp"] >= oldest]
    return {entry["version"] - 1 for entry in followers if entry["version"] > 0}


def _size(table: DeltaTable) -> tuple[int, int]:
    """Files and rows."""
    actions = pa.table(table.get_add_actions(flatten=True))
    return actions.num_rows, sum(actions.column("num_records").to_pylist())


def _told(table_root: Folder, work: Callable[[], _T]) -> _T:
    try:
        return work()
    except CommitFailedError as error:
        raise VersionConflict(f"Another writer changed {table_root.uri} meanwhile: try again.") from error
    except (DeltaError, pa.ArrowException, OSError) as error:
        raise StorageUnavailable(table_root.uri, str(error).splitlines()[0]) from error
