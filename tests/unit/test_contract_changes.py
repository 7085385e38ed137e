"""Changes between contracts: what each kind of change breaks, by the table of ADR 0021, and how far the version must go up."""

from __future__ import annotations

import json
from typing import Any

import pytest

from governance_server.publishing.contract_step import stored_type
from governance_server.rules.compatibility import ContractStep, check_step
from governance_server.rules.contract_changes import ChangeKind, CompatibilityMode, ContractChange
from governance_server.rules.contract_diff import diff, mode_of
from governance_server.rules.contract_versions import parse_version
from governance_server.rules.errors import IncompatibleContract
from mesh_core.contract import Contract, load_contract

NONE, BACK, FORTH, BOTH = "none", "backward", "forward", "both"


def contract(*columns: dict[str, Any], version: str = "1.0.0", **root: Any) -> Contract:
    """A contract of one port `orders` with these properties; `port` gives further fields of the port."""
    port = {
        "name": "orders",
        "logicalType": "object",
        "physicalType": "table",
        "properties": list(columns),
        **root.pop("port", {}),
    }
    head = {"kind": "DataContract", "apiVersion": "v3.2.0", "id": "x", "version": version, "status": "active", "schema": [port]}
    return load_contract(json.dumps({**head, **root}))


def column(name: str = "amount", logical: str = "integer", /, **fields: Any) -> dict[str, Any]:
    return {"name": name, "logicalType": logical, **fields}


def options(logical: str, **found: Any) -> dict[str, Any]:
    return column("amount", logical, logicalTypeOptions=found)


def decimal(precision: int, scale: int) -> dict[str, Any]:
    return column("amount", "number", physicalType=f"decimal({precision},{scale})")


def rule(**fields: Any) -> dict[str, Any]:
    return column("amount", "integer", quality=[{"metric": "nullValues", **fields}])


def count(**fields: Any) -> dict[str, Any]:
    return {"quality": [{"metric": "rowCount", **fields}]}


def vector(**found: Any) -> dict[str, Any]:
    return column("amount", "vector", logicalTypeOptions={"dimensions": 3, **found})


def nested(*fields: dict[str, Any]) -> dict[str, Any]:
    return column("address", "object", properties=list(fields))


def step(old: Contract, new: Contract) -> ContractStep:
    return ContractStep("sales.orders", old.version, new.version, mode_of(old), diff(old, new, stored_type))


def directions(changes: tuple[ContractChange, ...]) -> str:
    backward = any(change.breaks_backward for change in changes)
    forward = any(change.breaks_forward for change in changes)
    return BOTH if backward and forward else BACK if backward else FORTH if forward else NONE


KEPT = column("kept", "string")
INTEGER, INT = column(), column(physicalType="int")

CASES = [
    ("a column goes", [KEPT, INTEGER], [KEPT], ChangeKind.COLUMN_REMOVED, BACK),
    ("an optional column comes", [KEPT], [KEPT, INTEGER], ChangeKind.COLUMN_ADDED, NONE),
    ("a required column comes", [KEPT], [KEPT, column(required=True)], ChangeKind.COLUMN_ADDED, FORTH),
    ("a column without null values comes", [KEPT], [KEPT, rule(mustBe=0)], ChangeKind.COLUMN_ADDED, FORTH),
    ("a column is renamed", [column("a", id="i")], [column("b", id="i")], ChangeKind.COLUMN_RENAMED, BOTH),
    ("a type is widened", [INT], [INTEGER], ChangeKind.TYPE, BACK),
    ("a type is narrowed", [INTEGER], [INT], ChangeKind.TYPE, FORTH),
    ("a float is widened", [options("number", format="f32")], [column("amount", "number")], ChangeKind.TYPE, BACK),
    ("a decimal gets more digits", [decimal(10, 2)], [decimal(12, 2)], ChangeKind.TYPE, BACK),
    ("a decimal gets a larger scale and keeps its digits", [decimal(10, 2)], [decimal(12, 4)], ChangeKind.TYPE, BACK),
    ("a decimal's scale takes from its digits", [decimal(10, 2)], [decimal(10, 4)], ChangeKind.TYPE, BOTH),
    ("an integer becomes a decimal that holds it", [INT], [decimal(12, 2)], ChangeKind.TYPE, BACK),
    ("an integer becomes a decimal that does not", [INTEGER], [decimal(12, 2)], ChangeKind.TYPE, BOTH),
    ("a number becomes text", [INTEGER], [column("amount", "string")], ChangeKind.TYPE, BOTH),
    ("a date becomes a timestamp", [column("amount", "date")], [column("amount", "timestamp")], ChangeKind.TYPE, BACK),
    ("a timestamp gets a zone", [column("amount", "timestamp")], [options("timestamp", timezone=True)], ChangeKind.TYPE, BOTH),
    ("null is allowed", [column(required=True)], [INTEGER], ChangeKind.REQUIRED, BACK),
    ("null is forbidden", [INTEGER], [column(required=True)], ChangeKind.REQUIRED, FORTH),
    ("what was unique need not be", [column(unique=True)], [INTEGER], ChangeKind.UNIQUE, BACK),
    ("a column becomes unique", [INTEGER], [column(unique=True)], ChangeKind.UNIQUE, FORTH),
    ("a value may occur that was not listed", [column(enum=[{"value": 1}])], [column(enum=[{"value": 1}, {"value": 2}])],
     ChangeKind.VALUES, BACK),
    ("a listed value goes", [column(enum=[{"value": 1}, {"value": 2}])], [column(enum=[{"value": 1}])], ChangeKind.VALUES, FORTH),
    ("another list of values", [column(enum=[{"value": 1}])], [column(enum=[{"value": 2}])], ChangeKind.VALUES, BOTH),
    ("any value instead of a list", [column(enum=[{"value": 1}])], [INTEGER], ChangeKind.VALUES, BACK),
    ("a lower minimum", [options("integer", minimum=1)], [options("integer", minimum=0)], ChangeKind.VALUES, BACK),
    ("a higher minimum", [options("integer", minimum=0)], [options("integer", minimum=1)], ChangeKind.VALUES, FORTH),
    ("the bound itself is let in", [options("number", exclusiveMinimum=0)], [options("number", minimum=0)],
     ChangeKind.VALUES, BACK),
    ("a range moves", [options("integer", minimum=0, maximum=5)], [options("integer", minimum=3, maximum=9)],
     ChangeKind.VALUES, BOTH),
    ("an unsigned format becomes signed", [options("integer", format="u8")], [options("integer", format="i16")],
     ChangeKind.VALUES, BACK),
    ("a later last day", [options("date", maximum="2026-01-01")], [options("date", maximum="2027-01-01")],
     ChangeKind.VALUES, BACK),
    ("a bound that cannot be compared", [options("date", maximum="01.01.2026", format="dd.MM.yyyy")],
     [options("date", maximum="01.01.2027", format="dd.MM.yyyy")], ChangeKind.VALUES, BOTH),
    ("a longer text", [options("string", maxLength=3)], [options("string", maxLength=4)], ChangeKind.VALUES, BACK),
    ("a shorter text", [column("amount", "string")], [options("string", maxLength=4)], ChangeKind.VALUES, FORTH),
    ("another pattern", [options("string", pattern="^a")], [options("string", pattern="^b")], ChangeKind.VALUES, BOTH),
    ("a pattern goes", [options("string", pattern="^a")], [column("amount", "string")], ChangeKind.VALUES, BACK),
    ("a format comes", [column("amount", "string")], [options("string", format="email")], ChangeKind.VALUES, FORTH),
    ("finer steps", [options("integer", multipleOf=10)], [options("integer", multipleOf=5)], ChangeKind.VALUES, BACK),
    ("coarser steps", [options("integer", multipleOf=5)], [options("integer", multipleOf=10)], ChangeKind.VALUES, FORTH),
    ("another time zone is meant", [options("timestamp", defaultTimezone="Etc/UTC")],
     [options("timestamp", defaultTimezone="Europe/Berlin")], ChangeKind.VALUES, BOTH),
    ("a field goes", [nested(KEPT, INTEGER)], [nested(KEPT)], ChangeKind.COLUMN_REMOVED, BACK),
    ("a required field comes", [nested(KEPT)], [nested(KEPT, column(required=True))], ChangeKind.COLUMN_ADDED, FORTH),
    ("a field is widened", [nested(INT)], [nested(INTEGER)], ChangeKind.TYPE, BACK),
    ("items are widened", [column("a", "array", items=INT)], [column("a", "array", items=INTEGER)], ChangeKind.TYPE, BACK),
    ("items may be null", [column("a", "array", items=column(required=True))], [column("a", "array", items=INTEGER)],
     ChangeKind.REQUIRED, BACK),
    ("more items", [column("a", "array", items=INT, logicalTypeOptions={"maxItems": 1})],
     [column("a", "array", items=INT, logicalTypeOptions={"maxItems": 2})], ChangeKind.VALUES, BACK),
    ("a map's values are widened", [column("a", "map", map={"key": KEPT, "value": INT})],
     [column("a", "map", map={"key": KEPT, "value": INTEGER})], ChangeKind.TYPE, BACK),
    ("more dimensions", [vector()], [vector(dimensions=4)], ChangeKind.VECTOR, BOTH),
    ("another embedding model", [vector(embeddingModel="a")], [vector(embeddingModel="b")], ChangeKind.VECTOR, BOTH),
    ("another distance", [vector(distanceMetric="cosine")], [vector(distanceMetric="euclidean")], ChangeKind.VECTOR, BOTH),
    ("a rule lets more through", [rule(mustBeLessThan=5)], [rule(mustBeLessOrEqualTo=5)], ChangeKind.QUALITY_CHANGED, BACK),
    ("a rule lets less through", [rule(mustBeBetween=[0, 9])], [rule(mustBeBetween=[1, 8])], ChangeKind.QUALITY_CHANGED, FORTH),
    ("a rule counts in percent", [rule(mustBe=0)], [rule(mustBeLessThan=5, unit="percent")], None, BOTH),
    ("a rule goes", [rule(mustBe=0)], [INTEGER], ChangeKind.QUALITY_REMOVED, BACK),
    ("a rule comes", [INTEGER], [rule(mustBe=0)], ChangeKind.QUALITY_ADDED, FORTH),
    ("a rule only warns", [rule(mustBe=0)], [rule(mustBe=0, severity="warning")], ChangeKind.QUALITY_CHANGED, BACK),
    ("a warning blocks", [rule(mustBe=0, severity="info")], [rule(mustBe=0)], ChangeKind.QUALITY_CHANGED, FORTH),
    ("a warning goes", [rule(mustBe=0, severity="info")], [INTEGER], ChangeKind.QUALITY_REMOVED, NONE),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "kind", "breaks"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_a_change_breaks_what_the_table_says(
    old: list[dict[str, Any]], new: list[dict[str, Any]], kind: ChangeKind | None, breaks: str
) -> None:
    changes = diff(contract(*old), contract(*new), stored_type)
    assert directions(changes) == breaks, [str(change) for change in changes]
    assert kind is None or [change.kind for change in changes] == [kind]


KEY = [column("a", primaryKey=True, primaryKeyPosition=1), column("b", primaryKey=True, primaryKeyPosition=2)]
KEYS = [
    ("a wider key", [column("a", primaryKey=True), column("b", required=True)], KEY, BACK),
    ("a narrower key", KEY, [column("a", primaryKey=True), column("b", required=True)], FORTH),
    ("another order", KEY, [KEY[0] | {"primaryKeyPosition": 2}, KEY[1] | {"primaryKeyPosition": 1}], BOTH),
    ("no key, but still unique and required", [column("a", primaryKey=True)], [column("a", unique=True, required=True)], NONE),
    ("a key of what was unique", [column("a", unique=True, required=True)], [column("a", primaryKey=True)], NONE),
    ("a key of renamed columns", [column("a", primaryKey=True, id="i")], [column("b", primaryKey=True, id="i")], BOTH),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "breaks"), [case[1:] for case in KEYS], ids=[case[0] for case in KEYS])
def test_a_changed_key_breaks_who_relied_on_it(old: list[dict[str, Any]], new: list[dict[str, Any]], breaks: str) -> None:
    assert directions(diff(contract(*old), contract(*new), stored_type)) == breaks


SAME = [
    (options("integer", exclusiveMinimum=0), options("integer", minimum=1)),
    (rule(mustBeGreaterThan=0), rule(mustNotBe=0)),
    (options("string", minLength=0), column("amount", "string")),
    (options("string", format="password"), column("amount", "string")),
    (options("integer", format="i64"), INTEGER),
    (column("amount", "string", physicalType="varchar(20)"), column("amount", "string", physicalType="text")),
]


@pytest.mark.parametrize(("old", "new"), SAME)
def test_the_same_promise_in_other_words_breaks_nobody(old: dict[str, Any], new: dict[str, Any]) -> None:
    assert directions(diff(contract(old), contract(new), stored_type)) == NONE


def test_partitions_and_service_levels_break_nobody_and_are_told() -> None:
    old = contract(INTEGER, KEPT, slaProperties=[{"property": "latency", "value": 4, "unit": "d"}])
    new = contract(column(partitioned=True, partitionKeyPosition=1), KEPT)
    found = step(old, new)
    assert [change.kind for change in found.changes] == [ChangeKind.PARTITIONING, ChangeKind.SERVICE_LEVEL]
    assert (directions(found.changes), found.needed.name) == (NONE, "MINOR")


def test_a_rule_keeps_its_identity_by_its_id_or_name() -> None:
    old = contract(INTEGER, port=count(name="enough", mustBeGreaterThan=5))
    new = contract(INTEGER, port=count(name="enough", mustBeGreaterThan=9))
    (change,) = diff(old, new, stored_type)
    assert (change.kind, change.breaks_backward, change.breaks_forward) == (ChangeKind.QUALITY_CHANGED, False, True)


def test_a_port_that_goes_or_becomes_another_kind_breaks_its_readers() -> None:
    port = {"name": "pages", "properties": [KEPT, column("e", "vector", logicalTypeOptions={"dimensions": 3})]}
    two = contract(INTEGER)
    document = dict(two.document)
    with_pages = load_contract(json.dumps({**document, "schema": [*document["schema"], port]}))
    other = load_contract(json.dumps({**document, "schema": [*document["schema"], {**port, "physicalType": "collection"}]}))
    assert [(c.kind, directions((c,))) for c in diff(with_pages, two, stored_type)] == [(ChangeKind.PORT_REMOVED, BACK)]
    assert [(c.kind, directions((c,))) for c in diff(two, with_pages, stored_type)] == [(ChangeKind.PORT_ADDED, NONE)]
    assert [(c.kind, directions((c,))) for c in diff(with_pages, other, stored_type)] == [(ChangeKind.PORT_KIND, BOTH)]


def mode(word: str) -> dict[str, Any]:
    return {"customProperties": [{"property": "compatibility", "value": word}]}


MODES = [
    ("BACKWARD", [INTEGER, KEPT], [INTEGER], True), ("BACKWARD", [KEPT], [KEPT, column(required=True)], False),
    ("FORWARD", [INTEGER, KEPT], [INTEGER], False), ("FORWARD", [KEPT], [KEPT, column(required=True)], True),
    ("FULL", [INTEGER, KEPT], [INTEGER], True), ("FULL", [KEPT], [KEPT, column(required=True)], True),
    ("full", [KEPT], [KEPT, INTEGER], False), ("NONE", [INTEGER, KEPT], [column("x", "string")], False),
]  # fmt: skip


@pytest.mark.parametrize(("word", "old", "new", "is_major"), MODES)
def test_a_mode_gates_its_own_direction(word: str, old: list[Any], new: list[Any], is_major: bool) -> None:
    found = step(contract(*old, **mode(word)), contract(*new, version="1.9.0", **mode(word)))
    assert (found.needed.name == "MAJOR") is is_major
    if is_major:
        with pytest.raises(IncompatibleContract, match=r"to 2\.0\.0"):
            check_step(found)
    else:
        check_step(found)


def test_the_promise_in_force_is_the_one_that_was_made() -> None:
    old, new = contract(INTEGER, KEPT), contract(INTEGER, version="1.1.0", **mode("NONE"))
    with pytest.raises(IncompatibleContract) as caught:
        check_step(step(old, new))
    told = [str(problem) for problem in caught.value.problems]
    assert any("from BACKWARD to NONE" in text for text in told)
    assert any("orders.kept" in text for text in told)
    check_step(step(old, contract(INTEGER, KEPT, version="1.1.0", **mode("FULL"))))  # promising more breaks nobody


STEPS = [
    ("1.0.0", "1.0.0", [INTEGER], [INTEGER], ""),
    ("1.0.0", "1.0.0", [INTEGER], [column(description="new words")], "1.0.1"),
    ("1.0.0", "1.0.1", [INTEGER], [column(description="new words")], ""),
    ("1.0.0", "1.0.1", [INTEGER], [INTEGER, KEPT], "1.1.0"),
    ("1.0.0", "1.1.0", [INTEGER], [INTEGER, KEPT], ""),
    ("1.2.3", "1.3.0", [INTEGER, KEPT], [INTEGER], "2.0.0"),
    ("0.4.0", "0.5.0", [INTEGER, KEPT], [INTEGER], "1.0.0"),
    ("1.2.3", "2.0.0", [INTEGER, KEPT], [INTEGER], ""),
    ("2.0.0", "1.9.9", [INTEGER], [INTEGER], "goes back"),
    ("2.0.0", "2.0.0-rc.1", [INTEGER], [INTEGER], "goes back"),
    ("2.0.0-rc.1", "2.0.0", [INTEGER], [column(description="new words")], ""),
    ("1.0.0", "1.0.0+build", [INTEGER], [column(description="new words")], "1.0.1"),
]  # fmt: skip


@pytest.mark.parametrize(("served", "wanted", "old", "new", "refused"), STEPS)
def test_a_version_goes_up_as_far_as_the_change_asks(
    served: str, wanted: str, old: list[Any], new: list[Any], refused: str
) -> None:
    found = step(contract(*old, version=served), contract(*new, version=wanted))
    if not refused:
        check_step(found)
        return
    with pytest.raises(IncompatibleContract) as caught:
        check_step(found)
    assert refused in caught.value.message + "".join(map(str, caught.value.problems))


def test_semantic_versions_are_told_from_others_and_ordered_as_the_standard_says() -> None:
    """The order is the one of SemVer 2.0.0 §11, the refused texts are of its published test list."""
    texts = [
        "1.0.0-alpha",
        "1.0.0-alpha.1",
        "1.0.0-alpha.beta",
        "1.0.0-beta",
        "1.0.0-beta.2",
        "1.0.0-beta.11",
        "1.0.0-rc.1",
        "1.0.0",
    ]
    parsed = [parse_version(text) for text in texts]
    assert None not in parsed
    assert parsed == sorted(parsed, key=lambda it: it or (0,))
    bad = [  # the last one has a full-width digit
        "1", "1.2", "1.2.3-0123", "1.2.3-0123.0123", "1.1.2+.123", "+invalid", "-invalid", "alpha", "01.1.1", "1.01.1",
        "1.1.01", "1.2.3.DEV", "1.2-SNAPSHOT", "1.2.31.2.3----RC-SNAPSHOT.12.09.1--..12+788", "v1.0.0", "1.0.0\n",
        "\uff11.0.0",
    ]  # fmt: skip
    assert [text for text in bad if parse_version(text) is not None] == []


def test_an_acceptance_is_bound_to_exactly_these_changes() -> None:
    old, wide = contract(INT), contract(INTEGER, version="2.0.0")
    narrow = contract(options("integer", format="i16"), version="2.0.0")
    assert step(old, wide).digest == step(old, contract(INTEGER, version="3.0.0")).digest
    assert step(old, wide).digest != step(old, narrow).digest
    assert step(old, wide).mode is CompatibilityMode.BACKWARD
