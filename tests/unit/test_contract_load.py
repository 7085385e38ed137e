"""An ODCS file is read safely, judged by the standard and given back unchanged."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from mesh_core.contract import Contract, InvalidContract, PortKind, load_contract, servable_problems
from mesh_core.contract.coverage import not_enforced
from tests.shared_data import shared_data

HEAD = "apiVersion: v3.2.0\nkind: DataContract\nid: c1\nversion: 1.0.0\nstatus: active\n"

FAULTS = {
    "additional-unknown-property": "$.unknownRootField",
    "enum-empty": "$.schema[0].properties[0].enum",
    "invalid-api-version": "$.apiVersion",
    "invalid-quality-dimension": "$.schema[0].properties[0].quality[0].dimension",
    "invalid-quality-type": "$.schema[0].properties[0].quality[0].type",
    "map-missing-key": "$.schema[0].properties[0].map",
    "missing-required-fields": "$",
    "quality-element-field": "$.schema[0].properties[0].quality[0].element",
    "quality-multiple-operators": "$.schema[0].properties[0].quality[0]",
    "quality-sql-missing-query": "$.schema[0].properties[0].quality[0]",
    "relationship-schema-level-missing-from-to": "$.schema[0].relationships[0]",
    "schema-property-missing-name": "$.schema[0].properties[0]",
    "server-missing-conditional-fields": "$.servers[0]",
    "sla-missing-required-value": "$.slaProperties[0]",
}


def contract(schema: str, head: str = HEAD) -> Contract:
    return load_contract(f"{head}schema:\n{schema}")


def refused(text: str | bytes) -> InvalidContract:
    with pytest.raises(InvalidContract) as caught:
        load_contract(text)
    return caught.value


def files(kind: str) -> list[Path]:
    return sorted(shared_data("contracts", kind).glob("*.yaml"))


def test_every_valid_file_of_the_standard_is_read_and_kept_byte_for_byte() -> None:
    found = files("valid")
    assert len(found) >= 12
    for path in found:
        assert load_contract(path.read_bytes()).text.encode() == path.read_bytes(), path.name


def test_every_invalid_file_of_the_standard_is_refused_with_the_path_at_fault() -> None:
    for path in files("invalid"):
        paths = [violation.path for violation in refused(path.read_bytes()).violations]
        assert FAULTS.get(path.name.removesuffix(".odcs.yaml"), paths[0]) in paths, path.name


def test_a_file_of_data_given_as_a_contract_is_not_printed_in_the_refusal() -> None:
    rows = "id,email\n" + "".join(f"{n},person{n}@example.com\n" for n in range(9))
    (violation,) = refused(rows).violations
    assert "is not of type 'object'" in violation.message
    assert len(violation.message) < 100
    assert "person3@" not in violation.message


def test_all_violations_are_reported_at_once() -> None:
    text = HEAD.replace("id: c1\n", "") + "colour: red\nschema:\n- properties:\n  - logicalType: str\n    name: a\n"
    paths = [violation.path for violation in refused(text).violations]
    assert paths == ["$", "$.colour", "$.schema[0]", "$.schema[0].properties[0].logicalType"]


def test_a_property_without_a_logical_type_is_valid_as_the_standard_says_although_its_schema_asks_for_a_map() -> None:
    port = contract("- name: t\n  properties: [{name: a, physicalType: varchar}]\n", HEAD.replace("v3.2.0", "v3.0.2")).ports[0]
    assert (port.columns[0].logical_type, port.columns[0].physical_type) == (None, "varchar")


def test_the_full_example_gives_its_ports_keys_tags_and_rules() -> None:
    full = load_contract(shared_data("contracts", "valid", "full-example.odcs.yaml").read_bytes())
    assert (full.api_version, full.version, full.domain, full.status) == ("v3.1.0", "1.1.0", "seller", "active")
    assert [port.name for port in full.ports] == ["tbl", "receivers"]
    receivers = full.port("receivers")
    assert [column.name for column in receivers.primary_key] == ["id", "country_code"]
    assert receivers.column("id").unique
    assert full.port("tbl").column("rcvr_id").tags == ("uid", "restricted")
    (rule,) = full.port("tbl").quality
    assert (rule.metric, rule.operator, rule.threshold, rule.unit) == ("rowCount", "mustBeGreaterThan", 1000000, "rows")
    assert [member["username"] for member in full.team["members"]] == ["ceastwood", "mhopper", "daustin"]
    assert full.custom_properties["refRulesetName"] == "gcsc.ruleset.name"
    assert len(full.sla) == 8


def test_nested_objects_arrays_and_maps_keep_their_parts() -> None:
    port = contract(
        "- name: t\n  properties:\n"
        "  - {name: o, logicalType: object, properties: [{name: zip, logicalType: string, required: true}]}\n"
        "  - {name: a, logicalType: array, items: {logicalType: integer}}\n"
        "  - {name: m, logicalType: map, map: {key: {logicalType: string}, value: {logicalType: number}}}\n"
    ).port("t")
    assert port.column("o").columns[0].required
    assert port.column("a").items is not None
    assert port.column("a").items.logical_type == "integer"
    assert port.column("m").map_value is not None
    assert port.column("m").map_value.logical_type == "number"


def test_a_port_is_a_collection_only_when_its_physical_type_says_so() -> None:
    ports = contract("- {name: a, physicalType: collection}\n- {name: b, physicalType: view}\n- {name: c}\n").ports
    assert [port.kind for port in ports] == [PortKind.COLLECTION, PortKind.TABLE, PortKind.TABLE]


def test_key_columns_without_a_position_follow_those_with_one_in_order_of_writing() -> None:
    port = contract(
        "- name: t\n  properties:\n"
        "  - {name: a, primaryKey: true}\n  - {name: b, primaryKey: true, primaryKeyPosition: 1}\n"
        "  - {name: c}\n  - {name: d, primaryKey: true}\n"
    ).port("t")
    assert [(column.name, column.primary_key_position) for column in port.primary_key] == [("b", 1), ("a", 2), ("d", 3)]


@pytest.mark.parametrize(
    ("classification", "tags"),
    [("PII", ("x", "pii")), ("pii.email", ("x", "pii.email")), ("'4'", ("x",)), ("internal use only", ("x",)), ("x", ("x",))],
)
def test_a_classification_becomes_a_tag_when_it_is_a_word(classification: str, tags: tuple[str, ...]) -> None:
    port = contract(f"- name: t\n  properties:\n  - {{name: a, tags: [x], classification: {classification}}}\n").port("t")
    assert port.column("a").tags == tags


def test_a_quality_entry_without_type_is_library_with_a_metric_and_text_without() -> None:
    port = contract("- name: t\n  quality:\n  - {metric: rowCount, mustBe: 3}\n  - {description: looks nice}\n").port("t")
    assert [rule.type for rule in port.quality] == ["library", "text"]


@pytest.mark.parametrize("version", ["v3.0.0", "v3.0.1", "v3.0.2", "v3.1.0", "v3.2.0"])
def test_the_versions_from_3_0_to_3_2_are_read(version: str) -> None:
    assert load_contract(HEAD.replace("v3.2.0", version)).api_version == version


def test_a_version_before_3_is_refused_although_the_schema_lists_it() -> None:
    (violation,) = refused(HEAD.replace("v3.2.0", "v2.2.2")).violations
    assert violation.path == "$.apiVersion"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty"),
        ("a: 1\na: 2\n", "twice"),
        ("a: [1\n", "not YAML"),
        ("--- {}\n--- {}\n", "second document"),
        ("a: !!python/object:os.system {}\n", "tag"),
        ("a: &x [*x]\n", "alias"),
        ("? [1, 2]\n: 3\n", "key"),
        ("[" * 100_000, "nesting"),
        ("a: '" + "x" * (4 * 1024 * 1024) + "'\n", "bytes"),
        ("a: \ud800\n", "surrogate"),
    ],
)
def test_unreadable_yaml_is_refused_with_the_reason(text: str, words: str) -> None:
    assert words in str(refused(text))


def test_a_small_file_whose_aliases_expand_to_millions_is_refused() -> None:
    bomb = "a0: &a0 [1,1,1,1,1,1,1,1,1,1]\n" + "".join(f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 9))
    assert "aliases" in str(refused(bomb))


def test_an_honest_alias_is_read() -> None:
    port = contract("- name: t\n  tags: &tags [x, y]\n- name: u\n  tags: *tags\n")
    assert port.port("u").tags == ("x", "y")


def test_words_that_older_yaml_turns_into_booleans_or_dates_stay_text() -> None:
    port = contract("- name: NO\n  properties:\n  - {name: on, examples: [2020-01-01, 1e3, 0x10, '7', yes, 09:00]}\n").ports[0]
    assert (port.name, port.columns[0].name) == ("NO", "on")
    text = f"{HEAD}customProperties:\n- property: p\n  value: [2020-01-01, 1e3, 0x10, '7', yes, 09:00, true, ~]\n"
    assert load_contract(text).custom_properties["p"] == ["2020-01-01", 1000.0, 16, "7", "yes", "09:00", True, None]


def test_bytes_that_are_not_utf_8_are_refused() -> None:
    assert "UTF-8" in str(refused(b"id: \xff\n"))


def test_a_scalar_document_is_refused() -> None:
    assert refused("hello").violations[0].path == "$"


@given(st.text())
def test_any_text_is_read_or_refused_never_anything_else(text: str) -> None:
    with contextlib.suppress(InvalidContract):
        assert load_contract(text).text == text


def test_asking_for_an_unknown_port_or_column_names_the_known_ones() -> None:
    loaded = contract("- name: t\n  properties: [{name: a}]\n")
    with pytest.raises(KeyError, match="it has: t"):
        loaded.port("u")
    with pytest.raises(KeyError, match="it has: a"):
        loaded.port("t").column("b")


def test_odd_but_valid_files_load_and_their_problems_are_told_apart() -> None:
    odd = contract(
        "- name: my table\n  tags: [has space]\n  properties: [{name: a, logicalType: string}, {name: A, logicalType: string}]\n"
        "- {name: docs, physicalType: collection, properties: [{name: text, logicalType: string}]}\n"
        "- {name: bare, properties: [{name: x}, {name: '*', logicalType: string}]}\n"
    )
    assert [problem.path for problem in servable_problems(odd)] == [
        "$.schema[0].name",
        "$.schema[0].properties[1].name",
        "$.schema[1].properties",
        "$.schema[2].properties[0].logicalType",
        "$.schema[2].properties[1].name",
    ]


def test_a_tag_of_several_words_is_one_the_mesh_can_rule_by() -> None:
    port = contract("- {name: t, tags: [customer data, 'PII: e-mail', a/b, '!'], properties: [{name: x, tags: [é t]}]}\n").ports[
        0
    ]
    assert port.tags == ("customer_data", "PII.e-mail", "a.b")
    assert port.columns[0].tags == ("t",)


def test_a_contract_without_ports_loads_but_cannot_be_served() -> None:
    assert [problem.path for problem in servable_problems(load_contract(HEAD))] == ["$.schema"]


def test_a_real_database_described_in_68_tables_can_be_served() -> None:
    text = shared_data("contracts", "valid", "postgresql-adventureworks-contract.odcs.yaml").read_bytes()
    loaded = load_contract(text)
    assert len(loaded.ports) == 68
    assert servable_problems(loaded) == ()


def test_the_rules_of_3_0_are_read_as_the_metrics_they_are_called_today() -> None:
    """The quality examples of ODCS 3.0's own documentation: `rule`, with and without an operator."""
    rules = (
        "[{rule: nullCheck, dimension: completeness, type: library, severity: error}, {rule: isOurHouseRule, type: library},"
        " {type: library, rule: duplicateCount, mustBeLessThan: 10}]"
    )
    schema = f"- name: t\n  properties: [{{name: a, logicalType: string, quality: {rules}}}]\n"
    first, third, second = contract(schema, HEAD.replace("v3.2.0", "v3.0.2")).ports[0].columns[0].quality
    assert (first.type, first.metric, first.operator, first.threshold) == ("library", "nullValues", "mustBe", 0)
    assert (second.metric, second.operator, second.threshold) == ("duplicateValues", "mustBeLessThan", 10)
    assert (third.type, third.metric, third.operator) == ("library", None, None)
    refused(f"{HEAD}schema:\n{schema}")


OLD = HEAD.replace("v3.2.0", "v3.0.2")


def test_what_only_3_0_allowed_is_accepted_in_a_contract_of_3_0_alone() -> None:
    """Differences between the standard's JSON Schemas of 3.0.2 and 3.2.0, read side by side."""
    parts = (
        "servers: [{server: k, type: kafka, host: b, topic: t}, {server: d, type: duckdb, database: x, schema: 1, id: 'a b'}]\n"
        "team: [{role: Owner, comment: Keeper of the grail}]\n"
        "roles: [{role: reader, firstlevelApprovers: kim}]\n"
        "customProperties: [{property: lonely}, {value: 1}, {property: whole, value: 2}]\n"
    )
    loaded = load_contract(OLD + parts)
    assert loaded.custom_properties == {"whole": 2}
    assert [line for line in not_enforced(loaded.document) if "comment" in line or "firstlevel" in line] == [
        "team[].comment: recorded, not enforced",
        "roles[].firstlevelApprovers: recorded, not enforced",
    ]
    paths = {violation.path for violation in refused(HEAD + parts).violations}
    assert {"$.servers[0].topic", "$.roles[0].firstlevelApprovers"} <= paths


def test_a_misspelt_field_of_a_property_is_refused_in_3_0_too() -> None:
    wrong = f"{OLD}colour: red\nschema:\n- name: t\n  properties: [{{name: a, requierd: true}}]\n"
    assert [it.path for it in refused(wrong).violations] == ["$.colour", "$.schema[0].properties[0].requierd"]


def test_an_exclusive_bound_of_3_0_is_a_flag_beside_the_bound() -> None:
    options = "{minimum: 0, exclusiveMinimum: true, maximum: 9, exclusiveMaximum: false}"
    text = f"- name: t\n  properties: [{{name: a, logicalType: integer, logicalTypeOptions: {options}}}]\n"
    assert contract(text, OLD).ports[0].columns[0].options == {"exclusiveMinimum": 0, "maximum": 9}
    refused(f"{HEAD}schema:\n{text}")


def test_a_rule_of_3_0_may_have_several_operators_or_a_query_without_one() -> None:
    rules = "[{type: library, rule: rowCount, mustBeGreaterThan: 0, mustBeLessThan: 9}, {type: sql, query: SELECT 1}]"
    text = f"- name: t\n  quality: {rules}\n  properties: [{{name: a, logicalType: integer}}]\n"
    loaded = contract(text, OLD)
    told = [(rule.type, rule.operator, rule.threshold) for rule in loaded.ports[0].quality]
    assert told == [("library", "mustBeGreaterThan", 0), ("text", None, None), ("library", "mustBeLessThan", 9)]
    assert "schema[].quality[].query: recorded, not enforced: nothing says what the query must give" in not_enforced(
        loaded.document
    )
    refused(f"{HEAD}schema:\n{text}")


@pytest.mark.parametrize(("version", "is_refused"), [("v3.0.2", True), ("v3.1.0", True), ("v3.2.0", False)])
def test_status_is_required_until_3_1(version: str, *, is_refused: bool) -> None:
    text = HEAD.replace("status: active\n", "").replace("v3.2.0", version)
    if is_refused:
        assert [it.path for it in refused(text).violations] == ["$"]
    else:
        assert load_contract(text).status is None


def test_a_mapping_may_be_merged_by_alias_as_yaml_tools_do_it() -> None:
    """Compared with PyYAML's own reading: the mapping's own keys count, then the first of several sources."""
    text = (
        "schema:\n- name: t\n  properties:\n  - &a {name: a, logicalType: string, required: true}\n"
        "  - &b {name: b, logicalType: integer, unique: true}\n  - {<<: *a, name: c}\n  - {name: d, <<: [*a, *b]}\n"
    )
    loaded = load_contract(HEAD + text)
    assert loaded.document["schema"] == yaml.safe_load(text)["schema"]
    assert [it.path for it in refused(f"{HEAD}<<: 7\n").violations] == ["$"]


def test_a_wrong_value_of_the_one_operator_that_is_given_is_told_at_its_place() -> None:
    rule = "{metric: nullValues, mustBeBetween: [1, b]}"
    text = f"{HEAD}schema:\n- name: t\n  properties: [{{name: a, logicalType: string, quality: [{rule}]}}]\n"
    assert [it.path for it in refused(text).violations] == ["$.schema[0].properties[0].quality[0].mustBeBetween[1]"]
