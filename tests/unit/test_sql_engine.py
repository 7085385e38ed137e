"""The SQL engine: it sees the streams it is given, and stays within its bounds."""

from __future__ import annotations

import time

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from governance_server.gateway.sql_engine import ClearFiles, GovernedStream, SqlEngine
from governance_server.gateway.sql_errors import EngineFailed, EngineOutOfMemory, EngineTimeout, QueryRefused

SCHEMA = pa.schema([("k", pa.int64()), ("s", pa.string())])


def rows(batches: int = 3, size: int = 1000, fail_at: int | None = None):
    def read():
        for number in range(batches):
            if number == fail_at:
                raise PermissionError("revoked")
            keys = range(number * size, (number + 1) * size)
            yield pa.RecordBatch.from_arrays([pa.array(keys, pa.int64()), pa.array([f"v{k}" for k in keys])], schema=SCHEMA)

    return GovernedStream(SCHEMA, read)


@pytest.fixture
def engine(tmp_path):
    return SqlEngine(tmp_path / "spill", 256 << 20)


def answer(engine, sql, table=None, timeout_seconds=30.0):
    batches = list(engine.run(sql, {"p_0": table or rows()}, timeout_seconds=timeout_seconds))
    return pa.Table.from_batches(batches)


def test_a_table_is_read_anew_for_each_scan(engine):
    sql = "SELECT count(*) AS n FROM p_0 a JOIN p_0 b USING (k)"
    assert answer(engine, sql).to_pydict() == {"n": [3000]}


def test_an_answer_without_rows_has_its_columns(engine):
    table = answer(engine, "SELECT k, s FROM p_0 WHERE k < 0")
    assert (table.num_rows, table.schema.names) == (0, ["k", "s"])


def test_columns_of_one_name_are_told_apart_and_odd_types_become_common_ones(engine):
    sql = "SELECT 1 AS a, 2 AS a, sum(k) AS total, INTERVAL 1 DAY AS i, NULL AS n, 'x'::ENUM('x') AS e FROM p_0"
    table = answer(engine, sql)
    assert table.schema.names == ["a", "a_1", "total", "i", "n", "e"]
    assert [str(kind) for kind in table.schema.types] == ["int32", "int32", "int64", "string", "int32", "string"]
    assert table.column("total").to_pylist() == [sum(range(3000))]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM glob('/*')",
        "COPY p_0 TO '/tmp/leak.csv'",
        "ATTACH '/tmp/leak.db' AS leak",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET memory_limit = '100GB'",
        "SET enable_external_access = true",
        "RESET lock_configuration",
        "SELECT getenv('HOME')",
        "SELECT * FROM SCHEMA",
        "SELECT * FROM rows",
    ],
)
def test_the_engine_itself_reaches_nothing_but_its_tables(engine, sql):
    """Defence in depth: `sql_query` refuses these before they come here."""
    with pytest.raises(QueryRefused):
        answer(engine, sql)


@pytest.mark.parametrize(
    ("value", "trouble"), [("nope", "nope"), ("CAST(k AS UUID)", "BIGINT -> UUID"), ("CAST(s AS INT)", "INT32")]
)
def test_a_message_names_the_trouble_without_the_place_in_a_text_that_the_user_never_wrote(engine, value, trouble):
    with pytest.raises(QueryRefused, match=trouble) as caught:
        answer(engine, f"SELECT {value} FROM p_0")
    assert "LINE" not in str(caught.value)
    assert "p_0" not in str(caught.value)


def test_what_a_read_raises_is_what_the_caller_gets(engine):
    with pytest.raises(PermissionError, match="revoked"):
        answer(engine, "SELECT * FROM p_0", rows(fail_at=1))


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT count(*) FROM range(1000000000000)",
        "SELECT count(*) FROM p_0 a, p_0 b, p_0 c, p_0 d WHERE a.k + b.k + c.k = d.k",
    ],
)
def test_a_query_ends_when_its_time_is_over(engine, sql):
    with pytest.raises(EngineTimeout):
        answer(engine, sql, timeout_seconds=0.3)


def test_a_query_ends_when_it_needs_too_much_memory(engine):
    with pytest.raises(EngineOutOfMemory):
        answer(engine, "SELECT list(a.s || b.s) FROM p_0 a, p_0 b")


def test_a_closed_answer_stops_the_reads(engine):
    read = []

    def endless():
        while True:
            read.append(1)
            yield pa.RecordBatch.from_arrays([pa.array([1]), pa.array(["x"])], schema=SCHEMA)

    answers = engine.run("SELECT k FROM p_0", {"p_0": GovernedStream(SCHEMA, endless)}, timeout_seconds=30)
    next(answers)
    next(answers)
    answers.close()
    count = len(read)
    time.sleep(0.2)
    assert len(read) == count


def test_a_plan_is_described_without_reading_a_row(engine):
    def never():
        raise AssertionError("read")
        yield

    schema, text = engine.describe("SELECT s, count(*) AS n FROM p_0 GROUP BY s", {"p_0": GovernedStream(SCHEMA, never)})
    assert schema.names == ["s", "n"]
    assert "group" in text.lower()


@pytest.fixture
def files(tmp_path):
    """Two Parquet files with a column that nobody asked for."""
    for part in range(2):
        keys = list(range(part * 10, part * 10 + 10))
        table = pa.table({"k": keys, "s": [f"v{key}" for key in keys], "hidden": ["planted"] * 10})
        pq.write_table(table, tmp_path / f"it's part {part}.parquet")
    return tuple(str(path) for path in sorted(tmp_path.glob("*.parquet")))


def test_files_are_a_table_of_the_given_columns_only(engine, files):
    table = ClearFiles(files, ("s", "k"))
    assert answer(engine, "SELECT * FROM p_0 ORDER BY k LIMIT 1", table).to_pydict() == {"s": ["v0"], "k": [0]}
    assert answer(engine, "SELECT count(*) AS n FROM p_0 JOIN p_0 AS b USING (k)", table).to_pydict() == {"n": [20]}
    for column in ("hidden", "filename", "file_row_number"):
        with pytest.raises(QueryRefused, match=column):
            answer(engine, f"SELECT {column} FROM p_0", table)


def test_the_engine_opens_no_other_file_than_those_it_was_given(engine, files):
    given = ClearFiles(files[:1], ("k",))
    for path in (files[1], "/etc/hosts"):
        quoted = path.replace("'", "''")
        for function in ("read_parquet", "read_csv", "read_text"):
            with pytest.raises((QueryRefused, EngineFailed), match=r"Permission|disabled|Cannot access"):
                answer(engine, f"SELECT * FROM {function}('{quoted}')", given)
    with pytest.raises(QueryRefused):
        answer(engine, "SET allowed_paths = ['/etc/hosts']", given)


def test_the_engines_plan_names_no_file(engine, files):
    _, text = engine.describe("SELECT s, count(*) FROM p_0 WHERE k > 3 GROUP BY s", {"p_0": ClearFiles(files, ("k", "s"))})
    assert "k" in text
    assert "part" not in text
    assert ".parquet" not in text
