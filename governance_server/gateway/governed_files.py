"""Large results as files: a table's own files where nothing is withheld, else governed Parquet written once and kept in a cache.

A file set is named by a digest of everything its content depends on, so callers with the same rights share it and a changed plan
never meets old files. Whether a caller may still have a set is decided anew on every request, elsewhere.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from governance_server.gateway.file_cache import FileCache
from governance_server.gateway.governed_frame import govern
from governance_server.gateway.polars_streaming import sink_to_files
from governance_server.gateway.scan_errors import ScanFailed
from governance_server.gateway.table_source import TableSource, open_table
from governance_server.rules.read_plans import ReadPlan
from governance_server.warehouse.folder import Folder
from governance_server.warehouse.local_folder import LocalFolder

__all__ = ["FileSet", "GovernedFile", "GovernedFiles", "own_files"]

_GROUP_ROWS = 131_072
_FILE_BYTES = 512 << 20
"""In memory; Parquet is a third to a tenth of it."""


@dataclass(frozen=True, slots=True)
class GovernedFile:
    """One Parquet file: its name within the set, where it lies, its size in bytes and its rows."""

    name: str
    path: Path
    size: int
    rows: int


@dataclass(frozen=True, slots=True)
class FileSet:
    """Files that together are exactly what a plan shows of one Delta version."""

    digest: str
    files: tuple[GovernedFile, ...]


@dataclass(frozen=True, slots=True)
class GovernedFiles:
    """Prepares file sets in one cache folder of at most `max_bytes`; safe to use from several threads and processes."""

    cache_root: Path
    max_bytes: int = 20 << 30
    salt_of: Callable[[str], bytes] = lambda _: secrets.token_bytes(32)
    """The salt of a file set's `sha-256-query-local` masks by its digest, which names the reader. A keyed one gives the same
    files again after they were dropped, and to every gateway of the mesh."""

    def prepare(self, plan: ReadPlan, *, table_root: Folder, delta_version: int) -> FileSet:
        """The files of what the plan shows, written if they are not there yet; concurrent callers wait for one build.

        The least recently used sets are removed when the cache grows beyond its bound; files already opened stay readable.

        Raises: PlanOutdated, ScanFailed, OSError if the cache cannot be written.
        """
        source = open_table(plan.port, table_root, delta_version)
        digest = _digest(plan, source, delta_version)
        shows_all = _shows_all(plan, source)
        own = own_files(source, table_root) if shows_all else None
        if own is not None:
            return FileSet(digest, own)

        def build(into: Path) -> None:
            if shows_all and source.is_plain and not isinstance(table_root, LocalFolder):
                _fetch(_actions(source), table_root, into)
            else:
                _write(plan, source, into, self.salt_of(digest))

        cache = FileCache(self.cache_root, self.max_bytes)
        folder = cache.get_or_build(digest, build)
        try:
            return FileSet(digest, _listed(folder))
        except FileNotFoundError:  # another process made room meanwhile
            return FileSet(digest, _listed(cache.get_or_build(digest, build)))


def _digest(plan: ReadPlan, source: TableSource, delta_version: int) -> str:
    parts = [source.table.table_uri, str(source.table.metadata().id), delta_version, plan.digest()]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _shows_all(plan: ReadPlan, source: TableSource) -> bool:
    """True if the plan shows exactly the table's rows and columns."""
    return not plan.has_obligations and [column.name for column in plan.columns] == list(source.schema)


def own_files(source: TableSource, table_root: Folder) -> tuple[GovernedFile, ...] | None:
    """The table's own files if, taken together, they are exactly its rows; None if they are not, or lie elsewhere."""
    if not source.is_plain or not isinstance(table_root, LocalFolder):
        return None
    files = []
    for index, action in enumerate(_actions(source)):
        path = _file_inside(table_root.path, str(action["path"]))
        if path is None or path.stat().st_size != action["size_bytes"]:
            return None
        rows = action["num_records"] if action["num_records"] is not None else pq.read_metadata(path).num_rows
        files.append(GovernedFile(f"part-{index:05}.parquet", path, int(action["size_bytes"]), int(rows)))
    return tuple(files)


def _actions(source: TableSource) -> list[dict[str, Any]]:
    """Path, size and rows of the version's files, by path."""
    actions = pa.table(source.table.get_add_actions(flatten=True)).select(["path", "size_bytes", "num_records"])
    return sorted(actions.to_pylist(), key=lambda row: str(row["path"]))


def _file_inside(table_root: Path, relative: str) -> Path | None:
    for candidate in dict.fromkeys((relative, unquote(relative))):
        path = table_root / candidate
        is_inside = path.resolve().is_relative_to(table_root.resolve())
        if is_inside and not path.is_symlink() and path.is_file():
            return path
    return None


def _fetch(actions: Sequence[Mapping[str, Any]], table_root: Folder, into: Path) -> None:
    """The files of these actions, byte for byte. Raises: OSError if one is not what its action says."""
    for index, action in enumerate(actions):
        path = into / f"part-{index:05}.parquet"
        table_root.fetch(unquote(str(action["path"])), path)
        if path.stat().st_size != action["size_bytes"]:
            raise OSError(f"{table_root.uri} holds a file of another size than its log says")


def _write(plan: ReadPlan, source: TableSource, folder: Path, salt: bytes) -> None:
    governed = govern(source, plan, [column.name for column in plan.columns], joined=None, salt=salt)
    try:
        sink_to_files(governed.frame, folder, rows_per_group=_GROUP_ROWS, bytes_per_file=_FILE_BYTES)
    except pl.exceptions.PolarsError as error:
        raise ScanFailed(plan.port, type(error).__name__) from None
    if not any(folder.iterdir()):
        pl.DataFrame(schema=governed.schema).write_parquet(folder / "0.parquet")
    for index, path in enumerate(sorted(folder.iterdir())):
        path.rename(folder / f"part-{index:05}.parquet")


def _listed(folder: Path) -> tuple[GovernedFile, ...]:
    return tuple(
        GovernedFile(path.name, path, path.stat().st_size, pq.read_metadata(path).num_rows)
        for path in sorted(folder.glob("part-*.parquet"))
    )
