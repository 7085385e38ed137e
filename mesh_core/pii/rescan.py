"""Whether any value of a column still holds one kind of personal data: every value counts, not a sample.

Only kinds that a value shows by itself can be shown to be absent: what a name or a street is nobody can tell by pattern. Works on
what values hold, not on what could be worked out from them: half an e-mail address is none. Imports polars inside the functions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from mesh_core.pii.values import AGREES, kinds_in

if TYPE_CHECKING:
    import polars as pl

__all__ = ["RESCANNABLE", "holding_values"]


def _unspaced(text: pl.Expr) -> pl.Expr:
    return text.str.replace_all(r"[\s .\-]", "")


RESCANNABLE: Mapping[str, Callable[[pl.Expr], pl.Expr]] = {
    "pii.card": lambda text: _unspaced(text).str.contains(r"\d{12}"),
    "pii.email": lambda text: text.str.contains("@", literal=True),
    "pii.iban": lambda text: _unspaced(text).str.contains(r"[A-Za-z]{2}\d{2}[A-Za-z0-9]{8}"),
    "pii.ip": lambda text: text.str.contains(r"(?:\d{1,3}\.){3}\d|:[0-9A-Fa-f]{0,4}:"),
    "pii.phone": lambda text: text.str.count_matches(r"\d") >= 5,
}
"""Tag → which texts are worth a closer look: every text that could hold such data, and many that do not."""


def holding_values(values: pl.Series, tag: str) -> int:
    """How many of the values hold data of the kind, alone or in running text; nested values count as the texts in them.

    Raises:
        KeyError: The kind is none of `RESCANNABLE`.
    """
    import polars as pl

    look, agrees = RESCANNABLE[tag], AGREES[tag]
    text = pl.col("value")
    counted = _texts(values).drop_nulls().value_counts(name="count").filter(look(text).fill_null(value=True))
    return sum(count for value, count in counted.iter_rows() if tag in kinds_in(value) or agrees(value))


def _texts(values: pl.Series) -> pl.Series:
    """Each value as one text; bytes are read as the text they may be."""
    import polars as pl

    dtype = values.dtype
    if dtype.is_nested():
        return pl.Series("value", ["\n".join(_leaves(value)) or None for value in values.to_list()], dtype=pl.String)
    if dtype == pl.Binary:
        return pl.Series(
            "value", [None if it is None else it.decode(errors="replace") for it in values.to_list()], dtype=pl.String
        )
    return values.cast(pl.String).alias("value")


def _leaves(value: object) -> list[str]:
    if isinstance(value, dict):
        return [leaf for part in value.values() for leaf in _leaves(part)]
    if isinstance(value, list):
        return [leaf for part in value for leaf in _leaves(part)]
    return [] if value is None else [value.decode(errors="replace") if isinstance(value, bytes) else str(value)]
