"""Each mask on one value: examples from the Iceberg REST specification, digests computed with sha256sum."""

from __future__ import annotations

import hashlib
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal

import pytest

from mesh_core.masks import Mask, MaskNotApplicable
from mesh_core.masks.values import mask_value

SALT = bytes(range(16))


@pytest.mark.parametrize(
    ("mask", "value", "expected"),
    [
        (Mask.MASK_ALPHANUM, "prashant010696@gmail.com", "xxxxxxxxnnnnnn@xxxxx.xxx"),
        (Mask.SHOW_FIRST_4, "prashant010696@gmail.com", "prasxxxxnnnnnn@xxxxx.xxx"),
        (Mask.SHOW_LAST_4, "4111-1111-1111-4444", "nnnn-nnnn-nnnn-4444"),
        (Mask.MASK_ALPHANUM, "(555) 123-4567", "(nnn)xnnn-nnnn"),
        (Mask.MASK_ALPHANUM, "a.b,c", "x.x,x"),
        (Mask.MASK_ALPHANUM, "é𝟙٣\n_", "xxxxx"),
        (Mask.MASK_ALPHANUM, "", ""),
        (Mask.SHOW_FIRST_4, "1234", "1234"),
        (Mask.SHOW_LAST_4, "é𝟙a", "é𝟙a"),
        (Mask.SHOW_FIRST_4, "é𝟙ab9", "é𝟙abn"),
        (Mask.SHOW_LAST_4, "9é𝟙ab", "né𝟙ab"),
        (Mask.MASK_TO_FIXED_VALUE, "secret", "XXXXXXXX"),
        (Mask.SHA_256_GLOBAL, "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    ],
)
def test_text_is_masked_as_the_standard_says(mask: Mask, value: str, expected: str) -> None:
    assert mask_value(value, mask, "string") == expected


@pytest.mark.parametrize(
    ("value", "logical_type", "year", "month"),
    [
        (date(2024, 7, 15), "date", date(2024, 1, 1), date(2024, 7, 1)),
        (datetime(1969, 12, 31, 23, 59, 59, 1), "timestamp", datetime(1969, 1, 1), datetime(1969, 12, 1)),
        (datetime(2024, 7, 15, 8, tzinfo=UTC), "timestamp", datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 7, 1, tzinfo=UTC)),
    ],
)
def test_times_are_truncated(value: date, logical_type: str, year: date, month: date) -> None:
    assert mask_value(value, Mask.TRUNCATE_TO_YEAR, logical_type) == year
    assert mask_value(value, Mask.TRUNCATE_TO_MONTH, logical_type) == month


def test_an_instant_is_truncated_in_utc() -> None:
    new_year_in_the_east = datetime(2025, 1, 1, 1, tzinfo=timezone(timedelta(hours=9)))
    assert mask_value(new_year_in_the_east, Mask.TRUNCATE_TO_YEAR, "timestamp") == datetime(2024, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "logical_type", "expected"),
    [
        (True, "boolean", False),
        (7, "integer", 0),
        (7.5, "number", 0.0),
        (Decimal("7.50"), "number", Decimal("0.00")),
        (date(2024, 7, 15), "date", date(1970, 1, 1)),
        (datetime(2024, 7, 15, tzinfo=UTC), "timestamp", datetime(1970, 1, 1, tzinfo=UTC)),
        (time(8), "time", time(0)),
        ([1, 2], "array", []),
    ],
)
def test_a_fixed_value_is_the_zero_of_its_type(value: object, logical_type: str, expected: object) -> None:
    found = mask_value(value, Mask.MASK_TO_FIXED_VALUE, logical_type)  # type: ignore[arg-type]
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize("mask", list(Mask))
def test_null_stays_null(mask: Mask) -> None:
    logical_type = "date" if mask.startswith("truncate") else "string"
    assert mask_value(None, mask, logical_type, query_salt=SALT) is None


def test_an_integer_keeps_its_width_when_hashed() -> None:
    digest = hashlib.sha256(b"\x2a\x00\x00\x00\x00\x00\x00\x00").digest()
    assert mask_value(42, Mask.SHA_256_GLOBAL, "integer") == int.from_bytes(digest[:8], "little", signed=True)
    digest = hashlib.sha256(b"\xd6\xff\xff\xff").digest()
    assert mask_value(-42, Mask.SHA_256_GLOBAL, "integer", integer_bytes=4) == int.from_bytes(digest[:4], "little", signed=True)


def test_a_query_hash_depends_on_its_salt_and_demands_enough_of_it() -> None:
    first = mask_value("abc", Mask.SHA_256_QUERY_LOCAL, "string", query_salt=SALT)
    assert first == hashlib.sha256(b"000102030405060708090a0b0c0d0e0fabc").hexdigest()
    assert first != mask_value("abc", Mask.SHA_256_QUERY_LOCAL, "string", query_salt=SALT[::-1])
    with pytest.raises(ValueError, match="16 random bytes"):
        mask_value("abc", Mask.SHA_256_QUERY_LOCAL, "string", query_salt=b"short")


def test_a_mask_outside_the_matrix_is_refused() -> None:
    with pytest.raises(MaskNotApplicable):
        mask_value(1.5, Mask.SHA_256_GLOBAL, "number")
