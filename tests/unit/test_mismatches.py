"""Rows that a question names together: what does not belong to the other decides nothing about it. Checked by hand."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest

from mesh_core.answers.answer import Figure
from mesh_core.answers.look_ups import look_ups
from mesh_core.answers.mismatches import Matched, without_mismatches
from mesh_core.answers.tables import TableModel
from mesh_core.contract import Port, load_contract

TODAY = date(2026, 11, 26)


def port(name: str, *properties: dict[str, Any]) -> Port:
    document = {
        "kind": "DataContract", "apiVersion": "v3.2.0", "id": name, "version": "1.0.0", "status": "active",
        "schema": [{"name": name, "logicalType": "object", "properties": list(properties)}],
    }  # fmt: skip
    return load_contract(json.dumps(document)).ports[0]


def column(name: str, pattern: str = "", *, to: str = "", **more: Any) -> dict[str, Any]:
    options = {"logicalTypeOptions": {"pattern": pattern}} if pattern else {}
    references = {"relationships": [{"to": to}]} if to else {}
    return {"name": name, "logicalType": "string", **options, **references, **more}


SENDER = "^S-[0-9]{3}$"
PARCELS = port(
    "parcels",
    column("parcel_no", "^P-[0-9]{4}$", primaryKey=True),
    column("sender_id", to="post.people.senders.sender_id"),
    column("payer_id", to="post.people.senders.sender_id"),
)
SENDERS = port(
    "senders", column("sender_id", SENDER, primaryKey=True), column("region_code", to="post.map.regions.code"), column("tier")
)
REGIONS = port("regions", column("code", primaryKey=True), column("title"))
CLAIMS = port("claims", column("claim_no", primaryKey=True), column("sender_id", to="post.people.senders.sender_id"))
VIEWS = port("views", column("sender_id", SENDER, primaryKey=True, to="post.people.senders.sender_id"), column("tier"))
PORTS = {
    "post.law.claims": CLAIMS, "post.log.parcels": PARCELS, "post.map.regions": REGIONS, "post.people.senders": SENDERS,
    "post.service.views": VIEWS,
}  # fmt: skip
ROWS = {
    "post.log.parcels": (("P-0001", "S-001", "S-002"), ("P-0002", "S-003", "S-003"), ("P-0003", "", "S-003")),
    "post.people.senders": (("S-001", "N", "gold"), ("S-002", "N", ""), ("S-003", "W", ""), ("S-004", "E", "gold")),
    "post.map.regions": (("N", "North"), ("W", "West"), ("E", "East")),
    "post.law.claims": (("7", "S-004"),),
    "post.service.views": (("S-001", "gold"), ("S-003", ""), ("S-004", "gold")),
}


def matched(question: str, masked: frozenset[str] = frozenset(), ports: tuple[str, ...] = tuple(PORTS)) -> Matched:
    """What is left of the look-ups of a question, each with the rows that its values have, as a query would give them."""
    tables = {it: TableModel(it, 1, PORTS[it], masked if it == "post.log.parcels" else frozenset()) for it in ports}
    found = []
    for number, query in enumerate(look_ups(question, tables, today=TODAY), start=1):
        of = query.look_up
        assert of is not None
        names = tuple(it.name for it in of.definition.columns)
        rows = tuple(row for row in ROWS[of.port] if of.by and row[names.index(of.by)] in of.values)
        found.append((query, Figure(number, query.sql, query.basis, names, rows, ()) if rows else None))
    return without_mismatches(found)


def bases(found: Matched) -> list[str]:
    return [query.basis for query, _ in found.kept]


@pytest.mark.parametrize(
    "question",
    [
        "May parcel P-0001 of sender S-001 go back?",
        "Parcel P-0001, paid by S-002: may it go back?",
        "May S-003 have P-0002 back?",
    ],
)
def test_rows_that_belong_together_by_any_reference_are_all_kept(question):
    found = matched(question)
    assert (found.told, found.dropped) == ((), ())


def test_what_is_of_somebody_else_is_told_and_drops_all_that_was_found_by_it():
    found = matched("May we send parcel P-0002 of sender S-004 back?")
    (told,) = found.told
    assert told.text == "Parcel P-0002 is of another sender than S-004: what is on record of S-004 decides nothing here."
    assert len(told.sources) == 1
    assert not any("S-004" in basis for basis in bases(found))
    dropped = [query.basis for query, _ in found.dropped]
    assert "post.law.claims where sender_id is S-004" in dropped
    assert "post.map.regions that post.people.senders where sender_id is S-004 refers to by region_code" in dropped
    assert "S-003" not in str(found.told)  # whose it is is for the row to say, as the asker sees it


@pytest.mark.parametrize(
    ("question", "masked"),
    [
        ("May parcel P-0002 of sender S-004 go back?", frozenset({"sender_id"})),
        ("May parcel P-0003 of sender S-004 go back?", frozenset()),
    ],
)
def test_a_reference_that_is_masked_or_has_no_value_tells_nothing(question, masked):
    found = matched(question, masked)
    (told,) = found.told
    assert told.text.startswith("Whether parcel P-000")
    assert "is of sender S-004 cannot be told from what you may read" in told.text
    assert not any("where sender_id is S-004" in basis for basis in bases(found))


def test_it_is_told_though_the_other_table_may_not_be_read():
    found = matched("May parcel P-0002 of sender S-004 go back?", ports=("post.log.parcels",))
    assert [it.text[:48] for it in found.told] == ["Parcel P-0002 is of another sender than S-004: w"]


def test_of_several_rows_those_of_somebody_else_are_told_and_what_one_belongs_to_stays():
    found = matched("May parcels P-0001 and P-0002 of sender S-001 go back?")
    assert [it.text.split(":")[0] for it in found.told] == ["Parcel P-0002 is of another sender than S-001"]
    assert "post.people.senders where sender_id is S-001" in bases(found)


def test_rows_of_unconnected_tables_and_one_row_alone_are_no_mismatch():
    for question in ("May parcel P-0001 go to region W?", "May sender S-004 send a parcel?", "What of parcel P-0001?"):
        assert matched(question).told == ()
