"""Verification of delivered files: they are what was declared, and what the contract's storage schema asks for.

Reads footers only, except for a required column whose footer says nothing about nulls. Knows nothing of quality rules.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from governance_server.warehouse.delivered import DeliveredFile, VerifiedFile
from governance_server.warehouse.errors import DeliveryRejected, StorageUnavailable
from governance_server.warehouse.folder import Folder
from governance_server.warehouse.schemas import schema_differences, stored_schema
from governance_server.warehouse.statistics import delta_statistics, leaf_positions, null_count

__all__ = ["verify_files"]


def verify_files(folder: Folder, files: Sequence[DeliveredFile], schema: pa.Schema) -> tuple[VerifiedFile, ...]:
    """Every file is a regular Parquet file of the declared size and rows with exactly the schema; its statistics are known.

    `schema` is the contract's storage schema; a field that is not nullable is a required column and holds no null.
    The files' Arrow flavours of one stored type (string, large_string, string_view; dictionaries) count as equal.

    Raises: DeliveryRejected with all problems of all files, StorageUnavailable if the folder cannot be read.
    """
    if not folder.exists():
        raise StorageUnavailable(folder.uri, "it is not a folder")
    problems = _name_problems(files)
    verified = []
    for file in files:
        if _is_plain(file.name):
            found = _verify_one(folder, file, schema, problems)
            if found is not None:
                verified.append(found)
    if problems:
        raise DeliveryRejected(problems)
    return tuple(verified)


def _name_problems(files: Sequence[DeliveredFile]) -> list[str]:
    problems = [f"{file.name!r} is not a plain file name." for file in files if not _is_plain(file.name)]
    seen: set[str] = set()
    for file in files:
        if file.name in seen:
            problems.append(f"{file.name}: declared more than once.")
        seen.add(file.name)
    return problems


def _is_plain(name: str) -> bool:
    return bool(name) and name not in {".", ".."} and name.isprintable() and not set(name) & {"/", "\\", os.sep}


def _verify_one(folder: Folder, file: DeliveredFile, schema: pa.Schema, problems: list[str]) -> VerifiedFile | None:
    before = len(problems)
    try:
        with folder.open(file.name) as source:
            size = source.seek(0, os.SEEK_END)
            source.seek(0)
            if size != file.size:
                problems.append(f"{file.name}: {size} bytes, declared were {file.size}.")
            with pq.ParquetFile(source) as parquet:
                stats_json = _check_content(file, parquet, schema, problems)
    except FileNotFoundError:
        problems.append(f"{file.name}: the file is missing.")
    except (pa.ArrowException, OSError) as error:
        problems.append(f"{file.name}: not a readable Parquet file ({str(error).splitlines()[0]}).")
    if len(problems) > before:
        return None
    return VerifiedFile(name=file.name, size=file.size, rows=file.rows, stats_json=stats_json)


def _check_content(file: DeliveredFile, parquet: pq.ParquetFile, schema: pa.Schema, problems: list[str]) -> str:
    metadata = parquet.metadata
    if metadata.num_rows != file.rows:
        problems.append(f"{file.name}: {metadata.num_rows} rows, declared were {file.rows}.")
    actual = parquet.schema_arrow
    differences = schema_differences(actual, schema)
    problems.extend(f"{file.name}: {difference}" for difference in differences)
    if differences:
        return ""
    positions = leaf_positions(actual)
    for field in schema:
        if not field.nullable:
            nulls = _nulls(parquet, field.name, positions[field.name])
            if nulls:
                problems.append(f"{file.name}: the required column {field.name} has {nulls} null(s).")
    return delta_statistics(metadata, stored_schema(actual))


def _nulls(parquet: pq.ParquetFile, column: str, position: int | None) -> int:
    if position is not None:
        by_footer = null_count(parquet.metadata, position)
        if by_footer is not None:
            return by_footer
    index = parquet.schema_arrow.get_field_index(column)
    batches = parquet.iter_batches(batch_size=65_536, columns=[column])
    return sum(batch.column(0).null_count for batch in batches) if index >= 0 else 0
