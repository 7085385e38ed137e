"""A consumer's polars predicate in our closed expression language, as far as the two mean exactly the same.

Only whole top-level conjuncts are left out, so the translation is always implied by the predicate; where any is, the caller
applies the predicate again. Nothing that could raise (a cast, arithmetic) and nothing whose meaning differs by engine is
translated.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import cast

import polars as pl

from domain_sdk._polars_plan.row_wise import is_row_wise
from domain_sdk._polars_plan.traversal import PlanReader, UnreadablePlan, View
from mesh_core.expressions.errors import InvalidExpression
from mesh_core.expressions.limits import check_expression
from mesh_core.expressions.tree import (
    And,
    Column,
    Compare,
    CompareOperator,
    Expression,
    In,
    IsNull,
    Like,
    Literal,
    Not,
    Or,
    Scalar,
)
from mesh_core.expressions.values import FLIPPED

__all__ = ["to_expression"]

_OPERATORS: Mapping[str, CompareOperator] = MappingProxyType(
    {"Eq": "=", "NotEq": "!=", "Lt": "<", "LtEq": "<=", "Gt": ">", "GtEq": ">="}
)
_BOUNDS: Mapping[str, tuple[CompareOperator, CompareOperator]] = MappingProxyType(
    {"both": (">=", "<="), "left": (">=", "<"), "right": (">", "<="), "none": (">", "<")}
)
_CONJUNCTIONS = frozenset({"And", "LogicalAnd", "BooleanFunction.AllHorizontal"})
_DISJUNCTIONS = frozenset({"Or", "LogicalOr", "BooleanFunction.AnyHorizontal"})


class _Untranslatable(Exception):
    """A part of the predicate that our language cannot say exactly."""


def to_expression(predicate: pl.Expr, schema: pl.Schema) -> tuple[Expression | None, bool]:
    """The translatable conjuncts of the predicate, and whether these are all of it.

    The expression is true wherever the predicate is; None says nothing could be translated. A predicate that looks at more than
    one row at a time (`x > x.mean()`) is not translated at all: it would mean something else on rows filtered before.
    """
    try:
        reader = PlanReader(pl.LazyFrame(schema=schema).filter(predicate))
    except (pl.exceptions.PolarsError, UnreadablePlan):
        return None, False
    node = reader.node(reader.root)
    if node.kind != "Filter" or not is_row_wise(reader, node.view.predicate.node):
        return None, False
    translator = _Translator(reader, schema)
    conjuncts = translator.flattened(node.view.predicate.node, _CONJUNCTIONS)
    kept: list[Expression] = []
    for conjunct in conjuncts:
        try:
            kept = [*kept, translator.condition(conjunct)]
            check_expression(_all_of(kept))
        except _Untranslatable:
            continue
        except InvalidExpression:  # the language's caps: this conjunct is one too many
            kept = kept[:-1]
    return (_all_of(kept) if kept else None), len(kept) == len(conjuncts)


def _all_of(operands: list[Expression]) -> Expression:
    return operands[0] if len(operands) == 1 else And(tuple(operands))


class _Translator:
    """Translates the expressions of one plan node over columns of known types."""

    def __init__(self, reader: PlanReader, schema: pl.Schema) -> None:
        self._reader = reader
        self._schema = schema

    def flattened(self, expression_id: int, operators: frozenset[str]) -> list[int]:
        """The operands of nested conjunctions (or disjunctions), left to right, without recursion."""
        operands: list[int] = []
        stack = [expression_id]
        while stack:
            current = stack.pop()
            view = self._view(current)
            if _operator(view) not in operators:
                operands.append(current)
            else:
                stack += [view.right, view.left] if _kind(view) == "BinaryExpr" else reversed(view.input)
        return operands

    def condition(self, expression_id: int) -> Expression:
        """The expression that is true, false and null exactly where polars' is. Raises: _Untranslatable."""
        view = self._view(expression_id)
        operator = _operator(view)
        if operator in _CONJUNCTIONS:
            return And(tuple(self.condition(o) for o in self.flattened(expression_id, _CONJUNCTIONS)))
        if operator in _DISJUNCTIONS:
            return Or(tuple(self.condition(o) for o in self.flattened(expression_id, _DISJUNCTIONS)))
        match _kind(view):
            case "Column" if self._dtype(view.name) == pl.Boolean:
                return Compare("=", Column(view.name), Literal(True))
            case "Literal" if isinstance(view.value, bool):
                return Literal(view.value)
            case "BinaryExpr" if operator in _OPERATORS:
                return self._comparison(_OPERATORS[operator], view)
            case "Function":
                return self._function(view)
        raise _Untranslatable

    def _view(self, expression_id: int) -> View:
        try:
            return self._reader.expression(expression_id)
        except UnreadablePlan:
            return None

    def _comparison(self, operator: CompareOperator, view: View) -> Expression:
        left, right = self._view(view.left), self._view(view.right)
        if _kind(left) == "Literal" and _kind(right) == "Column":
            return self._compared(FLIPPED[operator], right, left)
        return self._compared(operator, left, right)

    def _compared(self, operator: CompareOperator, left: View, right: View) -> Expression:
        """A column beside a literal or a column of its own type; anything else would be converted first."""
        dtype = self._comparable_dtype(left, operator)
        if _kind(right) == "Column":
            if self._dtype(right.name) != dtype:
                raise _Untranslatable
            return Compare(operator, Column(left.name), Column(right.name))
        if _kind(right) != "Literal":
            raise _Untranslatable
        return Compare(operator, Column(left.name), _literal(right.value, right.dtype, dtype))

    def _comparable_dtype(self, view: View, operator: CompareOperator) -> pl.DataType:
        if _kind(view) != "Column":
            raise _Untranslatable
        dtype = self._dtype(view.name)
        if not _is_comparable(dtype) or (dtype == pl.Boolean and operator not in {"=", "!="}):
            raise _Untranslatable
        return dtype

    def _function(self, view: View) -> Expression:
        match _operator(view):
            case "BooleanFunction.Not":
                return Not(self.condition(view.input[0]))
            case "BooleanFunction.IsNull":
                return self._is_null(view)
            case "BooleanFunction.IsNotNull":
                return Not(self._is_null(view))
            case "BooleanFunction.IsIn":
                return self._membership(view)
            case "BooleanFunction.IsBetween":
                return self._between(view)
            case "StringFunction.StartsWith":
                return self._starts_with(view)
        raise _Untranslatable

    def _is_null(self, view: View) -> Expression:
        operand = self._view(view.input[0])
        if _kind(operand) != "Column":
            raise _Untranslatable
        return IsNull(Column(operand.name))

    def _membership(self, view: View) -> Expression:
        """Polars ignores nulls in the list, so they go; SQL would make every miss null."""
        operand, values = (self._view(i) for i in view.input)
        dtype = self._comparable_dtype(operand, "=")
        is_plain = _kind(values) == "Literal" and isinstance(values.dtype, pl.List) and isinstance(values.value, list | pl.Series)
        if not is_plain or view.function_data[1]:
            raise _Untranslatable
        literals = tuple(_literal(v, values.dtype.inner, dtype) for v in values.value if v is not None)
        if not literals:
            raise _Untranslatable
        return In(Column(operand.name), literals)

    def _between(self, view: View) -> Expression:
        operand, low, high = (self._view(i) for i in view.input)
        at_least, at_most = _BOUNDS[view.function_data[1]]
        return And((self._compared(at_least, operand, low), self._compared(at_most, operand, high)))

    def _starts_with(self, view: View) -> Expression:
        """As LIKE, if the prefix has no character that means something there, in any engine."""
        operand, prefix = (self._view(i) for i in view.input)
        is_string = _kind(operand) == "Column" and self._dtype(operand.name) == pl.String
        if not is_string or _kind(prefix) != "Literal" or not isinstance(prefix.value, str) or set(prefix.value) & set("%_\\"):
            raise _Untranslatable
        return Like(Column(operand.name), prefix.value + "%")

    def _dtype(self, name: str) -> pl.DataType:
        return self._schema[name]


def _kind(view: View) -> str:
    return type(view).__name__


def _operator(view: View) -> str:
    """The name of a binary operator or of a function; empty for anything else."""
    if _kind(view) == "BinaryExpr":
        return str(view.op).removeprefix("Operator.")
    return str(view.function_data[0]) if _kind(view) == "Function" else ""


def _is_comparable(dtype: pl.DataType) -> bool:
    """True for types whose comparison is the same everywhere: no categories, no nanoseconds, no time zone but UTC."""
    if isinstance(dtype, pl.Datetime):
        return dtype.time_unit != "ns" and dtype.time_zone in {None, "UTC"}
    return dtype.is_integer() or dtype.is_float() or isinstance(dtype, pl.Boolean | pl.String | pl.Date | pl.Decimal)


def _literal(value: object, dtype: pl.DataType, column: pl.DataType) -> Literal:
    """The literal, if it has the column's own type and is exact in it. Raises: _Untranslatable."""
    match value:
        case Decimal():
            is_exact = isinstance(column, pl.Decimal) and _decimal_places(value) <= column.scale
        case float():
            is_exact = dtype == column and math.isfinite(value)
        case bool() | int() | str() | date():
            is_exact = dtype == column
        case _:
            is_exact = False
    if not is_exact:
        raise _Untranslatable
    is_zoned = isinstance(value, datetime) and value.tzinfo is not None
    return Literal(cast(datetime, value).astimezone(UTC) if is_zoned else cast(Scalar, value))


def _decimal_places(value: Decimal) -> float:
    exponent = value.as_tuple().exponent
    return -exponent if isinstance(exponent, int) else math.inf
