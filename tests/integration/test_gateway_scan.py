"""Governed scans on real Delta tables: exactly the visible rows, masked, whatever the consumer asks."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from governance_server.gateway.encode import encode
from governance_server.gateway.governed_frame import govern
from governance_server.gateway.scan import PolarsScanner
from governance_server.gateway.scan_errors import HiddenColumn, PlanOutdated, ScanFailed
from governance_server.gateway.table_source import open_table
from governance_server.rules.read_plans import Branch, ColumnPlan, ReadPlan
from governance_server.warehouse.local_folder import LocalFolder
from mesh_core.expressions.errors import ExpressionError
from mesh_core.expressions.tree import FALSE, TRUE, And, Column, Compare, Expression, In, IsNull, Like, Literal, Not, Or
from mesh_core.masks import Mask
from tests.shared_data import shared_data

SECRET = "SECRET-4711"
FRAME = pl.DataFrame(
    {
        "id": [1, 2, 3, 4, 5, 6],
        "region": ["EU", "EU", "US", None, "EU", "US"],
        "email": ["ana@x.org", "bob@y.org", SECRET, "dan@z.org", None, SECRET + "-2"],
        "amount": [10.0, 20.0, 666.0, 30.0, 40.0, 777.0],
        "day": [date(2026, 1, 1), date(2026, 2, 2), date(1999, 9, 9), date(2026, 3, 3), None, date(1999, 9, 9)],
    }
)
EU = Compare("=", Column("region"), Literal("EU"))


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("table") / "t"
    FRAME.head(3).write_delta(root)
    FRAME.write_delta(root, mode="overwrite")
    return root


def clear(*names: str) -> tuple[ColumnPlan, ...]:
    return tuple(ColumnPlan(name, (Branch(TRUE, None),), None) for name in names)


def make_plan(*columns: ColumnPlan, row_filter: Expression = TRUE, hidden: tuple[str, ...] = ()) -> ReadPlan:
    return ReadPlan("sales.crm.people", "user:ana", "audit", 1, row_filter, columns, hidden, ())


MASKED = make_plan(*clear("id", "region"), ColumnPlan("email", (Branch(TRUE, Mask.SHOW_FIRST_4),), None), row_filter=EU)


def scan(plan: ReadPlan, table: Path, **options: object) -> pl.DataFrame:
    arguments = {"delta_version": 1, "columns": None, "predicate": None, "limit": None} | options
    batches = list(PolarsScanner().scan(plan, table_root=LocalFolder(table), **arguments))
    return pl.concat([pl.DataFrame(batch) for batch in batches])


def test_a_plan_without_obligations_gives_the_table_as_it_is(table):
    assert scan(make_plan(*clear(*FRAME.columns)), table).equals(FRAME)


def test_the_pinned_version_is_read_and_no_other(table):
    assert scan(make_plan(*clear("id")), table, delta_version=0)["id"].to_list() == [1, 2, 3]


def test_rows_are_filtered_on_raw_values_before_masking(table):
    plan = make_plan(*clear("id"), ColumnPlan("region", (Branch(TRUE, Mask.REPLACE_WITH_NULL),), None), row_filter=EU)
    assert scan(plan, table).rows() == [(1, None), (2, None), (5, None)]


def test_a_row_filter_may_use_a_hidden_column(table):
    assert scan(make_plan(*clear("id"), row_filter=EU, hidden=("region",)), table)["id"].to_list() == [1, 2, 5]


def test_a_plan_that_shows_nothing_but_nulls_gives_as_many_rows_as_there_are(table):
    nulls = [ColumnPlan(name, (Branch(TRUE, None),), Mask.REPLACE_WITH_NULL) for name in ("email", "day")]
    shown = scan(make_plan(*nulls), table)
    assert shown.rows() == [(None, None)] * 6
    assert shown.schema == FRAME.select("email", "day").schema
    assert scan(make_plan(*nulls, row_filter=EU), table).rows() == [(None, None)] * 3


def test_a_column_that_shows_nothing_is_not_read(table):
    source = open_table("sales.crm.people", LocalFolder(table), 1)
    plan = make_plan(*clear("id"), ColumnPlan("email", (Branch(TRUE, Mask.REPLACE_WITH_NULL),), None), row_filter=EU)
    governed = govern(source, plan, ["id", "email"], joined=None, salt=bytes(32))
    assert "PROJECT 2/5 COLUMNS" in governed.frame.explain()


def test_masked_columns_show_masked_values_of_the_same_type(table):
    shown = scan(MASKED, table)
    assert shown["email"].to_list() == ["ana@x.xxx", "bob@x.xxx", None]
    assert shown.schema == {"id": pl.Int64, "region": pl.String, "email": pl.String}


def test_the_first_branch_that_holds_decides_and_none_means_null(table):
    branches = (
        Branch(Compare("<=", Column("id"), Literal(1)), None),
        Branch(EU, Mask.REPLACE_WITH_NULL),
        Branch(Compare("=", Column("region"), Literal("US")), Mask.SHOW_FIRST_4),
    )
    shown = scan(make_plan(*clear("id"), ColumnPlan("email", branches, None)), table)
    # row 4 has a null region: no branch holds
    assert shown["email"].to_list() == [
        "ana@x.org",
        None,
        "SECRxx-nnnn",
        None,
        None,
        "SECRxx-nnnn-n",
    ]


def test_a_guard_mask_lies_on_top_of_every_branch(table):
    column = ColumnPlan("day", (Branch(EU, None), Branch(TRUE, Mask.TRUNCATE_TO_MONTH)), Mask.TRUNCATE_TO_YEAR)
    days = scan(make_plan(column), table)["day"].to_list()
    assert days == [date(2026, 1, 1), date(2026, 1, 1), date(1999, 1, 1), date(2026, 1, 1), None, date(1999, 1, 1)]


def test_branches_with_no_way_to_show_a_value_give_null(table):
    shown = scan(make_plan(ColumnPlan("amount", (Branch(FALSE, None),), None), ColumnPlan("id", (), None)), table)
    assert shown.schema == {"amount": pl.Float64, "id": pl.Int64}
    assert set(shown["amount"]) == set(shown["id"]) == {None}


def test_query_local_hashes_differ_between_queries_and_agree_within_one(table):
    plan = make_plan(ColumnPlan("region", (Branch(TRUE, Mask.SHA_256_QUERY_LOCAL),), None))
    first, second = scan(plan, table)["region"], scan(plan, table)["region"]
    assert first[0] == first[1] != first[2]
    assert first[0] != second[0]


def test_columns_come_in_the_order_asked_for_and_predicate_columns_do_not_appear(table):
    shown = scan(MASKED, table, columns=["email", "id"], predicate=Compare("=", Column("region"), Literal("EU")))
    assert shown.columns == ["email", "id"]


def test_a_predicate_on_a_masked_column_sees_the_masked_value(table):
    assert scan(MASKED, table, predicate=Compare("=", Column("email"), Literal("ana@x.org"))).is_empty()
    assert scan(MASKED, table, predicate=Like(Column("email"), "ana@%"), columns=["id"])["id"].to_list() == [1]


def test_a_predicate_on_a_clear_column_joins_the_scan_and_keeps_its_meaning(table):
    both = And((Compare(">", Column("id"), Literal(1)), Like(Column("email"), "b%")))
    assert scan(MASKED, table, predicate=both)["id"].to_list() == [2]


@pytest.mark.parametrize("name", ["amount", "no_such_column", ""])
def test_a_hidden_and_a_missing_column_are_the_same_error(table, name):
    plan = make_plan(*clear("id"), hidden=("amount",))
    expected = f"sales.crm.people has no column {name!r} that you may read: ask for the columns of its plan."
    for options in ({"columns": ["id", name]}, {"predicate": IsNull(Column(name))}):
        with pytest.raises(HiddenColumn) as caught:
            scan(plan, table, **options)
        assert str(caught.value) == expected


def test_no_column_at_all_is_refused(table):
    with pytest.raises(HiddenColumn):
        scan(MASKED, table, columns=[])


@pytest.mark.parametrize(
    "plan",
    [
        make_plan(*clear("id", "gone")),
        make_plan(*clear("id"), row_filter=Compare("=", Column("gone"), Literal(1))),
        make_plan(ColumnPlan("id", (Branch(Compare("=", Column("gone"), Literal(1)), None),), None)),
        make_plan(ColumnPlan("amount", (Branch(TRUE, Mask.SHOW_FIRST_4),), None)),
    ],
    ids=["column", "filter column", "branch column", "mask of another type"],
)
def test_a_plan_that_does_not_fit_the_table_shows_nothing(table, plan):
    with pytest.raises(PlanOutdated, match=r"sales\.crm\.people"):
        scan(plan, table)


def test_a_table_that_is_not_there_is_one_clear_error(tmp_path):
    with pytest.raises(ScanFailed, match=r"sales\.crm\.people"):
        scan(MASKED, tmp_path / "nothing")


def test_a_data_file_that_vanished_is_one_clear_error(tmp_path):
    FRAME.write_delta(tmp_path / "t")
    for file in (tmp_path / "t").glob("*.parquet"):
        file.unlink()
    with pytest.raises(ScanFailed, match=r"sales\.crm\.people"):
        scan(make_plan(*clear("id")), tmp_path / "t", delta_version=0)


@pytest.mark.parametrize(("limit", "expected"), [(0, []), (1, [1]), (2, [1, 2]), (99, [1, 2, 5])])
@pytest.mark.parametrize("predicate", [None, Not(Compare("=", Column("email"), Literal("x")))], ids=["plain", "masked predicate"])
def test_a_limit_counts_visible_rows(table, limit, expected, predicate):
    wanted = expected if predicate is None else [i for i in [1, 2] if i in expected]
    assert scan(MASKED, table, limit=limit, predicate=predicate)["id"].to_list() == wanted


def test_no_visible_row_is_one_empty_batch_with_the_schema(table):
    batches = list(
        PolarsScanner().scan(
            make_plan(*clear("id", "email"), row_filter=FALSE),
            table_root=LocalFolder(table),
            delta_version=1,
            columns=None,
            predicate=None,
            limit=None,
        )
    )
    assert [b.num_rows for b in batches] == [0]
    assert batches[0].schema.names == ["id", "email"]


def test_deletion_vectors_and_column_mapping_are_read_right():
    table = shared_data("delta_spark", "dv")
    plan = make_plan(*clear("id"), ColumnPlan("v", (Branch(TRUE, None),), Mask.SHOW_FIRST_4))
    shown = scan(plan, table, delta_version=2)
    assert shown.height == 99
    assert sorted(shown["id"]) == [i for i in range(100) if i != 5]
    assert scan(plan, table, delta_version=1).height == 100
    few = scan(plan, table, delta_version=2, predicate=Compare("<", Column("id"), Literal(8)), limit=3)
    assert few.height == 3
    assert 5 not in few["id"]
    filtered = make_plan(*clear("v"), row_filter=Compare(">=", Column("id"), Literal(90)))
    assert sorted(scan(filtered, table, delta_version=2)["v"]) == [str(i) for i in range(90, 100)]


def test_a_table_written_by_spark_is_read_right():
    plan = make_plan(*clear("order_id", "amount"), row_filter=Compare("<", Column("order_id"), Literal(3)))
    expected = pl.read_parquet(next(shared_data("delta_spark", "orders").glob("part-00000-43b9*"))).filter(pl.col("order_id") < 3)
    shown = scan(plan, shared_data("delta_spark", "orders"), delta_version=2)
    assert shown.equals(expected.select("order_id", "amount"))


LITERALS = st.sampled_from(
    [1, 0, -5, 10**30, 0.5, float("nan"), "", "EU", "abc", SECRET, True, None, date(1999, 9, 9), date(2026, 1, 1)]
)
COLUMNS = st.sampled_from(["id", "region", "email", "day"]).map(Column)
LEAVES = st.one_of(
    st.builds(Compare, st.sampled_from(["=", "!=", "<", "<=", ">", ">="]), COLUMNS, LITERALS.map(Literal)),
    st.builds(Compare, st.sampled_from(["=", "<"]), COLUMNS, COLUMNS),
    st.builds(lambda c, v: In(c, tuple(map(Literal, v))), COLUMNS, st.lists(LITERALS, min_size=1, max_size=3)),
    st.builds(Like, COLUMNS, st.sampled_from(["%", "SECRET%", "_n%", "a.c[", "%\\%"])),
    st.builds(IsNull, COLUMNS),
)
PREDICATES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.builds(lambda a, b: And((a, b)), inner, inner),
        st.builds(lambda a, b: Or((a, b)), inner, inner),
    ),
    max_leaves=5,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(predicate=PREDICATES)
def test_no_predicate_shows_or_mentions_anything_of_a_hidden_row(table, predicate):
    plan = make_plan(
        *clear("id", "region"),
        ColumnPlan("email", (Branch(TRUE, Mask.SHOW_FIRST_4),), None),
        ColumnPlan("day", (Branch(TRUE, Mask.TRUNCATE_TO_YEAR),), None),
        row_filter=EU,
    )
    visible = scan(plan, table)
    try:
        shown = scan(plan, table, predicate=predicate)
    except ExpressionError as error:
        text = f"{error!r} {error.__cause__!r} {error.__context__!r}"
        assert "666" not in text
        assert "777" not in text
        assert SECRET + "-2" not in text
        return
    assert set(shown.rows()) <= set(visible.rows())
    negated = scan(plan, table, predicate=Not(predicate))
    assert not set(shown["id"]) & set(negated["id"])


def test_a_masked_value_cannot_be_guessed_by_asking_for_it(table):
    full = make_plan(*clear("id"), ColumnPlan("email", (Branch(TRUE, Mask.REPLACE_WITH_NULL),), None))
    for question in (
        Like(Column("email"), "SECRET%"),
        Compare("=", Column("email"), Literal(SECRET)),
        Not(IsNull(Column("email"))),
    ):
        assert scan(full, table, predicate=question).is_empty()


def test_messages_make_an_arrow_stream_of_plain_types_in_bounded_pieces():
    frame = pl.DataFrame({"n": range(200_000), "s": ["some text of a row"] * 200_000, "l": [["a"]] * 200_000})
    table = frame.to_arrow(compat_level=pl.CompatLevel.oldest())
    messages = list(encode(iter(table.to_batches())))
    assert max(map(len, messages)) <= 4 << 20
    assert len(messages) == 5  # the schema, and rows of 10 MB
    received = pa.ipc.open_stream(b"".join(messages)).read_all()
    assert received.equals(table)
    assert received.schema.field("s").type == pa.large_string()


def test_an_empty_result_is_a_stream_with_a_schema_only():
    batch = pa.RecordBatch.from_pylist([], schema=pa.schema([("a", pa.int64())]))
    messages = list(encode(iter([batch])))
    assert len(messages) == 1
    assert pa.ipc.open_stream(messages[0]).read_all().schema == batch.schema
