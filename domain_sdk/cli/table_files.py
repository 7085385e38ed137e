"""Table files named on the command line: opened as the SDK opens them, what is wrong with one said of the argument."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from domain_sdk.errors import InvalidRequest

if TYPE_CHECKING:
    import polars as pl

    from domain_sdk._json_rows import JsonRows
    from mesh_core.contract import Port

__all__ = ["open_table"]


def open_table(path: str, port: Port | None = None) -> pl.LazyFrame | JsonRows:
    """The rows of the file, folder or pattern, as `domain_sdk._table_files.open_table_files`.

    Raises:
        typer.BadParameter: there is no such file, it is of no kind that can be read, or a CSV without a line of column names.
    """
    from domain_sdk._table_files import open_table_files

    try:
        return open_table_files(path, port)
    except InvalidRequest as error:
        raise typer.BadParameter(error.message, param_hint="PORT=PATH") from error
