"""Figures asked for in other words: averages, extremes, shares, what is left out, what lies beyond a number, and rankings."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mesh_core.answers.figures import plan_figures
from mesh_core.answers.tables import TableModel
from tests.unit.test_figure_planning import TODAY, measure, port, synonyms, values

TRIPS = TableModel(
    "rail.trips.trips",
    1,
    port(
        "trips",
        [
            {"name": "trip_id", "logicalType": "string", "primaryKey": True},
            {
                "name": "passenger_id", "logicalType": "string",
                "relationships": [{"to": "rail.people.passengers.passenger_id"}],
            },
            {"name": "line", "logicalType": "string", "semanticType": "dimension", "enum": values("Coast", "Valley", "Ring")},
            {"name": "state", "logicalType": "string", "enum": values("ridden", "missed")},
            {"name": "left_on", "logicalType": "date", "semanticType": "dimension"},
            {
                "name": "fare", "logicalType": "number", "synonyms": synonyms("ticket price"),
                "customProperties": [{"property": "unit", "value": "EUR"}],
            },
            {"name": "delay", "logicalType": "integer", "customProperties": [{"property": "unit", "value": "minutes"}]},
            measure("takings", "SUM(fare) FILTER (WHERE state = 'ridden')", unit="EUR"),
            measure("miss_rate", "100.0 * COUNT(*) FILTER (WHERE state = 'missed') / COUNT(*)", "fare loss rate"),
        ],
    ),
)  # fmt: skip
PASSENGERS = TableModel(
    "rail.people.passengers",
    1,
    port(
        "passengers",
        [{"name": "passenger_id", "logicalType": "string", "primaryKey": True}, {"name": "town", "logicalType": "string"}],
        synonyms=synonyms("passenger"),
    ),
)
NOT_COAST = '("line" IS NULL OR NOT LOWER(CAST("line" AS TEXT)) IN (LOWER(\'Coast\')))'


def planned(question, **more):
    table = TableModel(TRIPS.port, 1, TRIPS.definition, **more)
    return plan_figures(question, [table, PASSENGERS], today=TODAY)


def sql(question):
    (query,) = planned(question).queries
    return query.sql


@pytest.mark.parametrize(
    ("question", "parts"),
    [
        ("What is the average fare?", ['ROUND(AVG("fare"), 4)']),
        ("Average ticket price of a trip on the coast line", ['AVG("fare")', "LOWER('Coast')"]),
        ("What is the average takings per line?", ["AVG(fare) FILTER(WHERE state = 'ridden')", "GROUP BY 1"]),
        ("What was the longest trip?", []),
        ("What is the median delay by month?", ['MEDIAN("delay")', "'month'"]),
        ("What is the largest trip fare in 2026?", ['MAX("fare")', "2026-01-01"]),
        ("Total fare of missed trips", ['SUM("fare")', "LOWER('missed')"]),
        ("How many different passengers were on the Ring line?", ['COUNT(DISTINCT "passenger_id")', "LOWER('Ring')"]),
        ("When was the latest trip?", ['MAX("left_on")']),
        ("When was the first missed trip?", []),
        ("Takings by line and state", ['"state" AS "state"', "GROUP BY 1, 2"]),
        ("How many trips per passenger?", ["COUNT(*)", '"passenger_id"', "GROUP BY 1"]),
        ("Top 3 passengers by takings", ['"passenger_id"', "DESC", "<= 3"]),
        ("Which line has the lowest miss rate?", ["ORDER BY 2 ASC", "<= 1"]),
        ("Bottom 2 lines by takings", ["ORDER BY 2 ASC", "<= 2"]),
        ("The two lines with the most trips", ["COUNT(*)", "ORDER BY 2 DESC", "<= 2"]),
        ("Takings on the Coast line compared with Valley", ["GROUP BY 1", "LOWER('Coast'), LOWER('Valley')"]),
        ("Were takings higher in Coast or Ring?", ["GROUP BY 1", "LOWER('Coast'), LOWER('Ring')"]),
        ("Takings excluding Coast", [NOT_COAST]),
        ("How many trips were not on the Coast line?", [NOT_COAST]),
        ("How many trips weren't missed?", ['"state" IS NULL OR NOT', "LOWER('missed')"]),
        ("How many trips other than Coast or Ring?", ["NOT", "LOWER('Coast'), LOWER('Ring')"]),
        ("How many trips over 1,000 euro?", ['"fare" > 1000']),
        ("How many trips with a delay of at least 5 minutes on the Ring line", ['"delay" >= 5', "LOWER('Ring')"]),
        ("How many trips between 10 and 20 EUR?", ['"fare" >= 10', '"fare" <= 20']),
        ("How many trips with a fare of no more than €2.5?", ['"fare" <= 2.5']),
        ("What share of trips was missed?", ["100.0 * COUNT(*) FILTER(WHERE", "LOWER('missed')", "NULLIF(COUNT(*), 0)"]),
        ("What percentage of Coast trips were missed in 2026?", ["LOWER('missed')", 'WHERE LOWER(CAST("line"', "2026-01-01"]),
        ("What share of the takings comes from the Coast line?", ["state = 'ridden' AND LOWER(CAST(\"line\" AS TEXT))"]),
        ("What is the Coast line's share of the takings?", ["state = 'ridden' AND LOWER(CAST(\"line\" AS TEXT))"]),
        ("How many trips in March or April 2026?", None),
    ],
)
def test_figures_are_asked_for_in_many_words(question, parts):
    if parts is None:
        assert [it.basis.partition(", ")[2] for it in planned(question).queries] == [
            "2026-03-01 to 2026-03-31", "2026-04-01 to 2026-04-30",
        ]  # fmt: skip
    elif parts:
        assert all(part in sql(question) for part in parts), sql(question)


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("What is the average miss rate?", None),
        ("What is the highest miss rate?", "“highest”"),
        ("How many trips over 500 dollars?", "“500”"),
        ("What were the takings over 500 euro?", "“500”"),
        ("What were the takings on the Valey line?", "Did you mean line Valley?"),
        ("What share of the miss rate is Coast?", "it has no shares"),
        ("What share of distinct passengers comes from Coast?", "it has no shares"),
        ("What share of the takings comes from Coast and from abroad?", "“abroad”"),
        ("What were the takings without delay?", "“without”"),
    ],
)
def test_what_would_be_another_figure_is_not_given(question, said):
    found = planned(question)
    assert found.queries == ()
    assert said is None or any(said in it for it in found.unclear), found.unclear


@pytest.mark.parametrize("question", ["Do the takings include missed trips?", "Are the takings reported per month?"])
def test_words_that_only_begin_like_a_figure_are_left_to_passages(question):
    found = planned(question)
    assert (found.queries, found.unclear) == ((), ())


def test_a_figure_that_is_only_perhaps_asked_for_leaves_passages_their_say():
    found = planned("Are takings by line?")
    assert found.queries
    assert not found.is_whole


@pytest.mark.parametrize(
    "question", ["How many trips excluding Coast?", "What share of trips was on the Coast line?", "Takings by line"]
)
def test_nothing_is_told_apart_by_what_is_seen_masked(question):
    found = planned(question, masked=frozenset({"line"}))
    assert not found.queries
    assert "line, which you see masked" in found.unclear[0]


def test_what_is_computed_of_hidden_columns_does_not_say_how_many_there_are():
    cut = replace(TRIPS.definition, columns=tuple(it for it in TRIPS.definition.columns if it.name not in ("fare", "state")))
    found = plan_figures("What are the takings?", [TableModel("rail.trips.trips", 1, cut)], today=TODAY)
    assert found.unclear == ("takings of rail.trips.trips is computed of what you may not read.",)
