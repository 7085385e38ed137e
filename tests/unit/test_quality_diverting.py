"""What a diverter leaves keeps every promise about rows, and nothing is lost or made."""

from __future__ import annotations

from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from mesh_core.quality import check_frame
from mesh_core.quality.diverting import Diverter
from tests.unit.test_quality_checks import port_of

PORT = port_of(
    "  - {name: id, logicalType: integer, primaryKey: true}\n"
    "  - {name: code, logicalType: string, unique: true, logicalTypeOptions: {maxLength: 2}}\n"
    "  - {name: amount, logicalType: number, required: true, logicalTypeOptions: {minimum: 0}}\n",
    "[{metric: duplicateValues, arguments: {properties: [code, amount]}, mustBe: 0}]",
)
ROW = st.tuples(
    st.none() | st.integers(0, 4),
    st.none() | st.sampled_from(["a", "b", "abc"]),
    st.none() | st.sampled_from([-1.0, 0.0, -0.0, 2.0]),
)


def frame(rows: list[tuple[Any, ...]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema={"id": pl.Int64, "code": pl.String, "amount": pl.Float64}, orient="row")


@settings(max_examples=60, deadline=None)
@given(st.lists(ROW, max_size=12), st.integers(1, 5))
def test_what_is_left_is_in_order_and_nothing_is_lost_however_rows_are_cut(rows: list[tuple[Any, ...]], size: int) -> None:
    diverter = Diverter(PORT)
    parts = [diverter.split(batch) for batch in frame(rows).iter_slices(size)] or [diverter.split(frame([]))]
    good, bad = pl.concat([part[0] for part in parts]), pl.concat([part[1] for part in parts])
    assert check_frame(good.lazy(), PORT).is_ok
    assert sorted(map(repr, [*good.rows(), *bad.drop("_reasons").rows()])) == sorted(map(repr, rows))
    assert diverter.diverted == bad.height
    assert all(reason for reason in bad["_reasons"])
    whole = Diverter(PORT).split(frame(rows))
    assert (good.rows(), bad.rows()) == (whole[0].rows(), whole[1].rows())
