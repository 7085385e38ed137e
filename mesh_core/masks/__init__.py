"""Column masks: the closed vocabulary, their strictness and which types each accepts.

The nine actions of Iceberg REST read restrictions, so that every path can honour the same plan (design §5). The lattice and the
type matrix are here; `values` is the specification of each mask in plain Python, `polars` its vectorised form.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from functools import reduce
from types import MappingProxyType

__all__ = ["Mask", "MaskNotApplicable", "allowed_masks", "check_mask", "is_stricter", "join", "join_all"]


class Mask(StrEnum):
    """One mask. Null stays null under every mask. Source: Iceberg REST `required-column-projections`."""

    SHA_256_GLOBAL = "sha-256-global"
    SHA_256_QUERY_LOCAL = "sha-256-query-local"
    MASK_ALPHANUM = "mask-alphanum"
    SHOW_FIRST_4 = "show-first-4"
    SHOW_LAST_4 = "show-last-4"
    REPLACE_WITH_NULL = "replace-with-null"
    MASK_TO_FIXED_VALUE = "mask-to-fixed-value"
    TRUNCATE_TO_YEAR = "truncate-to-year"
    TRUNCATE_TO_MONTH = "truncate-to-month"


class MaskNotApplicable(ValueError):
    """A mask on a type it is not defined for; choose one of `allowed_masks`, or replace-with-null, which fits all."""


_NEXT_STRICTER: Mapping[Mask, Mask] = MappingProxyType(
    {
        # Query-local hashes cannot be joined across queries nor looked up in a prepared table; global ones can.
        Mask.SHA_256_GLOBAL: Mask.SHA_256_QUERY_LOCAL,
        Mask.SHA_256_QUERY_LOCAL: Mask.REPLACE_WITH_NULL,
        # A year can be computed from the month shown, never the reverse.
        Mask.TRUNCATE_TO_MONTH: Mask.TRUNCATE_TO_YEAR,
        Mask.TRUNCATE_TO_YEAR: Mask.REPLACE_WITH_NULL,
        # The text masks show different parts of a value. mask-alphanum could stand above one of first-4 and last-4, but not
        # above both, or the join of the two would not be null; so it stands above neither.
        Mask.SHOW_FIRST_4: Mask.REPLACE_WITH_NULL,
        Mask.SHOW_LAST_4: Mask.REPLACE_WITH_NULL,
        Mask.MASK_ALPHANUM: Mask.REPLACE_WITH_NULL,
        # A fixed value still tells null from not null. It stands above no other mask for the reason given for mask-alphanum.
        Mask.MASK_TO_FIXED_VALUE: Mask.REPLACE_WITH_NULL,
    }
)
"""The order: a tree with replace-with-null at its root. Two masks of different branches share no mask but the root, which is
what makes `join` associative: the outcome of merging rules cannot depend on their order."""

_TEXT_MASKS = frozenset({Mask.MASK_ALPHANUM, Mask.SHOW_FIRST_4, Mask.SHOW_LAST_4})
_HASHES = frozenset({Mask.SHA_256_GLOBAL, Mask.SHA_256_QUERY_LOCAL})
_TRUNCATIONS = frozenset({Mask.TRUNCATE_TO_YEAR, Mask.TRUNCATE_TO_MONTH})
_ANY_TYPE = frozenset({Mask.REPLACE_WITH_NULL})
_SCALAR = _ANY_TYPE | {Mask.MASK_TO_FIXED_VALUE}

_MATRIX: Mapping[str, frozenset[Mask]] = MappingProxyType(
    {
        "string": _SCALAR | _TEXT_MASKS | _HASHES,
        "integer": _SCALAR | _HASHES,
        "number": _SCALAR,
        "boolean": _SCALAR,
        "date": _SCALAR | _TRUNCATIONS,
        "timestamp": _SCALAR | _TRUNCATIONS,
        "time": _SCALAR,
        "array": _SCALAR,
    }
)


def join(left: Mask | None, right: Mask | None) -> Mask | None:
    """The mildest mask that is at least as strict as both; None (clear) is the mildest, replace-with-null if they have no order.

    Commutative, associative and idempotent. Source: design §5.
    """
    if left is None or right is None:
        return right if left is None else left
    if left is right or is_stricter(left, right):
        return left
    return right if is_stricter(right, left) else Mask.REPLACE_WITH_NULL


def join_all(masks: Iterable[Mask | None]) -> Mask | None:
    """The join of all; None for none."""
    return reduce(join, masks, None)


def is_stricter(left: Mask | None, right: Mask | None) -> bool:
    """True if `left` shows strictly less than `right`; False if they are equal or have no order."""
    if right is None:
        return left is not None
    above = _NEXT_STRICTER.get(right)
    while above is not None:
        if above is left:
            return True
        above = _NEXT_STRICTER.get(above)
    return False


def allowed_masks(logical_type: str) -> frozenset[Mask]:
    """The masks defined for an ODCS logical type; a type not listed (object, vector, …) can only be replaced with null.

    Hashes keep strings (64 hexadecimal digits) and integers (the first 4 or 8 bytes of the digest); for a number, date, time or
    boolean no hash preserves the type. Source: Iceberg REST `read-restrictions`, "Applicable to".
    """
    return _MATRIX.get(logical_type, _ANY_TYPE)


def check_mask(mask: Mask, logical_type: str) -> Mask:
    """The mask, if it is defined for the type. Raises: MaskNotApplicable, naming those that are."""
    allowed = allowed_masks(logical_type)
    if mask not in allowed:
        raise MaskNotApplicable(f"{mask} is not defined for type {logical_type}: use one of {', '.join(sorted(allowed))}.")
    return mask
