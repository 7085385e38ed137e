"""Random SQL over a port with planted hidden values: every kind of expression, clause and subquery that could tell of them."""

from __future__ import annotations

import random
from typing import Any

from tests.integration.test_secrets import SECRET, answer

__all__ = ["random_queries", "tells_nothing"]

COLUMNS = ("id", "team", "name", "badge", "email", "born", "salary", "lead", "note", "account")

CASTS = (
    "INTEGER", "TINYINT", "UBIGINT", "DATE", "TIMESTAMP", "TIME", "UUID", "DECIMAL(4,2)", "DOUBLE", "BOOLEAN", "BLOB", "BIT",
    "INTERVAL", "INTEGER[]", "STRUCT(x INTEGER)", "MAP(VARCHAR, INTEGER)", "ENUM('red', 'n1')", "HUGEINT",
)  # fmt: skip

SHAPES = (
    # arithmetic that raises: division, overflow, domain
    "1 // CAST({a} AS INTEGER)", "{a} % 0", "{a} / ({b} - {b})", "{a} * {a} * {a} * {a} * {a}", "CAST({a} AS INTEGER) << 70",
    "sqrt(-length({a}))", "ln({a})", "ln(-CAST({a} AS DOUBLE))", "factorial(length({a}))", "2 ** {a}", "exp(CAST({a} AS DOUBLE))",
    "-CAST({a} AS TINYINT)", "abs({a} - 9223372036854775807)", "bit_count({a})", "gcd({a}, {b})", "to_base({a}, length({b}))",
    # texts
    "{a} || {b}", "length({a})", "substr({a}, 1, 3)", "upper({a})", "chr({a})", "repeat({a}, {b})", "repeat({a}, 3)", "{a}[2]",
    "printf('%d', {a})", "format('{{:d}}', {a})", "format({a}, {b})", "levenshtein({a}, {b})", "hamming({a}, {b})",
    "jaccard({a}, {b})", "unhex({a})", "from_base64({a})", "decode(CAST({a} AS BLOB))", "string_split({a}, '-')[2]",
    "left({a}, {b})", "{a} LIKE {b}", "{a} LIKE 'SECRET%' ESCAPE {b}", "{a} SIMILAR TO {b}", "{a} GLOB 'SECRET*'", "ord({a})",
    "translate({a}, 'SECRT', 'abcde')", "md5({a})", "sha256({a})", "hash({a})", "url_decode({a})", "parse_path({a})",
    # regular expressions, also taken from the data
    "regexp_replace({a}, '[A-Z]+', '')", "regexp_matches({a}, {b})", "regexp_extract({a}, '(SECRET|n)(.*)', 2)",
    "regexp_extract_all({a}, '.')", "regexp_matches({a}, '(a+)+$')", "regexp_split_to_array({a}, {b})",
    # times
    "strptime({a}, '%Y')", "strftime({a}, '%B')", "make_date({a}, 1, {b})", "date_part({a}, born)", "date_trunc('month', {a})",
    "age({a}, {b})", "to_timestamp({a})", "{a} + INTERVAL 1 MONTH", "extract(month FROM {a})", "date_diff('day', {a}, {b})",
    # comparison and choice
    "{a} = {b}", "{a} > {b}", "{a} IS DISTINCT FROM {b}", "{a} BETWEEN {b} AND {a}", "coalesce({a}, {b})", "nullif({a}, {b})",
    "greatest({a}, {b})", "CASE WHEN {a} > {b} THEN error('x') ELSE 1 END", "error({a})", "if({a} = {b}, {a}, 1 // 0)",
    "TRY({a} // 0)", "TRY_CAST({a} AS INTEGER)", "typeof({a})", "stats({a})", "alias({a})", "can_cast_implicitly({a}, {b})",
    # nested values, lambdas, JSON
    "list_value({a}, {b})", "[{a}, {b}][length({a})]", "struct_pack(x := {a}).x", "map([{a}], [{b}])[{a}]", "row({a}, {b})",
    "list_transform([{a}, {b}], lambda x: CAST(x AS INTEGER))", "list_reduce([{a}, {b}], lambda x, y: x // y)",
    "[x // 0 FOR x IN [{a}] IF x IS NOT NULL]", "list_aggregate([{a}, {b}], 'min')", "array_extract([{a}], {b})",
    "json_extract({a}, '$.x')", "to_json({a})", "json({a})", "CAST({a} AS JSON)", "unnest([{a}, {b}])", "o", "to_json(o)",
    "struct_extract(o, 'note')", "o.{a}", "COLUMNS('{a}')", "array_value({a}, {b})",
    # the world around
    "getenv({a})", "current_setting({a})", "read_text({a})", "nextval({a})", "query({a})", "glob({a})", "version()",
    "which_secret({a}, {b})",
    # subqueries, correlated or not
    "(SELECT max({a}) FROM {port} s WHERE s.{b} >= o.{b})", "(SELECT {a} FROM {port} s)", "{a} IN (SELECT {b} FROM {port})",
    "EXISTS (SELECT 1 FROM {port} s WHERE CAST(s.{a} AS INTEGER) = 1)", "{a} > ALL (SELECT {b} FROM {port})",
    "{a} = ANY (SELECT error({b}) FROM {port} s WHERE s.team <> 'red')", "(SELECT count(*) FROM {port} s WHERE s.{a} = o.{b})",
    "(SELECT list({a} ORDER BY {b}) FROM {port})", "ARRAY(SELECT {a} FROM {port} s WHERE s.id > o.id)",
    "(WITH w AS (SELECT {a} AS v FROM {port}) SELECT min(v) FROM w)", "NOT EXISTS (SELECT {a} FROM {port} s WHERE s.{b} IS NULL)",
)  # fmt: skip
"""`o` is the port around; a name in braces is a column, or one of these again."""

AGGREGATES = (
    "count({v})", "min({v})", "max({v})", "sum({v})", "avg({v})", "any_value({v})", "first({v} ORDER BY id)", "mode({v})",
    "string_agg({v}, ',' ORDER BY id)", "count(DISTINCT {v})", "approx_count_distinct({v})", "entropy({v})", "arg_max(id, {v})",
    "list({v} ORDER BY id)", "histogram({v})", "quantile_cont({v}, 0.5)", "stddev({v})", "bool_and({v})", "bit_xor({v})",
    "product({v})", "max({v}, 3)", "min({v}) FILTER (WHERE team <> 'red')", "checksum({v})", "approx_top_k({v}, 3)",
)  # fmt: skip

WINDOWS = (
    "max({v}) OVER (PARTITION BY team ORDER BY id)", "lag({v}) OVER (ORDER BY id)", "rank() OVER (ORDER BY {v}, id)",
    "sum({v}) OVER (ORDER BY id ROWS BETWEEN 2 PRECEDING AND CURRENT ROW)", "ntile(3) OVER (ORDER BY {v}, id)",
    "sum(id) OVER (ORDER BY salary RANGE BETWEEN {v} PRECEDING AND CURRENT ROW)", "first_value({v}) OVER (ORDER BY {w}, id)",
    "count(*) OVER (PARTITION BY {v})", "nth_value({v}, length({w})) OVER (ORDER BY id)", "row_number() OVER (ORDER BY {v}, id)",
    "list({v}) OVER (ORDER BY id GROUPS 1 PRECEDING EXCLUDE CURRENT ROW)",
)  # fmt: skip

QUERIES = (
    "SELECT {v} FROM {port} o ORDER BY id",
    "SELECT id FROM {port} o WHERE {v} IS NOT NULL ORDER BY id",
    "SELECT id FROM {port} o WHERE {v} ORDER BY id",
    "SELECT id FROM {port} o WHERE team = 'red' AND {v} IS NULL ORDER BY {w}, id",
    "SELECT id FROM {port} o WHERE team <> 'red' OR {v} = {w} ORDER BY id",
    "SELECT count(*), {aggregate} FROM {port} o GROUP BY {w} ORDER BY ALL",
    "SELECT {aggregate} FROM {port} o",
    "SELECT team, {aggregate} FROM {port} o GROUP BY ROLLUP (team, {w}) HAVING count({u}) > 0 ORDER BY ALL",
    "SELECT {aggregate} FROM {port} o GROUP BY GROUPING SETS ((team), ({w}), ()) ORDER BY ALL",
    "SELECT o.id FROM {port} o JOIN {port} p ON {v} = p.id ORDER BY ALL",
    "SELECT o.id, p.id FROM {port} o FULL JOIN {port} p ON o.id = p.salary AND {v} IS NULL ORDER BY ALL",
    "SELECT o.id FROM {port} o SEMI JOIN {port} p ON o.id = p.id WHERE {v} IS NULL ORDER BY ALL",
    "SELECT o.id FROM {port} o ANTI JOIN {port} p ON {v} = p.name ORDER BY ALL",
    "SELECT o.id, p.id FROM {port} o ASOF JOIN {port} p ON o.team = p.team AND o.id >= p.salary WHERE {v} IS NULL ORDER BY ALL",
    "SELECT o.id, l.x FROM {port} o, LATERAL (SELECT {v} AS x) l ORDER BY ALL",
    "SELECT o.id, l.n FROM {port} o LEFT JOIN LATERAL (SELECT count(*) AS n FROM {port} s WHERE s.id > o.id AND {v} IS NULL) l "
    "ON true ORDER BY ALL",
    "SELECT o.id, g.x FROM {port} o, range(length({v})) g(x) ORDER BY ALL",
    "SELECT o.id, u.x FROM {port} o, unnest([{v}, {w}]) u(x) ORDER BY ALL",
    "SELECT CASE WHEN {v} IS NULL THEN {w} ELSE {u} END FROM {port} o ORDER BY id",
    "WITH w AS (SELECT {v} AS v FROM {port} o) SELECT v, count(*) FROM w GROUP BY v ORDER BY ALL",
    "WITH w AS MATERIALIZED (SELECT {v} AS v, team FROM {port} o) SELECT v FROM w WHERE team = 'red' ORDER BY ALL",
    "WITH RECURSIVE r(n) AS (SELECT min(id) FROM {port} UNION ALL SELECT n + 1 FROM r, {port} o WHERE o.id = n AND {v} IS NULL) "
    "SELECT * FROM r ORDER BY ALL",
    "SELECT id, {window} FROM {port} o ORDER BY id",
    "SELECT id FROM {port} o QUALIFY {window} IS NOT NULL ORDER BY id",
    "SELECT {v} FROM {port} o UNION SELECT {w} FROM {port} o ORDER BY ALL",
    "SELECT {v} FROM {port} o EXCEPT ALL SELECT {w} FROM {port} o ORDER BY ALL",
    "SELECT {v} FROM {port} o INTERSECT SELECT {v} FROM {port} o WHERE team <> 'red' ORDER BY ALL",
    "SELECT DISTINCT ON ({v}) id FROM {port} o ORDER BY {v}, id",
    "SELECT id FROM {port} o ORDER BY {v}, id LIMIT (SELECT count({aggregate}) FROM {port} o)",
    "SELECT id FROM {port} o ORDER BY id LIMIT 3 OFFSET (SELECT count(*) - 1 FROM {port} o WHERE {v} IS NULL)",
    "SELECT id FROM {port} o WHERE ({v}, {w}) IN (SELECT ({v}, {w}) FROM {port} o) ORDER BY id",
    "SELECT * EXCLUDE (id) REPLACE ({v} AS name) FROM {port} o ORDER BY ALL",
    "SELECT COLUMNS(c -> c LIKE '%a%') FROM {port} o WHERE {v} IS NULL ORDER BY ALL",
    "FROM {port} o SELECT id, {v} AS {column} WHERE {column} IS NULL ORDER BY id",
    "SELECT (SELECT {aggregate} FROM {port} s WHERE {v} IS NULL OR s.id < o.id) FROM {port} o ORDER BY id",
    "SELECT id FROM {port} AT (VERSION => 1) o WHERE {v} IS NOT NULL ORDER BY id",
    "SELECT id FROM {port} o TABLESAMPLE reservoir(5 ROWS) REPEATABLE (7) WHERE {v} IS NULL ORDER BY id",
    "SELECT x FROM (VALUES (1), (2)) t(x) WHERE x IN (SELECT length({v}) FROM {port} o) ORDER BY x",
    "SELECT * FROM {file}('/etc/passwd') f, {port} o WHERE {v} IS NULL",
    "SELECT id FROM {port} o WHERE id IN (SELECT 1 FROM {file}({v}))",
    "{statement} {port}",
)

FILES = (
    "read_parquet",
    "read_csv",
    "READ_CSV_AUTO",
    "read_text",
    "read_blob",
    "glob",
    "sniff_csv",
    "parquet_metadata",
    "query",
    '"read_json"',
)
STATEMENTS = (
    "SUMMARIZE", "DESCRIBE", "SHOW", "EXPLAIN ANALYZE FROM", "PRAGMA table_info", "ATTACH '/tmp/x' AS x; FROM", "DELETE FROM",
    "COPY (SELECT 1) TO '/tmp/x'; FROM", "SET threads = 9; FROM", "CREATE VIEW v AS FROM", "INSTALL httpfs; FROM", "CALL",
    "PIVOT", "UNPIVOT", "USE", "CHECKPOINT", "LOAD", "PREPARE p AS FROM", "VACUUM", "COMMENT ON TABLE", "EXPORT DATABASE",
)  # fmt: skip


def random_queries(draw: random.Random, port: str, count: int) -> list[str]:
    """So many queries, most of which the engine runs or refuses for the values it meets."""
    made = []
    for _ in range(count):
        words = {name: _value(draw, port, draw.choice((0, 1, 1, 2))) for name in ("u", "v", "w")}
        words["port"], words["column"] = port, draw.choice(COLUMNS)
        words["file"], words["statement"] = draw.choice(FILES), draw.choice(STATEMENTS)
        words["aggregate"] = _filled(draw.choice(AGGREGATES), words)
        words["window"] = _filled(draw.choice(WINDOWS), words)
        made.append(_filled(draw.choice(QUERIES), words))
    return made


def _value(draw: random.Random, port: str, depth: int) -> str:
    if depth == 0:
        return draw.choice((*(f"o.{name}" for name in COLUMNS[:7]), *COLUMNS))
    if draw.random() < 0.2:
        return f"CAST({_value(draw, port, depth - 1)} AS {draw.choice(CASTS)})"
    shape = draw.choice(SHAPES)
    is_name = any(mark in shape for mark in ("s.{", "o.{", "COLUMNS("))
    inner = {name: draw.choice(COLUMNS) if is_name else _value(draw, port, depth - 1) for name in ("a", "b")}
    return _filled(shape, {**inner, "port": port})


def _filled(shape: str, words: dict[str, str]) -> str:
    return shape.format(**words)


def tells_nothing(worlds: Any, query: str) -> None:
    """Both worlds answer alike, and show nothing planted but what the query itself says."""
    first, second = (answer(lambda reader=world.reader: reader.sql(query, timeout_seconds=20).rows()) for world in worlds)
    assert first == second, query
    told = first.replace(query, "").replace("which_secret", "")
    assert not SECRET.search(told.encode()) or "SECRET" in query, (query, first)
