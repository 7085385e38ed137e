"""Numbers of lists and clauses as letters and as Roman digits. Pure."""

from __future__ import annotations

__all__ = ["letters", "roman"]

_MOST = 3_999
"""What Roman digits can say; of letters nobody counts further either."""
_ROMAN = (
    (1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l"), (40, "xl"), (10, "x"), (9, "ix"),
    (5, "v"), (4, "iv"), (1, "i"),
)  # fmt: skip


def roman(number: int) -> str:
    """`xiv` for 14; digits for what they cannot say."""
    if not 0 < number <= _MOST:
        return str(number)
    written, left = "", number
    for value, digit in _ROMAN:
        written += digit * (left // value)
        left %= value
    return written


def letters(number: int) -> str:
    """From `a` to `z`, then `aa`, `bb` and so on; digits for what is no place in that row."""
    return chr(ord("a") + (number - 1) % 26) * ((number - 1) // 26 + 1) if 0 < number <= _MOST else str(number)
