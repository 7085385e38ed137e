"""Columns read from the query of a job: only where nobody declares them, and only if the query explains the run."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from governance_server.lineage.derivation import lineages_of
from governance_server.lineage.received import parse_event
from governance_server.lineage.run_state import LONGEST_QUERY, CatalogSchema, joined, state_of
from mesh_core.lineage import Basis, PortLineage
from tests.integration.test_openlineage import columns, dataset, run_event

DB = "postgres://db:5432"
OUT = f"{DB}|shop.public.out"
FACET = {"_producer": "https://test.example/x", "_schemaURL": "https://openlineage.io/x"}
SELECT = "SELECT o.amount * 2 AS double, c.mail FROM orders o JOIN public.customers c ON o.customer = c.id WHERE o.state = 'paid'"


def table(name: str, *names: str, **facets: Any) -> dict[str, Any]:
    more = {"schema": {"fields": [{"name": it} for it in names]}} if names else {}
    return dataset(DB, f"shop.public.{name}", **more, **facets)


ORDERS = table("orders", "id", "customer", "amount", "state")
CUSTOMERS = table("customers", "id", "mail")


def told(query: str, output: dict[str, Any] | None = None, *, inputs: Any = (ORDERS, CUSTOMERS), **more: Any) -> PortLineage:
    return told_of(event(query, output, inputs=inputs, **more))


def event(query: str, output: dict[str, Any] | None = None, *, inputs: Any = (ORDERS, CUSTOMERS), **more: Any) -> Any:
    made = run_event(("n", "job"), run="1", inputs=list(inputs), outputs=[output or table("out")])
    made["job"]["facets"] = {"sql": {**FACET, "query": query, **more}}
    return made


def told_of(*events: Any) -> PortLineage:
    state = None
    for it in events:
        state = joined(state, state_of(parse_event(json.dumps(it).encode())))
    assert state is not None
    return lineages_of(state)[OUT]


def direct(lineage: PortLineage) -> set[tuple[str, str, str]]:
    edges = (it for it in lineage.edges if it.transformation.is_direct)
    return {(it.source_port.rpartition(".")[2], it.source_column, it.target_column) for it in edges}


def test_a_query_tells_the_columns_that_nobody_declared() -> None:
    found = told(SELECT)
    assert found.basis is Basis.INFERRED
    assert direct(found) == {("orders", "amount", "double"), ("customers", "mail", "mail")}
    assert {(it.source_port.rpartition(".")[2], it.source_column) for it in found.row_edges} == {
        ("orders", "customer"), ("customers", "id"), ("orders", "state"),
    }  # fmt: skip
    assert found.unknown_inputs == ()
    assert [it.port for it in found.inputs] == [f"{DB}|shop.public.customers", f"{DB}|shop.public.orders"]


@pytest.mark.parametrize(
    ("query", "output", "expected"),
    [
        ("INSERT INTO out SELECT amount, id FROM orders", table("out", "id", "sum"),
         {("orders", "amount", "id"), ("orders", "id", "sum")}),
        ("INSERT INTO public.out (sum, id) SELECT amount, id FROM orders", table("out", "id", "sum"),
         {("orders", "amount", "sum"), ("orders", "id", "id")}),
        ("CREATE TABLE shop.public.out AS SELECT amount AS SUM FROM orders", table("out", "sum"), {("orders", "amount", "sum")}),
        ("WITH x AS (SELECT id FROM orders) INSERT INTO out (a) SELECT id FROM x", table("out"), {("orders", "id", "a")}),
        ("SELECT * FROM orders", table("out"), {("orders", it, it) for it in ("id", "customer", "amount", "state")}),
    ],
)  # fmt: skip
def test_columns_go_where_the_statement_puts_them(query: str, output: Any, expected: Any) -> None:
    assert direct(told(query, output, inputs=[ORDERS])) == expected


@pytest.mark.parametrize(
    "query",
    [
        "SELECT amount FROM orders",  # the run read customers as well
        "SELECT amount FROM orders, customers, others",
        "INSERT INTO elsewhere SELECT amount, mail FROM orders, customers",
        "INSERT INTO out SELECT amount, mail FROM orders, customers",  # by place, and the order is not known
        "SELECT amount FROM orders, customers; SELECT 1",
        "MERGE INTO out USING orders ON true WHEN MATCHED THEN DELETE",
        "INSERT INTO out (a) SELECT mail FROM orders, customers ON CONFLICT (a) DO UPDATE SET a = 'x'",
        "SELECT amount FROM orders, customers -- " + "x" * LONGEST_QUERY,
        "no SQL (",
        "",
    ],
)
def test_a_query_that_does_not_explain_the_run_tells_nothing(query: str) -> None:
    found = told(query)
    assert (found.basis, found.edges) == (Basis.PRODUCT, ())
    assert found.unknown_inputs == (f"{DB}|shop.public.customers", f"{DB}|shop.public.orders")


def test_declared_columns_go_before_the_query() -> None:
    declared = table("out", columnLineage=columns(mail=(DB, "shop.public.orders", "state")))
    found = told(SELECT, declared)
    assert (found.basis, direct(found)) == (Basis.COLUMNS, {("orders", "state", "mail")})
    explicit = event(SELECT)
    explicit["job"]["facets"]["lineage"] = {**FACET, "entries": []}
    assert state_of(parse_event(json.dumps(explicit).encode())).has_entries
    assert lineages_of(state_of(parse_event(json.dumps(explicit).encode()))) == {}


def test_columns_of_an_input_without_schema_are_unknown() -> None:
    found = told("SELECT o.amount, c.mail FROM orders o, customers c", inputs=[ORDERS, table("customers")])
    assert direct(found) == {("orders", "amount", "amount")}
    assert found.unknown_inputs == (f"{DB}|shop.public.customers",)


def test_a_column_of_the_output_that_the_query_does_not_write_is_unknown() -> None:
    found = told("INSERT INTO out (a) SELECT amount FROM orders", table("out", "a", "b"), inputs=[ORDERS])
    assert found.unknown_inputs == (f"{DB}|shop.public.orders",)


def test_a_star_over_a_schema_that_may_not_be_complete_leaves_the_rest_unknown() -> None:
    assert told("SELECT * FROM orders", inputs=[ORDERS]).unknown_inputs == (f"{DB}|shop.public.orders",)
    assert told("SELECT count(*) AS n, max(id) AS last FROM orders", inputs=[ORDERS]).unknown_inputs == ()
    assert told("INSERT INTO out SELECT * FROM orders", table("out", "a", "b", "c", "d"), inputs=[ORDERS]).basis is Basis.PRODUCT


def test_an_ambiguous_table_is_nobodys() -> None:
    inputs = [dataset(DB, f"shop.{schema}.orders", schema={"fields": [{"name": "amount"}]}) for schema in ("a", "b")]
    assert told("SELECT x.amount FROM orders x JOIN a.orders y ON true", inputs=inputs).basis is Basis.PRODUCT
    assert told("SELECT x.amount FROM b.orders x JOIN a.orders y ON true", inputs=inputs).basis is Basis.INFERRED


def test_the_dialect_is_the_facets_then_the_systems_else_none() -> None:
    quoted = "SELECT `amount` FROM orders"
    assert told(quoted, inputs=[ORDERS], dialect="BigQuery").basis is Basis.INFERRED
    assert told(quoted, inputs=[ORDERS]).basis is Basis.PRODUCT, "backticks are no PostgreSQL"
    assert told("SELECT amount FROM orders", inputs=[ORDERS], dialect="no, such=dialect").basis is Basis.INFERRED


def test_the_query_may_come_in_another_event_than_the_schemas() -> None:
    bare = [table("orders"), table("customers")]
    start, end = event(SELECT, inputs=bare), event(SELECT)
    end["job"].pop("facets")
    end["eventTime"] = "2026-01-01T01:00:00Z"
    assert told_of(start).edges == ()
    assert told_of(start, end) == told_of(end, start) == told(SELECT)


@pytest.mark.parametrize(
    "query",
    [
        "WITH a0 AS (SELECT * FROM orders), "
        + ", ".join(f"a{i + 1} AS (SELECT *, * FROM a{i})" for i in range(60)) + " SELECT * FROM a60",
        "WITH a AS (SELECT " + "+".join(["amount", "id"] * 800) + " AS x FROM orders) SELECT "
        + ",".join(f"x a{i}" for i in range(1200)) + " FROM a",
        "SELECT " + "(" * 3000 + "amount" + ")" * 3000 + " FROM orders",
        "WITH RECURSIVE a AS (" * 40 + "SELECT amount FROM orders" + " UNION ALL SELECT amount FROM a) SELECT amount FROM a" * 40,
    ],
)  # fmt: skip
def test_a_hostile_query_takes_little_time(query: str) -> None:
    assert len(query) < LONGEST_QUERY
    started = time.process_time()
    told(query, inputs=[ORDERS])
    assert time.process_time() - started < 5


def test_a_star_over_what_the_catalog_tells_leaves_nothing_unknown_if_the_run_says_what_it_made() -> None:
    schemas = (CatalogSchema(f"{DB}|shop.public.orders", 3, ("id", "amount")),)
    made = event("SELECT * FROM orders", table("out", "id", "amount"), inputs=[table("orders")])
    state = state_of(parse_event(json.dumps(made).encode()), schemas)
    found = lineages_of(state)[OUT]
    assert direct(found) == {("orders", "id", "id"), ("orders", "amount", "amount")}
    assert found.unknown_inputs == ()

    silent = event("SELECT * FROM orders", table("out"), inputs=[table("orders")])
    found = lineages_of(state_of(parse_event(json.dumps(silent).encode()), schemas))[OUT]
    assert len(found.edges) == 2
    assert found.unknown_inputs == (f"{DB}|shop.public.orders",), "it may have made columns that came since"

    more = event("SELECT * FROM orders", table("out", "id", "amount", "note"), inputs=[table("orders")])
    assert lineages_of(state_of(parse_event(json.dumps(more).encode()), schemas))[OUT].unknown_inputs != ()


def test_the_newest_schema_of_the_catalog_counts_in_any_order_and_an_events_own_before_it() -> None:
    made = event("SELECT * FROM orders", table("out"), inputs=[table("orders")])
    node = f"{DB}|shop.public.orders"
    one, two = (
        state_of(parse_event(json.dumps({**made, "eventTime": f"2026-01-01T00:00:0{second}Z"}).encode()), (schema,))
        for second, schema in ((1, CatalogSchema(node, 7, ("new",))), (2, CatalogSchema(node, 3, ("old",))))
    )
    assert joined(one, two).to_text() == joined(two, one).to_text()
    assert direct(lineages_of(joined(one, two))[OUT]) == {("orders", "new", "new")}
    own = state_of(parse_event(json.dumps(event("SELECT * FROM orders", table("out"), inputs=[table("orders", "own")])).encode()))
    assert direct(lineages_of(joined(joined(one, own), two))[OUT]) == {("orders", "own", "own")}
