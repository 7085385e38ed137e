"""The rows of one data subject in a port's table: counting them, writing the table without them, and leaving no trace in its log.

Whose a row is is decided by `subject_values`.
Source: Delta protocol, "Add File" (statistics are optional), "Checkpoints" (a log without one is read from its entries).
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import polars as pl
import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, write_deltalake
from deltalake.exceptions import DeltaError

from governance_server.warehouse.errors import StorageUnavailable
from governance_server.warehouse.faults import fault_point
from governance_server.warehouse.folder import Folder
from governance_server.warehouse.log_entries import LOG_FOLDER, all_entries
from governance_server.warehouse.partition_rewriting import RowTest, remove_rows
from governance_server.warehouse.row_copies import ERASURE_KEY, keeps_rows, standing
from governance_server.warehouse.row_removal import newest_without
from governance_server.warehouse.subject_values import SubjectRows, plain
from governance_server.warehouse.table_care import rewriting_of

__all__ = ["files_of", "holds_version", "remove_folders", "scrub_log", "write_without"]

_DERIVED = re.compile(r"(_last_checkpoint|\.?\d{20}\.(checkpoint.*\.parquet|(json\.)?crc))\Z")
_ACTIONS = ("add", "remove")
_BATCH_ROWS = 64 * 1024


def write_without(table_root: Folder, rows: SubjectRows, *, erasure_id: str, version: int, scratch: Path | None = None) -> int:
    """The newest Delta version holds no row of the subject; returned is its number. Raises: StorageUnavailable, VersionConflict.

    Only files with such rows are written anew, or all if the values lie where no predicate of Delta looks. The log has a value in
    its newest entry until `scrub_log` was run.
    """

    def remove(table: DeltaTable, properties: CommitProperties) -> None:
        if table.metadata().partition_columns:
            remove_rows(rewriting_of(table, table_root, scratch), _stays(rows), rows.columns, properties)
        elif rows.is_deep:
            write_deltalake(table, _batches(table, rows), mode="overwrite", commit_properties=properties)
        else:
            table.delete(_predicate(rows), commit_properties=properties)

    return newest_without(table_root, remove, removal=erasure_id, version=version)


def _stays(rows: SubjectRows) -> RowTest:
    def test(batch: pa.RecordBatch) -> pa.BooleanArray:
        frame = pl.DataFrame(batch)
        stays = frame.select(~rows.is_subject(frame.schema)).to_series()
        return pa.array(stays.to_arrow(), pa.bool_())

    return test


def _predicate(rows: SubjectRows) -> str:
    listed = ", ".join(_literal(value) for value in rows.values)
    return " or ".join(f"coalesce(lower(trim(cast({_quoted(name)} as varchar))) in ({listed}), false)" for name in rows.columns)


def _batches(table: DeltaTable, rows: SubjectRows) -> pa.RecordBatchReader:
    """The other rows, a few at a time, as the table's own types."""
    schema = pa.schema(table.schema())
    frames = rows.others().collect_batches(chunk_size=_BATCH_ROWS, maintain_order=True, lazy=True, engine="streaming")
    batches = (batch for frame in frames for batch in frame.select(schema.names).to_arrow().cast(schema).to_batches())
    return pa.RecordBatchReader.from_batches(schema, batches)


def holds_version(table_root: Folder, delta_version: int) -> bool:
    """True if the newest state of the table is this version's, but for an erasure that was begun. Raises: StorageUnavailable."""
    try:
        table = DeltaTable(table_root.uri, storage_options=table_root.storage_options)
        entries = standing(table, delta_version)
    except (DeltaError, OSError) as error:
        raise StorageUnavailable(table_root.uri, str(error).splitlines()[0]) from error
    return entries is not None and all(keeps_rows(entry) or ERASURE_KEY in entry for entry in entries)


def files_of(table_root: Folder, delta_versions: Iterable[int]) -> set[str]:
    """Paths of all data files of these Delta versions, as the log has them. Raises: StorageUnavailable."""
    found: set[str] = set()
    try:
        for version in delta_versions:
            table = DeltaTable(table_root.uri, version=version, storage_options=table_root.storage_options)
            found.update(pa.table(table.get_add_actions(flatten=True)).column("path").to_pylist())
    except (DeltaError, OSError) as error:
        raise StorageUnavailable(table_root.uri, str(error).splitlines()[0]) from error
    return found


def scrub_log(table_root: Folder, needed: set[str], values: Collection[str]) -> None:
    """The log tells nothing of the rows of files that are not `needed`: no statistics, no predicate of an erasure, no changes.

    Nor of its partition, if that is a value of the subject. Entries keep their meaning; checkpoints are made anew.

    Raises: StorageUnavailable.
    """
    subject = frozenset(plain(value) for value in values)
    log = table_root.inside(LOG_FOLDER)
    entries = all_entries(log)
    if entries is None:
        raise StorageUnavailable(log.uri, "entries of the log are missing, so its checkpoints cannot be made anew")
    for file in [it for it in log.files() if _DERIVED.match(it.name)]:
        log.remove(file.name)
    for name in entries:
        with log.open(name) as source:
            before = source.read()
        after = _scrubbed(before, needed, subject, table_root)
        if after != before:
            log.replace(name, after)
            fault_point("scrub.entry")
    fault_point("scrub.entries")
    try:
        DeltaTable(table_root.uri, storage_options=table_root.storage_options).create_checkpoint()
    except (DeltaError, OSError) as error:
        raise StorageUnavailable(table_root.uri, str(error).splitlines()[0]) from error


def _scrubbed(entry: bytes, needed: set[str], subject: frozenset[str], table_root: Folder) -> bytes:
    lines: list[dict[str, Any]] = [json.loads(line) for line in entry.splitlines() if line.strip()]
    is_erasure = any(ERASURE_KEY in line.get("commitInfo", {}) for line in lines)
    kept, is_changed = [], False
    for line in lines:
        if is_erasure and "cdc" in line:
            _remove_file(table_root, str(line["cdc"]["path"]))
            is_changed = True
            continue
        kept.append(line)
        is_changed |= _scrub(line, needed, is_erasure=is_erasure)
        is_changed |= any(_scrub_partition(line[kind], needed, subject) for kind in _ACTIONS if line.get(kind))
    return b"\n".join(json.dumps(line, separators=(",", ":")).encode() for line in kept) + b"\n" if is_changed else entry


def _scrub(line: dict[str, Any], needed: set[str], *, is_erasure: bool) -> bool:
    """True if something of the action was left out."""
    is_changed = False
    for kind in _ACTIONS:
        action = line.get(kind)
        if action is None:
            continue
        if not _is_needed(action, needed) and action.pop("stats", None):
            is_changed = True
        if is_erasure and action.get("dataChange"):
            action["dataChange"], is_changed = False, True
    info = line.get("commitInfo", {})
    if is_erasure and info.pop("operationParameters", None) is not None:
        is_changed = True
    return is_changed


def _is_needed(action: dict[str, Any], needed: set[str]) -> bool:
    return unquote(str(action["path"])) in needed or str(action["path"]) in needed


def _scrub_partition(action: dict[str, Any], needed: set[str], subject: frozenset[str]) -> bool:
    """True if the action of a file that is gone told of the subject by the partition it was in."""
    if _is_needed(action, needed):
        return False
    place = action.get("partitionValues") or {}
    told = [name for name, value in place.items() if value is not None and plain(str(value)) in subject]
    if told:
        action["partitionValues"] = {**place, **dict.fromkeys(told)}
    *folders, name = str(action["path"]).split("/")
    is_named = any(_is_folder_of(folder, subject) for folder in folders)
    if is_named:  # written by compaction: `email=ana%40x/part-….parquet`
        action["path"] = f"erased/{name}"
    return bool(told) or is_named


def _is_folder_of(name: str, subject: frozenset[str]) -> bool:
    _, is_partition, value = name.partition("=")
    return bool(is_partition) and plain(unquote(unquote(value))) in subject


def remove_folders(table_root: Folder, values: Collection[str]) -> None:
    """No folder of a partition is named by a value of the subject; its files are gone before."""
    subject = frozenset(plain(value) for value in values)
    for name in [it for it in table_root.subfolders() if "=" in it]:
        if _is_folder_of(name, subject):
            table_root.clear(name)
        else:
            remove_folders(table_root.inside(name), values)


def _remove_file(table_root: Folder, path: str) -> None:
    *folders, name = unquote(path).split("/")
    table_root.inside(*folders).remove(name)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(value: str) -> str:
    return "'" + plain(value).replace("'", "''") + "'"
