"""Every kind of plan node and expression that polars 2.1 can show, by one pipeline each: none is unknown by accident.

The kinds are listed from polars itself, so that a new one fails here. Expected edges follow from what the operation means.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime

import polars as pl
import pytest
from polars import _plr  # type: ignore[attr-defined] # the list of node kinds is nowhere else

from domain_sdk._polars_plan.lineage import Source, column_lineage
from domain_sdk._polars_plan.traversal import PlanReader, UnreadablePlan
from mesh_core.lineage import ANY_COLUMN, PortLineage
from tests.unit.polars_plan_sources import MemoryPort

c = pl.col
ROWS = pl.DataFrame(
    {
        "k": [1, 1, 2], "x": [1, 2, 3], "f": [1.5, 2.5, 3.5], "b": [True, False, True], "s": ["a", "b", "c"],
        "d": [date(2026, 1, 1)] * 3, "t": [datetime(2026, 1, 1), datetime(2026, 1, 2), datetime(2026, 1, 3)],
        "l": [[1], [2, 3], [4]], "r": [{"u": 1, "v": "x"}] * 3,
    }
)  # fmt: skip
OTHER = pl.DataFrame({"k": [1, 2], "y": [5, 6]})
Expected = set[tuple[str, str, str]]
"""(target column, or `*` for the rows; source column; subtype)."""

NODES: dict[str, tuple[Callable[[pl.LazyFrame, pl.LazyFrame], pl.LazyFrame], Expected]] = {
    "PythonScan": (lambda f, o: f.select("x"), {("x", "x", "IDENTITY")}),
    "Select": (lambda f, o: f.select(n=c.x + 1), {("n", "x", "TRANSFORMATION")}),
    "HStack": (lambda f, o: f.select("x").with_columns(n=c.x + 1), {("x", "x", "IDENTITY"), ("n", "x", "TRANSFORMATION")}),
    "Filter": (lambda f, o: f.filter(c.k > 1).select("x"), {("x", "x", "IDENTITY"), ("*", "k", "FILTER")}),
    "Slice": (lambda f, o: f.select("x").slice(1, 2), {("x", "x", "IDENTITY")}),
    "Sort": (lambda f, o: f.sort("k").select("x"), {("x", "x", "IDENTITY"), ("*", "k", "SORT")}),
    "Distinct": (
        lambda f, o: f.select("x", "k").unique(["k"]),
        {("x", "x", "IDENTITY"), ("k", "k", "IDENTITY"), ("*", "k", "GROUP_BY")},
    ),
    "GroupBy": (
        lambda f, o: f.group_by("k").agg(c.x.sum()),
        {("k", "k", "IDENTITY"), ("x", "x", "AGGREGATION"), ("*", "k", "GROUP_BY")},
    ),
    "Join": (
        lambda f, o: f.select("k", "x").join(o, on="k"),
        {("k", "k", "IDENTITY"), ("x", "x", "IDENTITY"), ("y", "y", "IDENTITY"), ("*", "k", "JOIN")},
    ),
    "Union": (lambda f, o: pl.concat([f.select(n="x"), o.select(n="y")]), {("n", "x", "IDENTITY"), ("n", "y", "IDENTITY")}),
    "HConcat": (
        lambda f, o: pl.concat([f.select("x"), o.select("y")], how="horizontal"),
        {("x", "x", "IDENTITY"), ("y", "y", "IDENTITY")},
    ),
    "MergeSorted": (
        lambda f, o: f.select(n="x").merge_sorted(o.select(n="y"), key="n"),
        {("n", "x", "IDENTITY"), ("n", "y", "IDENTITY"), ("*", "x", "SORT"), ("*", "y", "SORT")},
    ),
    "MapFunction": (lambda f, o: f.select("l").explode("l"), {("l", "l", "TRANSFORMATION"), ("*", "l", "JOIN")}),
    "Cache": (lambda f, o: f.select("x").cache(), {("x", "x", "IDENTITY")}),
    "DataFrameScan": (lambda f, o: f.select("x").join(pl.LazyFrame({"z": [1]}), how="cross"), {("x", "x", "IDENTITY")}),
}  # fmt: skip
NOT_BEFORE_OPTIMISATION = {"Reduce", "SimpleProjection", "Sink", "Scan"}
"""Made by the optimiser, by sinks, or by reading files: in no plan that a function of governed inputs returns unoptimised."""


def _lineage(frame: pl.LazyFrame, *ports: MemoryPort) -> PortLineage:
    sources = [Source(p.name, p.version, p.frame, p.was_read, p.masked) for p in ports]
    return column_lineage(frame, target_port="a.b.made", sources=sources)


def _shown(lineage: PortLineage) -> Expected:
    edges = {(e.target_column, e.source_column, str(e.transformation.subtype)) for e in lineage.edges}
    return edges | {("*", e.source_column, str(e.transformation.subtype)) for e in lineage.row_edges}


def _ports() -> tuple[MemoryPort, MemoryPort]:
    return MemoryPort("a.b.rows", ROWS), MemoryPort("a.b.other", OTHER)


def _public(names: object) -> set[str]:
    return {name for name in dir(names) if not name.startswith("_")}


@pytest.mark.parametrize("kind", sorted(NODES))
def test_a_node_of_each_kind_gives_the_edges_it_means(kind: str) -> None:
    build, expected = NODES[kind]
    rows, other = _ports()
    frame = build(rows.frame, other.frame)
    reader = PlanReader(frame)
    assert kind in {reader.node(node).kind for node in reader.order()}
    lineage = _lineage(frame, rows, other)
    assert _shown(lineage) == expected
    assert not lineage.unknown_inputs


def test_there_is_no_kind_of_node_that_is_not_looked_at_here() -> None:
    assert _public(_plr._ir_nodes) == {*NODES, *NOT_BEFORE_OPTIMISATION}


def test_a_step_that_is_not_known_makes_its_inputs_unknown_and_claims_no_column() -> None:
    rows, other = _ports()
    lineage = _lineage(rows.frame.select("x").map_batches(lambda frame: frame), rows, other)
    assert (lineage.edges, lineage.unknown_inputs) == ((), ("a.b.rows",))
    assert [edge.source_port for edge in lineage.dataset_edges] == ["a.b.rows"]


EXPRESSIONS: dict[str, list[pl.Expr]] = {
    "Column": [c.x],
    "Literal": [c.x + pl.lit(3)],
    "BinaryExpr": [
        c.x + c.k, c.x > c.k, c.b & (c.x > 1), c.x % c.k, c.x // c.k, c.f / c.x, c.x.eq_missing(c.k), c.b ^ c.b,
    ],
    "Cast": [c.x.cast(pl.String)],
    "Ternary": [pl.when(c.b).then(c.x).otherwise(c.k), pl.when(c.b).then(c.s)],
    "Agg": [
        c.x.min(), c.x.max(), c.x.median(), c.x.n_unique(), c.x.first(), c.x.last(), c.x.mean(), c.x.sum(),
        c.x.count(), c.x.std(), c.x.var(), c.x.quantile(0.5), c.x.implode(), c.b.any(), c.b.all(), c.x.arg_max(),
        c.x.product(),
    ],
    "Len": [pl.len() + c.x],
    "Sort": [c.x.sort()],
    "SortBy": [c.x.sort_by("k")],
    "Filter": [c.x.filter(c.b).sum()],
    "Gather": [c.x.gather(c.k - 1), c.x.get(0)],
    "Slice": [c.x.slice(0, 3), c.x.slice(pl.lit(0), c.k.max() + 1)],
    "Explode": [c.l.list.first(), c.l.explode().sum()],
    "Window": [c.x.sum().over("k"), c.x.rank().over("k", order_by="f"), c.x.sum().over("k", mapping_strategy="join")],
    "Rolling": [c.x.sum().rolling(index_column="t", period="2d")],
    "BooleanFunction": [
        c.x.is_null(), c.x.is_not_null(), c.f.is_nan(), c.f.is_not_nan(), c.f.is_finite(), c.f.is_infinite(),
        c.x.is_between(1, c.k), c.x.is_in([1, 2]), c.x.is_duplicated(), c.x.is_unique(), c.x.is_first_distinct(),
        c.x.is_last_distinct(), c.b.not_(), pl.any_horizontal(c.b, c.x > 1), pl.all_horizontal(c.b, c.x > 1),
        c.f.is_close(c.x), c.x.has_nulls(), c.x.is_sorted(),
    ],
    "StringFunction": [
        c.s.str.to_uppercase(), c.s.str.to_lowercase(), c.s.str.len_bytes(), c.s.str.len_chars(),
        c.s.str.contains("a"), c.s.str.starts_with("a"), c.s.str.ends_with("a"), c.s.str.replace("a", "b"),
        c.s.str.replace_all("a", "b"), c.s.str.slice(0, 1), c.s.str.head(1), c.s.str.tail(1), c.s.str.strip_chars(),
        c.s.str.strip_prefix("a"), c.s.str.split(","), c.s.str.extract("(a)"), c.s.str.extract_all("a"),
        c.s.str.count_matches("a"), c.s.str.pad_start(5), c.s.str.zfill(5), c.s.str.to_integer(strict=False),
        c.s.str.reverse(), c.s.str.find("a"), c.s.str.encode("hex"), c.s.str.normalize(), pl.concat_str(c.s, c.x),
        pl.format("{}-{}", c.s, c.x), c.s.str.join(","), c.s.str.to_date("%Y", strict=False),
        c.s.str.json_path_match("$"), c.s.str.split_exact(",", 1), c.s.str.contains_any(["a"]),
        c.s.str.replace_many(["a"], ["b"]),
    ],
    "TemporalFunction": [
        c.t.dt.year(), c.t.dt.month(), c.t.dt.day(), c.t.dt.hour(), c.t.dt.minute(), c.t.dt.second(), c.t.dt.week(),
        c.t.dt.weekday(), c.t.dt.ordinal_day(), c.t.dt.quarter(), c.t.dt.date(), c.t.dt.time(), c.t.dt.truncate("1d"),
        c.t.dt.round("1d"), c.t.dt.offset_by("1d"), c.t.dt.epoch(), c.t.dt.timestamp(), c.t.dt.month_start(),
        c.t.dt.month_end(), c.t.dt.to_string("%Y"), c.t.dt.replace_time_zone("UTC"), c.t.dt.is_leap_year(),
        c.t.dt.iso_year(), (c.t - c.t.min()).dt.total_days(), pl.datetime(c.x, 1, 1), pl.duration(days=c.x),
        c.d.dt.combine(c.t.dt.time()), c.t.dt.cast_time_unit("ms"),
    ],
    "ListFunction": [
        c.l.list.len(), c.l.list.sum(), c.l.list.get(0), c.l.list.contains(c.x), c.l.list.sort(), c.l.list.unique(),
    ],
    "ArrayFunction": [pl.concat_arr(c.x, c.k), pl.concat_arr(c.x, c.k).arr.sum()],
    "StructFunction": [
        c.r.struct.field("u"), c.r.struct.rename_fields(["p", "q"]), c.r.struct.with_fields(w=c.x),
        pl.struct(c.x, c.k),
    ],
    "EwmFunction": [c.x.ewm_mean(alpha=0.5), c.x.ewm_std(alpha=0.5), c.x.ewm_var(alpha=0.5)],
    "RollingFunction": [
        c.x.rolling_sum(2), c.x.rolling_mean(2), c.x.rolling_min(2), c.x.rolling_std(2),
        pl.rolling_corr(c.x, c.f, window_size=2),
    ],
    "RollingFunctionBy": [c.x.rolling_sum_by("t", "2d"), c.x.rolling_max_by("t", "2d")],
    "Function": [
        c.x.abs(), c.x.fill_null(c.k), c.x.shift(1), c.x.diff(), c.x.cum_sum(), c.x.rank(), c.x.hash(), c.x.round(),
        c.x.clip(1, c.k), c.x.replace(1, 2), c.x.replace_strict([1, 2, 3], [4, 5, 6]), pl.coalesce(c.x, c.k),
        pl.sum_horizontal(c.x, c.k), c.x.sqrt(), c.x.pow(c.k), c.x.log(), c.x.value_counts(), c.x.unique(),
        c.x.mode(), c.x.drop_nulls(), c.x.top_k(2), c.x.search_sorted(c.k), c.x.reverse(), c.x.interpolate(),
        c.x.pct_change(), c.x.arg_sort(), c.x.sample(3, seed=1), c.f.drop_nans(), c.x.reinterpret(signed=False),
        c.x.to_physical(), c.f.kurtosis(), c.f.skew(), pl.corr(c.x, c.f), c.x.entropy(), pl.int_range(c.k.min(), 4),
        pl.linear_space(c.x.min(), c.k.max(), 3), c.x.repeat_by(c.k), c.x.extend_constant(1, 1), c.x.peak_max(),
        c.x.rle(), c.x.rle_id(), c.x.bitwise_and(), c.x.set_sorted(), c.x.append(c.k), c.x.dot(c.k), c.f.floor(),
        c.f.ceil(), pl.max_horizontal(c.x, c.k), pl.fold(pl.lit(0), lambda a, b: a + b, [c.x, c.k]),
        pl.arctan2(c.x, c.k), c.x.map_batches(lambda s: s),
    ],
}  # fmt: skip
PARTS_OF_OTHERS = {"Alias", "PyExprIR", "Operator", "GroupbyOptions", "RollingGroupOptions", "WindowMapping"}


@pytest.mark.parametrize(
    ("kind", "expression"), [(kind, each) for kind, found in EXPRESSIONS.items() for each in found], ids=lambda it: str(it)[:60]
)
def test_an_expression_of_each_kind_claims_every_column_that_polars_says_is_in_it(kind: str, expression: pl.Expr) -> None:
    rows, other = _ports()
    frame = rows.frame.select(made=expression)
    lineage = _lineage(frame, rows, other)
    claimed = {edge.source_column for edge in lineage.edges} | {edge.source_column for edge in lineage.row_edges}
    roots = set(expression.meta.root_names())
    assert roots <= claimed or lineage.unknown_inputs or ANY_COLUMN in claimed
    assert claimed - {ANY_COLUMN} <= roots


def test_there_is_no_kind_of_expression_that_is_not_looked_at_here() -> None:
    assert _public(_plr._expr_nodes) == {*EXPRESSIONS, *PARTS_OF_OTHERS}


def test_each_kind_of_expression_is_really_met_by_its_examples() -> None:
    seen: dict[str, set[str]] = {kind: set() for kind in EXPRESSIONS}
    for kind, found in EXPRESSIONS.items():
        for expression in found:
            rows, _ = _ports()
            seen[kind] |= _kinds_in(rows.frame.select(made=expression))
    families = {kind for kind in EXPRESSIONS if kind.endswith("Function") or kind == "RollingFunctionBy"}
    assert [kind for kind in EXPRESSIONS if kind not in seen[kind]] == []
    assert families


def _kinds_in(frame: pl.LazyFrame) -> set[str]:
    """The kinds of all expressions of the plan's first node, and the families of functions."""
    from domain_sdk._polars_plan.expressions import children

    reader = PlanReader(frame)
    node = reader.node(reader.root)
    todo = [expression.node for expression in node.view.expr]
    found: set[str] = set()
    while todo:
        try:
            view = reader.expression(todo.pop())
        except UnreadablePlan:
            continue
        kind = type(view).__name__
        found.add(kind)
        if kind == "Function":
            found.add(type(view.function_data[0]).__name__)
        todo += [child for child, _ in children(kind, view) or []]
    return found
