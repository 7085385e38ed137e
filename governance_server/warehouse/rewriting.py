"""Files of a table written anew without the rows that go out; these are kept in a file of their own, for the change feed.

One row group is in memory at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from governance_server.warehouse.delivered import VerifiedFile
from governance_server.warehouse.matching import PAIR, UNTOUCHED, Marks, Matches
from governance_server.warehouse.schemas import stored_schema
from governance_server.warehouse.snapshot import StoredFile
from governance_server.warehouse.statistics import delta_statistics

__all__ = ["Rewritten", "rewrite_without"]

_REPLACED = "replaced.parquet"


@dataclass(frozen=True, slots=True)
class Rewritten:
    """What lies in the folder: files in place of those that were hit, and one file of the rows that went out, if any did."""

    kept: tuple[VerifiedFile, ...]
    replaced: VerifiedFile | None


def rewrite_without(matches: Matches, schema: pa.Schema, folder: Path) -> Rewritten:
    """The hit files' other rows lie in files of `folder`, one for each that has such rows, and the marked rows in another.

    Args:
        matches: Which rows go out.
        schema: The table's storage schema.
        folder: An existing folder.
    """
    plain = pa.schema([field.with_nullable(True) for field in stored_schema(schema)])
    kept: list[Path] = []
    with ExitStack() as stack:
        out: pq.ParquetWriter | None = None
        for number, (name, marks) in enumerate(sorted(matches.marks.items())):
            path = folder / f"kept-{number:05}.parquet"
            writer: pq.ParquetWriter | None = None
            with ExitStack() as one:
                for table, part in _groups(matches.files[name], marks, plain):
                    stays = pa.array(part == UNTOUCHED)
                    remaining = table.filter(stays)
                    if remaining.num_rows:
                        writer = writer or one.enter_context(pq.ParquetWriter(path, plain, compression="snappy"))
                        writer.write_table(remaining)
                    gone = table.append_column(PAIR, pa.array(part)).filter(pa.array(part != UNTOUCHED))
                    if gone.num_rows:
                        out = out or stack.enter_context(pq.ParquetWriter(folder / _REPLACED, gone.schema, compression="snappy"))
                        out.write_table(gone)
            if writer is not None:
                kept.append(path)
    return Rewritten(
        tuple(_verified(path, plain) for path in kept),
        _verified(folder / _REPLACED, plain) if out is not None else None,
    )


def _groups(file: StoredFile, marks: Marks, schema: pa.Schema) -> Iterator[tuple[pa.Table, Marks]]:
    first_row = 0
    with file.folder.open(file.name) as source, pq.ParquetFile(source) as parquet:
        for group in range(parquet.num_row_groups):
            table = parquet.read_row_group(group).select(schema.names).cast(schema)
            yield table, marks[first_row : first_row + table.num_rows]
            first_row += table.num_rows


def _verified(path: Path, schema: pa.Schema) -> VerifiedFile:
    metadata = pq.read_metadata(path)
    return VerifiedFile(path.name, path.stat().st_size, metadata.num_rows, delta_statistics(metadata, schema))
