"""Governed SQL before it runs: one query over ports, and nothing else."""

from __future__ import annotations

import pytest

from governance_server.gateway.sql_query import InvalidQuery, parse_query, pinned

PORT = "finance.ledger.entries"


@pytest.mark.parametrize(
    "sql",
    [
        "DROP TABLE finance.ledger.entries",
        "INSERT INTO finance.ledger.entries SELECT 1",
        "DELETE FROM finance.ledger.entries",
        "CREATE TABLE x AS SELECT 1",
        "COPY (SELECT 1) TO '/tmp/x'",
        "ATTACH '/tmp/x' AS y",
        "INSTALL httpfs",
        "SET threads = 1",
        "PRAGMA version",
        "CALL pragma_version()",
        "EXPLAIN SELECT 1",
        "DESCRIBE finance.ledger.entries",
        "SHOW TABLES",
        "VALUES (1)",
        "SELECT 1; SELECT 2",
        "",
        "-- nothing",
        "SELECT 1; DROP TABLE x",
        "SELECT x INTO y FROM finance.ledger.entries",
        "SELECT * FROM finance.ledger.entries FOR UPDATE",
        "SELECT $1",
        "SELECT ?",
        "PIVOT finance.ledger.entries ON x USING sum(y)",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM read_parquet('/etc/passwd')",
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM glob('*')",
        "SELECT * FROM query('SELECT 1')",
        "SELECT * FROM query_table('x')",
        "SELECT * FROM duckdb_settings()",
        "SELECT * FROM pragma_table_info('x')",
        "SELECT * FROM information_schema.tables",
        "SELECT * FROM pg_catalog.pg_class",
        "SELECT * FROM sqlite_master",
        "SELECT * FROM entries",
        "SELECT * FROM ledger.entries",
        "SELECT * FROM a.finance.ledger.entries",
        "SELECT getenv('HOME')",
        "SELECT current_setting('memory_limit')",
        "SELECT json_execute_serialized_sql('x')",
        "SELECT * FROM json_execute_serialized_sql('x')",
        "SELECT current_user",
        "SELECT version()",
        "SELECT error('x')",
        "SELECT 'unclosed",
        "SELECT (((",
        "SELECT * FROM finance.ledger.entries AT (TIMESTAMP => now())",
        "SELECT * FROM finance.ledger.entries AT (VERSION => 0)",
        "SELECT * FROM finance.ledger.entries AT (VERSION => -1)",
    ],
)
def test_what_is_no_plain_query_over_ports_is_refused(sql):
    with pytest.raises(InvalidQuery):
        parse_query(sql, prefix="p_")


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT " + "(" * 5_000 + "1" + ")" * 5_000,
        "SELECT " + "NOT " * 5_000 + "TRUE",
        "SELECT " + "CASE WHEN TRUE THEN " * 900 + "1" + " END" * 900,
        "SELECT " + "x." * 5_000 + "y FROM finance.ledger.entries",
        "SELECT " + "[" * 900 + "]" * 900,
        "(" * 900 + "SELECT 1" + ")" * 900,
        "SELECT '" + "x" * 200_000 + "'",
        "SELECT " + ",".join("1" * 30_000),
        "SELECT * FROM " + ", ".join(f"finance.ledger.t{i}" for i in range(100)),
        "SELECT 1 " + "UNION ALL SELECT 1 " * 6_000,
    ],
)
def test_what_is_too_large_or_too_deep_is_refused_with_a_reason(sql):
    with pytest.raises(InvalidQuery, match=r"deep|at most|fewer|tables"):
        parse_query(sql, prefix="p_")


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("selec * from a.b.c", "The SQL cannot be understood at line 1, column 9, near 'from'."),
        ("select *\nfrom a.b.c where", "The SQL cannot be understood at line 2, column 12, near 'where'."),
        ("select (1", "The SQL cannot be understood at line 1, column 9, near '1': Expecting )."),
        ("select a, from", "The SQL cannot be understood at line 1, column 11, near 'from'."),
        ("selec", "'selec' is not a query: begin with SELECT or WITH."),
    ],
)
def test_sql_that_is_not_understood_is_told_with_its_place_and_none_of_the_parsers_classes(sql, said):
    with pytest.raises(InvalidQuery) as raised:
        parse_query(sql, prefix="p_")
    assert str(raised.value) == said


def test_a_port_is_known_to_the_engine_by_a_name_of_its_own_and_keeps_its_last_part_as_alias():
    parsed = parse_query(f"SELECT entries.amount, {PORT}.account FROM {PORT}", prefix="p_")
    assert parsed.sql == 'SELECT entries.amount, entries.account FROM "p_0" AS "entries"'
    assert [(table.port, table.version, table.engine_name) for table in parsed.tables] == [(PORT, 0, "p_0")]


def test_the_same_port_in_two_versions_is_two_tables():
    parsed = parse_query(
        f"SELECT a.x FROM {PORT} a JOIN {PORT} AT (VERSION => 3) b USING (x) JOIN {PORT} c USING (x)", prefix="p_"
    )
    assert [(table.version, table.engine_name) for table in parsed.tables] == [(0, "p_0"), (3, "p_1")]
    assert parsed.sql.count('"p_0"') == 2


@pytest.mark.parametrize(
    ("sql", "needed"),
    [
        (f"SELECT amount FROM {PORT}", ["amount"]),
        (f"SELECT AMOUNT FROM {PORT} WHERE Region = 'EU'", ["amount", "region"]),
        (f"SELECT count(*) FROM {PORT}", ["id"]),
        (f"SELECT * FROM {PORT}", ["id", "amount", "region"]),
        (f"SELECT e.* FROM {PORT} e", ["id", "amount", "region"]),
        (f"SELECT * EXCLUDE (id) FROM {PORT}", ["id", "amount", "region"]),
        (f"SELECT COLUMNS('a.*') FROM {PORT}", ["id", "amount", "region"]),
        (f"SELECT e FROM {PORT} e", ["id", "amount", "region"]),
        (f"SELECT x FROM {PORT} e(x, y, z)", ["id", "amount", "region"]),
        (f"SELECT 1 FROM {PORT} NATURAL JOIN {PORT} o", ["id", "amount", "region"]),
        (f"WITH t AS (SELECT amount AS m FROM {PORT}) SELECT m FROM t", ["amount"]),
        (f"SELECT sum(amount) OVER w FROM {PORT} WINDOW w AS (ORDER BY id)", ["id", "amount"]),
        (f"FROM {PORT}", ["id", "amount", "region"]),
    ],
)
def test_only_columns_a_query_can_need_are_read(sql, needed):
    assert parse_query(sql, prefix="p_").needed(["id", "amount", "region"]) == needed


def test_a_count_asks_for_no_column_although_the_engine_is_given_one():
    parsed = parse_query(f"SELECT count(*) FROM {PORT}", prefix="p_")
    assert parsed.named(["id", "amount"]) == []
    assert parsed.needed(["id", "amount"]) == ["id"]


def test_comments_do_not_reach_the_engine():
    assert "secret" not in parse_query("SELECT 1 /* secret */ -- secret", prefix="p_").sql


HIDING = "(WITH {} AS (SELECT 1 AS a) SELECT * FROM {})"


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM duckdb_databases, " + HIDING.replace("{}", "duckdb_databases"),
        'SELECT * FROM "/etc/hosts.csv", ' + HIDING.replace("{}", '"/etc/hosts.csv"'),
        "WITH sqlite_master AS (SELECT * FROM sqlite_master) SELECT * FROM sqlite_master",
        "WITH a AS (SELECT * FROM duckdb_views), duckdb_views AS (SELECT 1) SELECT * FROM a",
        'WITH "duc\u212adb_views" AS (SELECT 1) SELECT * FROM duckdb_views',
        "SELECT session_user",
        "SELECT current_query()",
        "SELECT __internal_compress_string_ubigint('a')",
    ],
)
def test_a_name_defined_elsewhere_is_no_way_to_tables_of_the_engines_own(sql):
    with pytest.raises(InvalidQuery):
        parse_query(sql, prefix="t")


@pytest.mark.parametrize(
    "sql",
    [
        "WITH a AS (SELECT 1 AS k), b AS (SELECT * FROM a) SELECT * FROM b JOIN A ON true",
        "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 5) SELECT * FROM r",
        "WITH a AS (SELECT 1 AS k) SELECT (SELECT max(k) FROM a) WHERE EXISTS (SELECT 1 FROM a)",
        "WITH a AS (SELECT 1 AS k) SELECT * FROM a UNION ALL (SELECT * FROM a)",
        "WITH a AS (WITH b AS (SELECT 1 AS k) SELECT * FROM b) FROM a",
    ],
)
def test_a_name_is_known_where_its_with_reaches(sql):
    assert parse_query(sql, prefix="t").tables == ()


def test_a_pinned_query_reads_each_port_at_its_version_and_can_be_run() -> None:
    sql = "WITH own AS (SELECT * FROM a.b.c) SELECT * FROM own JOIN a.b.d AT (VERSION => 2) AS d USING (x) JOIN a.b.e ON true"
    text = pinned(sql, {"a.b.c": 7, "a.b.d": 9})
    tables = parse_query(text, prefix="p_").tables
    assert sorted((table.port, table.version) for table in tables) == [("a.b.c", 7), ("a.b.d", 2), ("a.b.e", 0)]
    assert pinned(text, {"a.b.c": 8}) == text
