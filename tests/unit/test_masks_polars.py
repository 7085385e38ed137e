"""The polars masks equal the specification on every type, and never raise on data."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesh_core.masks import Mask, MaskNotApplicable, allowed_masks
from mesh_core.masks.polars import logical_type_of, mask_expression
from mesh_core.masks.values import mask_value

SALT = bytes(range(100, 116))
TEXT = st.text(st.one_of(st.sampled_from("09aZ(),.-@ \n_é𝟙٣"), st.characters(codec="utf-8")), max_size=12)
TIMES = st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31)).map(lambda value: value.replace(fold=0))
NANOS = st.datetimes(datetime(1678, 1, 1), datetime(2262, 4, 11)).map(lambda value: value.replace(fold=0))
NEW_YORK = ZoneInfo("America/New_York")
LOCAL = st.datetimes(datetime(1901, 1, 2), datetime(2030, 1, 1)).map(lambda value: value.replace(tzinfo=UTC).astimezone(NEW_YORK))

CASES: dict[str, tuple[pl.DataType, st.SearchStrategy[object]]] = {
    "text": (pl.String(), TEXT),
    "plain text": (pl.String(), st.text(st.characters(codec="ascii"), max_size=12)),
    "int": (pl.Int32(), st.integers(-(2**31), 2**31 - 1)),
    "long": (pl.Int64(), st.integers(-(2**63), 2**63 - 1)),
    "double": (pl.Float64(), st.floats(allow_nan=False)),
    "decimal": (pl.Decimal(12, 2), st.integers(-(10**11), 10**11).map(lambda n: Decimal(n).scaleb(-2))),
    "boolean": (pl.Boolean(), st.booleans()),
    "date": (pl.Date(), st.dates()),
    "naive": (pl.Datetime("us"), TIMES),
    "utc": (pl.Datetime("us", "UTC"), TIMES.map(lambda value: value.replace(tzinfo=UTC))),
    "local": (pl.Datetime("us", "America/New_York"), LOCAL),
    "milliseconds": (pl.Datetime("ms"), TIMES.map(lambda value: value.replace(microsecond=value.microsecond // 1000 * 1000))),
    "nanoseconds": (pl.Datetime("ns"), NANOS),
    "time": (pl.Time(), st.times()),
    "list": (pl.List(pl.Int64()), st.lists(st.integers(0, 9), max_size=3)),
}


@pytest.mark.parametrize("case", sorted(CASES))
@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_every_mask_equals_its_specification(case: str, data: st.DataObject) -> None:
    dtype, values = CASES[case]
    column = data.draw(st.lists(st.none() | values, min_size=1, max_size=6))
    frame = pl.DataFrame({"x": pl.Series(column, dtype=dtype)})
    width = 4 if case == "int" else 8
    for mask in sorted(allowed_masks(logical_type_of(dtype))):
        shown = frame.select(x=mask_expression(pl.col("x"), mask, dtype, query_salt=SALT)).get_column("x")
        wanted = [
            mask_value(v, mask, logical_type_of(dtype), query_salt=SALT, integer_bytes=width)  # type: ignore[arg-type]
            for v in column
        ]
        assert shown.dtype == dtype, mask
        assert shown.to_list() == wanted, mask


@pytest.mark.parametrize("texts", [["ab", None, "0123456789", "", "abcd", "x.y-z@w(1)"], ["añb1c2", None, "abcdefgh", "éé"]])
@pytest.mark.parametrize("mask", [Mask.MASK_ALPHANUM, Mask.SHOW_FIRST_4, Mask.SHOW_LAST_4])
def test_a_part_of_a_longer_column_is_masked_like_the_whole(texts: list[str | None], mask: Mask) -> None:
    column = pl.concat([pl.Series(["before 1"]), pl.Series(texts), pl.Series(["after 1"])], rechunk=True)[1 : 1 + len(texts)]
    shown = pl.DataFrame({"x": column}).select(mask_expression(pl.col("x"), mask, pl.String(), query_salt=SALT)).to_series()
    assert shown.to_list() == [mask_value(text, mask, "string") for text in texts]


@pytest.mark.parametrize("case", sorted(CASES))
def test_a_mask_that_does_not_fit_the_type_is_refused(case: str) -> None:
    dtype = CASES[case][0]
    for mask in set(Mask) - allowed_masks(logical_type_of(dtype)):
        with pytest.raises(MaskNotApplicable):
            mask_expression(pl.col("x"), mask, dtype, query_salt=SALT)


def test_a_hash_of_a_short_integer_is_refused() -> None:
    with pytest.raises(MaskNotApplicable, match="32 and 64 bits"):
        mask_expression(pl.col("x"), Mask.SHA_256_GLOBAL, pl.Int16(), query_salt=SALT)


def test_too_little_salt_is_refused_before_any_row_is_read() -> None:
    with pytest.raises(ValueError, match="16 random bytes"):
        mask_expression(pl.col("x"), Mask.SHA_256_QUERY_LOCAL, pl.String(), query_salt=b"")


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "Asia/Tokyo"])
def test_a_time_outside_the_calendar_becomes_null_instead_of_a_panic(unit: str, zone: str | None) -> None:
    dtype = pl.Datetime(unit, zone)  # type: ignore[arg-type]
    frame = pl.DataFrame({"x": [-(2**63), 0, 2**63 - 1]}, schema={"x": pl.Int64}).select(pl.col("x").cast(dtype))
    for mask in (Mask.TRUNCATE_TO_YEAR, Mask.TRUNCATE_TO_MONTH):
        masked = frame.select(mask_expression(pl.col("x"), mask, dtype, query_salt=SALT).cast(pl.Int64)).to_series().to_list()
        assert masked[:2] == [None, 0]
        assert (masked[2] is None) is (unit != "ns")


def test_a_date_outside_the_calendar_becomes_null() -> None:
    frame = pl.DataFrame({"x": [-(2**31), 31, 2**31 - 1]}, schema={"x": pl.Int32}).select(pl.col("x").cast(pl.Date))
    masked = frame.select(mask_expression(pl.col("x"), Mask.TRUNCATE_TO_MONTH, pl.Date(), query_salt=SALT))
    assert masked.to_series().cast(pl.Int32).to_list() == [None, 31, None]


def test_a_masked_frame_stays_lazy_and_streams() -> None:
    rows = 10_000
    names, times = [f"name {n % 100}" for n in range(rows)], [datetime(2024, 1, 1) + timedelta(hours=n) for n in range(rows)]
    frame = pl.LazyFrame({"x": names, "t": times})
    masked = frame.select(
        mask_expression(pl.col("x"), Mask.SHA_256_GLOBAL, pl.String(), query_salt=SALT),
        mask_expression(pl.col("t"), Mask.TRUNCATE_TO_MONTH, pl.Datetime("us"), query_salt=SALT),
    ).collect(engine="streaming")
    assert masked.n_unique("x") == 100
    assert masked.height == rows
