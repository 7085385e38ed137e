"""Text files that are cut off, damaged or unlike each other are refused in words; what is read of the others is what they say."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from domain_sdk import _csv_records
from domain_sdk._delivery import Delivered, deliver
from domain_sdk.errors import InvalidRequest
from domain_sdk.release import QualityStatus
from mesh_core.contract import load_contract

PORT = load_contract(
    """apiVersion: v3.1.0
kind: DataContract
id: shop.orders
version: 1.0.0
status: active
schema:
- name: orders
  properties:
  - {name: id, logicalType: integer, required: true}
  - {name: note, logicalType: string}
  - {name: price, logicalType: number, physicalType: "decimal(5,2)"}
  - {name: total, logicalType: number, physicalType: "decimal(38,10)"}
  - {name: day, logicalType: date}
  - {name: at, logicalType: timestamp}
  - {name: small, logicalType: number, logicalTypeOptions: {format: f32}}
  - name: buyer
    logicalType: object
    properties: [{name: name, logicalType: string}, {name: age, logicalType: integer, required: true}]
  - {name: sizes, logicalType: array, items: {logicalType: number}}
"""
).ports[0]


@pytest.fixture
def drop(tmp_path: Path) -> Path:
    folder = tmp_path / "drop"
    folder.mkdir()
    return folder


def delivered(given: Any, drop: Path) -> Delivered:
    return deliver(PORT, "shop.orders.orders", given, folder=drop, hook=lambda *_: None)


def read(tmp_path: Path, drop: Path, text: str | bytes, ending: str = "csv") -> dict[str, list[Any]]:
    """What is stored of the file, without columns that hold nothing."""
    file = tmp_path / f"orders.{ending}"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    made = delivered(file, drop)
    assert [it for it in made.quality if it.status is QualityStatus.FAILED] == []
    frame = pl.read_parquet([drop / it.name for it in made.files])
    return {it.name: it.to_list() for it in frame.get_columns() if it.null_count() < frame.height}


def refused(tmp_path: Path, drop: Path, text: str | bytes, ending: str = "csv") -> str:
    file = tmp_path / f"orders.{ending}"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InvalidRequest) as caught:
        delivered(file, drop)
    assert list(drop.iterdir()) == []
    told = [f"{it.path}: {it.message}" for it in caught.value.violations]
    return "\n".join([caught.value.message, *told]).replace(str(file), "FILE")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('id,note\n1,"open\n2,b\n', 'row 1 opens a quote (") that is never closed.'),
        ('id,note\n1,a\n2,"open\n3,b\n', 'row 2 opens a quote (") that is never closed.'),
        ('id,note\n1,5" pipe\n2,b\n3,c\n', 'row 1 has a quote (") inside a value'),
        ('id,note\n1,"a" b\n', 'row 1 has a quote (") inside a value'),
        ('id,note\n1,"a\nb"\n2,"c",d\n', "row 2 has 3 values, and there are 2 column names."),
        ("id,note\n1,a\n2", "row 2 has 1 value, and there are 2 column names."),
        ("id,note\n1,a\n\n2,b\n", "row 2 is an empty line: remove it."),
        ("id,note\n1,a\n2,b\n\n\n", "row 3 is an empty line: remove it."),
        ("id,note\r\n1,a\r\n\r\n", "row 2 is an empty line: remove it."),
        ("id,note\n1,a,\n2,b,\n", "row 1 has 3 values, and there are 2 column names."),
        ("id,note\n1,a\r2,b\n", "row 1 has a carriage return"),
        ("id,note\n1,a\rb\n", "row 1 has a carriage return"),
        ('id,note\n1,a\r"2",b\n', "row 1 has a carriage return"),
        ('id,note\n1,"a"\n2,"b"\r', "row 2 has a carriage return"),
        ('id,note\n1,5" pipe\n2,"a\rb"\n', 'row 1 has a quote (") inside a value'),
    ],
)
@pytest.mark.parametrize("chunk", [1, 3, 4 << 20])
def test_a_csv_that_is_cut_off_or_wrongly_quoted_is_refused_with_its_row(
    tmp_path: Path, drop: Path, monkeypatch: pytest.MonkeyPatch, text: str, said: str, chunk: int
) -> None:
    monkeypatch.setattr(_csv_records, "_CHUNK_BYTES", chunk)
    assert said in refused(tmp_path, drop, text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("id,note\r1,a\r2,b\r", "the line of column names has a carriage return"),
        ('id,note\r1,"a\rb"', "the line of column names has a carriage return"),
        ("id\r1\r1\r", "the line of column names has a carriage return"),
        (
            "id,note,\n1,a,\n2,b,\n",
            "the line of column names names no column 3: name it, or remove the comma at the end of every line.",
        ),
        ('id,"",note\n1,,a\n', "the line of column names names no column 2: name it"),
        ("id,,\n1,,\n", "the line of column names names no column 2"),
        ("id,note,id\n1,a,2\n", "the line of column names names 'id' twice."),
        ("id,note,id\n", "the line of column names names 'id' twice."),
    ],
)
def test_a_csv_without_a_line_of_column_names_of_its_own_is_refused(tmp_path: Path, drop: Path, text: str, said: str) -> None:
    assert said in refused(tmp_path, drop, text)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("last", ["", "end"])
def test_line_ends_and_the_last_one_change_no_row(tmp_path: Path, drop: Path, end: str, last: str) -> None:
    text = end.join(["note,id", "a,1", '"b\rc",2', 'd,""']) + (end if last else "")
    assert read(tmp_path, drop, text.replace('""', "3")) == {"note": ["a", "b\rc", "d"], "id": [1, 2, 3]}
    text = end.join(["id,note", "1,a", '2,""']) + (end if last else "")
    assert read(tmp_path, drop, text) == {"id": [1, 2], "note": ["a", ""]}


def test_a_csv_with_quotes_line_ends_and_a_mark_as_rfc_4180_has_them_is_read(tmp_path: Path, drop: Path) -> None:
    text = b'\xef\xbb\xbf"id","note"\r\n1,"a\r\nb"\r\n2,"say ""x"", y"\r\n3,""\r\n4,'
    assert read(tmp_path, drop, text) == {"id": [1, 2, 3, 4], "note": ["a\r\nb", 'say "x", y', "", None]}


@pytest.mark.parametrize("written", ["1.239", "1234.5", "1e-3", "1e999999999", "NaN", "1_0", "0x1"])
@pytest.mark.parametrize("ending", ["csv", "ndjson"])
def test_a_decimal_that_the_contract_cannot_hold_is_refused_and_never_rounded(
    tmp_path: Path, drop: Path, written: str, ending: str
) -> None:
    quoted = written if written[:2] in ("1.", "12", "1e") else f'"{written}"'
    text = f"id,price\n1,{written}\n" if ending == "csv" else f'{{"id": 1, "price": {quoted}}}\n'
    said = refused(tmp_path, drop, text, ending)
    assert f"price: row 1: '{written}'; a number with at most 3 digits before and 2 after the point is expected." in said


def test_decimals_are_what_their_digits_say_in_every_way_to_write_them(tmp_path: Path, drop: Path) -> None:
    long = "1234567890123456789.0123456789"
    text = f"id,price,total\n1,1.500,{long}\n2,+.5,\n3, 7 ,1e2\n4,1.5E2,-0\n5,,\n"
    found = read(tmp_path, drop, text)
    assert found["price"] == [Decimal("1.50"), Decimal("0.50"), Decimal("7.00"), Decimal("150.00"), None]
    assert found["total"] == [Decimal(long), None, Decimal(100), Decimal(0), None]


def test_decimals_of_json_are_no_floats(tmp_path: Path, drop: Path) -> None:
    long = "1234567890123456789.0123456789"
    text = f'{{"id": 1, "total": {long}}}\n{{"id": 2, "total": "{long}"}}\n{{"id": 3, "total": 1e2}}\n'
    assert read(tmp_path, drop, text, "ndjson")["total"] == [Decimal(long), Decimal(long), Decimal(100)]


def test_an_empty_text_in_quotes_is_null_unless_a_text_is_promised(tmp_path: Path, drop: Path) -> None:
    text = '"id","note","price","day","at"\n"1","","","",""\n"2","b","2.5","2026-01-01","2026-01-01"\n'
    found = read(tmp_path, drop, text)
    assert found["note"] == ["", "b"]
    assert [found[name][0] for name in ("price", "day", "at")] == [None, None, None]


def test_a_leap_second_is_no_other_time(tmp_path: Path, drop: Path) -> None:
    assert "at: row 1: '2026-12-31T23:59:60'" in refused(tmp_path, drop, "id,at\n1,2026-12-31T23:59:60\n")


def test_csv_files_may_differ_in_the_order_of_columns_and_in_nothing_else(tmp_path: Path, drop: Path) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    (folder / "a.csv").write_text("id,note\n1,a\n")
    (folder / "b.csv").write_text("note,id\nb,2\n")
    made = delivered(folder, drop)
    assert pl.read_parquet([drop / it.name for it in made.files]).select("id", "note").rows() == [(1, "a"), (2, "b")]
    (folder / "c.csv").write_text("id\n3\n")
    with pytest.raises(InvalidRequest, match=r"c\.csv have not the same columns \(note\)"):
        delivered(folder, drop)


def test_a_key_that_first_comes_late_is_read_at_every_depth(tmp_path: Path, drop: Path) -> None:
    early = '{"id": 1, "buyer": {"age": 1}}\n'
    late = '{"id": 2, "note": "x", "buyer": {"age": 2, "name": "Ada"}, "sizes": [1, 1.5]}\n'
    found = read(tmp_path, drop, early * 5_000 + late, "ndjson")
    assert (found["note"][-1], found["buyer"][-1], found["sizes"][-1]) == ("x", {"name": "Ada", "age": 2}, [1.0, 1.5])


def test_an_object_that_is_null_has_no_required_fields(tmp_path: Path, drop: Path) -> None:
    assert read(tmp_path, drop, '{"id": 1, "buyer": null}\n{"id": 2, "buyer": {"age": 3}}\n', "ndjson")["buyer"] == [
        None,
        {"name": None, "age": 3},
    ]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"id": 2, "late": 5}', "FILE: late: row 2: the contract has no such column."),
        ('{"id": 2, "buyer": {"age": 2, "late": 5}}', 'FILE: buyer: row 2: \'{"age": 2, "late": 5}\'; an object'),
        ('{"id": "2"}', "FILE: id: row 2: '2'; a whole number (Int64) is expected."),
        ('{"id": 2, "note": 5}', "FILE: note: row 2: '5'; a text is expected."),
        ('{"id": 2, "small": 1e300}', "FILE: small: row 2: '1e300'; a number (Float32) is expected."),
        ('{"id": 2, "sizes": [1, "x"]}', "FILE: sizes: row 2: "),
        ('{"id": 2, "id": 3}', "FILE: row 2 has the key 'id' twice."),
        ('{"id": 2, "note":', "FILE: row 2 is not JSON: "),
        ("[2]", "FILE: row 2 is no object"),
        ('{"id": 2, "note": "\\ud800"}', "FILE: note: row 2: "),
        (b'{"id": 2, "note": "\xe9"}', "FILE: row 2 is not UTF-8"),
        ('{"id": ' + "[" * 5_000 + "]" * 5_000 + "}", "FILE: row 2 is nested too deeply."),
    ],
)
def test_a_line_of_json_that_is_not_as_promised_is_told_with_its_row(
    tmp_path: Path, drop: Path, monkeypatch: pytest.MonkeyPatch, line: str | bytes, said: str
) -> None:
    monkeypatch.setattr("domain_sdk._json_rows._BLOCK_BYTES", 64 if len(line) < 64 else 1 << 20)
    text = b'{"id": 1}\n' + (line if isinstance(line, bytes) else line.encode()) + b"\n"
    if "late" in said:  # what is in the first block belongs to the schema, which is judged elsewhere
        text = text.replace(b'{"id": 1}', b'{"id": 1, "note": "' + b"x" * 30 + b'"}')
    assert said in refused(tmp_path, drop, text, "ndjson")


def test_json_with_a_mark_without_a_last_line_end_and_without_lines_is_read(tmp_path: Path, drop: Path) -> None:
    assert read(tmp_path, drop, b'\xef\xbb\xbf{"id": 1}\r\n\r\n{"id": 2}', "ndjson") == {"id": [1, 2]}
    file = tmp_path / "none.ndjson"
    file.write_bytes(b"\n")
    assert delivered(file, drop).files == ()


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le"])
@pytest.mark.parametrize(("name", "text"), [("orders.csv", "id,note\n1,a\n"), ("orders.ndjson", '{"id": 1}\n')])
def test_a_file_in_another_encoding_is_told_as_such(tmp_path: Path, drop: Path, encoding: str, name: str, text: str) -> None:
    (tmp_path / name).write_bytes(f"\ufeff{text}".encode(encoding))
    with pytest.raises(InvalidRequest, match=rf"{name} is in UTF-16, as its first bytes say: save it as UTF-8"):
        delivered(tmp_path / name, drop)
