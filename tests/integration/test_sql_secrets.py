"""No SQL tells of what policy hides: two meshes that differ only in hidden cells answer every query alike."""

from __future__ import annotations

import random

import polars as pl
import pyarrow as pa
import pytest

from governance_server.gateway.sql_engine import GovernedStream
from governance_server.gateway.sql_tables import governed_table
from governance_server.rules.read_plans import Branch, ColumnPlan, ReadPlan
from governance_server.warehouse.local_folder import LocalFolder
from mesh_core.expressions.tree import TRUE, Column, Compare, Literal
from mesh_core.masks import Mask
from tests.integration.sql_fuzz import random_queries, tells_nothing
from tests.integration.test_secrets import PORT, SECRET, answer, worlds  # noqa: F401 (a fixture)

QUERIES = [
    f"SELECT * FROM {PORT} ORDER BY ALL",
    f"SELECT count(*), count(salary), min(salary), max(name), sum(salary) FROM {PORT}",
    f"SELECT CAST(name AS INTEGER) FROM {PORT}",
    f"SELECT CAST(badge AS DATE) FROM {PORT}",
    f"SELECT 1 // (salary - 7331003) FROM {PORT}",
    f"SELECT salary % (id - id) FROM {PORT}",
    f"SELECT error(name) FROM {PORT} WHERE name LIKE 'SECRET%'",
    f"SELECT error(email) FROM {PORT}",
    f"SELECT regexp_extract(badge, '(Q|Z)X-(.*)', 2), count(*) FROM {PORT} GROUP BY ALL ORDER BY ALL",
    f"SELECT team, count(*) FROM {PORT} GROUP BY team HAVING team <> 'red'",
    f"SELECT p FROM {PORT} p ORDER BY p.id",
    f"SELECT to_json(p) FROM {PORT} p ORDER BY 1",
    f"SELECT note FROM {PORT}",
    f"SELECT lead FROM {PORT} WHERE lead",
    f"SELECT COLUMNS('.*') FROM {PORT} ORDER BY ALL",
    f"SELECT id FROM {PORT} WHERE (SELECT count(*) FROM {PORT} q WHERE q.salary > {PORT}.salary) > 2 ORDER BY id",
    f"SELECT id FROM {PORT} WHERE salary IN (SELECT salary FROM {PORT} WHERE team <> 'red')",
    f"SELECT any_value(name) FILTER (WHERE team <> 'red'), mode(team) FROM {PORT}",
    f"SELECT * FROM {PORT} a FULL JOIN {PORT} b ON a.id = b.salary ORDER BY ALL",
    f"SELECT approx_count_distinct(name), approx_quantile(salary, 0.5), entropy(team) FROM {PORT}",
    f"SELECT id, lag(name) OVER (ORDER BY id), sum(salary) OVER (ORDER BY id) FROM {PORT} ORDER BY id",
    f"SELECT list(name ORDER BY id), histogram(team) FROM {PORT}",
    f"SELECT id FROM {PORT} WHERE born = DATE '1971-03-05'",
    f"SELECT count(*) FROM {PORT} AT (VERSION => 1)",
    f"SELECT CASE WHEN badge = 'QX-0SECRET' THEN error('yes') ELSE 'no' END FROM {PORT}",
    f"SELECT TRY_CAST(salary AS TINYINT), CAST(salary AS TINYINT) FROM {PORT}",
    f"SUMMARIZE {PORT}",
    f"SELECT stats(name) FROM {PORT}",
    f"SELECT rowid FROM {PORT}",
    f"SELECT * FROM {PORT} LIMIT 3 OFFSET (SELECT count(*) - 1 FROM {PORT})",
]


@pytest.mark.parametrize("query", QUERIES)
def test_both_worlds_answer_alike_and_show_nothing_hidden(worlds, query):  # noqa: F811
    first, second = (answer(lambda reader=world.reader: reader.sql(query).rows()) for world in worlds)
    assert first == second
    assert not SECRET.search(first.replace(query, "").encode()) or "SECRET" in query


@pytest.mark.parametrize("seed", range(8))
def test_random_expressions_in_every_clause_tell_nothing(worlds, seed):  # noqa: F811
    for query in random_queries(random.Random(seed), PORT, 25):
        tells_nothing(worlds, query)


def test_what_the_engine_gets_is_the_same_whatever_is_hidden(tmp_path):
    """Byte for byte and batch for batch: so no time the engine takes can tell of it either."""
    given = []
    for world in (3, 7):
        rows = 300_000
        number = pl.int_range(rows, eager=True)
        shown = number % 2 == 0
        hidden = ((number * world) % 1000).cast(pl.String)
        frame = pl.DataFrame({"id": number, "shown": shown, "name": shown.replace_strict({True: "n", False: "s"}) + hidden})
        visible = frame.with_columns(name=pl.when("shown").then(pl.lit("n") + (number % 10).cast(pl.String)).otherwise("name"))
        folder = tmp_path / str(world)
        visible.write_delta(folder)
        given.append(_given(LocalFolder(folder)))
    assert given[0] == given[1]
    assert len(given[0]) > 2


def _given(folder: LocalFolder) -> list[bytes]:
    clear = (Branch(TRUE, None),)
    columns = (ColumnPlan("id", clear, None), ColumnPlan("name", clear, Mask.SHOW_FIRST_4))
    shown = Compare("=", Column("shown"), Literal(True))
    plan = ReadPlan("a.b.c", "user:ria", "", 1, shown, columns, ("shown",), ())
    table = governed_table(plan, ["id", "name"], table=(folder, 0), salt=bytes(32))
    assert isinstance(table, GovernedStream)
    return [batch.serialize().to_pybytes() for batch in pa.RecordBatchReader.from_stream(table)]
