"""Each promise a contract can make is judged as documented, exactly, with all faults at once."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesh_core.contract import Column, Port, load_contract
from mesh_core.quality import MASKED, Checker, CheckResult, Kind, Outcome, Report, check_frame, compile_checks
from tests.shared_data import shared_data

HEAD = "apiVersion: v3.2.0\nkind: DataContract\nid: c1\nversion: 1.0.0\nschema:\n"


def port_of(properties: str, quality: str = "[]") -> Port:
    return load_contract(f"{HEAD}- name: t\n  quality: {quality}\n  properties:\n{properties}").port("t")


def report(port: Port, *frames: pl.DataFrame) -> Report:
    checker = Checker(port)
    for frame in frames:
        checker.observe(frame)
    return checker.finish()


def result(outcome: Report, name: str) -> CheckResult:
    return next(item for item in outcome.results if item.check == name)


def faults(column: str, values: pl.Series | list[Any]) -> int:
    """Rows at fault of the single option check of a column written as inline YAML."""
    port = port_of(f"  - {column}\n")
    outcome = report(port, pl.DataFrame({port.columns[0].name: values}))
    (item,) = [item for item in outcome.results if item.kind not in (Kind.SCHEMA, Kind.TYPE)]
    assert (item.outcome is Outcome.FAILED) == (item.failing_rows > 0), item
    return item.failing_rows


INTEGER = "name: a, logicalType: integer, logicalTypeOptions"
NUMBER = "name: a, logicalType: number, logicalTypeOptions"
REAL = "name: a, logicalType: number, physicalType: real, logicalTypeOptions"
DECIMAL = "name: a, logicalType: number, physicalType: 'decimal(10,2)', logicalTypeOptions"
STRING = "name: a, logicalType: string, logicalTypeOptions"
DATE = "name: a, logicalType: date, logicalTypeOptions"
TIMESTAMP = "name: a, logicalType: timestamp, logicalTypeOptions"


@pytest.mark.parametrize(
    ("column", "values", "expected"),
    [
        ("{name: a, logicalType: integer, required: true}", [1, None, None], 2),
        ("{name: a, logicalType: integer, unique: true}", [1, 1, 1, 2, 3, None, None], 2),
        ("{name: a, logicalType: number, unique: true}", [0.0, -0.0, float("nan"), float("nan")], 2),
        ("{name: a, logicalType: string, unique: true}", ["a", "b", "a", None], 1),
        ("{name: a, logicalType: integer, primaryKey: true}", [1, 1, None, 2, None], 3),
        ("{name: a, logicalType: integer, primaryKey: true, unique: true, required: true}", [1, 1], 1),
        ("{name: a, logicalType: string, enum: [{value: x}, {value: 1}]}", ["x", "1", "y", None], 1),
        ("{name: a, logicalType: integer, enum: [{value: 1}, {value: 2.0}, {value: z}]}", [1, 2, 3], 1),
        (f"{{{INTEGER}: {{minimum: 2}}}}", [1, 2, 3, None], 1),
        (f"{{{INTEGER}: {{minimum: 1.5}}}}", [1, 2, 3], 1),
        (f"{{{INTEGER}: {{maximum: 2}}}}", [1, 2, 3], 1),
        (f"{{{INTEGER}: {{exclusiveMinimum: 2}}}}", [1, 2, 3], 2),
        (f"{{{INTEGER}: {{exclusiveMinimum: 1.5}}}}", [1, 2, 3], 1),
        (f"{{{INTEGER}: {{exclusiveMaximum: 2}}}}", [1, 2, 3], 2),
        (f"{{{INTEGER}: {{exclusiveMaximum: 2.5}}}}", [1, 2, 3], 1),
        (f"{{{INTEGER}: {{maximum: 1180591620717411303424}}}}", [2**63 - 1], 0),
        (f"{{{INTEGER}: {{minimum: 9007199254740993}}}}", [2**53, 2**53 + 1], 1),
        (f"{{{INTEGER}: {{multipleOf: 5}}}}", [0, 5, 10, -5, 7], 1),
        (f"{{{INTEGER}: {{multipleOf: 1.5}}}}", [3, 4, 6], 1),
        (f"{{{NUMBER}: {{minimum: 0}}}}", [0.0, -0.1, float("nan"), None], 2),
        (f"{{{NUMBER}: {{minimum: 0}}}}", [1.5, float("inf"), float("-inf"), float("nan")], 3),
        (f"{{{NUMBER}: {{exclusiveMaximum: 9}}}}", [1.5, float("inf"), float("-inf"), None], 2),
        (f"{{{NUMBER}: {{maximum: 0.3}}}}", [0.3, 0.1 + 0.2, float("inf")], 2),
        (f"{{{NUMBER}: {{multipleOf: 0.01}}}}", [0.07, 1.15, 1.151, float("inf")], 2),
        (f"{{{REAL}: {{maximum: 0.1}}}}", pl.Series([0.1, 0.2], dtype=pl.Float32), 1),
        (f"{{{REAL}: {{multipleOf: 0.01}}}}", pl.Series([0.07, 0.075], dtype=pl.Float32), 1),
        (f"{{{DECIMAL}: {{maximum: 0.1}}}}", [Decimal("0.10"), Decimal("0.11")], 1),
        (f"{{{DECIMAL}: {{minimum: 0.005}}}}", [Decimal("0.00"), Decimal("0.01")], 1),
        (f"{{{DECIMAL}: {{multipleOf: 0.05}}}}", [Decimal("0.15"), Decimal("0.16")], 1),
        (f"{{{STRING}: {{minLength: 2}}}}", ["a", "ab", "é", None], 2),
        (f"{{{STRING}: {{maxLength: 2}}}}", ["éé", "abc", "a", None], 1),
        (f"{{{STRING}: {{pattern: 'b'}}}}", ["abc", "ac", None], 1),
        (f"{{{STRING}: {{pattern: '^\\d+$'}}}}", ["12", "١", "1a"], 2),
        (f"{{{STRING}: {{pattern: '^(?!foo)'}}}}", ["bar", "food", None], 1),
        (f"{{{STRING}: {{pattern: '^(a)\\1$'}}}}", ["aa", "ab"], 1),
        (f"{{{STRING}: {{pattern: '^(?!b)[$a]+$'}}}}", ["a$", "a\n"], 1),
        (f"{{{STRING}: {{pattern: '^(?<y>[0-9]{{2}})-\\k<y>$'}}}}", ["20-20", "20-21"], 1),
        (f"{{{STRING}: {{pattern: '^[[&~\\w-]+$'}}}}", ["[&~a-", "é"], 1),
        (f"{{{STRING}: {{format: email}}}}", ["a.b+c@x.org", "a@b@c", "@x", "a b@x.org", "a.@x.org"], 4),
        (f"{{{STRING}: {{format: uuid}}}}", ["123e4567-e89b-12d3-a456-426614174000", "123e4567"], 1),
        (f"{{{STRING}: {{format: uri}}}}", ["https://x.org/a?b=c", "mailto:a@b.c", "x.org", "http://a b"], 2),
        (f"{{{STRING}: {{format: hostname}}}}", ["x.org", "-x.org", "a_b"], 2),
        (f"{{{STRING}: {{format: ipv4}}}}", ["1.2.3.4", "1.2.3.256", "1.2.3"], 2),
        (f"{{{STRING}: {{format: byte}}}}", ["YWI=", "YWJj", "YW"], 1),
        (f"{{{DATE}: {{minimum: '2020-01-01'}}}}", [dt.date(2019, 12, 31), dt.date(2020, 1, 1)], 1),
        (
            f"{{{DATE}: {{maximum: '31.12.2020', format: dd.MM.yyyy}}}}",
            [dt.date(2020, 12, 31), dt.date(2021, 1, 1)],
            1,
        ),
        (
            f"{{{TIMESTAMP}: {{timezone: true, exclusiveMaximum: '2020-01-01T01:00:00+01:00'}}}}",
            [dt.datetime(2019, 12, 31, 23, 59, tzinfo=dt.UTC), dt.datetime(2020, 1, 1, tzinfo=dt.UTC)],
            1,
        ),
        ("{name: a, logicalType: time, logicalTypeOptions: {maximum: '18:00'}}", [dt.time(18), dt.time(18, 0, 1)], 1),
        ("{name: a, logicalType: array, logicalTypeOptions: {minItems: 1}}", [[1], [], None], 1),
        ("{name: a, logicalType: array, logicalTypeOptions: {maxItems: 1}}", [[1], [1, 2], None], 1),
        ("{name: a, logicalType: array, logicalTypeOptions: {uniqueItems: true}}", [[1, 2], [1, 1], []], 1),
        ("{name: a, logicalType: array, items: {logicalType: integer, required: true}}", [[1, 2], [1, None], []], 1),
        ("{name: a, logicalType: array, items: {logicalType: integer, logicalTypeOptions: {minimum: 2}}}", [[1, 1], [2], []], 1),
        ("{name: a, logicalType: vector, logicalTypeOptions: {dimensions: 2}}", [[1.0, 2.0], [1.0], [1.0, None], None], 2),
    ],
)  # fmt: skip
def test_the_rows_that_break_a_promise_are_counted(column: str, values: list[Any], expected: int) -> None:
    assert faults(column, values) == expected


def test_ipv6_is_judged_as_the_standard_library_judges_it() -> None:
    import ipaddress

    valid = (
        ":: ::1 1:: 1:2:3:4:5:6:7:8 1:2:3:4:5:6:7:: ::2:3:4:5:6:7:8 fe80::1:2 ::ffff:1.2.3.4 1::8:1.2.3.4 "
        "1::3:4:5:6:7:8 1:2::4:5:6:7:8 1:2:3::5:6:7:8 1:2:3:4::6:7:8 1:2:3:4:5::7:8 1:2:3:4:5:6::8 1:2:3:4:5:6:1.2.3.4"
    )
    invalid = "1:2:3:4:5:6:7 1:2:3:4:5:6:7:8:9 1::2::3 ::: 12345:: g:: 1:2:3:4:5:6:7:8:: 1.2.3.4 1:2:3:4:5:6:7:1.2.3.4"
    samples = [*valid.split(), *invalid.split(), ""]

    def is_ipv6(text: str) -> bool:
        try:
            ipaddress.IPv6Address(text)
        except ValueError:
            return False
        return True

    for text in samples:
        assert (faults(f"{{{STRING}: {{format: ipv6}}}}", [text]) == 0) == is_ipv6(text), text


def test_nested_promises_hold_only_where_the_object_is() -> None:
    port = port_of(
        "  - name: o\n    logicalType: object\n    logicalTypeOptions: {required: [b], minProperties: 2}\n    properties:\n"
        "    - {name: zip, logicalType: string, required: true, logicalTypeOptions: {maxLength: 2}}\n"
        "    - {name: b, logicalType: integer}\n"
    )
    frame = pl.DataFrame({"o": [{"zip": "12", "b": 1}, None, {"zip": None, "b": 1}, {"zip": "123", "b": None}]})
    outcome = report(port, frame)
    assert {item.check: item.failing_rows for item in outcome.violations} == {
        "o.minProperties": 2,
        "o.b.requiredProperty": 1,
        "o.zip.required": 1,
        "o.zip.maxLength": 1,
    }


def test_maps_are_judged_by_key_and_value() -> None:
    port = port_of(
        "  - name: m\n    logicalType: map\n    map:\n      key: {logicalType: string, enum: [{value: x}]}\n"
        "      value: {logicalType: integer, required: true}\n"
    )
    outcome = report(port, pl.DataFrame({"m": [[{"key": "x", "value": 1}], [{"key": "y", "value": None}]]}))
    assert [item.check for item in outcome.violations] == ["m[].key.enum", "m[].value.required"]


METRICS = [
    ("{metric: nullValues, mustBe: 2}", True, 2),
    ("{metric: nullValues, mustBeLessThan: 25, unit: percent}", False, 2),
    ("{metric: nullValues, mustBeLessOrEqualTo: 25, unit: percent}", True, 2),
    ("{metric: missingValues, mustBe: 2}", True, 2),
    ("{metric: missingValues, arguments: {missingValues: ['', 'N/A']}, mustBe: 1}", True, 1),
    ("{metric: missingValues, arguments: {missingValues: [null, '', 'N/A']}, mustBe: 3}", True, 3),
    ("{metric: invalidValues, arguments: {validValues: [a]}, mustBe: 3}", True, 3),
    ("{metric: invalidValues, arguments: {pattern: '^[ab]$'}, mustBe: 2}", True, 2),
    ("{metric: invalidValues, arguments: {validValues: [a, c], pattern: '^[ab]$'}, mustBe: 3}", True, 3),
    ("{metric: duplicateValues, mustBe: 2}", True, 2),
    ("{metric: duplicateValues, mustBeBetween: [2, 5]}", True, 2),
    ("{metric: duplicateValues, mustBeBetween: [3, 5]}", False, 2),
    ("{metric: duplicateValues, mustNotBeBetween: [2, 5]}", False, 2),
    ("{metric: duplicateValues, mustNotBeBetween: [3, 5]}", True, 2),
    ("{metric: duplicateValues, mustBe: 25, unit: percent}", True, 2),
    ("{metric: duplicateValues, mustNotBe: 2}", False, 2),
    ("{metric: duplicateValues, mustBeGreaterThan: 1}", True, 2),
    ("{metric: duplicateValues, mustBeGreaterOrEqualTo: 3}", False, 2),
]


@pytest.mark.parametrize(("rule", "holds", "rows"), METRICS)
def test_library_metrics_are_counted_and_compared(rule: str, holds: bool, rows: int) -> None:
    port = port_of(f"  - {{name: a, logicalType: string, quality: [{rule}]}}\n")
    item = result(report(port, pl.DataFrame({"a": ["a", "a", "a", None, None, "b", "c", ""]})), "a.quality[0]")
    assert (item.outcome is Outcome.PASSED, item.failing_rows) == (holds, rows)


@pytest.mark.parametrize(
    ("rule", "holds"), [("mustBe: 3", True), ("mustBeGreaterThan: 3", False), ("mustBeBetween: [3, 4]", True)]
)
def test_the_row_count_is_compared(rule: str, holds: bool) -> None:
    port = port_of("  - {name: a, logicalType: integer}\n", f"[{{metric: rowCount, {rule}}}]")
    assert report(port, pl.DataFrame({"a": [1, 2]}), pl.DataFrame({"a": [3]})).is_ok == holds


def test_duplicates_over_several_columns_ignore_rows_with_a_null() -> None:
    port = port_of(
        "  - {name: a, logicalType: integer}\n  - {name: b, logicalType: string}\n",
        "[{metric: duplicateValues, mustBe: 0, arguments: {properties: [a, b]}}]",
    )
    outcome = report(port, pl.DataFrame({"a": [1, 1, 1, 1, 2], "b": ["x", "x", None, None, "x"]}))
    (item,) = outcome.violations
    assert (item.failing_rows, item.samples[0].row, item.samples[0].value) == (1, 0, "(1, 'x') × 2")


def test_a_percentage_of_no_rows_is_zero() -> None:
    port = port_of("  - {name: a, logicalType: string, quality: [{metric: nullValues, mustBe: 0, unit: percent}]}\n")
    assert report(port, pl.DataFrame({"a": pl.Series([], dtype=pl.String)})).is_ok


@pytest.mark.parametrize(
    ("severity", "blocks"), [("info", False), ("Warning", False), ("low", False), ("error", True), ("high", True)]
)
def test_only_a_mild_severity_does_not_block(severity: str, blocks: bool) -> None:
    port = port_of(f"  - {{name: a, logicalType: string, quality: [{{metric: nullValues, mustBe: 0, severity: {severity}}}]}}\n")
    outcome = report(port, pl.DataFrame({"a": [None]}, schema={"a": pl.String}))
    assert (len(outcome.violations), len(outcome.warnings), outcome.is_ok) == ((1, 0, False) if blocks else (0, 1, True))


@pytest.mark.parametrize(
    "rule",
    [
        "{type: sql, query: 'select 1', mustBe: 1}",
        "{type: custom, engine: soda, implementation: x}",
        "{type: text, description: y}",
        "{description: neither type nor metric}",
        "{metric: invalidValues, mustBe: 0}",
        "{metric: nullValues, mustBe: none}",
        "{metric: nullValues, mustBe: 0, unit: furlongs}",
    ],
)
def test_what_is_not_evaluated_is_recorded_and_never_passed(rule: str) -> None:
    port = port_of(f"  - {{name: a, logicalType: string, quality: [{rule}]}}\n")
    item = result(report(port, pl.DataFrame({"a": ["x"]})), "a.quality[0]")
    is_text = "text" in rule or "neither" in rule
    assert item.outcome is (Outcome.RECORDED if is_text else Outcome.NOT_RUN)
    assert ("not enforced" if is_text else "not run") in item.message
    assert report(port, pl.DataFrame({"a": ["x"]})).is_ok


@pytest.mark.parametrize(("severity", "blocks"), [("error", True), ("critical", True), ("warning", False), ("''", False)])
def test_a_rule_that_cannot_be_run_blocks_only_where_its_severity_says_so(severity: str, blocks: bool) -> None:
    rule = f"{{metric: invalidValues, mustBe: 0, severity: {severity}}}"
    port = port_of(f"  - {{name: a, logicalType: string, quality: [{rule}]}}\n")
    assert report(port, pl.DataFrame({"a": ["x"]})).is_ok == (not blocks)


def test_rules_and_uniqueness_of_nested_properties_are_judged() -> None:
    port = port_of(
        "  - name: o\n    logicalType: object\n    properties:\n"
        "    - {name: k, logicalType: integer, unique: true}\n"
        "    - {name: s, logicalType: string, quality: [{metric: invalidValues, arguments: {validValues: [a]}, mustBe: 0}]}\n"
        "    - {name: d, logicalType: string, quality: [{metric: duplicateValues, mustBe: 1}]}\n"
    )
    rows = [{"k": 1, "s": "a", "d": "x"}, {"k": 1, "s": "b", "d": "x"}, None, {"k": None, "s": None, "d": None}]
    outcome = report(port, pl.DataFrame({"o": rows}))
    found = {it.check: (it.outcome.value, it.failing_rows) for it in outcome.results if it.check.startswith("o.")}
    assert found == {
        "o.type": ("passed", 0), "o.k.unique": ("failed", 1), "o.s.quality[0]": ("failed", 1), "o.d.quality[0]": ("passed", 1),
    }  # fmt: skip


def test_a_vector_that_says_it_is_normalized_has_length_one() -> None:
    assert faults("{name: v, logicalType: vector, logicalTypeOptions: {dimensions: 2, normalized: false}}", [[3.0, 4.0]]) == 0
    port = port_of("  - {name: v, logicalType: vector, logicalTypeOptions: {dimensions: 2, normalized: true}}\n")
    outcome = report(port, pl.DataFrame({"v": [[0.6, 0.8], [3.0, 4.0], None]}))
    assert result(outcome, "v.normalized").failing_rows == 1


def test_a_format_or_bound_that_cannot_be_read_is_recorded() -> None:
    port = port_of(
        f"  - {{{STRING}: {{format: iban}}}}\n"
        "  - {name: d, logicalType: date, logicalTypeOptions: {minimum: soon}}\n"
        "  - {name: p, logicalType: string, logicalTypeOptions: {pattern: '('}}\n"
    )
    outcome = report(port, pl.DataFrame({"a": ["x"], "d": [dt.date(2020, 1, 1)], "p": ["x"]}))
    assert [item.check for item in outcome.recorded] == ["a.format", "d.minimum", "p.pattern"]


def test_everything_wrong_with_a_frame_is_in_one_report() -> None:
    port = port_of(
        "  - {name: id, logicalType: integer, primaryKey: true}\n"
        "  - {name: amount, logicalType: number, physicalType: 'decimal(10,2)', logicalTypeOptions: {minimum: 0}}\n"
        "  - {name: note, logicalType: string, required: true}\n  - {name: day, logicalType: date}\n"
    )
    frame = pl.DataFrame({"id": [1, 1, None], "amount": [1.239, -1.0, 2.0], "day": ["2020", None, None], "extra": [1, 2, 3]})
    outcome = report(port, frame)
    assert [(item.check, item.failing_rows) for item in outcome.violations] == [
        ("schema", 0),
        ("primaryKey", 2),
        ("amount.type", 1),
        ("amount.minimum", 1),
        ("day.type", 3),
    ]
    assert [item.check for item in outcome.recorded] == ["note.type", "note.required"]
    text = outcome.to_text()
    for words in ("not publishable", "note", "extra", "row 1, key 1: -1.00", "row 0, key 1: 1.239", "row 2: null"):
        assert words in text, text


def test_samples_carry_the_row_of_the_whole_stream_and_are_at_most_ten() -> None:
    port = port_of(f"  - {{{INTEGER}: {{minimum: 0}}}}\n")
    outcome = report(port, pl.DataFrame({"a": [1, -1]}), pl.DataFrame({"a": [-2] * 20}))
    (item,) = outcome.violations
    assert item.failing_rows == 21
    assert [(sample.row, sample.value) for sample in item.samples] == [(1, "-1"), *((row, "-2") for row in range(2, 11))]


@pytest.mark.parametrize("mark", ["tags: [pii.email]", "tags: [PII]", "classification: pii"])
def test_samples_of_personal_columns_are_masked(mark: str) -> None:
    port = port_of(f"  - {{name: a, logicalType: string, unique: true, logicalTypeOptions: {{maxLength: 3}}, {mark}}}\n")
    outcome = report(port, pl.DataFrame({"a": ["secret", "secret"]}))
    assert [sample.value for item in outcome.violations for sample in item.samples] == [f"{MASKED} × 2", MASKED, MASKED]
    assert "secret" not in outcome.to_text()


def test_a_port_tagged_personal_or_a_personal_part_masks_too() -> None:
    part = Column("p", "string", tags=("pii",), options={"maxLength": 1})
    whole = Column("a", "string", options={"maxLength": 1})
    nested = Port("t", columns=(Column("o", "object", columns=(part,)),))
    assert result(report(nested, pl.DataFrame({"o": [{"p": "secret"}]})), "o.p.maxLength").samples[0].value == MASKED
    tagged = Port("t", columns=(whole,), tags=("pii",))
    assert result(report(tagged, pl.DataFrame({"a": ["secret"]})), "a.maxLength").samples[0].value == MASKED


def test_a_stream_of_which_no_batch_came_is_not_ok() -> None:
    assert not Checker(port_of("  - {name: a, logicalType: string}\n")).finish().is_ok


def test_a_batch_with_another_schema_than_the_first_is_refused() -> None:
    checker = Checker(port_of("  - {name: a, logicalType: integer}\n"))
    checker.observe(pl.DataFrame({"a": [1]}))
    with pytest.raises(ValueError, match="schema"):
        checker.observe(pl.DataFrame({"a": ["x"]}))


def test_what_observe_returns_is_the_batch_in_storage_types_and_contract_order() -> None:
    checker = Checker(port_of("  - {name: a, logicalType: integer, physicalType: int}\n  - {name: b, logicalType: string}\n"))
    stored = checker.observe(pl.DataFrame({"b": pl.Series(["x"], dtype=pl.Categorical), "a": [1]}))
    assert stored.schema == {"a": pl.Int32, "b": pl.String}
    assert checker.finish().is_ok


def test_a_port_without_properties_accepts_any_columns_and_still_judges_its_rules() -> None:
    rule = "[{metric: rowCount, mustBe: 1}, {metric: duplicateValues, mustBe: 0, arguments: {properties: [x]}}]"
    outcome = report(load_contract(f"{HEAD}- name: t\n  quality: {rule}\n").port("t"), pl.DataFrame({"x": [1]}))
    assert [item.outcome for item in outcome.results] == [Outcome.PASSED] * 3


def test_the_same_checks_on_a_lazy_frame_give_the_same_report() -> None:
    port = port_of(f"  - {{{INTEGER}: {{minimum: 5}}}}\n")
    frame = pl.DataFrame({"a": range(1000)})
    assert check_frame(frame.lazy(), port) == report(port, frame)


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.tuples(st.one_of(st.none(), st.integers(-5, 5)), st.one_of(st.none(), st.sampled_from(["a", "bb", "ccc"])))),
    st.lists(st.integers(1, 7), min_size=1),
)
def test_the_report_does_not_depend_on_how_the_rows_are_cut_into_batches(rows: list[tuple[Any, ...]], sizes: list[int]) -> None:
    port = port_of(
        "  - {name: a, logicalType: integer, primaryKey: true, logicalTypeOptions: {format: u8, maximum: 4, multipleOf: 2}}\n"
        "  - {name: b, logicalType: string, required: true, unique: true, logicalTypeOptions: {maxLength: 2}}\n"
    )
    frame = pl.DataFrame(rows, schema={"a": pl.Int64, "b": pl.String}, orient="row")
    pieces, start = [frame.clear()], 0
    for index in range(len(rows)):
        size = sizes[index % len(sizes)]
        pieces.append(frame[start : start + size])
        start += size
    assert report(port, *pieces) == report(port, frame)


def test_every_contract_of_the_standard_compiles_to_uniquely_named_checks() -> None:
    for path in sorted(shared_data("contracts", "valid").glob("*.yaml")):
        for port in load_contract(path.read_bytes()).ports:
            names = [check.name for check in compile_checks(port)]
            assert len(names) == len(set(names)), path.name
