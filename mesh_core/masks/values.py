"""What each mask does to one value: the specification that every vectorised implementation is held to.

Source: Iceberg REST catalog `read-restrictions` (apache/iceberg#13879), the definition of each action.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, date, datetime, time
from decimal import Decimal

from mesh_core.masks import Mask, check_mask

__all__ = ["MASKED_TEXT", "MIN_SALT_BYTES", "MaskedValue", "check_salt", "hash_integer", "hash_text", "mask_text", "mask_value"]

MaskedValue = bool | int | float | str | Decimal | date | datetime | time | list[object] | None
"""A value that can be masked; other types can only be replaced with null."""

MASKED_TEXT = "XXXXXXXX"
"""The fixed value of a string, unlike an empty one."""

MIN_SALT_BYTES = 16
"""The least salt of one query. Source: Iceberg `sha-256-query-local`."""

_KEPT = frozenset("(),.-@")


def mask_value(
    value: MaskedValue, mask: Mask, logical_type: str, *, query_salt: bytes = b"", integer_bytes: int = 8
) -> MaskedValue:
    """The masked value, of the same type; null stays null.

    Args:
        value: The raw value.
        mask: The mask.
        logical_type: The column's ODCS logical type.
        query_salt: At least 16 random bytes, fresh for each query; only sha-256-query-local reads it.
        integer_bytes: Width of an integer column, 4 (int) or 8 (long), for its hash.

    Raises:
        MaskNotApplicable: If the mask is not defined for the type.
        ValueError: If sha-256-query-local is given too little salt.
    """
    check_mask(mask, logical_type)
    salt = check_salt(query_salt) if mask is Mask.SHA_256_QUERY_LOCAL else b""
    if value is None or mask is Mask.REPLACE_WITH_NULL:
        return None
    if mask is Mask.MASK_TO_FIXED_VALUE:
        return _fixed(value)
    if isinstance(value, str):
        return _masked_string(value, mask, salt)
    if isinstance(value, date):
        return _truncated(value, mask)
    if isinstance(value, int):
        return hash_integer(value, salt, integer_bytes)
    raise TypeError(f"{mask} met a {type(value).__name__} in a column declared {logical_type}.")


def mask_text(text: str) -> str:
    """The text code point by code point: 0-9 become n, `( ) , . - @` stay, everything else becomes x."""
    return "".join("n" if "0" <= character <= "9" else character if character in _KEPT else "x" for character in text)


def hash_text(text: str, salt: bytes) -> str:
    """64 lower-case hexadecimal digits: SHA-256 of the salt's hexadecimal text (none if the salt is empty), then the UTF-8 text.

    The standard hashes salt ‖ value and leaves the salt to the engine; ours is the hexadecimal text, so that engines which
    only join strings can hash it too.
    """
    return hashlib.sha256(salt.hex().encode() + text.encode()).hexdigest()


def hash_integer(value: int, salt: bytes, width: int) -> int:
    """A signed integer of `width` bytes: the first, little-endian, of the SHA-256 of the salt's text and the value's bytes."""
    digest = hashlib.sha256(salt.hex().encode() + value.to_bytes(width, "little", signed=True)).digest()
    return int.from_bytes(digest[:width], "little", signed=True)


def check_salt(query_salt: bytes) -> bytes:
    """The salt, if it is long enough. Raises: ValueError."""
    if len(query_salt) < MIN_SALT_BYTES:
        raise ValueError(f"sha-256-query-local needs {MIN_SALT_BYTES} random bytes a query or more, {len(query_salt)} are given.")
    return query_salt


def _masked_string(value: str, mask: Mask, salt: bytes) -> str:
    match mask:
        case Mask.MASK_ALPHANUM:
            return mask_text(value)
        case Mask.SHOW_FIRST_4:
            return value[:4] + mask_text(value[4:])
        case Mask.SHOW_LAST_4:
            return mask_text(value[:-4]) + value[-4:]
        case _:
            return hash_text(value, salt)


def _truncated(value: date, mask: Mask) -> date:
    month = 1 if mask is Mask.TRUNCATE_TO_YEAR else value.month
    if not isinstance(value, datetime):
        return value.replace(month=month, day=1)
    instant = value if value.tzinfo is None else value.astimezone(UTC)
    month = 1 if mask is Mask.TRUNCATE_TO_YEAR else instant.month
    start = instant.replace(month=month, day=1, hour=0, minute=0, second=0, microsecond=0)
    return start if value.tzinfo is None else start.astimezone(value.tzinfo)


def _fixed(value: MaskedValue) -> MaskedValue:
    """The zero of the value's type, or XXXXXXXX. Source: Iceberg `mask-to-fixed-value`."""
    match value:
        case bool():
            return False
        case str():
            return MASKED_TEXT
        case datetime():
            epoch = datetime(1970, 1, 1, tzinfo=UTC)
            return epoch.replace(tzinfo=None) if value.tzinfo is None else epoch.astimezone(value.tzinfo)
        case date():
            return date(1970, 1, 1)
        case time():
            return time(0)
        case Decimal():
            return Decimal(0).quantize(Decimal(1).scaleb(int(value.as_tuple().exponent)))
        case list():
            return []
        case float():
            return 0.0
        case _:
            return 0
