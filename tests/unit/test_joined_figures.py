"""Figures over two tables: what is built is run on DuckDB beside a query that was written by hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import duckdb
import pytest

from governance_server.gateway.sql_query import parse_query
from mesh_core.answers.figures import plan_figures
from mesh_core.answers.tables import FigurePlan, TableModel
from mesh_core.contract import Port
from tests.unit.test_figure_planning import TODAY, measure, port, synonyms, values

LOANS = port(
    "loans",
    [
        {"name": "loan_no", "logicalType": "integer", "primaryKey": True},
        {"name": "reader_id", "logicalType": "string", "relationships": [{"to": "library.people.readers.reader_id"}]},
        {"name": "branch", "logicalType": "string", "semanticType": "dimension", "enum": values("North", "South")},
        {"name": "lent_on", "logicalType": "date", "semanticType": "dimension"},
        {"name": "fee", "logicalType": "number"},
        measure("fees", "SUM(fee)", unit="EUR"),
    ],
    synonyms=synonyms("lend"),
)
READERS = port(
    "readers",
    [
        {"name": "reader_id", "logicalType": "string", "primaryKey": True},
        {"name": "branch", "logicalType": "string", "semanticType": "dimension"},
        {"name": "card", "logicalType": "string", "semanticType": "dimension", "enum": values("blue", "red")},
        {"name": "country", "logicalType": "string", "semanticType": "dimension", "enum": values("Germany", "France")},
        {"name": "age", "logicalType": "integer"},
        measure("reader_count", "COUNT(*)", "number of readers"),
    ],
)
FINES = port(
    "fines",
    [
        {"name": "fine_no", "logicalType": "integer", "primaryKey": True},
        {"name": "reason", "logicalType": "string", "enum": values("lost", "late")},
    ],
)
PORTS = {"library.desk.loans": LOANS, "library.people.readers": READERS, "city.court.fines": FINES}
ENGINE = """
CREATE TABLE loans (loan_no INT, reader_id TEXT, branch TEXT, lent_on DATE, fee DECIMAL(9,2));
INSERT INTO loans VALUES
  (1, 'a', 'North', '2026-06-01', 1), (2, 'a', 'South', '2026-06-30', 2), (3, 'b', 'North', '2026-06-15', 4),
  (4, 'c', 'North', '2026-07-01', 8), (5, NULL, 'South', '2026-06-02', 16), (6, 'b', 'South', '2026-05-31', 32),
  (7, 'x', 'North', '2026-06-03', 64);
CREATE TABLE readers (reader_id TEXT, branch TEXT, card TEXT, country TEXT, age INT);
INSERT INTO readers VALUES
  ('a', 'South', 'red', 'Germany', 30), ('b', 'North', 'blue', 'Germany', 40), ('c', 'North', NULL, 'France', 50);
"""


def plan(question: str, ports: Mapping[str, Port] = PORTS, **masked: frozenset[str]) -> FigurePlan:
    tables = [TableModel(name, 1, it, masked.get(it.name, frozenset())) for name, it in ports.items()]
    return plan_figures(question, tables, today=TODAY)


def run(sql: str, *, is_planned: bool = True) -> list[tuple[Any, ...]]:
    """The rows, once the gateway would take the query as well."""
    with duckdb.connect() as engine:
        engine.execute(ENGINE)
        if is_planned:
            parsed = parse_query(sql, prefix="p_")
            for table in parsed.tables:
                engine.execute(f'CREATE VIEW "{table.engine_name}" AS SELECT * FROM {table.port.rpartition(".")[2]}')
            return engine.execute(parsed.sql).fetchall()
        return engine.execute(sql).fetchall()


JOINED = "FROM loans JOIN readers USING (reader_id)"
LEFT = "FROM loans LEFT JOIN readers r USING (reader_id)"


@pytest.mark.parametrize(
    ("question", "by_hand"),
    [
        ("What are the fees of readers with card red?", f"SELECT sum(fee) {JOINED} WHERE card = 'red'"),
        ("What are the fees of readers in Germany in June 2026?",
         f"SELECT sum(fee) {JOINED} WHERE country = 'Germany' AND lent_on BETWEEN '2026-06-01' AND '2026-06-30'"),
        ("How much did readers in Germany lend in June 2026?",
         f"SELECT sum(fee) {JOINED} WHERE country = 'Germany' AND lent_on BETWEEN '2026-06-01' AND '2026-06-30'"),
        ("total of loans of readers in France", f"SELECT sum(fee) {JOINED} WHERE country = 'France'"),
        ("How many loans did readers in Germany have?", f"SELECT count(*) {JOINED} WHERE country = 'Germany'"),
        ("How many loans of blue and red readers in Germany?",
         f"SELECT card, count(*) {JOINED} WHERE country = 'Germany' AND card IN ('blue', 'red') GROUP BY 1 ORDER BY 1"),
        ("What are the fees of readers not in Germany?", f"SELECT sum(fee) {JOINED} WHERE country IS DISTINCT FROM 'Germany'"),
        ("Fees in branch North by country of the readers",
         f"SELECT country, sum(fee) {LEFT} WHERE loans.branch = 'North' GROUP BY 1 ORDER BY 1"),
        ("Which country has the most fees?",
         f"SELECT country, sum(fee) AS s {LEFT} WHERE country IS NOT NULL GROUP BY 1 ORDER BY s DESC LIMIT 1"),
        ("top 2 countries by fees", "VALUES ('Germany', 39), ('France', 8)"),
        ("fees by reader branch", f"SELECT r.branch, sum(fee) {LEFT} GROUP BY 1 ORDER BY 1"),
        ("fees by branch", "SELECT branch, sum(fee) FROM loans GROUP BY 1 ORDER BY 1"),
        ("What is the average fee of readers in Germany?", f"SELECT round(avg(fee), 4) {JOINED} WHERE country = 'Germany'"),
        ("What share of fees came from readers in Germany?", None),
    ],
)  # fmt: skip
def test_a_figure_of_two_tables_is_what_its_query_by_hand_gives(question, by_hand):
    found = plan(question)
    if by_hand is None:
        assert found.queries == ()
        assert "reader_country is of another table" in found.unclear[0]
        return
    assert found.unclear == (), found.unclear
    assert run(found.queries[0].sql) == run(by_hand, is_planned=False)


def test_a_joined_table_is_named_and_only_what_is_needed_is_read():
    (query,) = plan("What are the fees of readers with card red?").queries
    assert query.basis == "fees of library.desk.loans, reader_card red, with library.people.readers by reader_id"
    assert query.sentences == (
        "Fees {fees} EUR of library.desk.loans with library.people.readers by reader_id, reader_card red.",
    )
    assert "country" not in query.sql
    (alone,) = plan("What are the fees?").queries
    assert "readers" not in alone.sql


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("How many readers have a loan?", "“loan”: library.desk.loans has several rows"),
        (
            "What is the number of readers with a loan in South?",
            "library.desk.loans has several rows for one of library.people.readers",
        ),
        ("What are the fees of lost books?", "“lost”: that is of city.court.fines"),
        ("What are the fees for reason late?", "no contract says how library.desk.loans refers to it"),
    ],
)
def test_what_would_count_twice_or_is_not_related_is_declined_with_the_reason(question, said):
    found = plan(question)
    assert found.queries == ()
    assert said in " ".join(found.unclear), found.unclear


def test_who_may_not_read_both_tables_gets_no_figure_of_them():
    found = plan("What are the fees of readers with card red?", {"library.desk.loans": LOANS})
    assert found.queries == ()
    assert "not known to library.desk.loans" in found.unclear[0]


@pytest.mark.parametrize(
    ("masked", "said"),
    [
        ({"readers": frozenset({"card"})}, "cannot be told apart by reader_card, which you see masked"),
        ({"readers": frozenset({"reader_id"})}, "cannot be told apart by reader_id, which you see masked"),
        ({"loans": frozenset({"reader_id"})}, "cannot be told apart by reader_id, which you see masked"),
    ],
)
def test_nothing_is_joined_or_told_apart_by_what_is_seen_masked(masked, said):
    found = plan("What are the fees of readers with card red?", **masked)
    assert found.queries == ()
    assert said in found.unclear[0]
    assert plan("What are the fees?", **masked).queries


def test_of_two_references_to_one_table_the_question_must_say_which():
    to = [{"to": "library.people.readers.reader_id"}]
    gifts = port(
        "gifts",
        [
            {"name": "gift_no", "logicalType": "integer", "primaryKey": True},
            {"name": "giver_id", "logicalType": "string", "relationships": to},
            {"name": "taker_id", "logicalType": "string", "relationships": to},
            {"name": "worth", "logicalType": "number"},
            measure("given", "SUM(worth)"),
        ],
    )
    ports = {"library.desk.gifts": gifts, "library.people.readers": READERS}
    assert plan("What is given with card red?", ports).queries == ()
    (query,) = plan("What is given with the taker card red?", ports).queries
    assert '"taker_id" = "taker_reader_id__key"' in query.sql


def test_a_word_that_the_figure_s_own_table_explains_is_not_said_to_be_of_another():
    (told,) = plan("How many readers by sunny branch?").unclear
    assert "library.desk.loans" not in told
    assert "“sunny”" in told
