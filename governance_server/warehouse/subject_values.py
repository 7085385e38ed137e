"""Which rows are a data subject's: those in which a value of the given columns, at any depth, is one of the subject's.

A text is the subject's whatever its case and the spaces around it; bytes are, if they are such a text in UTF-8; other values by
their text; running text, if such a value stands in it as a whole word. Knows nothing of tables.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
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
    texts: frozenset[str] = frozenset()
    """Those of the columns that hold running text, in which a value may stand anywhere."""

    def count(self) -> int:
        """How many are the subject's."""
        if not self.columns:
            return 0
        return int(self.frame.select(self._is_subject().sum()).collect(engine="streaming").item())

    def keys(self, key: Sequence[str]) -> list[list[str]]:
        """The values of these columns in the subject's rows, each as text; none if a column is not there."""
        if not self.columns or not set(key) <= set(self.schema):
            return []
        return [[str(value) for value in row] for row in self.frame.filter(self._is_subject()).select(key).collect().iter_rows()]

    def others(self) -> pl.LazyFrame:
        """All that are not."""
        return self.frame.filter(~self._is_subject())

    @property
    def is_deep(self) -> bool:
        """Whether some of the columns are nested, hold bytes or texts: no predicate of the table's own can look into them."""
        deep = (self.schema[name].is_nested() or self.schema[name] == pl.Binary for name in self.columns)
        return bool(self.texts) or any(deep)

    def is_subject(self, schema: pl.Schema) -> pl.Expr:
        """As the function, for a frame of this schema."""
        return is_subject(schema, self.columns, self.values, texts=self.texts)

    def _is_subject(self) -> pl.Expr:
        return self.is_subject(self.schema)


def plain(value: str) -> str:
    """The value as texts are compared with it."""
    return value.strip(" ").lower()


def is_subject(
    schema: pl.Schema, columns: Sequence[str], values: Sequence[str], *, texts: Collection[str] = frozenset()
) -> pl.Expr:
    """True for the subject's rows, never null; at least one column is given. Those of `texts` hold running text."""
    return pl.any_horizontal([_holds(pl.col(name), schema[name], values, is_text=name in texts) for name in columns])


def _holds(value: pl.Expr, dtype: object, values: Sequence[str], *, is_text: bool) -> pl.Expr:
    if isinstance(dtype, pl.Struct):
        parts = [_holds(value.struct.field(field.name), field.dtype, values, is_text=is_text) for field in dtype.fields]
        return pl.any_horizontal(parts) if parts else value.is_null() & value.is_not_null()
    if isinstance(dtype, pl.Array):
        return _holds(value.arr.to_list(), pl.List(dtype.inner), values, is_text=is_text)
    if isinstance(dtype, pl.List):
        held = _holds(pl.element(), dtype.inner, values, is_text=is_text)
        return value.list.eval(held).list.any().fill_null(value=False)
    if dtype == pl.Binary:
        return value.bin.encode("hex").str.contains(_hex_pattern(values)).fill_null(value=False)
    if is_text and dtype == pl.String:
        return value.str.contains(_word_pattern(values)).fill_null(value=False)
    text = value.cast(pl.String).str.strip_chars(" ").str.to_lowercase()
    return text.is_in([plain(it) for it in values]).fill_null(value=False)


def _word_pattern(values: Sequence[str]) -> str:
    """Matches a text in which one of the values stands as a whole word, in whatever case."""
    return rf"(?i)(?:^|\W)(?:{'|'.join(pl.escape_regex(value.strip(' ')) for value in values)})(?:\W|$)"


def _hex_pattern(values: Sequence[str]) -> str:
    """Matches the hexadecimal digits of the values' bytes, in whatever case, with spaces around."""
    return rf"\A(20)*({'|'.join(''.join(map(_either, plain(value))) for value in values)})(20)*\z"


def _either(character: str) -> str:
    forms = {re.escape(form.encode().hex()) for form in (character.lower(), character.upper())}
    return f"({'|'.join(sorted(forms))})"
