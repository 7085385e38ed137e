"""Table files on their way into a publication: opened lazily, text files with the types that the contract promises."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    import polars as pl

    from mesh_core.contract import Port

__all__ = ["open_table"]

_ENDINGS = (".parquet", ".csv", ".ndjson", ".jsonl", ".arrow", ".feather")


def open_table(path: str, port: Port | None = None) -> pl.LazyFrame:
    """The file as a lazy frame.

    CSV and NDJSON tell no types, so columns are read as the port's contract types them: `0042` stays text where it promises text.
    What the contract leaves open is inferred.

    Raises:
        typer.BadParameter: there is no such file, it is of no kind that can be read, or a CSV without a line of column names.
    """
    import polars as pl

    file = Path(path).expanduser()
    if not file.is_file():
        raise typer.BadParameter(f"{path} is not a file.", param_hint="PORT=PATH")
    types = {} if port is None or file.suffix not in (".csv", ".ndjson", ".jsonl") else _promised(port)
    readers: Mapping[str, Callable[[], pl.LazyFrame]] = {
        ".parquet": lambda: pl.scan_parquet(file),
        ".csv": lambda: _csv(file, port, types),
        ".ndjson": lambda: pl.scan_ndjson(file, schema_overrides=types),
        ".jsonl": lambda: pl.scan_ndjson(file, schema_overrides=types),
        ".arrow": lambda: pl.scan_ipc(file),
        ".feather": lambda: pl.scan_ipc(file),
    }
    if file.suffix not in readers:
        raise typer.BadParameter(f"{path} is none of {', '.join(_ENDINGS)}.", param_hint="PORT=PATH")
    return readers[file.suffix]()


def _csv(file: Path, port: Port | None, types: Mapping[str, pl.DataType]) -> pl.LazyFrame:
    """The CSV file; where it has column names only, nothing can be inferred and every type is the contract's."""
    import polars as pl

    try:
        head = pl.read_csv(file, n_rows=1, infer_schema=False)
    except pl.exceptions.NoDataError as error:
        raise typer.BadParameter(f"{file} is empty: a CSV begins with a line of column names.", param_hint="PORT=PATH") from error
    if head.height == 0 and port is not None:
        known = _storage(port)
        return pl.LazyFrame(schema={name: known.get(name, pl.String()) for name in head.columns})
    return pl.scan_csv(file, schema_overrides=types, try_parse_dates=True)


def _promised(port: Port) -> dict[str, pl.DataType]:
    """The types of the port's plain columns; times are left to inference, which knows more ways to write them."""
    import polars as pl

    plain = (pl.String, pl.Boolean, pl.Decimal, pl.Float32, pl.Float64, pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.UInt64)
    return {name: kind for name, kind in _storage(port).items() if isinstance(kind, plain)}


def _storage(port: Port) -> dict[str, pl.DataType]:
    """The types that the contract promises; none if it names one that is not known, of which publishing tells."""
    import polars as pl

    from mesh_core.types import UnknownType, storage_schema

    try:
        empty = pl.from_arrow(storage_schema(port).empty_table())
    except UnknownType:
        return {}
    assert isinstance(empty, pl.DataFrame)
    return dict(empty.schema)
