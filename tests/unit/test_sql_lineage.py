"""Column lineage of SQL: each construct by example, what cannot be told, and no dependency missed on generated queries."""

from __future__ import annotations

import random

import duckdb
import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from mesh_core.lineage import ANY_COLUMN, PortLineage
from mesh_core.sql_lineage.queries import query_lineage, to_port_lineage
from mesh_core.sql_lineage.relations import Relation, of_table
from mesh_core.sql_text import SqlNotUnderstood

TABLES = {"l": ["k", "x", "y"], "r": ["k", "x", "y"], "people": ["id", "name", "email"], "orders": ["id", "person", "amount"]}


def _table(parts: tuple[str, ...]) -> Relation:
    return of_table(f"a.b.{parts[-1]}", TABLES.get(parts[-1]))


def _lineage(sql: str, dialect: str = "duckdb") -> PortLineage:
    return to_port_lineage(query_lineage(sql, dialect=dialect, table=_table), target_port="a.b.made")


def _edges(sql: str, dialect: str = "duckdb") -> set[tuple[str, str, str]]:
    """(target, source table and column, subtype and function); `*` for the rows."""
    found = _lineage(sql, dialect)
    columns = {
        (e.target_column, f"{e.source_port.removeprefix('a.b.')}.{e.source_column}", _words(e.transformation))
        for e in found.edges
    }
    return columns | {
        ("*", f"{e.source_port.removeprefix('a.b.')}.{e.source_column}", _words(e.transformation)) for e in found.row_edges
    }


def _words(transformation) -> str:
    return f"{transformation.subtype} {transformation.function}".strip()


@pytest.mark.parametrize(
    "over",
    ["w", "(w)", "(w rows between 1 preceding and current row)", "v", "(plain order by id)", "(PARTITION BY person ORDER BY id)"],
)
def test_a_named_window_decides_like_one_written_out(over: str) -> None:
    windows = "window W as (partition by person order by id), plain as (partition by person), v as (plain order by id)"
    found = _edges(f"select sum(amount) over {over} s from orders {windows}")
    assert found == {("s", "orders.amount", "AGGREGATION sum"), ("s", "orders.person", "WINDOW"), ("s", "orders.id", "WINDOW")}


@pytest.mark.parametrize("sql", ["select id from people {}", "select id from people union all select id from people {}"])
@pytest.mark.parametrize("clause", ["limit (select max(amount) from orders)", "limit 3 offset (select max(amount) from orders)"])
def test_a_query_that_says_how_many_rows_there_are_decides_about_rows(sql: str, clause: str) -> None:
    assert {("id", "people.id", "IDENTITY"), ("*", "orders.amount", "FILTER")} == _edges(sql.format(clause))


def test_windows_that_name_each_other_in_a_ring_end() -> None:
    assert _edges("select sum(id) over v s from people window w as (v order by id), v as (w)") == {
        ("s", "people.id", "AGGREGATION sum"), ("s", "people.id", "WINDOW"),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("select id, name as who from people", {("id", "people.id", "IDENTITY"), ("who", "people.name", "IDENTITY")}),
        ("select upper(name) n from people", {("n", "people.name", "TRANSFORMATION")}),
        (
            "select id from people where email like '%@x'",
            {("id", "people.id", "IDENTITY"), ("*", "people.email", "FILTER")},
        ),
        (
            "select person, sum(amount) s, count(*) n, count(distinct id) d from orders group by 1",
            {
                ("person", "orders.person", "IDENTITY"), ("s", "orders.amount", "AGGREGATION sum"),
                ("d", "orders.id", "AGGREGATION count_distinct"), ("*", "orders.person", "GROUP_BY"),
            },
        ),
        (
            "select p.name, o.amount from people p join orders o on o.person = p.id",
            {
                ("name", "people.name", "IDENTITY"), ("amount", "orders.amount", "IDENTITY"),
                ("*", "people.id", "JOIN"), ("*", "orders.person", "JOIN"),
            },
        ),
        (
            "select case when amount > 3 then id else person end c from orders",
            {("c", "orders.amount", "CONDITIONAL"), ("c", "orders.id", "TRANSFORMATION"),
             ("c", "orders.person", "TRANSFORMATION")},
        ),
        (
            "select rank() over (partition by person order by amount) w, sum(id) over (partition by person) s from orders",
            {
                ("w", "orders.person", "WINDOW"), ("w", "orders.amount", "WINDOW"), ("s", "orders.id", "AGGREGATION sum"),
                ("s", "orders.person", "WINDOW"),
            },
        ),
        (
            "with big as (select * from orders where amount > 5) select * exclude (amount) from big",
            {("id", "orders.id", "IDENTITY"), ("person", "orders.person", "IDENTITY"), ("*", "orders.amount", "FILTER")},
        ),
        (
            "select id from people union all select person from orders",
            {("id", "people.id", "IDENTITY"), ("id", "orders.person", "IDENTITY")},
        ),
        (
            "select id from people except select person from orders",
            {("id", "people.id", "IDENTITY"), ("*", "people.id", "FILTER"), ("*", "orders.person", "FILTER")},
        ),
        (
            "select name, (select max(amount) from orders o where o.person = p.id) m from people p",
            {
                ("name", "people.name", "IDENTITY"), ("m", "orders.amount", "AGGREGATION max"),
                ("m", "orders.person", "FILTER"), ("m", "people.id", "FILTER"),
            },
        ),
        (
            "select name from people p where exists (select 1 from orders o where o.person = p.id)",
            {("name", "people.name", "IDENTITY"), ("*", "people.id", "FILTER"), ("*", "orders.person", "FILTER")},
        ),
        (
            "select p.name, t.a from people p, lateral (select amount + p.id as a from orders) t",
            {("name", "people.name", "IDENTITY"), ("a", "orders.amount", "TRANSFORMATION"), ("a", "people.id", "TRANSFORMATION")},
        ),
        (
            "select distinct name from people order by email limit 3",
            {("name", "people.name", "IDENTITY"), ("*", "people.name", "GROUP_BY"), ("*", "people.email", "SORT")},
        ),
        (
            "with recursive up(n, id) as "
            "(select 1, id from people union all select n + 1, person from up join orders using (id)) select id from up",
            {("id", "people.id", "IDENTITY"), ("id", "orders.person", "IDENTITY"), ("*", "people.id", "JOIN"),
             ("*", "orders.id", "JOIN"), ("*", "orders.person", "JOIN")},
        ),
        (
            "insert into target select id, email from people",
            {("id", "people.id", "IDENTITY"), ("email", "people.email", "IDENTITY")},
        ),
        (
            "select amount + 1 as a, a * 2 as b from orders",
            {("a", "orders.amount", "TRANSFORMATION"), ("b", "orders.amount", "TRANSFORMATION")},
        ),
        (
            "select sum(amount) filter (where id > 2) s from orders",
            {("s", "orders.amount", "AGGREGATION sum"), ("s", "orders.id", "FILTER")},
        ),
    ],
)  # fmt: skip
def test_each_construct_gives_the_edges_it_means(sql: str, expected: set[tuple[str, str, str]]) -> None:
    assert _edges(sql) == expected
    assert _lineage(sql).unknown_inputs == ()


@pytest.mark.parametrize(
    ("dialect", "sql"),
    [
        ("postgres", 'SELECT "id", name::text AS n FROM people WHERE email ILIKE $$a$$'),
        (
            "snowflake",
            "SELECT id, IFF(id > 1, name, email) n FROM people WHERE email > '' QUALIFY row_number() over (order by id) = 1",
        ),
        ("bigquery", "SELECT id, SAFE_CAST(name AS STRING) n FROM `people` WHERE email IS NOT NULL"),
        ("spark", "SELECT id, concat_ws('-', name) n FROM people LATERAL VIEW explode(split(email, ',')) e AS part"),
        ("tsql", "SELECT TOP 3 id, ISNULL(name, 'x') n FROM people WHERE email IS NOT NULL"),
        ("trino", "SELECT id, try_cast(name AS varchar) n FROM people CROSS JOIN UNNEST(split(email, ',')) AS t(part)"),
        ("mysql", "SELECT id, IFNULL(name, 'x') AS n FROM people WHERE email REGEXP 'a'"),
    ],
)
def test_other_dialects_are_read_too(dialect: str, sql: str) -> None:
    found = _edges(sql, dialect)
    assert ("id", "people.id", "IDENTITY") in found
    assert {source for target, source, _ in found if target == "n"} >= {"people.name"}
    assert any(target == "*" and source == "people.email" for target, source, _ in found)


@pytest.mark.parametrize(
    ("sql", "unknown"),
    [
        ("select * from mystery", ("a.b.mystery",)),
        ("select * from people, mystery", ("a.b.mystery", "a.b.people")),
        ("select secret from mystery m, other o", ("a.b.mystery", "a.b.other")),
        ("select id from people, orders", ("a.b.orders", "a.b.people")),
        ("select columns('i.*') from people", ("a.b.people",)),
        ("pivot orders on person using sum(amount)", None),
        ("select list_transform([name], z -> z || email) n from people", ("a.b.people",)),
    ],
)
def test_what_cannot_be_told_is_said_to_be_unknown(sql: str, unknown: tuple[str, ...] | None) -> None:
    if unknown is None:
        with pytest.raises(SqlNotUnderstood):
            _lineage(sql)
        return
    found = _lineage(sql)
    assert found.unknown_inputs == unknown
    assert not [edge for edge in found.edges if edge.transformation.is_direct]


def test_a_column_named_of_a_table_whose_columns_nobody_knows_is_that_tables() -> None:
    assert _edges("select m.secret s from mystery m join people p on p.id = m.id") == {
        ("s", "mystery.secret", "IDENTITY"), ("*", "people.id", "JOIN"), ("*", "mystery.id", "JOIN"),
    }  # fmt: skip


@pytest.mark.parametrize(
    "sql",
    [
        "select " + "(" * 200 + "1" + ")" * 200, "select 1" + " + 1" * 60_000, "select case " * 80, "selec id fro people",
        "drop table people",
        "select 1; select 2", "", "select '" + "x" * 200_000 + "'",
    ],
)  # fmt: skip
def test_what_is_too_deep_too_long_or_no_query_is_refused_and_nothing_else_happens(sql: str) -> None:
    with pytest.raises(SqlNotUnderstood):
        _lineage(sql)


# Generated queries: change one input column, see which output columns change, and require that each was claimed.

_COLUMN = st.sampled_from(["k", "x", "y"])


@st.composite
def _values(draw: st.DrawFn, table: str, depth: int) -> str:
    a, b, other = (f"{table}.{draw(_COLUMN)}" for _ in range(3))
    made = [
        a, f"{a} + {b}", f"case when {a} > 1 then {b} else {other} end", f"coalesce(nullif({a}, 1), {b})", f"{a} in (1, 2)",
        f"sum({a}) over (partition by {b})", f"max({a}) over (order by {b})", f"lag({a}) over (order by {b}, {a}, {other})",
        "3", f"{a} between {b} and {other}", f"greatest({a}, {b})", f"if({a} > {b}, {other}, 0)",
    ]  # fmt: skip
    if depth > 0:
        inner = draw(st.sampled_from(["l", "r"]))
        made += [
            f"(select max(i.{draw(_COLUMN)}) from {inner} i where i.{draw(_COLUMN)} = {a})",
            f"exists (select 1 from {inner} i where i.{draw(_COLUMN)} > {a})",
            f"{a} in (select {draw(_COLUMN)} from {inner})",
        ]
    return draw(st.sampled_from(made))


@st.composite
def _queries(draw: st.DrawFn, depth: int = 2) -> str:
    """A query with the columns k, x and y."""
    source = draw(_sources(depth))
    one, two, three = (draw(_values("t", depth)) for _ in range(3))
    where = draw(st.sampled_from(["", f" where t.{draw(_COLUMN)} > 1", f" where ({draw(_values('t', 0))})::int > 0 and t.k < 9"]))
    if "over" in where:
        where = ""
    plain = f"select ({one})::int as k, ({two})::int as x, ({three})::int as y from {source} t{where}"
    key, summed = draw(_COLUMN), draw(_COLUMN)
    grouped = (
        f"select t.{key} as k, sum(t.{summed})::int as x, count(distinct t.{draw(_COLUMN)})::int as y from {source} t{where} "
        f"group by {draw(st.sampled_from(['1', f't.{key}', 'all']))}{draw(st.sampled_from(['', f' having min(t.{summed}) > 0']))}"
    )
    made = [
        plain, grouped, f"select distinct * from {source} t", f"select * replace (({one})::int as x) from {source} t",
        f"select t.k, t.x, t.y from {source} t order by t.{key}, t.k, t.x, t.y limit 2",
        f"select t.k, t.x, t.y from {source} t qualify row_number() over (partition by t.{key} order by t.k, t.x, t.y) = 1",
    ]  # fmt: skip
    if depth > 0:
        other = draw(_queries(depth - 1))
        made += [
            f"{plain} {draw(st.sampled_from(['union all', 'union', 'except', 'intersect']))} ({other})",
            f"with w as ({other}) select w.k, t.x, w.y from {source} t join w on w.{key} = t.{summed}",
            f"with w(x, y, k) as ({other}) select * from w",
            f"select j.k, t.x, j.y from {source} t, lateral (select t.{key} as k, i.y from ({other}) i where i.x = t.{summed}) j",
        ]
    return draw(st.sampled_from(made))


@st.composite
def _sources(draw: st.DrawFn, depth: int) -> str:
    plain = draw(st.sampled_from(["l", "r"]))
    if depth == 0:
        return plain
    how = draw(st.sampled_from(["join", "left join", "right join", "full join", "semi join", "anti join"]))
    key = draw(_COLUMN)
    side = "l" if "semi" in how or "anti" in how else "r"
    joined = f"(select l.k, l.x, {side}.y from l {how} r on l.{key} = r.{draw(_COLUMN)})"
    merging = draw(st.sampled_from(["join", "left join", "right join", "full join"]))
    using = f"(select {key}, l.{draw(_COLUMN)} as a1, r.{draw(_COLUMN)} as a2 from l {merging} r using ({key}))"
    renamed = f"(select {key} as k, a1 as x, a2 as y from {using} u)"
    return draw(st.sampled_from([plain, f"({draw(_queries(depth - 1))})", joined, renamed]))


def _rows(chance: random.Random) -> list[tuple[int, int, int]]:
    return [(chance.randrange(4), chance.randrange(4), chance.randrange(4)) for _ in range(5)]


def _answers(engine: duckdb.DuckDBPyConnection, sql: str, tables: dict[str, list[tuple[int, ...]]]) -> dict[str, list[object]]:
    """Each output column's values, sorted: the order of rows is no promise."""
    for name, rows in tables.items():
        engine.execute(f"create or replace table {name} as select * from (values {str(rows)[1:-1]}) v(k, x, y)")
    found = engine.execute(sql)
    names = [column[0] for column in found.description]
    values = found.fetchall()
    return {name: sorted((row[i] for row in values), key=lambda v: (v is not None, v)) for i, name in enumerate(names)}


def _missed(sql: str, chance: random.Random) -> None:
    """Every input column is changed several times, and every output column that changes must have been claimed."""
    lineage = _lineage(sql)
    with duckdb.connect(config={"threads": 1}) as engine:
        for table, place in [(table, place) for table in ("l", "r") for place in range(3)] * 2:
            tables = {"l": _rows(chance), "r": _rows(chance)}
            changed = [tuple(chance.randrange(4) if i == place else v for i, v in enumerate(row)) for row in tables[table]]
            port, column = f"a.b.{table}", "kxy"[place]
            decides = port in lineage.unknown_inputs or any(
                e.source_port == port and e.source_column in (column, ANY_COLUMN) for e in lineage.row_edges
            )
            if decides:
                continue
            before, after = _answers(engine, sql, tables), _answers(engine, sql, {**tables, table: changed})
            claimed = {e.target_column for e in lineage.edges if (e.source_port, e.source_column) == (port, column)}
            assert {name for name in before if before[name] != after[name]} <= claimed, (table, column)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(_queries(), st.integers(0, 2**32))
def test_no_output_column_changes_with_an_input_column_it_does_not_claim(sql: str, seed: int) -> None:
    note(sql)
    _missed(sql, random.Random(seed))


@pytest.mark.soak
@settings(max_examples=5_000, deadline=None, suppress_health_check=list(HealthCheck))
@given(_queries(depth=3), st.integers(0, 2**32))
def test_no_dependency_is_missed_in_a_long_run(sql: str, seed: int) -> None:
    note(sql)
    _missed(sql, random.Random(seed))


@pytest.mark.parametrize(
    ("expression", "dialect", "is_masked"),
    [
        ("sha256(concat(email, 'a key of some length'))", "duckdb", True),
        ("sha256('a key of some length' || lower(email))", "duckdb", True),
        ("sha2(concat(email, 'a key of some length'), 256)", "spark", True),
        ("to_hex(sha256(concat(email, 'a key of some length')))", "bigquery", True),
        ("sha512(concat(email, 'a key of some length'))", "duckdb", True),
        ("encode(hmac(email, 'k', 'sha256'), 'hex')", "postgres", True),
        ("sha256(email)", "duckdb", False),
        ("sha256(concat(email, 'short'))", "duckdb", False),
        ("md5(concat(email, 'a key of some length'))", "duckdb", False),
        ("sha256(replace(email, 'a key of some length', ''))", "duckdb", False),
        ("concat(sha256('a key of some length'), email)", "duckdb", False),
    ],
)
def test_a_keyed_hash_shows_no_value_and_a_plain_one_can_be_guessed(expression: str, dialect: str, is_masked: bool) -> None:
    lineage = to_port_lineage(
        query_lineage(f"SELECT {expression} AS h FROM people", dialect=dialect, table=_table), target_port="a.b.c", names=["h"]
    )
    assert {(it.source_column, it.transformation.masking) for it in lineage.edges} == {("email", is_masked)}
