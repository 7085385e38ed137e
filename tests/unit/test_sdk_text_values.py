"""Times in CSV and NDJSON are ISO 8601 or refused, and each value that cannot be read is told with file, column and row."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from domain_sdk._delivery import deliver
from domain_sdk._table_files import open_table_files
from domain_sdk.errors import InvalidRequest
from mesh_core.contract import load_contract

PORT = load_contract(
    """apiVersion: v3.1.0
kind: DataContract
id: clinic.visits
version: 1.0.0
status: active
schema:
- name: visits
  properties:
  - {name: id, logicalType: integer, primaryKey: true, required: true}
  - {name: day, logicalType: date}
  - {name: seen, logicalType: timestamp}
  - {name: sent, logicalType: timestamp, logicalTypeOptions: {timezone: true}}
  - {name: opens, logicalType: time}
  - {name: paid, logicalType: boolean}
  - {name: amount, logicalType: number}
  - {name: age, logicalType: integer, tags: [pii.age]}
"""
).ports[0]


def _csv(tmp_path: Path, text: str, ending: str = "csv") -> Path:
    file = tmp_path / f"visits.{ending}"
    file.write_text(text)
    return file


def _deliver(given: Any) -> Any:
    return deliver(PORT, "clinic.visits.visits", given, folder=None, hook=lambda *_: None)


@pytest.mark.parametrize(
    ("column", "written", "read"),
    [
        ("day", "2026-02-01", date(2026, 2, 1)),
        ("day", "2026-02-01T00:00:00", date(2026, 2, 1)),
        ("seen", "2026-02-01", datetime(2026, 2, 1)),
        ("seen", "2026-02-01 13:30", datetime(2026, 2, 1, 13, 30)),
        ("seen", "2026-02-01T13:30:15.123456", datetime(2026, 2, 1, 13, 30, 15, 123456)),
        ("sent", "2026-02-01T13:30:00Z", datetime(2026, 2, 1, 13, 30, tzinfo=UTC)),
        ("sent", "2026-02-01T13:30:00.5+02:00", datetime(2026, 2, 1, 11, 30, 0, 500000, tzinfo=UTC)),
        ("sent", "2026-02-01 13:30-0130", datetime(2026, 2, 1, 15, 0, tzinfo=UTC)),
        ("opens", "07:45", time(7, 45)),
        ("opens", "07:45:09.25", time(7, 45, 9, 250000)),
    ],
)
def test_iso_8601_is_read_as_the_contract_types_it(tmp_path: Path, column: str, written: str, read: object) -> None:
    file = _csv(tmp_path, f"id,{column}\n1,{written}\n2,\n")
    assert open_table_files(file, PORT).collect()[column].to_list() == [read, None]
    lines = _csv(tmp_path, f'{{"id": 1, "{column}": "{written}"}}\n{{"id": 2, "{column}": null}}\n', "ndjson")
    assert pl.concat(open_table_files(lines, PORT).frames())[column].to_list() == [read, None]


@pytest.mark.parametrize(
    ("column", "written", "said"),
    [
        ("day", "01/02/2026", "write dates as 2026-02-01"),
        ("day", "2026-02-30", "write dates as 2026-02-01"),
        ("day", "2026-2-1", "write dates as 2026-02-01"),
        ("day", "2026-02-01T13:30:00", "write dates as 2026-02-01"),
        ("seen", "01.02.2026 13:30", "write timestamps as 2026-02-01T13:30:00"),
        ("seen", "2026-02-01T13:30:00Z", "without a zone"),
        ("seen", "2026-02-01T13:30:00.1234567", "write timestamps"),
        ("sent", "2026-02-01T13:30:00", "with their zone"),
        ("opens", "7:45 pm", "write times of day as 13:30:00"),
    ],
)
@pytest.mark.parametrize("ending", ["csv", "ndjson"])
def test_another_way_to_write_a_time_is_refused_with_column_row_and_value(
    tmp_path: Path, column: str, written: str, said: str, ending: str
) -> None:
    lines = {
        "csv": f"id,{column}\n1,\n2,{written}\n",
        "ndjson": f'{{"id": 1, "{column}": null}}\n{{"id": 2, "{column}": "{written}"}}\n',
    }
    file = _csv(tmp_path, lines[ending], ending)
    with pytest.raises(InvalidRequest) as caught:
        _deliver(open_table_files(file, PORT))
    (violation,) = caught.value.violations
    assert violation.path == f"{file}: {column}"
    assert f"row 2: '{written}'" in violation.message
    assert said in violation.message


def test_every_column_with_bad_values_is_told_at_once(tmp_path: Path) -> None:
    rows = "".join(f"{n},2026-01-0{n},true,1.5\n" for n in range(1, 6))
    file = _csv(tmp_path, f"id,day,paid,amount\n{rows}x6,07/01/2026,true,12 EUR\n{'y' * 80},08/01/2026,maybe,2\n")
    with pytest.raises(InvalidRequest, match="values are not of the types that the contract promises") as caught:
        _deliver(file)
    told = {violation.path.rsplit(": ", 1)[1]: violation.message for violation in caught.value.violations}
    assert told == {
        "id": f"row 6: 'x6', row 7: '{'y' * 60}…'; a whole number (Int64) is expected.",
        "day": "row 6: '07/01/2026', row 7: '08/01/2026'; write dates as 2026-02-01.",
        "paid": "row 7: 'maybe'; write true or false.",
        "amount": "row 6: '12 EUR'; a number (Float64) is expected.",
    }


def test_bad_values_of_columns_with_personal_data_are_not_shown(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest) as caught:
        _deliver(_csv(tmp_path, "id,age\n1,forty\n"))
    (violation,) = caught.value.violations
    assert violation.message.startswith("row 1; a whole number")


def test_a_date_that_nothing_promises_stays_text(tmp_path: Path) -> None:
    file = _csv(tmp_path, "id,other\n1,01/02/2026\n")
    assert open_table_files(file).collect().schema == {"id": pl.Int64, "other": pl.String}
    assert open_table_files(file, PORT).collect().schema == {"id": pl.Int64, "other": pl.String}
