"""No valid contract, however odd, and no frame makes the checks fail to answer."""

from __future__ import annotations

import datetime as dt
from typing import Any

import polars as pl
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mesh_core.contract import Column, InvalidContract, Port, load_contract
from mesh_core.quality import Checker, Outcome, check_frame, frame_batches

NUMBERS = st.one_of(
    st.integers(), st.floats(allow_nan=False), st.sampled_from([10**40, -(10**40), 10**400, 1e300, 1e-300, 2**127])
)
TEXTS = st.sampled_from(["", "x", "(", "^a$", "2020-01-01", "2020-01-01T00:00:00Z", "12:00", "[a&&b]", "\\d", "(?=a)", "*"])
COUNTS = st.one_of(st.integers(0, 3), st.sampled_from([2**64, 10**40]))
NAMES = st.sampled_from(["a", "b", "a.b", "A", "key0", "row", "*", "^a$", "0"])
TYPES = st.sampled_from(
    ["string", "date", "timestamp", "time", "number", "integer", "object", "array", "boolean", "vector", None]
)
PHYSICAL = st.sampled_from(
    [None, "int", "decimal(38,38)", "decimal(5,2)", "numeric", "real", "timestamptz", "varchar(3)", "geometry", "bytea"]
)
OPTIONS: dict[str | None, st.SearchStrategy[dict[str, Any]]] = {
    "string": st.fixed_dictionaries({}, optional={"minLength": COUNTS, "maxLength": COUNTS, "pattern": TEXTS, "format": TEXTS}),
    "date": st.fixed_dictionaries({}, optional={"minimum": TEXTS, "exclusiveMaximum": TEXTS, "format": TEXTS}),
    "number": st.fixed_dictionaries({}, optional={"minimum": NUMBERS, "exclusiveMaximum": NUMBERS, "multipleOf": NUMBERS}),
    "object": st.fixed_dictionaries({}, optional={"minProperties": COUNTS, "required": st.just(["a"])}),
    "array": st.fixed_dictionaries({}, optional={"minItems": COUNTS, "uniqueItems": st.booleans()}),
    "vector": st.fixed_dictionaries({"dimensions": st.integers(1, 3)}),
}
OPTIONS |= {"integer": OPTIONS["number"], "timestamp": OPTIONS["date"], "time": OPTIONS["date"]}
VALUES = st.one_of(NUMBERS, TEXTS, st.none(), st.booleans(), st.lists(st.one_of(TEXTS, st.none(), NUMBERS), max_size=2))
RULES = st.fixed_dictionaries(
    {
        "metric": st.sampled_from(["nullValues", "missingValues", "invalidValues", "duplicateValues", "rowCount"]),
        "mustBe": VALUES,
        "arguments": st.dictionaries(
            st.sampled_from(["missingValues", "validValues", "pattern", "properties"]), VALUES, max_size=2
        ),
    }
)
FRAME = {
    "string": pl.Series(["a", None, "aa", "a"]),
    "date": pl.Series([dt.date(2020, 1, 1), None, dt.date(2021, 1, 1), None]),
    "timestamp": pl.Series([dt.datetime(2020, 1, 1), None, None, None]),
    "time": pl.Series([dt.time(1), None, None, None]),
    "number": pl.Series([0.5, None, float("nan"), float("inf")]),
    "integer": pl.Series([1, None, 2**63 - 1, -(2**63)]),
    "object": pl.Series([{"a": 1}, None, {"a": None}, {"a": 1}]),
    "array": pl.Series([[1], None, [], [1, None]]),
    "boolean": pl.Series([True, None, False, True]),
    "vector": pl.Series([[0.1], None, [], [0.1, None]]),
    None: pl.Series([None, None, None, None]),
}


@st.composite
def properties(draw: st.DrawFn) -> dict[str, Any]:
    logical = draw(TYPES)
    made = {
        "name": draw(NAMES),
        "logicalType": logical,
        "logicalTypeOptions": draw(OPTIONS.get(logical, st.just({}))),
        "physicalType": draw(PHYSICAL),
        "required": draw(st.booleans()),
        "unique": draw(st.booleans()),
        "primaryKey": draw(st.booleans()),
        "quality": draw(st.lists(RULES, max_size=2)),
        "enum": draw(st.lists(st.fixed_dictionaries({"value": VALUES}), max_size=2, unique_by=repr)),
    }
    return {key: value for key, value in made.items() if value not in (None, [], {})}


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(properties(), min_size=1, max_size=3), st.lists(RULES, max_size=2), st.data())
def test_every_valid_contract_judges_every_frame(
    columns: list[dict[str, Any]], rules: list[dict[str, Any]], data: st.DataObject
) -> None:
    document = {
        "apiVersion": "v3.2.0",
        "kind": "DataContract",
        "id": "x",
        "version": "1",
        "schema": [{"name": "t", "properties": columns}],
    }
    document["schema"][0]["quality"] = rules  # type: ignore[index]
    try:
        port = load_contract(yaml.safe_dump(document, sort_keys=False)).port("t")
    except InvalidContract:
        return
    series = {}
    for column in columns:
        own = column.get("logicalType") if data.draw(st.booleans()) else data.draw(TYPES)
        series[column["name"]] = FRAME[own].alias(column["name"])
    frame = pl.DataFrame(list(series.values()))
    checker = Checker(port)
    checker.observe(frame[:2])
    checker.observe(frame[2:])
    outcome = checker.finish()
    assert outcome.to_text()
    assert all(item.outcome is not Outcome.PASSED or not item.samples for item in outcome.results)


def test_a_frame_streams_in_order_in_batches_and_an_empty_one_as_an_empty_batch() -> None:
    batches = list(frame_batches(pl.LazyFrame({"a": range(10)}), rows=4))
    assert pl.concat(batches)["a"].to_list() == list(range(10))
    assert max(batch.height for batch in batches) <= 4
    assert [batch.schema for batch in frame_batches(pl.LazyFrame(schema={"a": pl.Int8}))] == [pl.Schema({"a": pl.Int8})]


def test_an_abandoned_stream_of_batches_ends_quietly() -> None:
    stream = frame_batches(pl.LazyFrame({"a": range(1_000_000)}), rows=1000)
    next(stream)
    next(stream)
    stream.close()  # type: ignore[attr-defined]


def test_an_empty_frame_has_its_schema_judged() -> None:
    port = Port("t", columns=(Column("a", "integer", required=True),))
    assert check_frame(pl.LazyFrame(schema={"a": pl.Int64}), port).is_ok
    assert not check_frame(pl.LazyFrame(schema={"a": pl.String}), port).is_ok


@pytest.mark.parametrize("names", [("a", "a"), ("*",), ("^a$",)])
def test_columns_no_dataframe_can_tell_apart_are_a_problem_not_a_crash(names: tuple[str, ...]) -> None:
    port = Port("t", columns=tuple(Column(name, "integer") for name in names))
    assert not check_frame(pl.LazyFrame({names[0]: [1]}), port).is_ok
