"""Deletions in a merge: rows that a flag marks are taken out of the stream, and their primary keys written to files of their own.

Of such a row only the key counts; its other values are neither checked nor stored. Imports polars: loaded on first use.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import polars as pl

from domain_sdk._write import DeliveredFile, FileSeries
from domain_sdk.errors import ContractViolated, InvalidRequest, Violation
from mesh_core.contract import Port
from mesh_core.types import TypePlan, plan_types

__all__ = ["DeletedKeys"]


class DeletedKeys:
    """The keys of one port's flagged rows; `files` are complete once the stream was read to its end.

    Args:
        port: The contract's port.
        name: Its three-part name.
        flag: A boolean column; true marks a row as deleted, null and false do not.
        folder: Where the keys are written; None to check only.
    """

    def __init__(self, port: Port, name: str, *, flag: str, folder: Path | None) -> None:
        self._port = port
        self._name = name
        self._flag = flag
        self._folder = folder
        self.files: tuple[DeliveredFile, ...] = ()

    def rest(self, schema: pl.Schema) -> pl.Schema:
        """The columns of the rows that stay in the stream. Raises: InvalidRequest if there is no such flag."""
        if schema.get(self._flag) != pl.Boolean:
            found = schema.get(self._flag)
            raise InvalidRequest(
                f"The rows for {self._name} have no boolean column {self._flag!r}{f': it is {found}' if found else ''}.",
                resource=self._name,
            )
        return pl.Schema({name: dtype for name, dtype in schema.items() if name != self._flag})

    def taken_out(self, batches: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
        """The rows that stay, without the flag. Raises: ContractViolated while reading, if a flagged row has no whole key."""
        with ExitStack() as stack:
            series = stack.enter_context(FileSeries(self._folder, prefix="deleted")) if self._folder is not None else None
            for batch in batches:
                is_gone = pl.col(self._flag).fill_null(False)
                keys = self._keys(batch.filter(is_gone))
                if series is not None and keys.height:
                    series.write(keys)
                yield batch.filter(~is_gone).drop(self._flag)
        if series is not None:
            self.files = tuple(series.finished)

    def _keys(self, rows: pl.DataFrame) -> pl.DataFrame:
        plan = self._plan(rows.schema)
        losses = [column.conversion.loss for column in plan.columns if column.conversion.loss is not None]
        is_bad = [*losses, *(pl.col(column.name).is_null() for column in self._port.primary_key)]
        bad = rows.select(pl.any_horizontal(is_bad).fill_null(False).sum()).item()
        if bad:
            raise ContractViolated(
                f"Rows of {self._name} that are flagged as deleted have no usable key.",
                resource=self._name,
                violations=[Violation(self._flag, f"{bad} rows have a null or a value that does not fit in their key.")],
            )
        return rows.select(plan.select())

    def _plan(self, schema: pl.Schema) -> TypePlan:
        names = [column.name for column in self._port.primary_key]
        keys = Port(self._port.name, columns=self._port.primary_key)
        plan = plan_types(pl.Schema({name: schema[name] for name in names if name in schema}), keys)
        if plan.problems:
            raise ContractViolated(
                f"Rows of {self._name} that are flagged as deleted have no usable key.",
                resource=self._name,
                violations=[Violation(problem.column, problem.message) for problem in plan.problems],
            )
        return plan
