"""Which rows are a data subject's: those in which a value of the given columns, at any depth, is one of the subject's.

A text is the subject's whatever its case and the spaces around it; bytes are, if they are such a text in UTF-8; other values by
their text. Knows nothing of tables.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import polars as pl

__all__ = ["SubjectRows", "is_subject", "plain"]


@dataclass(frozen=True, slots=True)
class SubjectRows:
    """The rows of a table, and what makes one the subject's: a value of one of these columns. No representation has values."""

    frame: pl.LazyFrame
    schema: pl.Schema
    columns: tuple[str, ...]
    values: tuple[str, ...] = field(repr=False)

    def count(self) -> int:
        """How many are the subject's."""
        if not self.columns:
            return 0
        return int(self.frame.select(self._is_subject().sum()).collect(engine="streaming").item())

    def others(self) -> pl.LazyFrame:
        """All that are not."""
        return self.frame.filter(~self._is_subject())

    @property
    def is_deep(self) -> bool:
        """Whether some of the columns are nested or hold bytes: no predicate of the table's own can look into them."""
        return any(self.schema[name].is_nested() or self.schema[name] == pl.Binary for name in self.columns)

    def _is_subject(self) -> pl.Expr:
        return is_subject(self.schema, self.columns, self.values)


def plain(value: str) -> str:
    """The value as texts are compared with it."""
    return value.strip(" ").lower()


def is_subject(schema: pl.Schema, columns: Sequence[str], values: Sequence[str]) -> pl.Expr:
    """True for the subject's rows, never null; at least one column is given."""
    return pl.any_horizontal([_holds(pl.col(name), schema[name], values) for name in columns])


def _holds(value: pl.Expr, dtype: object, values: Sequence[str]) -> pl.Expr:
    if isinstance(dtype, pl.Struct):
        parts = [_holds(value.struct.field(field.name), field.dtype, values) for field in dtype.fields]
        return pl.any_horizontal(parts) if parts else value.is_null() & value.is_not_null()
    if isinstance(dtype, pl.Array):
        return _holds(value.arr.to_list(), pl.List(dtype.inner), values)
    if isinstance(dtype, pl.List):
        return value.list.eval(_holds(pl.element(), dtype.inner, values)).list.any().fill_null(value=False)
    if dtype == pl.Binary:
        return value.bin.encode("hex").str.contains(_hex_pattern(values)).fill_null(value=False)
    text = value.cast(pl.String).str.strip_chars(" ").str.to_lowercase()
    return text.is_in([plain(it) for it in values]).fill_null(value=False)


def _hex_pattern(values: Sequence[str]) -> str:
    """Matches the hexadecimal digits of the values' bytes, in whatever case, with spaces around."""
    return rf"\A(20)*({'|'.join(''.join(map(_either, plain(value))) for value in values)})(20)*\z"


def _either(character: str) -> str:
    forms = {re.escape(form.encode().hex()) for form in (character.lower(), character.upper())}
    return f"({'|'.join(sorted(forms))})"
