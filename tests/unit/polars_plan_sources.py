"""IO sources over frames in memory, as `mesh.scan()` makes them, for the tests of the plan readers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import polars as pl
from polars.io.plugins import register_io_source


@dataclass
class MemoryPort:
    """A port whose rows can be exchanged after the plan was made."""

    name: str
    rows: pl.DataFrame
    version: int = 1
    masked: frozenset[str] = frozenset()
    was_read: bool = False
    frame: pl.LazyFrame = field(init=False)

    def __post_init__(self) -> None:
        def generate(
            with_columns: list[str] | None, predicate: pl.Expr | None, n_rows: int | None, batch_size: int | None
        ) -> Iterator[pl.DataFrame]:
            self.was_read = True
            rows = self.rows if predicate is None else self.rows.filter(predicate)
            limited = rows if n_rows is None else rows.head(n_rows)
            yield limited if with_columns is None else limited.select(with_columns)

        self.frame = register_io_source(generate, schema=self.rows.schema)
