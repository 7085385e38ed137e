"""One filter, one answer: plain truth tables, polars, LanceDB, and the gateway's own paths over Delta keep the same rows.

Weaviate's translation is held to the same truth tables in `test_expressions_weaviate` and, on a server, in `test_vector_stores`.
"""

from __future__ import annotations

import itertools
import math
import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import lancedb
import polars as pl
import pyarrow as pa
import pytest
from deltalake import write_deltalake
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from governance_server.gateway.governed_files import GovernedFiles
from governance_server.gateway.scan import PolarsScanner
from governance_server.rules.read_plans import Branch, ColumnPlan, ReadPlan
from governance_server.warehouse.local_folder import LocalFolder
from mesh_core.expressions.arrow import column_types
from mesh_core.expressions.fitting import fit
from mesh_core.expressions.polars import to_polars
from mesh_core.expressions.sql import parse_filter, to_sql
from mesh_core.expressions.tree import TRUE, Expression
from tests.expression_cases import ENGINE_EXPRESSIONS, EXPRESSIONS, ROWS, evaluate

SCHEMA = pa.schema(
    [
        ("row", pa.int64()),
        ("id", pa.int64()),
        ("ratio", pa.float64()),
        ("amount", pa.decimal128(12, 2)),
        ("Last Name", pa.string()),
        ('qu"ote', pa.string()),
        ("active", pa.bool_()),
        ("born", pa.date32()),
        ("seen", pa.timestamp("us")),
        ("seen_utc", pa.timestamp("us", "UTC")),
    ]
)
TABLES = st.lists(ROWS, min_size=1, max_size=8)
Rows = list[dict[str, object]]
Lance = Callable[[pa.Table, list[str]], list[list[int]]]


@pytest.fixture
def kept_by_lance(tmp_path: Path) -> Lance:
    database = lancedb.connect(tmp_path)
    numbers = itertools.count()

    def kept(table: pa.Table, filters: list[str]) -> list[list[int]]:
        stored = database.create_table(f"t{next(numbers)}", table)
        found = [stored.search().where(text).limit(table.num_rows).to_arrow() for text in filters]
        return [sorted(answer["row"].to_pylist()) for answer in found]

    return kept


def arrow_table(rows: Rows) -> pa.Table:
    return pa.Table.from_pylist([{"row": number, **row} for number, row in enumerate(rows)], schema=SCHEMA)


def expected(rows: Rows, expression: Expression) -> list[int]:
    return [number for number, row in enumerate(rows) if evaluate(expression, row) is True]


def kept_by_polars(table: pa.Table, expression: Expression) -> list[int]:
    frame = pl.DataFrame(table)
    return frame.lazy().filter(to_polars(expression, frame.schema)).collect().get_column("row").to_list()


@given(TABLES, st.lists(ENGINE_EXPRESSIONS, min_size=8, max_size=8))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_lancedb_and_polars_keep_the_rows_the_truth_tables_keep(
    kept_by_lance: Lance, rows: Rows, filters: list[Expression]
) -> None:
    table = arrow_table(rows)
    wanted = [expected(rows, expression) for expression in filters]
    assert [kept_by_polars(table, expression) for expression in filters] == wanted
    types = column_types(table.schema)
    assert kept_by_lance(table, [to_sql(fit(expression, types), "datafusion") for expression in filters]) == wanted


@given(TABLES, st.lists(EXPRESSIONS, min_size=5, max_size=5))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_filter_stored_as_text_keeps_the_same_rows(rows: Rows, filters: list[Expression]) -> None:
    table = arrow_table(rows)
    for expression in filters:
        assert kept_by_polars(table, parse_filter(to_sql(expression))) == expected(rows, expression)


@given(TABLES, st.lists(ENGINE_EXPRESSIONS, min_size=3, max_size=3))
@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_path_of_the_gateway_keeps_the_rows_and_the_filter_column_need_not_be_visible(
    tmp_path: Path, rows: Rows, filters: list[Expression]
) -> None:
    table, root = arrow_table(rows), tmp_path / uuid.uuid4().hex
    write_deltalake(str(root), table)
    for expression in filters:
        shown = (ColumnPlan("row", (Branch(TRUE, None),), None),)
        hidden = tuple(name for name in table.column_names if name != "row")
        plan = ReadPlan("shop.orders.orders", "user:eve", "", 1, expression, shown, hidden, ())
        batches = list(
            PolarsScanner().scan(plan, table_root=LocalFolder(root), delta_version=0, columns=None, predicate=None, limit=None)
        )
        streamed = pa.Table.from_batches(batches)
        files = GovernedFiles(root.with_suffix(".files")).prepare(plan, table_root=LocalFolder(root), delta_version=0).files
        filed = pl.concat([pl.read_parquet(file.path) for file in files]) if files else pl.DataFrame({"row": []})
        assert streamed.column_names == filed.columns == ["row"]
        assert sorted(streamed["row"].to_pylist()) == sorted(filed["row"].to_list()) == expected(rows, expression)


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        ("ratio = DOUBLE 'NaN'", [1]),
        ("ratio > DOUBLE 'Infinity'", [1]),
        ("ratio >= 0.0", [0, 1]),
        ("NOT (ratio < 5.0)", [1]),
        (r""""qu""ote" = 'a\b' """, [0]),
        (r""""qu""ote" LIKE 'a\b' """, [0]),
        ("\"Last Name\" LIKE '_%'", [0, 1]),
        ("\"Last Name\" = 'O''Hara'", [1]),
        ("NOT (\"Last Name\" = 'O''Hara')", [0]),
        ("\"Last Name\" NOT IN ('x', NULL)", []),
        ("id > -9223372036854775808", [1]),
        ("id >= -9223372036854775808", [0, 1]),
        ("id = 1.5", []),
        ("NOT (id = 1.5)", [0, 1]),
        ("amount = 1.1", [0]),
        ("amount < 1.105 AND amount > 1.095", [0]),
        ("seen < DATE '9999-12-31'", [0, 1]),
        ("seen > TIMESTAMP '0001-01-01 00:00:00'", [0, 1]),
        ("born > TIMESTAMP '2019-12-31 12:00:00'", [0]),
        ("active = 1 OR active", [0]),
        ("NULL OR id IS NULL", [2]),
        ("NOT (active IN (FALSE) AND active NOT IN (FALSE))", [0, 1]),
        ("id NOT IN (7) OR id NOT IN (8)", [0, 1]),
        ("\"Last Name\" NOT IN ('a', 'c') OR \"Last Name\" NOT IN ('b', 'd')", [0, 1]),
        ("NOT (id = 7 AND id != 7)", [0, 1]),
        ("id = 7 OR id != 7", [0, 1]),
        ("active OR NOT active", [0, 1]),
    ],
)
def test_edges_have_one_answer(kept_by_lance: Lance, sql: str, rows: list[int]) -> None:
    day, time = date(2020, 1, 1), datetime(2020, 1, 1, 12)
    first: dict[str, object] = {"id": -(2**63), "ratio": -0.0, "amount": Decimal("1.10"), "Last Name": "é\n"}
    second: dict[str, object] = {"id": 7, "ratio": math.nan, "amount": Decimal("9.00"), "Last Name": "O'Hara"}
    first |= {'qu"ote': "a\\b", "active": True, "born": day, "seen": time, "seen_utc": time.replace(tzinfo=UTC)}
    second |= first | second | {'qu"ote': "a\\\\b", "active": False, "born": date(2019, 12, 31)}
    every = [first, second, dict.fromkeys(first)]
    table, expression = arrow_table(every), parse_filter(sql)
    assert expected(every, expression) == rows
    assert kept_by_polars(table, expression) == rows
    assert kept_by_lance(table, [to_sql(fit(expression, column_types(table.schema)), "datafusion")]) == [rows]
