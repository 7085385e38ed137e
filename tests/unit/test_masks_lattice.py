"""Strictness is an order with joins, and the type matrix is closed."""

from __future__ import annotations

import itertools

import pytest

from mesh_core.masks import Mask, MaskNotApplicable, allowed_masks, check_mask, is_stricter, join, join_all

ALL: list[Mask | None] = [None, *Mask]


def test_clear_is_the_mildest_and_null_the_strictest() -> None:
    for mask in ALL:
        assert join(None, mask) is mask
        assert join(mask, Mask.REPLACE_WITH_NULL) is Mask.REPLACE_WITH_NULL


@pytest.mark.parametrize("left", ALL)
def test_joining_is_commutative_idempotent_and_associative(left: Mask | None) -> None:
    assert join(left, left) is left
    for middle, right in itertools.product(ALL, ALL):
        assert join(left, middle) is join(middle, left)
        assert join(join(left, middle), right) is join(left, join(middle, right))


def test_a_join_is_at_least_as_strict_as_both_sides() -> None:
    for left, right in itertools.product(ALL, ALL):
        found = join(left, right)
        assert found is left or is_stricter(found, left)
        assert found is right or is_stricter(found, right)


def test_strictness_is_a_strict_order() -> None:
    for left, right in itertools.product(ALL, ALL):
        assert not (is_stricter(left, right) and is_stricter(right, left))
    assert not any(is_stricter(mask, mask) for mask in ALL)


def test_a_year_is_stricter_than_a_month_and_a_query_hash_than_a_global_one() -> None:
    assert join(Mask.TRUNCATE_TO_MONTH, Mask.TRUNCATE_TO_YEAR) is Mask.TRUNCATE_TO_YEAR
    assert join(Mask.SHA_256_GLOBAL, Mask.SHA_256_QUERY_LOCAL) is Mask.SHA_256_QUERY_LOCAL


def test_masks_without_an_order_join_to_null() -> None:
    assert join(Mask.SHOW_FIRST_4, Mask.SHOW_LAST_4) is Mask.REPLACE_WITH_NULL
    assert join(Mask.SHA_256_GLOBAL, Mask.MASK_ALPHANUM) is Mask.REPLACE_WITH_NULL


def test_the_order_of_rules_does_not_change_the_outcome() -> None:
    for masks in itertools.combinations(ALL, 3):
        assert len({join_all(order) for order in itertools.permutations(masks)}) == 1
    assert join_all([]) is None


@pytest.mark.parametrize("mask", [Mask.MASK_ALPHANUM, Mask.SHOW_FIRST_4, Mask.SHOW_LAST_4])
@pytest.mark.parametrize("logical_type", ["integer", "number", "boolean", "date", "timestamp", "time", "array", "object"])
def test_a_text_mask_is_refused_on_what_is_not_text(mask: Mask, logical_type: str) -> None:
    with pytest.raises(MaskNotApplicable, match=f"{mask} is not defined for type {logical_type}"):
        check_mask(mask, logical_type)


@pytest.mark.parametrize("logical_type", ["number", "boolean", "date", "timestamp", "object"])
def test_a_hash_is_refused_where_it_cannot_keep_the_type(logical_type: str) -> None:
    assert not allowed_masks(logical_type) & {Mask.SHA_256_GLOBAL, Mask.SHA_256_QUERY_LOCAL}


def test_replacing_with_null_fits_every_type_and_is_all_an_unknown_type_takes() -> None:
    for logical_type in ("string", "integer", "number", "boolean", "date", "timestamp", "time", "array", "object", "geography"):
        assert Mask.REPLACE_WITH_NULL in allowed_masks(logical_type)
    assert allowed_masks("geography") == {Mask.REPLACE_WITH_NULL}
