"""No SQL tells of what policy hides: two meshes that differ only in hidden cells answer every query alike."""

from __future__ import annotations

import random

import pytest

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

COLUMNS = ("id", "team", "name", "badge", "email", "born", "salary", "lead", "note", "account")
SHAPES = (
    "CAST({a} AS INTEGER)", "CAST({a} AS DATE)", "CAST({a} AS TINYINT)", "1 // CAST({a} AS INTEGER)", "{a} % 0", "{a} || {b}",
    "length({a})", "regexp_replace({a}, '[A-Z]+', '')", "strptime({a}, '%Y')", "{a} = {b}", "{a} > {b}",
    "substr({a}, 1, 3)", "upper({a})",
    "error({a})", "list_value({a}, {b})", "hash({a})", "coalesce({a}, {b})", "nullif({a}, {b})", "sqrt(-length({a}))",
    "(SELECT max({a}) FROM {port} s WHERE s.{b} >= o.{b})", "(SELECT {a} FROM {port} s)", "{a} IN (SELECT {b} FROM {port})",
    "EXISTS (SELECT 1 FROM {port} s WHERE CAST(s.{a} AS INTEGER) = 1)", "ln({a})", "chr({a})", "repeat({a}, {b})", "{a}::UUID",
)  # fmt: skip


@pytest.mark.parametrize("query", QUERIES)
def test_both_worlds_answer_alike_and_show_nothing_hidden(worlds, query):  # noqa: F811
    first, second = (answer(lambda reader=world.reader: reader.sql(query).rows()) for world in worlds)
    assert first == second
    assert not SECRET.search(first.replace(query, "").encode()) or "SECRET" in query


@pytest.mark.parametrize("seed", range(8))
def test_random_expressions_in_every_clause_tell_nothing(worlds, seed):  # noqa: F811
    for query in _queries(random.Random(seed), 25):
        first, second = (
            answer(lambda reader=world.reader, sql=query: reader.sql(sql, timeout_seconds=20).rows()) for world in worlds
        )
        assert first == second, query
        assert not SECRET.search(first.encode()), query


def _queries(draw: random.Random, count: int) -> list[str]:
    made = []
    for _ in range(count):
        values = [draw.choice(SHAPES).format(a=draw.choice(COLUMNS), b=draw.choice(COLUMNS), port=PORT) for _ in range(3)]
        made.append(
            draw.choice(
                [
                    f"SELECT {values[0]} FROM {PORT} o ORDER BY id",
                    f"SELECT id FROM {PORT} o WHERE {values[0]} IS NOT NULL ORDER BY id",
                    f"SELECT id FROM {PORT} o WHERE team = 'red' AND {values[0]} IS NULL ORDER BY {values[1]}, id",
                    f"SELECT count(*), min({values[0]}) FROM {PORT} o GROUP BY {values[1]} ORDER BY ALL",
                    f"SELECT o.id FROM {PORT} o JOIN {PORT} p ON {values[0]} = p.id ORDER BY ALL",
                    f"SELECT CASE WHEN {values[0]} IS NULL THEN {values[1]} ELSE {values[2]} END FROM {PORT} o ORDER BY id",
                    f"WITH w AS (SELECT {values[0]} AS v FROM {PORT} o) SELECT v, count(*) FROM w GROUP BY v ORDER BY ALL",
                    f"SELECT id, max({values[0]}) OVER (PARTITION BY team ORDER BY id) FROM {PORT} o ORDER BY id",
                ]
            )
        )
    return made
