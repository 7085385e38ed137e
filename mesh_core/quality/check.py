"""One check as a value: what is to hold, of which part of a port, and whether it blocks."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from mesh_core.contract.model import Rule

__all__ = ["ITEMS", "LIBRARY", "RECORDED", "Check", "Kind"]

ITEMS = "[]"
"""The step of a path into the items of a list."""


class Kind(StrEnum):
    """What a check is about, in the standard's own word where it has one."""

    SCHEMA = "schema"
    TYPE = "type"
    REQUIRED = "required"
    UNIQUE = "unique"
    PRIMARY_KEY = "primaryKey"
    ENUM = "enum"
    MINIMUM = "minimum"
    MAXIMUM = "maximum"
    EXCLUSIVE_MINIMUM = "exclusiveMinimum"
    EXCLUSIVE_MAXIMUM = "exclusiveMaximum"
    MULTIPLE_OF = "multipleOf"
    MIN_LENGTH = "minLength"
    MAX_LENGTH = "maxLength"
    PATTERN = "pattern"
    FORMAT = "format"
    MIN_ITEMS = "minItems"
    MAX_ITEMS = "maxItems"
    UNIQUE_ITEMS = "uniqueItems"
    MIN_PROPERTIES = "minProperties"
    MAX_PROPERTIES = "maxProperties"
    REQUIRED_PROPERTY = "requiredProperty"
    DIMENSIONS = "dimensions"
    NORMALIZED = "normalized"
    NULL_VALUES = "nullValues"
    MISSING_VALUES = "missingValues"
    INVALID_VALUES = "invalidValues"
    DUPLICATE_VALUES = "duplicateValues"
    ROW_COUNT = "rowCount"
    FOREIGN_KEY = "foreignKey"
    SQL = "sql"
    CUSTOM = "custom"
    TEXT = "text"


LIBRARY = frozenset({Kind.NULL_VALUES, Kind.MISSING_VALUES, Kind.INVALID_VALUES, Kind.DUPLICATE_VALUES, Kind.ROW_COUNT})
"""Metrics that are counted and then compared by the rule's operator."""

RECORDED = frozenset({Kind.SQL, Kind.CUSTOM, Kind.TEXT, Kind.FOREIGN_KEY})
"""Checks that do not go by batches: they are run elsewhere, over whole files, or are nothing to run."""


@dataclass(frozen=True, slots=True)
class Check:
    """One promise of the contract.

    Attributes:
        name: Unique in the port: `amount.minimum`, `address.zip.required`, `amount.quality[0]`, `schema`.
        path: The way to the value: a column, then field names and `[]` for the items of a list; empty for the whole port.
        columns: The columns it reads: one, or those of a composite key.
        argument: The promise's value: a bound, a pattern, the allowed values.
        is_blocking: Whether a failure keeps the data from being published.
        description: What must hold, in words.
        is_personal: Samples must not be shown.
        rule: The quality entry it comes from, if any.
    """

    name: str
    kind: Kind
    path: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    argument: object = None
    is_blocking: bool = True
    description: str = ""
    is_personal: bool = False
    rule: Rule | None = None
