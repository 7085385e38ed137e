"""Values of text files (CSV, NDJSON): how they are written in them, and which are not what the contract promises.

Times are ISO 8601 and nothing else: what `01/02/2026` means depends on who wrote it. Decimals are read digit by digit, never by
way of a float, and never rounded. Imports polars: loaded on first use.
Source: ISO 8601; RFC 3339 section 5.6.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl

from domain_sdk.errors import Violation

__all__ = [
    "TextFiles",
    "as_written",
    "bad_values",
    "is_read_as_text",
    "opened_from",
    "remember_files",
    "told",
]

_SHOWN_CHARACTERS = 60
_SHOWN_ROWS = 3
_NOTE = "_domain_mesh_text_files"
_DAY = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_CLOCK = r"([0-9]{2}:[0-9]{2})(:[0-5][0-9])?(\.[0-9]{1,6})?0*"
_DECIMAL = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)$"
_EXPONENT = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)[eE][+-]?[0-9]{1,4}$"
_MOST_DIGITS = 80
"""More than any decimal has."""
_DATE = rf"^{_DAY}([T ]00:00(:00(\.0+)?)?)?$"
_TIME = f"^{_CLOCK}$"
_NAIVE = f"^{_DAY}(?:[T ]{_CLOCK})?$"
_ZONED = f"^{_DAY}[T ]{_CLOCK}(Z|[+-][0-9]{{2}}:?[0-9]{{2}})$"


@dataclass(frozen=True, slots=True)
class TextFiles:
    """Where rows come from."""

    files: Sequence[Path]
    check: Callable[[Path], None]
    """Refuses a file that does not hold together, before its rows are read."""
    problems: Callable[[Path], Sequence[Violation]]
    """What of a file that could not be read is not as the contract promises; nothing if that was not it."""
    rest: Callable[[Sequence[Violation]], tuple[pl.LazyFrame, frozenset[str]]] | None = None
    """The rows without the columns that these problems are in, and those columns; None if the reader needs all of them."""

    def refuse_broken(self) -> None:
        """Every file holds together. Raises: InvalidRequest."""
        for file in self.files:
            self.check(file)


def remember_files(rows: Any, source: TextFiles) -> None:  # noqa: ANN401 # a lazy frame, or rows of JSON
    """`opened_from` gives the source for these very rows."""
    setattr(rows, _NOTE, source)


def opened_from(rows: Any) -> TextFiles | None:  # noqa: ANN401 # any kind of rows
    """The text files that the frame was opened from; None for any other rows."""
    found = getattr(rows, _NOTE, None)
    return found if isinstance(found, TextFiles) else None


def is_read_as_text(kind: pl.DataType) -> bool:
    """True for a date, a timestamp, a time of day and a decimal, which readers of files guess or round."""
    return kind in (pl.Date, pl.Time) or isinstance(kind, pl.Datetime | pl.Decimal)


def as_written(column: str, kind: pl.DataType, *, is_strict: bool = True) -> pl.Expr:
    """The text column as what it says; what cannot be held exactly stops the query or, unless `is_strict`, is null."""
    if isinstance(kind, pl.Decimal):
        return _as_decimals(column, kind, is_strict=is_strict)
    return _as_times(column, kind, is_strict=is_strict)


def _as_decimals(column: str, kind: pl.Decimal, *, is_strict: bool) -> pl.Expr:
    value = pl.col(column).str.strip_chars(" ").map_batches(_without_exponents, return_dtype=pl.String, is_elementwise=True)
    is_exact = value.str.contains(_DECIMAL) & ~value.str.contains(rf"\.[0-9]{{{kind.scale}}}[0-9]*[1-9]")
    text = pl.when(is_exact).then(value).otherwise(pl.lit("not exact: ") + value)
    return text.cast(kind, strict=is_strict).alias(column)


def _without_exponents(values: pl.Series) -> pl.Series:
    """Numbers like 1.5e3 as 1500; what is far beyond every decimal stays as it is, and is no decimal then."""
    has_exponent = values.str.contains(_EXPONENT)
    if not has_exponent.any():
        return values
    return pl.Series(
        values.name,
        [_plain(value) if has and value is not None else value for value, has in zip(values, has_exponent, strict=True)],
        dtype=pl.String,
    )


def _plain(written: str) -> str:
    number = Decimal(written)
    return format(number, "f") if abs(number.adjusted()) <= _MOST_DIGITS else written


def _as_times(column: str, kind: pl.DataType, *, is_strict: bool = True) -> pl.Expr:
    value = pl.col(column)
    if kind == pl.Date:
        return _marked(value, _DATE, value.str.slice(0, 10)).str.to_date("%Y-%m-%d", strict=is_strict).alias(column)
    pattern = _TIME if kind == pl.Time else _ZONED if getattr(kind, "time_zone", None) else _NAIVE
    clock = [value.str.extract(pattern, at + 1).fill_null(missing) for at, missing in enumerate(("00:00", ":00", ""))]
    if kind == pl.Time:
        text = _marked(value, pattern, pl.concat_str(clock))
        return text.str.to_time("%H:%M:%S%.f", strict=is_strict).alias(column)
    parts = [value.str.slice(0, 10), pl.lit("T"), *clock]
    if pattern == _NAIVE:
        text = _marked(value, pattern, pl.concat_str(parts))
        return text.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f", time_unit="us", strict=is_strict).alias(column)
    zone = value.str.extract(pattern, 4).str.replace("Z", "+00:00")
    text = _marked(value, pattern, pl.concat_str([*parts, zone]))
    return text.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f%z", time_unit="us", time_zone="UTC", strict=is_strict).alias(column)


def _marked(value: pl.Expr, pattern: str, normal: pl.Expr) -> pl.Expr:
    """The normal writing, and what no parser takes where the value does not match."""
    return pl.when(value.str.contains(pattern)).then(normal).otherwise(pl.lit("not ISO 8601: ") + value)


def bad_values(file: Path, text: pl.LazyFrame, types: Mapping[str, pl.DataType], unshown: frozenset[str]) -> list[Violation]:
    """The values that are not what they are promised to be, by column.

    Args:
        file: What is told of.
        text: Its rows, each value as it is written.
        types: What the contract promises; columns it leaves open are not in it.
        unshown: Columns whose values no message shows.
    """
    found: list[Violation] = []
    try:
        for column in [it for it in text.collect_schema().names() if it in types]:
            bad = text.select(pl.col(column)).with_row_index("row", offset=1).filter(_is_bad(column, types[column]))
            rows = bad.select("row", value=pl.col(column)).collect(engine="streaming").rows()
            if rows:
                found.append(Violation(f"{file}: {column}", told(rows, types[column], is_shown=column not in unshown)))
    except pl.exceptions.PolarsError:
        return []  # not even as text: the reader's own words are told
    return found


def _is_bad(column: str, kind: pl.DataType) -> pl.Expr:
    value = pl.col(column)
    if kind == pl.Boolean:
        return ~value.str.to_lowercase().is_in(["true", "false"])
    read = as_written(column, kind, is_strict=False) if is_read_as_text(kind) else value.cast(kind, strict=False)
    return value.is_not_null() & read.is_null()


def told(rows: Sequence[tuple[int, str]], kind: pl.DataType, *, is_shown: bool) -> str:
    """The rows, counted from 1, with their values if they may be shown, and what is wanted instead."""
    shown = ", ".join(f"row {row}: {_cut(value)}" if is_shown else f"row {row}" for row, value in rows[:_SHOWN_ROWS])
    more = f" and {len(rows) - _SHOWN_ROWS:,} more" if len(rows) > _SHOWN_ROWS else ""
    return f"{shown}{more}; {_wanted(kind)}."


def _cut(value: str) -> str:
    return repr(value if len(value) <= _SHOWN_CHARACTERS else f"{value[:_SHOWN_CHARACTERS]}…")


def _wanted(kind: pl.DataType) -> str:
    if kind == pl.Date:
        return "write dates as 2026-02-01"
    if kind == pl.Time:
        return "write times of day as 13:30:00"
    if isinstance(kind, pl.Datetime):
        return f"write timestamps as 2026-02-01T13:30:00{'Z, with their zone' if kind.time_zone else ', without a zone'}"
    if kind == pl.Boolean:
        return "write true or false"
    if kind == pl.String:
        return "a text is expected"
    if kind.is_nested():
        return f"{'an object' if isinstance(kind, pl.Struct) else 'an array'} with values of the contract's types is expected"
    if isinstance(kind, pl.Decimal):
        return f"a number with at most {kind.precision - kind.scale} digits before and {kind.scale} after the point is expected"
    return f"a whole number ({kind}) is expected" if kind.is_integer() else f"a number ({kind}) is expected"
