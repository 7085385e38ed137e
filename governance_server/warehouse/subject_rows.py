"""The rows of one data subject in a port's table: counting them, writing the table without them, and leaving no trace in its log.

A row is the subject's if one of the given columns, as text, equals the value; case and surrounding spaces do not count.
Source: Delta protocol, "Add File" (statistics are optional), "Checkpoints" (a log without one is read from its entries).
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Sequence
from typing import Any
from urllib.parse import unquote

import polars as pl
import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Transaction
from deltalake.exceptions import CommitFailedError, DeltaError

from governance_server.warehouse.delta_log import APP_ID, PUBLICATION_KEY, VERSION_KEY
from governance_server.warehouse.errors import StorageUnavailable, VersionConflict
from governance_server.warehouse.folder import Folder
from governance_server.warehouse.row_copies import ROWS_STAY

__all__ = ["ERASURE_KEY", "count_rows", "files_of", "holds_version", "is_subject", "scrub_log", "searchable", "write_without"]

ERASURE_KEY = "domainMesh.erasureId"
_ENTRY = re.compile(r"(\d{20})\.json\Z")
_DERIVED = re.compile(r"(_last_checkpoint|\.?\d{20}\.(checkpoint.*\.parquet|(json\.)?crc))\Z")
_ACTIONS = ("add", "remove")


def is_subject(columns: Sequence[str], value: str) -> pl.Expr:
    """True for the subject's rows, never null."""
    texts = (pl.col(name).cast(pl.String).str.strip_chars(" ").str.to_lowercase() for name in columns)
    return pl.any_horizontal([(text == _plain(value)).fill_null(value=False) for text in texts])


def searchable(schema: pl.Schema, columns: Iterable[str], partitions: Collection[str]) -> tuple[list[str], list[str]]:
    """Of the columns that the schema has: those whose values can be found and erased, and those that cannot.

    Nested and binary ones cannot, nor can columns by which the table is partitioned: their values are in the log itself.
    """
    there = [name for name in columns if name in schema]
    refused = {name for name in there if schema[name].is_nested() or schema[name] == pl.Binary or name in partitions}
    plain = [name for name in there if name not in refused]
    return plain, [name for name in there if name not in plain]


def count_rows(frame: pl.LazyFrame, columns: Sequence[str], value: str) -> int:
    """How many rows of the frame are the subject's."""
    if not columns:
        return 0
    return int(frame.select(is_subject(columns, value).sum()).collect(engine="streaming").item())


def write_without(table_root: Folder, columns: Sequence[str], value: str, *, erasure_id: str, version: int) -> int:
    """The newest Delta version holds no row of the subject; returned is its number. Raises: StorageUnavailable, VersionConflict.

    The log has the value in its newest entry until `scrub_log` was run.
    """
    predicate = " or ".join(
        f"coalesce(lower(trim(cast({_quoted(name)} as varchar))) = {_literal(value)}, false)" for name in columns
    )
    properties = CommitProperties(
        custom_metadata={ERASURE_KEY: erasure_id, PUBLICATION_KEY: erasure_id, VERSION_KEY: version},
        app_transactions=[Transaction(APP_ID, version)],
        max_commit_retries=0,
    )
    try:
        table = DeltaTable(table_root.uri, storage_options=table_root.storage_options)
        table.delete(predicate, commit_properties=properties)
        found = int(table.version())
    except CommitFailedError as error:
        raise VersionConflict(f"Another writer changed {table_root.uri} meanwhile: try again.") from error
    except (DeltaError, OSError) as error:
        raise StorageUnavailable(table_root.uri, type(error).__name__) from None  # its text holds the value
    table_root.settle("_delta_log", f"{found:020}.json")
    return found


def holds_version(table_root: Folder, delta_version: int) -> bool:
    """True if the newest state of the table is this version's, but for an erasure that was begun. Raises: StorageUnavailable."""
    try:
        table = DeltaTable(table_root.uri, storage_options=table_root.storage_options)
        since = int(table.version()) - delta_version
        entries = table.history(since) if since else []
    except (DeltaError, OSError) as error:
        raise StorageUnavailable(table_root.uri, str(error).splitlines()[0]) from error
    return all(entry.get("operation") in ROWS_STAY or ERASURE_KEY in entry for entry in entries)


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


def scrub_log(table_root: Folder, needed: set[str]) -> None:
    """The log tells nothing of the rows of files that are not `needed`: no statistics, no predicate of an erasure, no changes.

    Entries keep their meaning; checkpoints are made anew. May be repeated. Raises: StorageUnavailable.
    """
    log = table_root.inside("_delta_log")
    names = sorted(file.name for file in log.files())
    entries = [name for name in names if _ENTRY.match(name)]
    if [int(name[:20]) for name in entries] != list(range(len(entries))):
        raise StorageUnavailable(log.uri, "entries of the log are missing, so its checkpoints cannot be made anew")
    for name in (name for name in names if _DERIVED.match(name)):
        log.remove(name)
    for name in entries:
        with log.open(name) as source:
            before = source.read()
        after = _scrubbed(before, needed, table_root)
        if after != before:
            log.replace(name, after)
    try:
        DeltaTable(table_root.uri, storage_options=table_root.storage_options).create_checkpoint()
    except (DeltaError, OSError) as error:
        raise StorageUnavailable(table_root.uri, str(error).splitlines()[0]) from error


def _scrubbed(entry: bytes, needed: set[str], table_root: Folder) -> bytes:
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
    return b"\n".join(json.dumps(line, separators=(",", ":")).encode() for line in kept) + b"\n" if is_changed else entry


def _scrub(line: dict[str, Any], needed: set[str], *, is_erasure: bool) -> bool:
    """True if something of the action was left out."""
    is_changed = False
    for kind in _ACTIONS:
        action = line.get(kind)
        if action is None:
            continue
        if unquote(str(action["path"])) not in needed and str(action["path"]) not in needed and action.pop("stats", None):
            is_changed = True
        if is_erasure and action.get("dataChange"):
            action["dataChange"], is_changed = False, True
    info = line.get("commitInfo", {})
    if is_erasure and info.pop("operationParameters", None) is not None:
        is_changed = True
    return is_changed


def _remove_file(table_root: Folder, path: str) -> None:
    *folders, name = unquote(path).split("/")
    table_root.inside(*folders).remove(name)


def _plain(value: str) -> str:
    return value.strip(" ").lower()


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(value: str) -> str:
    return "'" + _plain(value).replace("'", "''") + "'"
