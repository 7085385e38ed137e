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
        typer.BadParameter: there is no such file, or it is of no kind that can be read.
    """
    import polars as pl

    file = Path(path).expanduser()
    if not file.is_file():
        raise typer.BadParameter(f"{path} is not a file.", param_hint="PORT=PATH")
    types = {} if port is None or file.suffix not in (".csv", ".ndjson", ".jsonl") else _promised(port)
    readers: Mapping[str, Callable[[], pl.LazyFrame]] = {
        ".parquet": lambda: pl.scan_parquet(file),
        ".csv": lambda: pl.scan_csv(file, schema_overrides=types, try_parse_dates=True),
        ".ndjson": lambda: pl.scan_ndjson(file, schema_overrides=types),
        ".jsonl": lambda: pl.scan_ndjson(file, schema_overrides=types),
        ".arrow": lambda: pl.scan_ipc(file),
        ".feather": lambda: pl.scan_ipc(file),
    }
    if file.suffix not in readers:
        raise typer.BadParameter(f"{path} is none of {', '.join(_ENDINGS)}.", param_hint="PORT=PATH")
    return readers[file.suffix]()


def _promised(port: Port) -> dict[str, pl.DataType]:
    """The types of the port's plain columns; times are left to inference, which knows more ways to write them."""
    import polars as pl

    from mesh_core.types import UnknownType, storage_schema

    plain = (pl.String, pl.Boolean, pl.Decimal, pl.Float32, pl.Float64, pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.UInt64)
    try:
        empty = pl.from_arrow(storage_schema(port).empty_table())
    except UnknownType:
        return {}
    assert isinstance(empty, pl.DataFrame)
    return {name: kind for name, kind in empty.schema.items() if isinstance(kind, plain)}
