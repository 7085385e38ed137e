"""Measures and dimensions of a contract: what is read of them, what keeps one from being computed, and what is not stored."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mesh_core.contract import Contract, load_contract, servable_problems
from mesh_core.contract.coverage import not_enforced

COLUMNS: list[dict[str, Any]] = [
    {"name": "order_id", "logicalType": "string", "primaryKey": True, "required": True},
    {"name": "ordered_on", "logicalType": "date", "semanticType": "dimension"},
    {"name": "country", "logicalType": "string", "semanticType": "dimension", "synonyms": [{"synonym": "market"}]},
    {"name": "status", "logicalType": "string"},
    {"name": "amount", "logicalType": "number", "customProperties": [{"property": "unit", "value": "EUR"}]},
]
NET = {
    "name": "net_revenue", "logicalType": "number", "semanticType": "measure", "businessName": "Net revenue",
    "transformLogic": "SUM(amount) FILTER (WHERE status = 'placed')",
    "synonyms": [{"synonym": "turnover"}, {"synonym": "chiffre d'affaires", "locale": "fr-FR"}],
    "customProperties": [{"property": "unit", "value": "EUR"}, {"property": "timeDimension", "value": "ordered_on"}],
}  # fmt: skip
MONTH = {"name": "month", "logicalType": "date", "semanticType": "dimension", "transformLogic": "date_trunc('month', ordered_on)"}


def contract(*extra: dict[str, Any], columns: list[dict[str, Any]] = COLUMNS, **port: Any) -> Contract:
    document = {
        "kind": "DataContract", "apiVersion": "v3.2.0", "id": "sales.orders", "version": "1.0.0", "status": "active",
        "schema": [{"name": "orders", "logicalType": "object", "properties": [*columns, *extra], **port}],
    }  # fmt: skip
    return load_contract(json.dumps(document))


def problems(*extra: dict[str, Any], **port: Any) -> list[str]:
    found = contract(*extra, **port)
    return [str(it) for it in servable_problems(found)] + [f"$.{line}" for line in found.uncomputed]


def measure(logic: str | None, **more: Any) -> dict[str, Any]:
    given = {"transformLogic": logic} if logic is not None else {}
    return {"name": "m", "logicalType": "number", "semanticType": "measure", **given, **more}


def test_a_measure_is_read_with_all_that_the_contract_says_and_is_no_column():
    port = contract(NET, MONTH).ports[0]
    assert [column.name for column in port.columns] == ["order_id", "ordered_on", "country", "status", "amount"]
    (net,) = port.measures
    assert (net.name, net.title, net.unit, net.time_dimension) == ("net_revenue", "Net revenue", "EUR", "ordered_on")
    assert net.expression == "SUM(amount) FILTER (WHERE status = 'placed')"
    assert net.synonyms == ("turnover", "chiffre d'affaires")
    assert [(it.name, it.expression) for it in port.dimensions] == [
        ("ordered_on", ""), ("country", ""), ("month", "date_trunc('month', ordered_on)"),
    ]  # fmt: skip
    assert port.columns[2].synonyms == ("market",)
    assert problems(NET, MONTH) == []


def test_the_contract_is_handed_back_as_it_was_written():
    text = json.dumps(contract(NET).document, indent=3)
    assert load_contract(text).text == text


def test_a_dimension_that_names_itself_is_the_column():
    own = {"name": "region", "logicalType": "string", "semanticType": "dimension", "transformLogic": "region"}
    assert "region" in [column.name for column in contract(own).ports[0].columns]


def test_the_only_date_is_what_a_period_means_and_two_dates_are_unclear():
    port = contract(measure("SUM(amount)")).ports[0]
    assert port.time_dimension(port.measures[0]) == "ordered_on"
    paid = {"name": "paid_on", "logicalType": "date", "semanticType": "dimension"}
    two = contract(measure("SUM(amount)"), columns=[*COLUMNS, paid]).ports[0]
    assert two.time_dimension(two.measures[0]) == ""


@pytest.mark.parametrize(
    ("logic", "said"),
    [
        (None, "has no transformLogic"),
        ("amount", "is no aggregate"),
        ("SUM(amount) / amount", "'amount' outside of an aggregate"),
        ("SUM(AVG(amount))", "aggregates an aggregate"),
        ("SUM(profit)", "names profit, which orders does not store"),
        ("SUM(customers.amount)", "customers.amount"),
        ("SUM(amount) FROM other", "not one expression"),
        ("SUM(amount) AS total", "not one expression"),
        ("SUM(amount), COUNT(*)", "not one expression"),
        ("SUM(amount); DROP TABLE x", "not one expression"),
        ("(SELECT SUM(amount) FROM finance.ledger.entries)", "has a query"),
        ("SUM(SUM(amount)) OVER ()", "window"),
        ("SUM(amount) +", "cannot be understood"),
        ("SUM($1)", "parameter"),
        ("COUNT(*) + LIST(COLUMNS(*))", "has a *"),
        ("SUM(" * 60 + "amount" + ")" * 60, "nested"),
    ],
)
def test_a_measure_that_cannot_be_computed_is_a_problem_at_its_path(logic, said):
    found = problems(measure(logic))
    assert found
    assert all(it.startswith("$.schema[0].properties[5].transformLogic: ") for it in found)
    assert any(said in it for it in found), found


@pytest.mark.parametrize(
    "logic",
    [
        "COUNT(*)", "COUNT(DISTINCT order_id)", "SUM(orders.amount)", "sum(AMOUNT) / nullif(count(*), 0)",
        "SUM(CASE WHEN status = 'placed' THEN amount END)", "median(amount)", "MAX(ordered_on) - MIN(ordered_on)",
        "quantile_cont(amount, 0.9)",
    ],
)  # fmt: skip
def test_aggregates_of_the_ports_columns_are_measures(logic):
    assert problems(measure(logic)) == []


def test_a_computed_dimension_has_a_value_in_every_row():
    made = {**MONTH, "name": "total", "transformLogic": "SUM(amount)"}
    assert any("aggregates" in it for it in problems(made))
    assert any("names no column" in it for it in problems({**MONTH, "transformLogic": "1 + 1"}))
    assert any("names day_of, which" in it for it in problems({**MONTH, "transformLogic": "day_of"}))


def test_names_and_times_of_measures_are_checked():
    assert any("name of another property" in it for it in problems(measure("COUNT(*)", name="Amount")))
    other = measure("COUNT(*)", customProperties=[{"property": "timeDimension", "value": "shipped_on"}])
    assert any("'shipped_on', which is neither" in it for it in problems(other))
    word = measure("COUNT(*)", customProperties=[{"property": "timeDimension", "value": "country"}])
    assert any("is no date" in it for it in problems(word))


def test_a_collection_has_no_measures():
    vector = {"name": "embedding", "logicalType": "vector", "logicalTypeOptions": {"dimensions": 3}}
    found = problems(measure("COUNT(*)"), columns=[*COLUMNS, vector], physicalType="collection")
    assert any("a collection has none" in it for it in found)


def test_a_problem_of_a_column_behind_a_measure_names_its_own_path():
    untyped = {"name": "note"}
    found = problems(columns=[measure("COUNT(*)"), *COLUMNS, untyped])
    assert [it.partition(":")[0] for it in found] == ["$.schema[0].properties[6].logicalType"]


def test_promises_that_mean_nothing_of_a_computed_property_are_said_not_to_be_enforced():
    promised = measure("COUNT(*)", required=True, tags=["pii.email"])
    told = not_enforced(contract(promised).document)
    assert "schema[].properties[].required: recorded, not enforced: it is computed, not stored" in told
    assert "schema[].properties[].tags: recorded, not enforced: it is computed, not stored" in told
    assert not any("transformLogic" in it for it in told)
    plain = {"name": "note", "logicalType": "string", "transformLogic": "copied"}
    assert "schema[].properties[].transformLogic: shown, not enforced" in not_enforced(contract(plain).document)
