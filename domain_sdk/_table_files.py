"""Table files on their way into a publication: opened lazily, text files with the types that the contract promises.

Imports polars: loaded on first use.
"""

from __future__ import annotations

import glob
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from domain_sdk._csv_records import refuse_broken_records
from domain_sdk._json_problems import json_problems
from domain_sdk._json_rows import JsonRows
from domain_sdk._text_values import TextFiles, as_written, bad_values, is_read_as_text, remember_files
from domain_sdk.errors import InvalidRequest, Violation
from mesh_core.quality.compile import is_personal

if TYPE_CHECKING:
    from mesh_core.contract import Column, Port

__all__ = ["ENDINGS", "TablePaths", "open_table_files"]

_READ = (
    pl.String, pl.Boolean, pl.Decimal, pl.Float32, pl.Float64, pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.UInt64,
    pl.Date, pl.Datetime,
)  # fmt: skip

TablePaths = str | Path | Sequence[str | Path]
"""A file, a folder, a glob pattern, or several files; all of one ending."""

_TEXTS = (".csv", ".ndjson", ".jsonl")
_OTHER_MARKS = (b"\xff\xfe", b"\xfe\xff")
"""What files in UTF-16 begin with, as spreadsheets save “Unicode text”; in UTF-32, too."""

ENDINGS = (".parquet", ".csv", ".ndjson", ".jsonl", ".arrow", ".feather")


def open_table_files(paths: TablePaths, port: Port | None = None, *, name: str = "") -> pl.LazyFrame | JsonRows:
    """The files' rows, file after file in order of their names; a list keeps its own order.

    CSV and NDJSON tell no types, so columns are read as the port's contract types them: `0042` stays text where it promises text.
    Of what the contract leaves open, numbers and booleans are inferred. Times are read where they are promised, from ISO 8601
    only.

    Args:
        paths: What to read.
        port: The contract's port, if its types are known.
        name: The port's three-part name, for messages.

    Raises:
        InvalidRequest: there is no such file, they are of no kind that can be read or of several, a text is not in UTF-8, or a
            CSV has no line of column names or others than the first.
    """
    files = _files(paths, name)
    endings = sorted({file.suffix for file in files})
    if len(endings) > 1:
        raise InvalidRequest(
            f"{_shown(paths)} holds files of several kinds ({', '.join(endings)}): give one kind.", resource=name
        )
    ending = endings[0]
    for file in files if ending in _TEXTS else ():
        _refuse_other_encodings(file, name)
    types = {} if port is None or ending != ".csv" else _promised(port)
    unshown = frozenset(column.name for column in port.columns if is_personal(column)) if port else frozenset()
    readers: Mapping[str, Callable[[], pl.LazyFrame | JsonRows]] = {
        ".parquet": lambda: pl.scan_parquet(files, glob=False),
        ".csv": lambda: _csv(files, types, unshown, name=name),
        ".ndjson": lambda: _ndjson(files, port, unshown),
        ".jsonl": lambda: _ndjson(files, port, unshown),
        ".arrow": lambda: pl.scan_ipc(files, glob=False),
        ".feather": lambda: pl.scan_ipc(files, glob=False),
    }
    try:
        return readers[ending]()
    except pl.exceptions.PolarsError as error:
        raise InvalidRequest(f"{_shown(paths)} cannot be read: {str(error).splitlines()[0]}.", resource=name) from error


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


def _refuse_other_encodings(file: Path, name: str) -> None:
    with file.open("rb") as opened:
        if opened.read(2) in _OTHER_MARKS:
            raise InvalidRequest(f"{file} is in UTF-16, as its first bytes say: save it as UTF-8.", resource=name)


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


def _csv(files: list[Path], types: Mapping[str, pl.DataType], unshown: frozenset[str], *, name: str) -> pl.LazyFrame:
    """The CSV files; where one has column names only, nothing can be inferred and every type is the contract's."""
    heads = {file: _head(file, name) for file in files}
    columns = heads[files[0]].columns
    for file, head in heads.items():
        if sorted(head.columns) != sorted(columns):
            other = sorted({*head.columns} ^ {*columns})
            words = f"{files[0]} and {file} have not the same columns ({', '.join(other)}): give files of one kind."
            raise InvalidRequest(words, resource=name)
    filled = [file for file, head in heads.items() if head.height] or files
    if heads[filled[0]].is_empty() and types:
        frame = pl.LazyFrame(schema={name: types.get(name, pl.String()) for name in columns})
    elif all(heads[file].columns == columns for file in filled):
        frame = _scan_csv(filled, types)
    else:
        frame = pl.concat([_scan_csv([file], types).select(columns) for file in filled])

    def problems(file: Path) -> list[Violation]:
        return bad_values(file, _with_nulls(pl.scan_csv(file, infer_schema=False, glob=False), types), types, unshown)

    def rest(found: Sequence[Violation]) -> tuple[pl.LazyFrame, frozenset[str]]:
        told = {violation.path for violation in found}
        unread = frozenset(column for column in types if told & {f"{file}: {column}" for file in files})
        as_text = {**types, **dict.fromkeys(unread, pl.String())}
        return _csv(files, as_text, unshown, name=name).drop(unread), unread

    remember_files(frame, TextFiles(files, partial(refuse_broken_records, name=name), problems, rest))
    return frame


def _ndjson(files: list[Path], port: Port | None, unshown: frozenset[str]) -> JsonRows:
    rows = JsonRows(files, port)
    remember_files(rows, TextFiles(files, lambda file: None, partial(json_problems, rows=rows, unshown=unshown)))
    return rows


def _scan_csv(files: list[Path], types: Mapping[str, pl.DataType]) -> pl.LazyFrame:
    as_read = {name: pl.String() if is_read_as_text(kind) else kind for name, kind in types.items()}
    frame = _with_nulls(pl.scan_csv(files, schema_overrides=as_read, glob=False), types)
    return frame.with_columns([as_written(column, types[column]) for column in _read_as_text(frame, types)])


def _with_nulls(frame: pl.LazyFrame, types: Mapping[str, pl.DataType]) -> pl.LazyFrame:
    """The frame, where an empty text in quotes is as empty as one without, unless the contract promises text."""
    return frame.with_columns(pl.col(column).replace("", None) for column in _read_as_text(frame, types))


def _read_as_text(frame: pl.LazyFrame, types: Mapping[str, pl.DataType]) -> list[str]:
    return [name for name in frame.collect_schema().names() if name in types and is_read_as_text(types[name])]


def _head(file: Path, name: str) -> pl.DataFrame:
    try:
        named = pl.read_csv(file, n_rows=1, has_header=False, infer_schema=False, glob=False)
        _check_names(file, [it or "" for it in named.row(0)], name=name)
        return pl.read_csv(file, n_rows=1, infer_schema=False, glob=False)
    except pl.exceptions.NoDataError as error:
        raise InvalidRequest(f"{file} is empty: a CSV begins with a line of column names.", resource=name) from error
    except pl.exceptions.PolarsError as error:
        refuse_broken_records(file, name=name)
        raise InvalidRequest(f"{file} cannot be read as CSV: {str(error).splitlines()[0]}.", resource=name) from error


def _check_names(file: Path, names: list[str], *, name: str) -> None:
    """Each column has a name of its own; polars makes names up where there are none. Raises: InvalidRequest."""
    if "" not in names and len(set(names)) == len(names):
        return
    refuse_broken_records(file, name=name)
    if "" in names:
        words = f"names no column {names.index('') + 1}: name it, or remove the comma at the end of every line."
    else:
        words = f"names {next(it for it in names if names.count(it) > 1)!r} twice."
    raise InvalidRequest(f"{file} cannot be read as CSV: the line of column names {words}", resource=name)


def _promised(port: Port) -> dict[str, pl.DataType]:
    """The types of the port's columns that a text can be read as; not those that the contract leaves open."""
    found = {column.name: _read_type(column) for column in port.columns}
    return {name: kind for name, kind in found.items() if kind is not None}


def _read_type(column: Column) -> pl.DataType | None:
    """None for a type that is not known, of which publishing tells, or that is nested."""
    from mesh_core.types import UnknownType, target_of

    try:
        target = target_of(column)
    except UnknownType:
        return None
    if target.is_time:
        return pl.Time()
    return target.dtype if isinstance(target.dtype, _READ) else None
