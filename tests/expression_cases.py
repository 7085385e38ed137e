"""Generated rows and filters, and an evaluator of the expression language written independently of the product."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction

from hypothesis import strategies as st

from mesh_core.expressions.tree import And, Column, Compare, Expression, In, IsNull, Like, Literal, Not, Or, Scalar

LOGICAL_TYPES = {
    "id": "integer",
    "ratio": "number",
    "amount": "number",
    "Last Name": "string",
    'qu"ote': "string",
    "active": "boolean",
    "born": "date",
    "seen": "timestamp",
    "seen_utc": "timestamp",
}
KINDS = {"id": "int", "ratio": "float", "amount": "decimal", "active": "bool", "born": "date", "seen": "time", "seen_utc": "time"}
FAMILIES = {"int": "number", "float": "number", "decimal": "number", "date": "time", "time": "time", "bool": "bool", "str": "str"}

INTS = st.one_of(st.integers(-3, 3), st.integers(-(2**63), 2**63 - 1))
FLOATS = st.one_of(st.sampled_from([0.0, -0.0, 1.0, 1.5, -1.5, math.inf, -math.inf, math.nan, 0.1]), st.floats(allow_nan=False))
CENTS = st.one_of(st.integers(-300, 300), st.integers(-(10**10) + 1, 10**10 - 1)).map(lambda n: Decimal(n).scaleb(-2))
TEXT = st.text(st.sampled_from(["a", "b", "A", "%", "_", "'", '"', "\\", "\n", " ", "é", "𝟙", "*", "?", ".", "1"]), max_size=4)
DAYS = st.one_of(st.dates(date(2020, 1, 1), date(2020, 1, 3)), st.dates(date(1900, 1, 1), date(2200, 1, 1)))
TIMES = st.one_of(
    st.datetimes(datetime(2019, 12, 31), datetime(2020, 1, 3)),
    st.sampled_from([datetime(2020, 1, 1), datetime(2020, 1, 2), datetime(2020, 1, 1, 0, 0, 0, 1)]),
    st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1)),
).map(lambda value: value.replace(fold=0))
INSTANTS = TIMES.map(lambda value: value.replace(tzinfo=UTC))

ROWS = st.fixed_dictionaries(
    {
        "id": st.none() | INTS,
        "ratio": st.none() | FLOATS,
        "amount": st.none() | CENTS,
        "Last Name": st.none() | TEXT,
        'qu"ote': st.none() | TEXT,
        "active": st.none() | st.booleans(),
        "born": st.none() | DAYS,
        "seen": st.none() | TIMES,
        "seen_utc": st.none() | INSTANTS,
    }
)
DECIMALS = st.one_of(CENTS, st.decimals(-3, 3, places=4))
SCALARS: st.SearchStrategy[Scalar] = st.one_of(
    st.none(), INTS, st.sampled_from([10**30, -(10**30)]), FLOATS, DECIMALS, TEXT, st.booleans(), DAYS, TIMES, INSTANTS
)
_FITTING = {
    "int": st.one_of(INTS, FLOATS, DECIMALS),
    "float": st.one_of(FLOATS, INTS, DECIMALS),
    "decimal": st.one_of(CENTS, INTS, FLOATS, DECIMALS),
    "str": TEXT,
    "bool": st.booleans(),
    "date": st.one_of(DAYS, TIMES, INSTANTS),
    "time": st.one_of(TIMES, INSTANTS, DAYS),
}
OPERATORS = st.sampled_from(["=", "!=", "<", "<=", ">", ">="])


def kind_of(name: str) -> str:
    return KINDS.get(name, "str")


def _predicates(name: str, *, column_pairs: bool) -> list[st.SearchStrategy[Expression]]:
    fitting = _FITTING[kind_of(name)].map(Literal)
    column, literal = st.just(Column(name)), st.one_of(fitting, fitting, SCALARS.map(Literal))
    choices: list[st.SearchStrategy[Expression]] = [
        st.builds(Compare, OPERATORS, column, literal),
        st.builds(Compare, OPERATORS, column, literal),
        st.builds(Compare, OPERATORS, literal, column),
        st.builds(In, column, st.lists(literal, min_size=1, max_size=12).map(tuple)),
        st.builds(Like, column, TEXT),
        column.map(IsNull),
        column,
    ]
    if column_pairs:
        choices.append(st.builds(Compare, OPERATORS, column, st.sampled_from(sorted(LOGICAL_TYPES)).map(Column)))
    return choices


_CONSTANTS: list[st.SearchStrategy[Expression]] = [
    st.sampled_from([Literal(True), Literal(False), Literal(None)]),
    st.builds(Compare, OPERATORS, SCALARS.map(Literal), SCALARS.map(Literal)),
]


def _grown(inner: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
    several = st.lists(inner, min_size=2, max_size=4).map(tuple)
    return st.one_of(inner.map(Not), several.map(And), several.map(Or))


def _expressions(*, column_pairs: bool) -> st.SearchStrategy[Expression]:
    leaves = [leaf for name in sorted(LOGICAL_TYPES) for leaf in _predicates(name, column_pairs=column_pairs)]
    return st.recursive(st.one_of(leaves + _CONSTANTS), _grown, max_leaves=6)


EXPRESSIONS = _expressions(column_pairs=True)
ENGINE_EXPRESSIONS = _expressions(column_pairs=False)
"""Without comparisons of two columns, which are not sent to an engine by text."""


ALTERNATIVES = st.sampled_from(["id", "amount", "Last Name", "active", "seen"]).flatmap(
    lambda name: st.one_of(_predicates(name, column_pairs=False)[:4])
)
"""Comparisons and lists of few columns, so that several are of one."""


def evaluate(node: Expression, row: Mapping[str, Scalar]) -> bool | None:
    """SQL's truth tables, spelt out."""
    match node:
        case Literal(value):
            return value if isinstance(value, bool) else None
        case Column(name):
            value = row[name]
            return value if isinstance(value, bool) else None
        case Not(operand):
            return {True: False, False: True, None: None}[evaluate(operand, row)]
        case And(operands):
            found = [evaluate(operand, row) for operand in operands]
            return False if False in found else None if None in found else True
        case Or(operands):
            found = [evaluate(operand, row) for operand in operands]
            return True if True in found else None if None in found else False
        case IsNull(operand):
            return _value(operand, row) is None
        case Like(operand, pattern):
            value = _value(operand, row)
            return _like(value, pattern) if isinstance(value, str) else None
        case In(operand, values):
            found = [_compare("=", operand, value, row) for value in values]
            return True if True in found else None if None in found else False
        case Compare(operator, left, right):
            return _compare(operator, left, right, row)
    raise AssertionError(node)


def _like(value: str, pattern: str) -> bool:
    if not pattern:
        return not value
    if pattern[0] == "%":
        return any(_like(value[i:], pattern[1:]) for i in range(len(value) + 1))
    return bool(value) and (pattern[0] == "_" or pattern[0] == value[0]) and _like(value[1:], pattern[1:])


def _value(node: Expression, row: Mapping[str, Scalar]) -> Scalar:
    return row[node.name] if isinstance(node, Column) else node.value if isinstance(node, Literal) else None


def _kind(node: Expression) -> str:
    if isinstance(node, Column):
        return kind_of(node.name)
    value = node.value if isinstance(node, Literal) else None
    names = {bool: "bool", int: "int", float: "float", Decimal: "decimal", str: "str", date: "date", datetime: "time"}
    return names.get(type(value), "null")


def _compare(operator: str, left: Expression, right: Expression, row: Mapping[str, Scalar]) -> bool | None:
    a, b = _value(left, row), _value(right, row)
    kinds = _kind(left), _kind(right)
    if a is None or b is None or FAMILIES[kinds[0]] != FAMILIES[kinds[1]]:
        return None
    first, second = _key(a), _key(b)
    if FAMILIES[kinds[0]] == "number":
        float_column = any(isinstance(n, Column) and kind_of(n.name) == "float" for n in (left, right))
        literals = isinstance(left, Literal) and isinstance(right, Literal)
        if float_column or (literals and "float" in kinds):
            first, second = _double_key(a), _double_key(b)
    less, equal = first < second, first == second
    return {"=": equal, "!=": not equal, "<": less, "<=": less or equal, ">": not less and not equal, ">=": not less}[operator]


def _double_key(value: Scalar) -> tuple[int, float]:
    number = float(value)  # type: ignore[arg-type]
    return (1, 0.0) if math.isnan(number) else (0, number)


def _key(value: Scalar) -> tuple[int, object]:
    """A key that orders values of one family: NaN last, a date as its midnight, a naive time as UTC."""
    match value:
        case bool() | str():
            return (0, value)
        case float() if math.isnan(value) or value == math.inf:
            return (1, 0)
        case float() if value == -math.inf:
            return (-1, 0)
        case float():
            return (0, Fraction(repr(value)))
        case int() | Decimal():
            return (0, Fraction(value))
        case datetime():
            return (0, value.replace(tzinfo=UTC) if value.tzinfo is None else value)
        case date():
            return (0, datetime(value.year, value.month, value.day, tzinfo=UTC))
    raise AssertionError(value)


def typed(node: Expression) -> str:
    """The text of a tree that tells 1, True, 1.0 and Decimal(1) apart."""
    return re.sub(r"Decimal\('(-?[\d.]+?)(\.0+)?'\)", lambda match: f"Decimal({Fraction(match[1])})", repr(node))
