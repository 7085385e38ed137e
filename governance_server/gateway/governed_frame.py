"""A read plan applied to a table's raw rows: policy filter on raw values, then projection with masks.

The one place where raw values become shown values; streamed scans and governed files both go through it. Fails closed: whatever
does not fit (a column gone, a filter or mask that does not suit its column) shows nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from governance_server.gateway.predicates import columns_of
from governance_server.gateway.scan_errors import PlanOutdated
from governance_server.gateway.table_source import RawRows
from governance_server.rules.read_plans import ColumnPlan, ReadPlan
from mesh_core.expressions.errors import ExpressionError
from mesh_core.expressions.polars import to_polars
from mesh_core.expressions.tree import FALSE, TRUE, Expression
from mesh_core.masks import Mask
from mesh_core.masks.polars import mask_expression

__all__ = ["Governed", "govern"]


@dataclass(frozen=True, slots=True)
class Governed:
    """A lazy frame that yields only what the plan shows, and its schema."""

    frame: pl.LazyFrame
    schema: pl.Schema


def govern(
    source: RawRows,
    plan: ReadPlan,
    columns: Sequence[str],
    *,
    joined: Expression | None,
    salt: bytes,
    carried: Sequence[str] = (),
) -> Governed:
    """The plan's rows with the given visible columns, masked.

    `joined` is a consumer's condition over clear columns only, evaluated together with the policy's filter. `carried` are columns
    of the mesh's own in the source, which go along first, as they are.

    Raises: PlanOutdated; InvalidExpression if `joined` does not fit the columns.
    """
    _check_columns(source, plan)
    visible = pl.Schema({column.name: source.schema[column.name] for column in plan.columns})
    conditions = [_policy_condition(plan, plan.row_filter, source.schema)] if plan.row_filter != TRUE else []
    if joined is not None:
        conditions.append(to_polars(joined, visible))
    frame = source.frame.filter(conditions) if conditions else source.frame
    plans = {column.name: column for column in plan.columns}
    masked = [_shown(plan, plans[name], source.schema, salt).alias(name) for name in columns]
    shown = frame.select(*carried, *_as_high(masked, source.schema))
    try:
        return Governed(shown, shown.collect_schema())
    except pl.exceptions.PolarsError as error:
        raise PlanOutdated(plan.port, f"a mask does not suit its column ({type(error).__name__})") from None


def _check_columns(source: RawRows, plan: ReadPlan) -> None:
    used = {column.name for column in plan.columns} | columns_of(plan.row_filter)
    for column in plan.columns:
        for branch in column.branches:
            used |= columns_of(branch.condition)
    gone = used - set(source.schema)
    if gone:
        raise PlanOutdated(plan.port, f"{len(gone)} column(s) it relies on are not in this version of the table")


def _policy_condition(plan: ReadPlan, condition: Expression, schema: pl.Schema) -> pl.Expr:
    try:
        return to_polars(condition, schema)
    except ExpressionError as error:
        raise PlanOutdated(plan.port, "a row condition does not suit the table's columns") from error


def _shown(plan: ReadPlan, column: ColumnPlan, schema: pl.Schema, salt: bytes) -> pl.Expr:
    """The value shown: the first branch that holds, else null; then the guard mask."""
    data_type = schema[column.name]
    value: pl.Expr = pl.lit(None, dtype=data_type)
    if column.guard_mask is Mask.REPLACE_WITH_NULL:  # a column that shows nothing is not even read
        return value
    for branch in reversed(column.branches):
        under = _masked(plan, pl.col(column.name), branch.mask, data_type, salt)
        if branch.condition == TRUE:
            value = under
        elif branch.condition != FALSE:
            value = pl.when(_policy_condition(plan, branch.condition, schema)).then(under).otherwise(value)
    return _masked(plan, value, column.guard_mask, data_type, salt)


def _as_high(shown: list[pl.Expr], schema: pl.Schema) -> list[pl.Expr]:
    """The same columns, as many rows as the table has even if none of them is read."""
    if any(expression.meta.root_names() for expression in shown):
        return shown
    read = pl.col(next(iter(schema))).is_null()
    return [pl.when(read | True).then(expression).alias(expression.meta.output_name()) for expression in shown]


def _masked(plan: ReadPlan, value: pl.Expr, mask: Mask | None, data_type: pl.DataType, salt: bytes) -> pl.Expr:
    if mask is None:
        return value
    if mask is Mask.REPLACE_WITH_NULL:
        return pl.lit(None, dtype=data_type)
    try:
        return mask_expression(value, mask, data_type, query_salt=salt)
    except ValueError as error:
        raise PlanOutdated(plan.port, f"the mask {mask.value} does not suit its column") from error
