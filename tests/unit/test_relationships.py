"""References of one column to one column, however a contract writes them, stand at the column in four parts."""

from __future__ import annotations

import pytest

from mesh_core.contract import load_contract
from mesh_core.contract.relationships import with_references

CONTRACT = """kind: DataContract
apiVersion: v3.1.0
id: shop.sales
version: 1.0.0
status: active
schema:
- name: orders
  id: o
  relationships: [RELATIONSHIP]
  properties:
  - {name: id, id: o_id, logicalType: string, primaryKey: true}
  - {name: customer, id: o_customer, logicalType: string, relationships: [REFERENCE]}
- name: customers
  id: c
  properties:
  - {name: name, id: c_name, logicalType: string, primaryKey: true}
  - {name: place, logicalType: object, properties: [{name: code, logicalType: string}]}
"""


def references(*, at_column: str = "", at_object: str = "") -> dict[str, list[str]]:
    contract = load_contract(CONTRACT.replace("REFERENCE", at_column).replace("RELATIONSHIP", at_object))
    port = with_references(contract.port("orders"), contract, product="shop.sales")
    return {it.name: [str(entry["to"]) for entry in it.relationships] for it in port.columns}


@pytest.mark.parametrize(
    "to", ["customers.name", "sales.customers.name", "shop.sales.customers.name", "/schema/c/properties/c_name"]
)
def test_a_reference_is_the_same_by_names_and_by_ids(to: str) -> None:
    assert references(at_column=f"{{to: {to}}}") == {"id": [], "customer": ["shop.sales.customers.name"]}


@pytest.mark.parametrize(
    ("start", "to"), [("orders.customer", "crm.people.people.no"), ("/schema/o/properties/o_customer", "crm.people.people.no")]
)
def test_a_reference_of_the_schema_object_is_one_of_its_column(start: str, to: str) -> None:
    assert references(at_object=f"{{from: {start}, to: {to}}}")["customer"] == ["crm.people.people.no"]
    assert references(at_object=f"{{from: [{start}], to: [{to}]}}")["customer"] == ["crm.people.people.no"]


@pytest.mark.parametrize(
    "entry",
    [
        "{from: [orders.id, orders.customer], to: [customers.name, customers.place]}",
        "{from: orders.customer, to: customers.place.code}",
        "{from: orders.customer, to: nowhere.name}",
        "{from: customers.name, to: orders.id}",
    ],
)
def test_keys_of_several_columns_and_what_is_no_column_of_the_port_are_left_out(entry: str) -> None:
    assert references(at_object=entry) == {"id": [], "customer": []}
