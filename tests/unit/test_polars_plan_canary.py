"""What we rely on in polars' unstable plan interface: one test per behaviour, so that an upgrade fails here first."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl
import pytest
from polars.io.plugins import register_io_source

from domain_sdk._polars_plan.traversal import SUPPORTED_VERSION, PlanReader, UnreadablePlan, scan_functions

SCHEMA = {"a": pl.Int64, "b": pl.Int64, "c": pl.String}


def _scan() -> pl.LazyFrame:
    def generate(
        with_columns: list[str] | None, predicate: pl.Expr | None, n_rows: int | None, batch_size: int | None
    ) -> Iterator[pl.DataFrame]:
        yield pl.DataFrame(schema=SCHEMA)

    return register_io_source(generate, schema=SCHEMA)


def _kinds(frame: pl.LazyFrame) -> list[str]:
    reader = PlanReader(frame)
    return [reader.node(node).kind for node in reader.order()]


def test_the_plan_interface_has_the_supported_version():
    assert tuple(pl.LazyFrame({"a": [1]})._ldf.visit().version()) == SUPPORTED_VERSION


def test_another_plan_interface_is_refused(monkeypatch):
    monkeypatch.setattr("domain_sdk._polars_plan.traversal.SUPPORTED_VERSION", (99, 0))
    with pytest.raises(UnreadablePlan, match=r"install polars 2\.1"):
        PlanReader(pl.LazyFrame({"a": [1]}))


def test_a_scan_function_keeps_its_identity_through_the_plan():
    scan = _scan()
    assert scan_functions(scan)[0] is scan_functions(scan.select("a").filter(pl.col("a") > 1))[0]


def test_two_scans_of_one_port_have_two_scan_functions():
    assert scan_functions(_scan())[0] is not scan_functions(_scan())[0]


def test_the_unoptimised_plan_keeps_a_sort_that_the_optimiser_drops():
    frame = _scan().sort("a").select(pl.col("b").sum())
    assert "Sort" in _kinds(frame)
    optimised = PlanReader(frame, flags=pl.QueryOptFlags())
    assert "Sort" not in [optimised.node(node).kind for node in optimised.order()]


def test_the_unoptimised_plan_keeps_a_filter_apart_from_the_scan():
    assert _kinds(_scan().filter(pl.col("a") > 1)) == ["PythonScan", "Filter"]


def test_literals_are_coerced_to_the_type_they_are_compared_in():
    reader = PlanReader(pl.LazyFrame(schema={"a": pl.Int8}).filter(pl.col("a") > 1))
    predicate = reader.expression(reader.node(reader.root).view.predicate.node)
    assert reader.expression(predicate.right).dtype == pl.Int8


def test_a_python_function_in_an_expression_is_not_shown():
    reader = PlanReader(_scan().select(pl.col("a").map_elements(abs, return_dtype=pl.Int64)))
    node = reader.node(reader.root)
    with pytest.raises(UnreadablePlan, match="anonymousfunction"):
        reader.expression(node.view.expr[0].node)


def test_a_python_function_over_a_frame_is_not_shown():
    reader = PlanReader(_scan().map_batches(lambda frame: frame))
    node = reader.node(reader.root)
    assert (node.kind, node.view, node.names, len(node.inputs)) == ("", None, ("a", "b", "c"), 1)


def test_projection_pushdown_tells_what_a_python_function_reads():
    frame = _scan().select(pl.col("a").map_elements(abs, return_dtype=pl.Int64), "c").select("a")
    reader = PlanReader(frame, flags=pl.QueryOptFlags.none(projection_pushdown=True))
    assert next(n.view.options[1] for n in map(reader.node, reader.order()) if n.kind == "PythonScan") == ["a"]
