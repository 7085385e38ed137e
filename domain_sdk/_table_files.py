"""Table files on their way into a publication: opened lazily, text files with the types that the contract promises.

Imports polars: loaded on first use.
"""

from __future__ import annotations

import glob
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from domain_sdk.errors import InvalidRequest

if TYPE_CHECKING:
    from mesh_core.contract import Port

__all__ = ["ENDINGS", "TablePaths", "open_table_files"]

TablePaths = str | Path | Sequence[str | Path]
"""A file, a folder, a glob pattern, or several files; all of one ending."""

ENDINGS = (".parquet", ".csv", ".ndjson", ".jsonl", ".arrow", ".feather")


def open_table_files(paths: TablePaths, port: Port | None = None, *, name: str = "") -> pl.LazyFrame:
    """The files' rows as one lazy frame, file after file in order of their names; a list keeps its own order.

    CSV and NDJSON tell no types, so columns are read as the port's contract types them: `0042` stays text where it promises text.
    What the contract leaves open is inferred.

    Args:
        paths: What to read.
        port: The contract's port, if its types are known.
        name: The port's three-part name, for messages.

    Raises:
        InvalidRequest: there is no such file, they are of no kind that can be read or of several, or a CSV has no line of column
            names.
    """
    files = _files(paths, name)
    endings = sorted({file.suffix for file in files})
    if len(endings) > 1:
        raise InvalidRequest(
            f"{_shown(paths)} holds files of several kinds ({', '.join(endings)}): give one kind.", resource=name
        )
    ending = endings[0]
    types = {} if port is None or ending not in (".csv", ".ndjson", ".jsonl") else _promised(port)
    readers: Mapping[str, Callable[[], pl.LazyFrame]] = {
        ".parquet": lambda: pl.scan_parquet(files, glob=False),
        ".csv": lambda: _csv(files, port, types, name=name),
        ".ndjson": lambda: _ndjson(files, types),
        ".jsonl": lambda: _ndjson(files, types),
        ".arrow": lambda: pl.scan_ipc(files, glob=False),
        ".feather": lambda: pl.scan_ipc(files, glob=False),
    }
    return readers[ending]()


def _files(paths: TablePaths, name: str) -> list[Path]:
    found = _found(paths)
    if not found:
        raise InvalidRequest(f"{_shown(paths)} is not a file, and no file matches it.", resource=name)
    for file in found:
        if not file.is_file():
            raise InvalidRequest(f"{file} is not a file.", resource=name)
        if file.suffix not in ENDINGS:
            raise InvalidRequest(f"{file} is none of {', '.join(ENDINGS)}.", resource=name)
    return found


def _found(paths: TablePaths) -> list[Path]:
    if not isinstance(paths, str | Path):
        return [Path(path).expanduser() for path in paths]
    path = Path(paths).expanduser()
    if path.is_dir():
        return sorted(it for it in path.rglob("*") if it.suffix in ENDINGS and not _is_hidden(it.relative_to(path)))
    if path.exists() or not glob.has_magic(str(path)):
        return [path]
    return sorted(Path(it) for it in glob.iglob(str(path), recursive=True) if not Path(it).is_dir())


def _is_hidden(path: Path) -> bool:
    return any(part.startswith((".", "_")) for part in path.parts)


def _shown(paths: TablePaths) -> str:
    return str(paths) if isinstance(paths, str | Path) else "The list of files"


def _ndjson(files: list[Path], types: Mapping[str, pl.DataType]) -> pl.LazyFrame:
    """The NDJSON files; decimals are read as JSON's numbers, which polars reads as floats only."""
    return pl.scan_ndjson(files, schema_overrides={name: kind for name, kind in types.items() if not kind.is_decimal()})


def _csv(files: list[Path], port: Port | None, types: Mapping[str, pl.DataType], *, name: str) -> pl.LazyFrame:
    """The CSV files; where one has column names only, nothing can be inferred and every type is the contract's."""
    heads = [_head(file, name) for file in files]
    if all(head.height == 0 for head in heads) and port is not None:
        known = _storage(port)
        return pl.LazyFrame(schema={name: known.get(name, pl.String()) for name in heads[0].columns})
    filled = [file for file, head in zip(files, heads, strict=True) if head.height]
    return pl.scan_csv(filled or files, schema_overrides=types, try_parse_dates=True, glob=False)


def _head(file: Path, name: str) -> pl.DataFrame:
    try:
        return pl.read_csv(file, n_rows=1, infer_schema=False, glob=False)
    except pl.exceptions.NoDataError as error:
        raise InvalidRequest(f"{file} is empty: a CSV begins with a line of column names.", resource=name) from error
    except pl.exceptions.PolarsError as error:
        raise InvalidRequest(f"{file} cannot be read as CSV: {str(error).splitlines()[0]}.", resource=name) from error


def _promised(port: Port) -> dict[str, pl.DataType]:
    """The types of the port's plain columns; times are left to inference, which knows more ways to write them."""
    plain = (pl.String, pl.Boolean, pl.Decimal, pl.Float32, pl.Float64, pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.UInt64)
    return {name: kind for name, kind in _storage(port).items() if isinstance(kind, plain)}


def _storage(port: Port) -> dict[str, pl.DataType]:
    """The types that the contract promises; none if it names one that is not known, of which publishing tells."""
    from mesh_core.types import UnknownType, storage_schema

    try:
        empty = pl.from_arrow(storage_schema(port).empty_table())
    except UnknownType:
        return {}
    assert isinstance(empty, pl.DataFrame)
    return dict(empty.schema)
