"""Brings whole frames to a port's storage types, exactly, and reports all that keeps them from it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum

import polars as pl

from mesh_core.contract.model import Column, Port
from mesh_core.types.convert import Conversion, Refused, convert
from mesh_core.types.target import Shape, Target, UnknownType, target_of

__all__ = ["ColumnPlan", "Normalised", "ProblemKind", "TypePlan", "TypeProblem", "normalise", "plan_types"]


class ProblemKind(StrEnum):
    """What a type problem is about."""

    MISSING = "missing"
    UNEXPECTED = "unexpected"
    TYPE = "type"
    VALUE = "value"


@dataclass(frozen=True, slots=True)
class TypeProblem:
    """One reason why a frame cannot be stored under the contract; `rows` counts the values at fault, 0 for a whole column."""

    kind: ProblemKind
    column: str
    message: str
    rows: int = 0

    def __str__(self) -> str:
        """Column and message on one line."""
        return f"{self.column}: {self.message}"


@dataclass(frozen=True)
class ColumnPlan:
    """One column's way to its stored type; `source` is its type in the frame, None for a column filled with null."""

    name: str
    source: pl.DataType | None
    conversion: Conversion

    @property
    def loss_message(self) -> str:
        """What a true value of the conversion's loss means."""
        return f"{self.source} values that {self.conversion.dtype} within the contract's limits cannot hold exactly"


@dataclass(frozen=True)
class TypePlan:
    """How frames of one schema become storage frames.

    Attributes:
        columns: The columns that can be stored, in contract order (a port without properties: in frame order).
        problems: All that is wrong by schema alone; empty when every value may still fit.
        filled: Optional columns the frame lacks; they are stored as null.
    """

    columns: tuple[ColumnPlan, ...]
    problems: tuple[TypeProblem, ...]
    filled: tuple[str, ...]

    def select(self) -> list[pl.Expr]:
        """The expressions of the stored columns, null where a value cannot be held exactly."""
        return [column.conversion.expr.alias(column.name) for column in self.columns]

    def schema(self) -> pl.Schema:
        """The stored columns and their types."""
        return pl.Schema({column.name: column.conversion.dtype for column in self.columns})


@dataclass(frozen=True)
class Normalised:
    """A frame in storage types, or the reasons why there is none: `frame` is None exactly when there are problems."""

    frame: pl.LazyFrame | None
    problems: tuple[TypeProblem, ...]


def plan_types(schema: pl.Schema, port: Port) -> TypePlan:
    """The plan for frames of this schema, with every problem the schema alone shows.

    Columns are matched by their contract name, case included. An optional column the frame lacks is filled with null, a required
    one is a problem, and so is a column the contract does not have. A port without properties takes the frame's own columns.
    """
    declared = port.columns or tuple(Column(name) for name in schema)
    times = Counter(column.name for column in declared)
    names = set(times)
    found = [_column_plan(column, schema, times[column.name]) for column in declared]
    unexpected = [_unexpected(name, names) for name in schema if name not in names]
    plans = tuple(item for item in found if isinstance(item, ColumnPlan))
    return TypePlan(
        columns=plans,
        problems=(*(item for item in found if isinstance(item, TypeProblem)), *unexpected),
        filled=tuple(plan.name for plan in plans if plan.source is None),
    )


def normalise(frame: pl.LazyFrame, port: Port) -> Normalised:
    """The frame in the port's storage types, lazily, or all problems at once.

    The frame is read once, streaming, when some column's values decide whether it fits (an Int64 column for a 32-bit contract);
    otherwise only its schema is looked at.
    """
    plan = plan_types(frame.collect_schema(), port)
    problems = (*plan.problems, *_value_problems(frame, plan))
    return Normalised(None if problems else frame.select(plan.select()), problems)


def _value_problems(frame: pl.LazyFrame, plan: TypePlan) -> list[TypeProblem]:
    checked = [column for column in plan.columns if column.conversion.loss is not None]
    if not checked:
        return []
    losses = [column.conversion.loss.sum().alias(column.name) for column in checked if column.conversion.loss is not None]
    counts = frame.select(losses).collect(engine="streaming").row(0)
    return [
        TypeProblem(ProblemKind.VALUE, column.name, f"{count} {column.loss_message}.", count)
        for column, count in zip(checked, counts, strict=True)
        if count
    ]


def _column_plan(column: Column, schema: pl.Schema, times: int) -> ColumnPlan | TypeProblem:
    if times > 1:
        return TypeProblem(ProblemKind.TYPE, column.name, f"the contract declares this column {times} times; keep one.")
    if column.name == "*" or (column.name.startswith("^") and column.name.endswith("$")):
        return TypeProblem(ProblemKind.TYPE, column.name, "dataframes read this name as a pattern of names; rename the column.")
    try:
        target = target_of(column)
        if column.name not in schema:
            return _absent(column, target)
        source = schema[column.name]
        return ColumnPlan(column.name, source, convert(pl.col(column.name), source, target))
    except (UnknownType, Refused) as error:
        return TypeProblem(ProblemKind.TYPE, column.name, str(error))


def _absent(column: Column, target: Target) -> ColumnPlan | TypeProblem:
    if target.is_required or target.shape is Shape.OPEN:
        return TypeProblem(ProblemKind.MISSING, column.name, "the frame lacks this column; add it or make it optional.")
    return ColumnPlan(column.name, None, convert(pl.lit(None), pl.Null(), target))


def _unexpected(name: str, declared: set[str]) -> TypeProblem:
    similar = next((other for other in declared if other.casefold() == name.casefold()), None)
    remedy = f"rename it to {similar!r}" if similar else "drop it or declare it in the contract"
    if name.startswith("__index_level_"):  # as pandas calls an index without a name
        remedy = "it is the index of a pandas frame: leave it out with reset_index(drop=True)"
    return TypeProblem(ProblemKind.UNEXPECTED, name, f"the contract has no such column; {remedy}.")
