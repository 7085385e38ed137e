"""The Delta log of a port's table: one entry per publication, found again by its app transaction.

Owns every use of deltalake's commit API. delta-rs records app transactions but does not enforce them, appends files of any
schema, and lets an overwrite bring in a column type the table's protocol does not allow; the checks for all three are here.
Source: Delta protocol, "Transaction Identifiers", "Add File", "Timestamp without timezone".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import unquote

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Schema, Transaction
from deltalake.exceptions import CommitFailedError, DeltaError
from deltalake.transaction import AddAction, RemoveAction, create_table_with_add_actions

from governance_server.warehouse.delivered import VerifiedFile
from governance_server.warehouse.errors import StorageUnavailable, VersionConflict
from governance_server.warehouse.faults import fault_point
from governance_server.warehouse.folder import Folder
from governance_server.warehouse.log_entries import settle_entry
from governance_server.warehouse.open_tables import OpenTables
from governance_server.warehouse.partitions import partition_text
from governance_server.warehouse.row_copies import newest_copy
from governance_server.warehouse.schemas import schema_differences, stored_schema
from governance_server.warehouse.takeover import take_over

__all__ = [
    "APP_ID",
    "PUBLICATION_KEY",
    "VERSION_KEY",
    "CommitMode",
    "Exchange",
    "TableChange",
    "commit_version",
    "exchange_files",
    "find_version",
    "take_over",
]

APP_ID = "domain-mesh"
"""The app id of our Delta transactions; every port has a log of its own, so one id is enough."""

CommitMode = Literal["overwrite", "append"]

PUBLICATION_KEY = "domainMesh.publicationId"
VERSION_KEY = "domainMesh.productVersion"
_CONFIGURATION = {
    "delta.enableExpiredLogCleanup": "false",
    "delta.checkpointInterval": "20",
    "delta.deletedFileRetentionDuration": "interval 0 seconds",
}
"""The catalog pins Delta versions for as long as it likes, so no log entry may expire by itself. It knows which files versions
need, so checkpoints, the last of which is read to open a table, need not remember those that went out: a table opens as fast
after ten thousand versions as after ten."""

_FIRST_LOOK = 32


@dataclass(frozen=True, slots=True)
class TableChange:
    """What one log entry does to a table.

    Attributes:
        files: Files that come in; they lie in the table's folder.
        schema: The storage schema.
        mode: `overwrite`: all other files go out, and a change of schema is carried out. `append`: those in `removed` go out.
        removed: Names of the table's files.
        partition_by: The columns by which files are kept apart.
        base: The Delta version on top of which an `append` goes.
    """

    files: Sequence[VerifiedFile]
    schema: pa.Schema
    mode: CommitMode = "overwrite"
    removed: Sequence[str] = ()
    partition_by: Sequence[str] = ()
    base: int = -1


def commit_version(
    table_root: Folder, change: TableChange, *, publication_id: str, version: int, tables: OpenTables | None = None
) -> int:
    """The table's log holds exactly one entry for this product version; returned is its Delta version.

    The table is created if absent. Repeating it, even after a crash, writes nothing and returns the same number. `tables` keeps
    it open for the next.

    Raises: VersionConflict if the version belongs to another publication, is older than the last one, was overtaken by another
        writer, or an append has another schema. StorageUnavailable if the log cannot be read or written.
    """
    with (tables or OpenTables()).newest(table_root) as table:
        existing = _find(table, publication_id, version)
        if existing is None:
            return _committed(table, table_root, change, publication_id=publication_id, version=version)
    settle_entry(table_root, existing)
    return existing


def _committed(table: DeltaTable | None, table_root: Folder, change: TableChange, *, publication_id: str, version: int) -> int:
    properties = CommitProperties(
        custom_metadata={PUBLICATION_KEY: publication_id, VERSION_KEY: version},
        app_transactions=[Transaction(APP_ID, version)],
        max_commit_retries=0,
    )
    fault_point("commit_version.before_log")
    try:
        delta_version = _write_entry(table, _Entry(table_root, change, properties))
    except (DeltaError, OSError) as error:
        overtaken_by = find_version(table_root, publication_id=publication_id, version=version)
        if overtaken_by is None:
            raise _commit_error(table_root, version, error) from error
        delta_version = overtaken_by
    fault_point("commit_version.after_log")
    settle_entry(table_root, delta_version)
    return delta_version


@dataclass(frozen=True, slots=True)
class Exchange:
    """Files of a table that go out, by their paths in its log, and files in its folder that come in for them."""

    removed: Sequence[str]
    added: Sequence[VerifiedFile]
    is_data_change: bool


def exchange_files(table: DeltaTable, table_root: Folder, change: Exchange, properties: CommitProperties) -> None:
    """The opened table has an entry more, in which the files are exchanged; schema and partitions stay.

    Raises: CommitFailedError, DeltaError, OSError; VersionConflict if a file is not in the table; StorageUnavailable.
    """
    table_root.settle()
    added = [_add_action(table_root, file, is_data_change=change.is_data_change) for file in change.added]
    moment = max((action.modification_time for action in added), default=0)
    removed = _remove_actions(table, change.removed, moment, is_data_change=change.is_data_change)
    partition_by = list(table.metadata().partition_columns) or None
    fault_point("exchange.before_log")
    table.create_write_transaction([*added, *removed], "append", table.schema(), partition_by, commit_properties=properties)
    fault_point("exchange.after_log")
    table.update_incremental()


def find_version(table_root: Folder, *, publication_id: str, version: int, tables: OpenTables | None = None) -> int | None:
    """The Delta version that carried this product version of this publication; None if the log does not hold it yet.

    Raises: VersionConflict if another publication holds the version or a later one is in the log; StorageUnavailable.
    """
    with (tables or OpenTables()).newest(table_root) as table:
        return _find(table, publication_id, version)


def _find(table: DeltaTable | None, publication_id: str, version: int) -> int | None:
    if table is None:
        return None
    root = table.table_uri
    try:
        latest = table.transaction_version(APP_ID)
        if latest is None or latest < version:
            return None
        entry = _entry_of(table, version)
    except (DeltaError, OSError) as error:
        raise StorageUnavailable(root, str(error)) from error
    if entry is None:
        raise VersionConflict(f"The Delta log of {root} is already at product version {latest}: {version} comes too late.")
    if entry.get(PUBLICATION_KEY) != publication_id:
        raise VersionConflict(f"Product version {version} in {root} belongs to another publication: begin a new one.")
    return int(entry["version"])


def _commit_error(table_root: Folder, version: int, error: Exception) -> VersionConflict | StorageUnavailable:
    if isinstance(error, CommitFailedError):
        return VersionConflict(f"Another writer changed {table_root.uri} while version {version} was committed: try again.")
    return StorageUnavailable(table_root.uri, str(error))


def _entry_of(table: DeltaTable, version: int) -> Mapping[str, Any] | None:
    for limit in (_FIRST_LOOK, None):
        for entry in table.history(limit):
            if entry.get(VERSION_KEY) == version:
                return dict(entry)
    return None


@dataclass(frozen=True, slots=True)
class _Entry:
    """What is going to be one log entry."""

    table_root: Folder
    change: TableChange
    properties: CommitProperties

    @property
    def delta_schema(self) -> Schema:
        return Schema.from_arrow(stored_schema(self.change.schema))

    @property
    def added(self) -> list[AddAction]:
        return [_add_action(self.table_root, file) for file in self.change.files]


def _write_entry(table: DeltaTable | None, entry: _Entry) -> int:
    """The entry is on top of exactly the opened snapshot, or version 0 of a table that did not exist when it was looked for."""
    if table is None:
        entry.table_root.make()
        _create(entry, mode="error")
        return 0
    following = int(table.version()) + 1
    if entry.change.mode == "append":
        _put_on_top(table, entry)
    elif _needs_newer_protocol(entry.change.schema, table) or _is_partitioned_anew(table, entry):
        _create(entry, mode="overwrite")
    else:
        partition_by = list(entry.change.partition_by) or None
        table.create_write_transaction(
            [*entry.added], "overwrite", entry.delta_schema, partition_by, commit_properties=entry.properties
        )
    return following


def _put_on_top(table: DeltaTable, entry: _Entry) -> None:
    differences = schema_differences(pa.schema(table.schema().to_arrow()), entry.change.schema)
    if _is_partitioned_anew(table, entry):
        differences.append(f"the table is partitioned by {', '.join(table.metadata().partition_columns) or 'nothing'}.")
    if newest_copy(table, entry.change.base) is None:
        differences.append("its log has moved on to other rows.")
    if differences:
        raise VersionConflict(
            f"Files cannot be appended to {entry.table_root.uri}: {' '.join(differences)} Publish with overwrite."
        )
    added = entry.added
    moment = max((action.modification_time for action in added), default=0)
    removed = _remove_actions(table, entry.change.removed, moment)
    partition_by = list(entry.change.partition_by) or None
    table.create_write_transaction(
        [*added, *removed], "append", entry.delta_schema, partition_by, commit_properties=entry.properties
    )


def _remove_actions(table: DeltaTable, names: Sequence[str], moment: int, *, is_data_change: bool = True) -> list[RemoveAction]:
    """Actions for the table's files of these names. Raises: VersionConflict if one is not in the table."""
    if not names:
        return []
    columns = table.metadata().partition_columns
    wanted = set(names)
    found = {}
    for action in pa.table(table.get_add_actions(flatten=False)).to_pylist():
        if action["path"] in wanted:
            values = {name: partition_text(action["partition"][name]) for name in columns} if columns else {}
            path = unquote(str(action["path"]))  # delta-rs encodes it as it is in the log
            found[action["path"]] = RemoveAction(path, is_data_change, moment, int(action["size_bytes"]), values)
    if len(found) < len(wanted):
        raise VersionConflict(f"{len(wanted) - len(found)} files that were to go out are not in {table.table_uri} any more.")
    return [found[name] for name in names]


def _is_partitioned_anew(table: DeltaTable, entry: _Entry) -> bool:
    return list(table.metadata().partition_columns) != list(entry.change.partition_by)


def _create(entry: _Entry, *, mode: Literal["error", "overwrite"]) -> None:
    create_table_with_add_actions(
        entry.table_root.uri,
        entry.delta_schema,
        entry.added,
        mode=mode,
        partition_by=list(entry.change.partition_by),
        storage_options=entry.table_root.storage_options,
        configuration=_CONFIGURATION,
        commit_properties=entry.properties,
    )


def _needs_newer_protocol(schema: pa.Schema, table: DeltaTable) -> bool:
    features = table.protocol().reader_features or []
    return "timestampNtz" not in features and any(_has_naive_timestamp(field.type) for field in schema)


def _has_naive_timestamp(data_type: pa.DataType) -> bool:
    if pa.types.is_timestamp(data_type):
        return data_type.tz is None
    return any(_has_naive_timestamp(data_type.field(i).type) for i in range(data_type.num_fields))


def _add_action(table_root: Folder, file: VerifiedFile, *, is_data_change: bool = True) -> AddAction:
    found = table_root.find(file.name)
    if found is None:
        raise StorageUnavailable(table_root.uri, f"{file.name} is gone")
    return AddAction(
        path=file.name,
        size=found.size,
        partition_values=dict(file.partition),
        modification_time=found.modified_milliseconds,
        data_change=is_data_change,
        stats=file.stats_json,
    )
