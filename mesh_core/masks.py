"""Column masks: the closed vocabulary, their strictness and which types each accepts.

The nine actions of Iceberg REST read restrictions, so that every path can honour the same plan (design §5).
"""

from __future__ import annotations

from enum import StrEnum

__all__ = ["Mask"]


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
