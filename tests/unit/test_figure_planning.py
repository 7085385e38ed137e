"""From a question to queries over what contracts define: rows by keys, measures, groups, values and periods; nothing guessed."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest

from mesh_core.answers.answer import Figure
from mesh_core.answers.figures import plan_figures
from mesh_core.answers.look_ups import values_without_rows
from mesh_core.answers.tables import FigurePlan, TableModel
from mesh_core.contract import Port, load_contract

TODAY = date(2026, 11, 26)


def port(name: str, properties: list[dict[str, Any]], **more: Any) -> Port:
    document = {
        "kind": "DataContract", "apiVersion": "v3.2.0", "id": name, "version": "1.0.0", "status": "active",
        "schema": [{"name": name, "logicalType": "object", "properties": properties, **more}],
    }  # fmt: skip
    return load_contract(json.dumps(document)).ports[0]


def synonyms(*words: str) -> list[dict[str, str]]:
    return [{"synonym": word} for word in words]


def values(*every: str) -> list[dict[str, str]]:
    return [{"value": value} for value in every]


def measure(name: str, logic: str, *others: str, unit: str = "") -> dict[str, Any]:
    custom = {"customProperties": [{"property": "unit", "value": unit}]} if unit else {}
    return {
        "name": name,
        "logicalType": "number",
        "semanticType": "measure",
        "transformLogic": logic,
        "synonyms": synonyms(*others),
        **custom,
    }


SHIPMENTS = port(
    "shipments",
    [
        {"name": "shipment_no", "logicalType": "integer", "primaryKey": True},
        {"name": "vessel", "logicalType": "string", "semanticType": "dimension", "synonyms": synonyms("ship")},
        {"name": "harbour", "logicalType": "string", "semanticType": "dimension", "enum": values("Hamburg", "Oslo")},
        {"name": "state", "logicalType": "string", "enum": values("landed", "lost")},
        {"name": "landed_on", "logicalType": "date", "semanticType": "dimension"},
        {"name": "kilos", "logicalType": "number"},
        measure("landed_weight", "SUM(kilos) FILTER (WHERE state = 'landed')", "tonnage", unit="kg"),
        measure("shipment_count", "COUNT(*)", "shipments", "number of shipments"),
    ],
)  # fmt: skip
CREW = port(
    "crew",
    [
        {"name": "crew_id", "logicalType": "string", "primaryKey": True, "logicalTypeOptions": {"pattern": "^CR-[0-9]{5}$"}},
        {"name": "name", "logicalType": "string"},
        {"name": "hired_on", "logicalType": "date"},
        measure("headcount", "COUNT(*)", "crew members"),
    ],
    synonyms=synonyms("sailor"),
)
COSTS = port(
    "costs",
    [
        {"name": "cost_id", "logicalType": "integer", "primaryKey": True},
        {"name": "harbour", "logicalType": "string", "semanticType": "dimension"},
        {"name": "paid_on", "logicalType": "date"},
        {"name": "euro", "logicalType": "number"},
        measure("total_cost", "SUM(euro)", "cost", "spend", unit="EUR"),
        measure("tonnage", "SUM(euro)"),
    ],
)
PORTS = {"fleet.cargo.shipments": SHIPMENTS, "fleet.people.crew": CREW, "books.harbours.costs": COSTS}


def plan(question: str, **more: Any) -> FigurePlan:
    return plan_figures(question, [TableModel(name, 1, port, **more) for name, port in PORTS.items()], today=TODAY)


def only(question: str) -> str:
    found = plan(question)
    assert not found.unclear, found.unclear
    (query,) = found.queries
    return query.sql


@pytest.mark.parametrize(
    "question",
    ["Where is shipment 4711?", "Show shipment no 4711", "is shipment number 4711 late?", "Shipments 4711 and its papers"],
)
def test_a_row_is_looked_up_by_its_key(question):
    (query,) = plan(question).queries
    assert 'FROM "fleet"."cargo"."shipments" WHERE "shipment_no" IN (4711)' in query.sql
    assert query.basis == "fleet.cargo.shipments where shipment_no is 4711"


def test_several_keys_are_one_look_up():
    assert "IN (4711, 4712)" in only("Compare shipments 4711 and 4712")


@pytest.mark.parametrize("question", ["Who is sailor 42?", "Who is CR-00042?", "who is crew member with the id cr-00042"])
def test_a_key_of_a_known_shape_is_completed_and_recognised(question):
    assert "LOWER('CR-00042')" in only(question).replace("LOWER('cr-00042')", "LOWER('CR-00042')")


@pytest.mark.parametrize(
    "question",
    [
        "Where is the shipment?", "shipment O-17", "Is a shipment of 4711 kilos allowed?", "How do I file a cost?",
        "What is our policy for tonnage taxes?", "May crew members leave the ship in Oslo?", "Is tonnage reported by captains?",
        "", "?", "4711", "CR-0004211", 'shipment "y z"',
    ],
)  # fmt: skip
def test_what_names_no_figure_has_none(question):
    assert plan(question) == FigurePlan()


@pytest.mark.parametrize(
    ("question", "parts"),
    [
        ("What is the landed weight?", ["SUM(\"kilos\")"]),
        ("How much landed weight was there in March 2026?", ["'2026-03-01' AS DATE", "'2026-04-01' AS DATE", "landed_on"]),
        ("landed weight by harbour and month in 2026", ["GROUP BY", "harbour", "DATE_TRUNC('MONTH'", "2027-01-01"]),
        ("What was the landed weight in Oslo?", ["LOWER('Oslo')"]),
        ("What was the landed weight of the ship Black Pearl in Q1 2026?", ["LOWER('Black Pearl')", "2026-04-01"]),
        ("How many shipments were lost in Hamburg last month?", ["COUNT(*)", "LOWER('lost')", "LOWER('Hamburg')", "2026-10-01"]),
        ("Total landed weight per ship", ["\"vessel\"", "GROUP BY"]),
        ("top 3 ships by landed weight", ["<= 3", "DESC", "vessel"]),
        ("What is the headcount?", ["fleet", "crew"]),
        ("How much did we spend in Oslo: what is the total cost?", ["SUM(\"euro\")", "LOWER('Oslo')"]),
        ("number of shipments and landed weight by harbour", ["COUNT(*)", "kilos"]),
    ],
)  # fmt: skip
def test_measures_are_asked_for_in_words(question, parts):
    sql = only(question).replace("kilos)", '"kilos")').replace("SUM(euro)", 'SUM("euro")').replace('""', '"')
    for part in parts:
        assert part.lower() in sql.lower(), (part, sql)


def test_each_period_has_a_figure():
    found = plan("Compare the landed weight of Q1 2025 and Q1 2026")
    assert [it.basis for it in found.queries] == [
        "landed_weight of fleet.cargo.shipments, 2025-01-01 to 2025-03-31",
        "landed_weight of fleet.cargo.shipments, 2026-01-01 to 2026-03-31",
    ]
    assert found.queries[0].sentences == ("Landed weight {landed_weight} kg of fleet.cargo.shipments, 2025-01-01 to 2025-03-31.",)


def test_values_that_are_joined_by_and_are_told_each_and_together():
    found = plan("What was the landed weight in Oslo and in Hamburg in March 2026?")
    assert [it.basis for it in found.queries] == [
        "landed_weight of fleet.cargo.shipments, 2026-03-01 to 2026-03-31, harbour Oslo or Hamburg, by harbour",
        "landed_weight of fleet.cargo.shipments, 2026-03-01 to 2026-03-31, harbour Oslo or Hamburg",
    ]
    assert found.queries[0].sentences[0].startswith("Harbour {harbour|(none)}, landed weight {landed_weight} kg")


@pytest.mark.parametrize(
    "question", ["landed weight of ships Black Pearl and Red Rose", "landed weight in both Oslo and Hamburg"]
)
def test_and_is_read_within_a_list_of_values_and_with_both(question):
    assert ["GROUP BY" in it.sql for it in plan(question).queries] == [True, False]


@pytest.mark.parametrize("question", ["landed weight in Oslo or Hamburg", "landed weight not in Oslo and Hamburg"])
def test_values_that_are_alternatives_or_left_out_are_one_figure(question):
    assert "GROUP BY" not in only(question)


def test_what_a_row_says_of_itself_is_in_sentences_and_dates_have_an_age():
    (query,) = plan("Where is shipment 4711?").queries
    age = "DATE_DIFF('day', CAST(\"landed_on\" AS DATE), CAST('2026-11-26' AS DATE)) AS \"days_since_landed_on\""
    assert age in query.sql
    assert "Shipment {shipment_no}: landed on {landed_on}, {days_since_landed_on} days ago." in query.sentences


def test_what_the_asker_sees_only_in_part_is_said_or_not_computed():
    (query,) = plan("What is the landed weight?", is_filtered=True).queries
    assert query.sentences[0].endswith("of the rows that you may read of fleet.cargo.shipments.")
    masked = plan("What is the landed weight?", masked=frozenset({"kilos"}))
    assert masked.queries == ()
    assert "kilos, which you see masked" in masked.unclear[0]
    assert plan("Where is shipment 4711?", masked=frozenset({"shipment_no"})) == FigurePlan()


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("What is the tonnage in 2026?", "may be of books.harbours.costs or of fleet.cargo.shipments"),
        ("What was the landed weight in Atlantis?", "“Atlantis”: not known to fleet.cargo.shipments"),
        ("What was the landed weight of frozen shipments?", "“frozen”"),
        ("What was the landed weight by captain?", "“captain”"),
        ("What was the landed weight in fiscal 2026?", "fiscal year"),
        ("What are the headcount and the landed weight?", "different ports"),
    ],
)
def test_what_is_not_clear_is_asked_back_and_not_guessed(question, said):
    found = plan(question)
    assert found.queries == ()
    assert any(said in it for it in found.unclear), found.unclear


def test_a_name_that_several_ports_have_is_told_apart_by_the_port():
    assert '"books"' in only("What is the tonnage of costs in 2026?")


def test_a_figure_beside_another_question_is_still_found():
    found = plan("What was the landed weight in March 2026, and what does the handbook say about storms?")
    assert len(found.queries) == 1
    assert not found.unclear


def test_values_of_a_question_are_never_sql():
    found = plan('What was the landed weight of ship "x\'); DROP TABLE y; --"?')
    assert all("LOWER('x''); DROP TABLE y; --')" in it.sql for it in found.queries)


def test_a_key_is_looked_up_once_in_each_table_though_one_table_refers_to_the_other_by_it():
    key = {"name": "berth_id", "logicalType": "string", "primaryKey": True, "logicalTypeOptions": {"pattern": "^B-[0-9]{3}$"}}
    berths = port("berths", [key, {"name": "depth", "logicalType": "number"}])
    views = port("views", [{**key, "relationships": [{"to": "fleet.harbour.berths.berth_id"}]}])
    models = [TableModel("fleet.harbour.berths", 1, berths), TableModel("desk.harbour.views", 1, views)]
    question = "Is berth B-007 free?"
    assert [it.basis for it in plan_figures(question, models, today=TODAY).queries] == [
        "desk.harbour.views where berth_id is B-007",
        "fleet.harbour.berths where berth_id is B-007",
    ]
    assert len(plan_figures(question, models[1:], today=TODAY).queries) == 1


def test_a_period_that_ends_before_it_begins_is_asked_back():
    found = plan("What was the landed weight from March to January 2026?")
    assert not found.queries
    assert found.unclear == ("“from March to January 2026” ends before it begins.",)


@pytest.mark.parametrize(
    ("question", "rows", "unfound"),
    [
        ("Where is shipment 4711?", [], ["shipment no 4711"]),
        ("Where is shipment 4711?", ["4711"], []),
        ("Compare shipments 4711 and 0012 and 13", ["4711", "12"], ["shipment no 13"]),
        ("Where is sailor 42?", ["CR-00042"], []),
        ("Where is sailor cr-00042?", [], ["crew id CR-00042"]),
    ],
)
def test_a_key_of_which_no_row_is_found_is_told(question, rows, unfound):
    (query,) = plan(question).queries
    assert query.look_up is not None
    figure = Figure(1, "", "", (query.look_up.by,), tuple((row,) for row in rows), ()) if rows else None
    assert values_without_rows([query], [(query, figure)], set()) == unfound


def test_a_key_of_which_there_are_too_many_rows_or_that_was_not_looked_up_is_not_told_as_absent():
    (query,) = plan("Where is shipment 4711?").queries
    assert values_without_rows([query], [(query, None)], {query.sql}) == []
    assert values_without_rows([query], [], set()) == []


@pytest.mark.parametrize(
    ("question", "parts"),
    [
        ("How many costs were paid in March 2026?", ["COUNT(*)", "paid_on", "'2026-04-01'"]),
        ("How many costs are there by harbour?", ["COUNT(*)", "GROUP BY"]),
        ("Number of costs in Oslo", ["COUNT(*)", "LOWER('Oslo')"]),
        ("How many sailors were hired in 2025?", ["COUNT(*)", "hired_on", "crew"]),
    ],
)
def test_rows_are_counted_though_no_measure_is_defined_for_them(question, parts):
    assert all(part.lower() in only(question).lower() for part in parts)


@pytest.mark.parametrize("question", ["How many unpaid costs are there?", "How many costs has shipment 4711?"])
def test_rows_are_not_counted_if_a_word_is_not_understood_or_another_table_s_key_would_be_overlooked(question):
    found = plan(question)
    assert not any("COUNT" in it.sql for it in found.queries)
    assert found.unclear


def test_which_has_the_most_is_the_first_of_a_ranking():
    assert all(it in only("Which harbour has the most costs?") for it in ("COUNT(*)", "harbour", "DESC", "<= 1"))
    assert all(it in only("Which ship had the highest landed weight in 2026?") for it in ("vessel", "DESC", "<= 1"))
    assert "LIMIT" not in only("What is the headcount?")


def test_rows_are_not_counted_by_what_the_asker_sees_masked():
    found = plan("How many costs in Oslo?", masked=frozenset({"harbour"}))
    assert not found.queries
    assert "harbour, which you see masked" in found.unclear[0]


def test_a_question_for_figures_alone_is_told_from_one_that_asks_for_more():
    assert plan("How many costs are there?").is_whole
    assert plan("How many rusty costs are there?").is_whole
    assert not plan("How many costs are there, and what does the handbook say about storms?").is_whole
    assert not plan("What was the profit last year?").is_whole


def test_a_value_that_rules_list_is_known_as_one():
    rule = {"metric": "invalidValues", "arguments": {"validValues": ["calm", "rough"]}, "mustBe": 0}
    seas = port("seas", [{"name": "state", "logicalType": "string", "quality": [rule]}])
    (query,) = plan_figures("How many rough seas are there?", [TableModel("a.b.seas", 1, seas)], today=TODAY).queries
    assert "LOWER('rough')" in query.sql


def test_periods_of_ports_with_several_dates_say_which_date_they_are_of():
    rows = [{"name": name, "logicalType": "date"} for name in ("filed_on", "closed_on")]
    rows[0]["semanticType"] = "dimension"
    claims = TableModel("a.b.claims", 1, port("claims", rows))
    (query,) = plan_figures("How many claims in March 2026?", [claims], today=TODAY).queries
    assert query.sentences == ("Number of claims {number_of_claims} of a.b.claims, filed on 2026-03-01 to 2026-03-31.",)


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("What was the profit last year?", "No figure of last year: no table that you may read defines one called so."),
        ("How much profit did we make in fiscal 2025?", "No contract says when one begins: name the months."),
    ],
)
def test_why_a_figure_of_some_time_is_not_given_is_told(question, said):
    found = plan(question)
    assert not found.queries
    assert said in found.unclear[0]
    assert "landed_weight of fleet.cargo.shipments" in found.unclear[0]


VISITS = TableModel(
    "clinic.visits.visits",
    1,
    port(
        "visits",
        [
            {"name": "id", "logicalType": "integer", "primaryKey": True},
            {"name": "email", "logicalType": "string"},
            {"name": "ward", "logicalType": "string"},
            {"name": "amount", "logicalType": "number"},
            {"name": "day", "logicalType": "date"},
        ],
    ),
)


@pytest.mark.parametrize(
    "question",
    [
        "How many wards are there?",
        "Which amounts are usual?",
        "Which visits were in ward B?",
    ],
)
def test_a_table_without_a_fitting_measure_says_so_where_nothing_else_answers(question):
    found = plan_figures(question, [VISITS], today=TODAY)
    assert (found.queries, found.unclear) == ((), ())
    (hint,) = found.hints
    assert "clinic.visits.visits has no measure for" in hint
    assert "mesh sql" in hint


def test_empty_values_are_told_as_what_cannot_be_asked_for_and_no_column_is_not_known():
    (said,) = plan_figures("How many visits have no email?", [VISITS], today=TODAY).unclear
    assert "empty values of email cannot be asked for in words" in said
    assert "WHERE email IS NULL" in said
    assert "not known" not in said


def test_one_small_letter_is_a_value_behind_its_column():
    (query,) = plan_figures("How many visits yesterday in ward b?", [VISITS], today=TODAY).queries
    assert "LOWER('b')" in query.sql
    assert "2026-11-25" in query.sql
    assert "GROUP BY" in plan_figures("How many visits by ward and day?", [VISITS], today=TODAY).queries[0].sql


@pytest.mark.parametrize(
    ("question", "looked_up"),
    [
        ("What of member M-42?", ["member_no"]),
        ("What of member 42?", ["member_no"]),
        ("What of member jo@example.org?", ["email"]),
        ("What of member with card 42?", ["card"]),
        ("What of the member with email M-0042?", ["member_no"]),
        ("What of member X77?", ["card"]),
    ],
)
def test_a_value_behind_the_name_of_a_row_is_its_key_and_no_other_unique_column_s(question, looked_up):
    members = port(
        "members",
        [
            {"name": "member_no", "logicalType": "string", "primaryKey": True, "logicalTypeOptions": {"pattern": "^M-[0-9]{4}$"}},
            {"name": "email", "logicalType": "string", "unique": True, "logicalTypeOptions": {"format": "email"}},
            {"name": "card", "logicalType": "string", "unique": True},
        ],
    )
    found = plan_figures(question, [TableModel("club.people.members", 1, members)], today=TODAY)
    assert [it.look_up and it.look_up.by for it in found.queries] == looked_up


def test_rows_that_refer_to_a_key_are_looked_up_however_it_was_told():
    voyages = port(
        "voyages",
        [
            {"name": "voyage_no", "logicalType": "integer", "primaryKey": True},
            {"name": "master", "logicalType": "string", "relationships": [{"to": "fleet.people.crew.crew_id"}]},
        ],
    )
    tables = [TableModel("fleet.people.crew", 1, CREW), TableModel("fleet.log.voyages", 1, voyages)]
    for question in ("Who is CR-00042?", "Who is sailor 42?"):
        own, referring = plan_figures(question, tables, today=TODAY).queries
        assert own.basis == "fleet.people.crew where crew_id is CR-00042"
        assert referring.basis == "fleet.log.voyages where master is CR-00042"
    masked = [tables[0], TableModel("fleet.log.voyages", 1, voyages, masked=frozenset({"master"}))]
    assert len(plan_figures("Who is CR-00042?", masked, today=TODAY).queries) == 1
