"""Files of a partitioned table written anew, within their partitions: packed, sorted along a Z-curve, or without some rows.

Delta-rs leaves the partition's columns out of what it writes, and names files by folders of their partition. Everything else here
opens files by plain names and expects whole rows in them: the change feed, merges, replaced partitions, polars' own scan. So a
scratch table of one partition, which is itself not partitioned, is given to delta-rs, and its files are taken over.
Source: Delta protocol, "Add File" (`partitionValues`, `dataChange`).
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import CommitProperties, DeltaTable, write_deltalake

from governance_server.warehouse.delivered import VerifiedFile
from governance_server.warehouse.delta_log import Exchange, exchange_files
from governance_server.warehouse.faults import fault_point
from governance_server.warehouse.folder import Folder
from governance_server.warehouse.partitions import partition_text
from governance_server.warehouse.row_copies import SAME_ROWS_KEY
from governance_server.warehouse.schemas import stored_schema
from governance_server.warehouse.statistics import delta_statistics

__all__ = ["Rewriting", "RowTest", "leave_folders", "pack_partitions", "remove_rows"]

_BATCH_ROWS = 64 * 1024
RowTest = Callable[[pa.RecordBatch], pa.BooleanArray]
"""For each row of a batch of whole rows, whether it stays."""


@dataclass(frozen=True, slots=True)
class Rewriting:
    """An opened partitioned table, its folder, and an existing folder of this machine for what is being written."""

    table: DeltaTable
    folder: Folder
    scratch: Path | None
    target_bytes: int
    spill_bytes: int

    @property
    def schema(self) -> pa.Schema:
        """The columns as files hold them."""
        return pa.schema([field.with_nullable(True) for field in stored_schema(pa.schema(self.table.schema().to_arrow()))])


@dataclass(frozen=True, slots=True)
class _File:
    """A data file as the log names it, and the values of the partition it is in."""

    path: str
    size: int
    values: tuple[tuple[str, Any], ...]


def pack_partitions(work: Rewriting, z_order: Sequence[str]) -> None:
    """Each partition's rows lie in few files, or sorted along a Z-curve of the columns if any but partition columns are given.

    Raises: CommitFailedError, DeltaError, ArrowException, OSError, StorageUnavailable.
    """
    columns = [name for name in z_order if name not in work.table.metadata().partition_columns]
    groups = _by_partition(_files(work.table))
    packs = groups if columns else [pack for group in groups for pack in _packs(group, work.target_bytes)]
    _replace(work, packs, columns)


def leave_folders(work: Rewriting) -> None:
    """Every file has a plain name and whole rows: none is in a folder of its partition, without the partition's columns.

    Raises: as `pack_partitions`.
    """
    _replace(work, [[file] for file in _files(work.table) if "/" in file.path], ())


def _replace(work: Rewriting, packs: Sequence[Sequence[_File]], z_order: Sequence[str]) -> None:
    """The rows of each pack lie in new files."""
    added = [file for pack in packs for file in _written(work, pack, _rows(work, pack), z_order)]
    if packs:
        properties = CommitProperties(custom_metadata={SAME_ROWS_KEY: "true"}, max_commit_retries=0)
        removed = [file.path for pack in packs for file in pack]
        exchange_files(work.table, work.folder, Exchange(removed, added, is_data_change=False), properties)


def remove_rows(work: Rewriting, stays: RowTest, columns: Sequence[str], properties: CommitProperties) -> None:
    """Only rows that stay are in the table; no entry is written if all do. The test is told in `columns` what it looks at.

    Each row is tested once; whole rows are read only of files from which some go out and some stay.

    Raises: CommitFailedError, DeltaError, ArrowException, OSError, StorageUnavailable.
    """
    hit: list[_File] = []
    added: list[VerifiedFile] = []
    for file in _files(work.table):
        masks = [stays(batch) for batch in _rows(work, [file], columns)]
        if any(mask.false_count for mask in masks):
            hit.append(file)
            if any(mask.true_count for mask in masks):
                added += _written(work, [file], _kept(_rows(work, [file]), masks), ())
    if hit:
        change = Exchange([file.path for file in hit], added, is_data_change=True)
        exchange_files(work.table, work.folder, change, properties)


def _kept(rows: Iterable[pa.RecordBatch], masks: Iterable[pa.BooleanArray]) -> Iterator[pa.RecordBatch]:
    return (batch.filter(mask) for batch, mask in zip(rows, masks, strict=True))


def _files(table: DeltaTable) -> list[_File]:
    """In the order in which they were written."""
    columns = table.metadata().partition_columns
    actions = pa.table(table.get_add_actions(flatten=True)).to_pylist()
    ordered = sorted(actions, key=lambda it: (it["modification_time"], it["path"]))
    return [
        _File(it["path"], int(it["size_bytes"]), tuple((name, it[f"partition.{name}"]) for name in columns)) for it in ordered
    ]


def _by_partition(files: Iterable[_File]) -> list[list[_File]]:
    groups: dict[tuple[tuple[str, Any], ...], list[_File]] = {}
    for file in files:
        groups.setdefault(file.values, []).append(file)
    return list(groups.values())


def _packs(group: Sequence[_File], target_bytes: int) -> list[list[_File]]:
    """Files that together make one of the target size; a file that others wrote without its partition's columns may be alone."""
    packs: list[list[_File]] = []
    held_bytes = 0
    for file in group:
        if not packs or held_bytes + file.size > target_bytes:
            packs.append([])
            held_bytes = 0
        packs[-1].append(file)
        held_bytes += file.size
    return [pack for pack in packs if len(pack) > 1 or "/" in pack[0].path]


def _rows(work: Rewriting, files: Sequence[_File], columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
    """Batches of rows with all columns of the table, or these."""
    schema = work.schema if columns is None else pa.schema([work.schema.field(name) for name in columns])
    for file in files:
        *folders, name = unquote(file.path).split("/")
        values = dict(file.values)
        with work.folder.inside(*folders).open(name) as source, pq.ParquetFile(source) as parquet:
            held = [it for it in schema.names if it in parquet.schema_arrow.names]
            for batch in parquet.iter_batches(batch_size=_BATCH_ROWS, columns=held):
                arrays = [
                    batch.column(it.name).cast(it.type)
                    if it.name in held
                    else pa.repeat(pa.scalar(values[it.name], it.type), batch.num_rows)
                    for it in schema
                ]
                yield pa.RecordBatch.from_arrays(arrays, schema=schema)


def _written(
    work: Rewriting, files: Sequence[_File], rows: Iterable[pa.RecordBatch], z_order: Sequence[str]
) -> Iterator[VerifiedFile]:
    """The rows lie in the table's folder, in files that no log entry names yet; in none if there are no rows."""
    place = tuple((name, partition_text(value)) for name, value in files[0].values)
    with tempfile.TemporaryDirectory(prefix="mesh-rewrite-", dir=work.scratch) as scratch:
        reader = pa.RecordBatchReader.from_batches(work.schema, rows)
        write_deltalake(scratch, reader, target_file_size=work.target_bytes)
        table = DeltaTable(scratch)
        if z_order:
            table.optimize.z_order(list(z_order), target_size=work.target_bytes, max_spill_size=work.spill_bytes)
        for path in sorted(pa.table(table.get_add_actions(flatten=True)).column("path").to_pylist()):
            source = Path(scratch, path)
            metadata = pq.read_metadata(source)
            if metadata.num_rows:
                size, stats = source.stat().st_size, delta_statistics(metadata, work.schema)
                work.folder.put(path, source)
                fault_point("rewrite.file")
                yield VerifiedFile(path, size, metadata.num_rows, stats, place)
