"""Frames reach a port's storage types exactly, or the reasons why not are told."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh_core.contract import Column, Port, load_contract
from mesh_core.types import normalise, plan_types, storage_schema
from tests.shared_data import shared_data


def port(**columns: Column | str) -> Port:
    made = [Column(name, column) if isinstance(column, str) else column for name, column in columns.items()]
    return Port("t", columns=tuple(made))


def one(series: pl.Series, column: Column) -> pl.Series | str:
    """The stored series, or the problems in words."""
    outcome = normalise(series.to_frame("a").lazy(), Port("t", columns=(column,)))
    if outcome.frame is None:
        return " / ".join(problem.message for problem in outcome.problems)
    stored = outcome.frame.collect()
    assert stored.schema == outcome.frame.collect_schema()
    return stored["a"]


def integer(written: str | None = None, physical: str | None = None) -> Column:
    return Column("a", "integer", physical, {"format": written} if written else {})


def number(physical: str | None = None) -> Column:
    return Column("a", "number", physical)


VECTOR = Column("a", "vector", options={"dimensions": 2})
HELD: list[tuple[pl.Series, Column, pl.DataType, list[Any]]] = [
    (pl.Series([1, None], dtype=pl.Int32), integer(), pl.Int64(), [1, None]),
    (pl.Series([1, 2], dtype=pl.Int64), integer("i32"), pl.Int32(), [1, 2]),
    (pl.Series([1.0, None, 2.0]), integer(), pl.Int64(), [1, None, 2]),
    (pl.Series([255], dtype=pl.UInt8), integer("u8"), pl.Int16(), [255]),
    (pl.Series([2**64 - 1], dtype=pl.UInt64), integer("u64"), pl.Decimal(20, 0), [Decimal(2**64 - 1)]),
    (pl.Series([10**30], dtype=pl.Int128), integer("i128"), pl.Decimal(38, 0), [Decimal(10**30)]),
    (pl.Series([1, 2**53]), number(), pl.Float64(), [1.0, 2.0**53]),
    (pl.Series([0.1, 1.15, None]), number("decimal(10,2)"), pl.Decimal(10, 2), [Decimal("0.10"), Decimal("1.15"), None]),
    (pl.Series([123456789.123, 1e-7]), number("numeric"), pl.Decimal(38, 9), [Decimal("123456789.123"), Decimal("1e-7")]),
    (pl.Series([7]), number("decimal(3,2)"), pl.Decimal(3, 2), [Decimal(7)]),
    (pl.Series([Decimal("1.50")], dtype=pl.Decimal(20, 3)), number("decimal(10,2)"), pl.Decimal(10, 2), [Decimal("1.50")]),
    (pl.Series([0.5], dtype=pl.Float64), number("real"), pl.Float32(), [0.5]),
    (pl.Series(["x", None], dtype=pl.Categorical), Column("a", "string"), pl.String(), ["x", None]),
    (pl.Series(["x"], dtype=pl.Enum(["x", "y"])), Column("a", "string"), pl.String(), ["x"]),
    (pl.Series([b"x"]), Column("a", "string", "bytea"), pl.Binary(), [b"x"]),
    (pl.Series([None, None]), Column("a", "date"), pl.Date(), [None, None]),
    (pl.Series([dt.datetime(2020, 1, 2)]), Column("a", "date"), pl.Date(), [dt.date(2020, 1, 2)]),
    (pl.Series([dt.time(0, 0, 1)]), Column("a", "time"), pl.Int64(), [1_000_000]),
    (pl.Series([dt.timedelta(milliseconds=2)]), integer(), pl.Int64(), [2000]),
    (pl.Series([[1.5, 2.5]], dtype=pl.Array(pl.Float64, 2)), VECTOR, pl.List(pl.Float32), [[1.5, 2.5]]),
    (pl.Series([[0.1]]), VECTOR, pl.List(pl.Float32), [[0.10000000149011612]]),
    (pl.Series([[1, None], [], None]), Column("a", "array", items=integer("i8")), pl.List(pl.Int8), [[1, None], [], None]),
]  # fmt: skip


@pytest.mark.parametrize(("series", "column", "dtype", "values"), HELD)
def test_values_that_fit_are_held_exactly(series: pl.Series, column: Column, dtype: pl.DataType, values: list[Any]) -> None:
    stored = one(series, column)
    assert isinstance(stored, pl.Series), stored
    assert (stored.dtype, stored.to_list()) == (dtype, values)


REFUSED: list[tuple[pl.Series, Column, str]] = [
    (pl.Series([1.0, 1.5]), integer(), "1 Float64 values"),
    (pl.Series([float("nan")]), integer(), "1 Float64 values"),
    (pl.Series(["7"]), integer(), "String does not become Int64"),
    (pl.Series([7]), Column("a", "string"), "Int64 does not become String"),
    (pl.Series([True]), integer(), "Boolean does not become"),
    (pl.Series([2**31, 1]), integer("i32"), "1 Int64 values"),
    (pl.Series([-1, 256, 3]), integer("u8"), "2 Int64 values"),
    (pl.Series([2**53 + 1]), number(), "1 Int64 values"),
    (pl.Series([1.239, 1.24]), number("decimal(10,2)"), "1 Float64 values"),
    (pl.Series([1e9, 1e30, float("inf"), float("nan")]), number("decimal(10,2)"), "4 Float64 values"),
    (pl.Series([100]), number("decimal(4,2)"), "1 Int64 values"),
    (pl.Series([Decimal("1.239")], dtype=pl.Decimal(20, 3)), number("decimal(10,2)"), "1 Decimal"),
    (pl.Series([Decimal("1.5")], dtype=pl.Decimal(20, 1)), integer(), "1 Decimal"),
    (pl.Series([Decimal(1)], dtype=pl.Decimal(20, 1)), number(), "more digits"),
    (pl.Series([0.1]), number("real"), "1 Float64 values"),
    (pl.Series([10**38], dtype=pl.Int128), integer("i128"), "1 Int128 values"),
    (pl.Series([Decimal("1.00"), Decimal("-1.00")]), integer("u128"), "1 Decimal(precision=38, scale=2) values"),
    (pl.Series([1577836800000000001], dtype=pl.Datetime("ns")), Column("a", "timestamp"), "1 Datetime"),
    (pl.Series([1], dtype=pl.Time), Column("a", "time"), "1 Time"),
    (pl.Series([dt.datetime(2020, 1, 2, 3)]), Column("a", "date"), "1 Datetime"),
    (pl.Series([dt.datetime(2020, 1, 2)]), Column("a", "timestamp", options={"timezone": True}), "replace_time_zone"),
    (pl.Series([dt.datetime(2020, 1, 2, tzinfo=dt.UTC)]), Column("a", "timestamp"), "timezone: true"),
    (pl.Series([[1, 300], [2]]), Column("a", "array", items=integer("i8")), "1 List"),
    (pl.Series([1]), Column("a", "array"), "not a list"),
    (pl.Series([None]), Column("a"), "says nothing"),
    (pl.Series([1]), Column("a", "geometry"), "unknown"),
    (pl.Series([1]), Column("a", None, "geometry"), "no logicalType"),
]  # fmt: skip


@pytest.mark.parametrize(("series", "column", "words"), REFUSED)
def test_what_cannot_be_held_exactly_is_reported_with_its_count(series: pl.Series, column: Column, words: str) -> None:
    told = one(series, column)
    assert isinstance(told, str), told
    assert words in told


def test_missing_unexpected_and_mistyped_columns_are_all_reported_at_once() -> None:
    wanted = port(a=Column("a", "integer", required=True), b="string", c="integer", d="integer")
    outcome = normalise(pl.LazyFrame({"B": ["x"], "c": ["7"], "d": [1.5]}), wanted)
    assert outcome.frame is None
    assert [(problem.kind.value, problem.column) for problem in outcome.problems] == [
        ("missing", "a"),
        ("type", "c"),
        ("unexpected", "B"),
        ("value", "d"),
    ]
    assert "'b'" in outcome.problems[2].message


def test_an_optional_column_the_frame_lacks_is_filled_with_null_and_the_order_is_the_contracts() -> None:
    frame = normalise(pl.LazyFrame({"c": [1], "a": ["x"]}), port(a="string", b="date", c="integer")).frame
    assert frame is not None
    assert frame.collect().rows() == [("x", None, 1)]
    assert frame.collect_schema() == {"a": pl.String, "b": pl.Date, "c": pl.Int64}


def test_a_struct_is_rebuilt_field_by_field_and_a_null_struct_stays_null() -> None:
    address = Column("a", "object", columns=(Column("zip", "string"), Column("n", "integer", options={"format": "i8"})))
    series = pl.Series([{"n": 1, "zip": "x"}, None], dtype=pl.Struct({"n": pl.Int64, "zip": pl.Categorical}))
    stored = one(series, address)
    assert isinstance(stored, pl.Series)
    assert stored.to_list() == [{"zip": "x", "n": 1}, None]
    assert stored.dtype == pl.Struct({"zip": pl.String, "n": pl.Int8})
    assert "1 Struct" in one(pl.Series([{"n": 300, "zip": "x"}, {"n": 1, "zip": "y"}]), address)
    assert "not in the contract" in one(pl.Series([{"m": 1}]), address)


def test_a_map_is_a_list_of_key_and_value() -> None:
    column = Column("a", "map", map_key=Column("", "string"), map_value=Column("", "integer"))
    stored = one(pl.Series([[{"key": "x", "value": 1}]]), column)
    assert isinstance(stored, pl.Series)
    assert stored.to_list() == [[{"key": "x", "value": 1}]]


def test_a_port_without_properties_takes_the_frames_columns_in_types_that_can_be_stored() -> None:
    frame = pl.LazyFrame({"c": pl.Series(["x"], dtype=pl.Categorical), "u": pl.Series([1], dtype=pl.UInt16), "v": [[1]]})
    stored = normalise(frame, Port("t")).frame
    assert stored is not None
    assert stored.collect_schema() == {"c": pl.String, "u": pl.Int32, "v": pl.List(pl.Int64)}


def test_a_plan_whose_values_cannot_be_lost_needs_no_look_at_the_data() -> None:
    plan = plan_types(pl.Schema({"a": pl.Int32, "b": pl.String}), port(a="integer", b="string"))
    assert [column.conversion.loss for column in plan.columns] == [None, None]


@given(
    st.lists(st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1))),
    st.sampled_from(["i8", "i16", "i32", "i64", "u8", "u32", "u64"]),
)
def test_an_integer_is_held_exactly_when_it_lies_in_the_formats_range(values: list[int | None], written: str) -> None:
    bits = int(written[1:])
    low, high = (0, 2**bits - 1) if written[0] == "u" else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    misfits = sum(value is not None and not low <= value <= high for value in values)
    stored = one(pl.Series(values, dtype=pl.Int64), integer(written))
    if misfits:
        assert isinstance(stored, str)
        assert stored.startswith(f"{misfits} Int64 values")
    else:
        assert isinstance(stored, pl.Series)
        assert stored.to_list() == values


@given(st.lists(st.decimals(-99_999_999, 99_999_999, places=2), min_size=1))
def test_a_float_read_from_a_decimal_returns_to_that_decimal(values: list[Decimal]) -> None:
    stored = one(pl.Series([float(value) for value in values]), number("decimal(10,2)"))
    assert isinstance(stored, pl.Series)
    assert stored.to_list() == values


@given(st.floats(allow_nan=True, allow_infinity=True))
def test_a_float_enters_an_integer_column_only_when_it_is_that_integer(value: float) -> None:
    stored = one(pl.Series([value]), integer())
    is_whole = value == value and abs(value) < 2**63 and value == int(value)
    assert isinstance(stored, pl.Series) == (is_whole or value == -(2.0**63))


@given(st.sampled_from([case[0] for case in HELD]), st.sampled_from([case[1] for case in HELD]))
def test_bringing_a_stored_frame_to_its_types_again_changes_nothing(series: pl.Series, column: Column) -> None:
    first = one(series, column)
    if isinstance(first, pl.Series):
        again = one(first, column)
        assert isinstance(again, pl.Series), again
        assert (again.dtype, again.to_list()) == (first.dtype, first.to_list())


@pytest.mark.parametrize(
    ("logical", "physical", "options", "arrow"),
    [
        ("integer", None, {}, "int64"),
        ("integer", "INT", {}, "int32"),
        ("integer", "int", {"format": "i64"}, "int64"),
        ("integer", "smallint", {}, "int16"),
        ("integer", "NUMBER(38,0)", {}, "decimal128(38, 0)"),
        ("number", None, {}, "double"),
        ("number", "int4", {}, "int32"),
        ("number", "Decimal(12, 2)", {}, "decimal128(12, 2)"),
        ("number", "varchar", {}, "double"),
        ("string", "varchar[50]", {}, "string"),
        ("string", None, {"format": "binary"}, "binary"),
        ("date", "timestamp", {}, "timestamp[us]"),
        ("date", "time", {}, "int64"),
        ("timestamp", "timestamptz", {}, "timestamp[us, tz=UTC]"),
        ("timestamp", "timestamp", {"timezone": True}, "timestamp[us, tz=UTC]"),
        ("timestamp", None, {}, "timestamp[us]"),
        ("time", None, {}, "int64"),
        ("boolean", "Flag", {}, "bool"),
        ("vector", None, {"dimensions": 3}, "list<element: float>"),
        ("vector", None, {"dimensions": 3, "elementType": "uint8"}, "list<element: int16>"),
        (None, "VARCHAR(40)", {}, "string"),
    ],
)
def test_logical_and_physical_types_have_one_storage_type(
    logical: str | None, physical: str | None, options: dict[str, Any], arrow: str
) -> None:
    schema = storage_schema(Port("t", columns=(Column("a", logical, physical, options),)))
    assert str(schema.field("a").type) == arrow


def test_null_is_allowed_in_storage_unless_required_or_in_the_key() -> None:
    columns = (Column("k", "integer", primary_key_position=1), Column("r", "string", required=True), Column("o", "string"))
    assert [field.nullable for field in storage_schema(Port("t", columns=columns))] == [False, False, True]


def test_a_type_left_open_is_taken_from_the_frame_or_asked_for() -> None:
    open_port = port(a="object", b="array")
    with pytest.raises(ValueError, match="column 'a'"):
        storage_schema(open_port)
    own = pl.Schema({"a": pl.Struct({"x": pl.Int64}), "b": pl.List(pl.Categorical)})
    assert str(storage_schema(open_port, own).field("b").type) == "list<element: string>"


def test_every_column_of_a_real_database_contract_has_a_storage_type_or_says_why_not() -> None:
    text = shared_data("contracts", "valid", "postgresql-adventureworks-contract.odcs.yaml").read_bytes()
    for described in load_contract(text).ports:
        own = pl.Schema({column.name: pl.Boolean() for column in described.columns})
        assert len(storage_schema(described, own)) == len(described.columns)
