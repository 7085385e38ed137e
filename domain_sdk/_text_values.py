"""Values of text files (CSV, NDJSON): how times are written in them, and which values are not what the contract promises.

Times are ISO 8601 and nothing else: what `01/02/2026` means depends on who wrote it. Imports polars: loaded on first use.
Source: ISO 8601; RFC 3339 section 5.6.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from domain_sdk.errors import InvalidRequest, Violation

__all__ = ["TextFiles", "as_times", "is_temporal", "opened_from", "refuse_bad_values", "remember_files"]

_SHOWN_CHARACTERS = 60
_SHOWN_ROWS = 3
_NOTE = "_domain_mesh_text_files"
_DAY = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_CLOCK = r"([0-9]{2}:[0-9]{2})(:[0-9]{2})?(\.[0-9]{1,6})?0*"
_DATE = rf"^{_DAY}([T ]00:00(:00(\.0+)?)?)?$"
_TIME = f"^{_CLOCK}$"
_NAIVE = f"^{_DAY}(?:[T ]{_CLOCK})?$"
_ZONED = f"^{_DAY}[T ]{_CLOCK}(Z|[+-][0-9]{{2}}:?[0-9]{{2}})$"


@dataclass(frozen=True, slots=True)
class TextFiles:
    """Where a lazy frame comes from."""

    files: Sequence[Path]
    types: Mapping[str, pl.DataType]
    """What the contract promises; columns it leaves open are not in it."""
    read_as_text: Callable[[Path], pl.LazyFrame]
    """One file with those columns as they are written."""
    unshown: frozenset[str] = frozenset()
    """Columns whose values no message shows."""


def remember_files(frame: pl.LazyFrame, source: TextFiles) -> None:
    """`opened_from` gives the source for this very frame."""
    setattr(frame, _NOTE, source)


def opened_from(rows: Any) -> TextFiles | None:  # noqa: ANN401 # any kind of rows
    """The text files that the frame was opened from; None for any other rows."""
    found = getattr(rows, _NOTE, None)
    return found if isinstance(found, TextFiles) else None


def is_temporal(kind: pl.DataType) -> bool:
    """True for a date, a timestamp or a time of day."""
    return kind in (pl.Date, pl.Time) or isinstance(kind, pl.Datetime)


def as_times(column: str, kind: pl.DataType, *, is_strict: bool = True) -> pl.Expr:
    """The text column as times; what is not ISO 8601 stops the query or, unless `is_strict`, is null."""
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


def refuse_bad_values(source: TextFiles, *, name: str) -> None:
    """Every promised value of the files can be read.

    Raises:
        InvalidRequest: some cannot; each column of each file is told with its first such rows, counted from 1 without the header.
    """
    found = [violation for file in source.files for violation in _bad_values(source, file)]
    if found:
        files = sorted({str(violation.path).rsplit(": ", 1)[0] for violation in found})
        raise InvalidRequest(
            f"{', '.join(files[:3])}: values are not of the types that the contract promises.", resource=name, violations=found
        )


def _bad_values(source: TextFiles, file: Path) -> Iterator[Violation]:
    try:
        text = source.read_as_text(file)
        there = [column for column in text.collect_schema().names() if column in source.types]
        for column in there:
            kind = source.types[column]
            bad = text.select(pl.col(column)).with_row_index("row", offset=1).filter(_is_bad(column, kind))
            rows = bad.select("row", value=pl.col(column)).collect(engine="streaming").rows()
            if rows:
                yield Violation(f"{file}: {column}", _told(rows, kind, is_shown=column not in source.unshown))
    except pl.exceptions.PolarsError:
        return  # not even as text: the reader's own words are told


def _is_bad(column: str, kind: pl.DataType) -> pl.Expr:
    value = pl.col(column)
    if kind == pl.Boolean:
        return ~value.str.to_lowercase().is_in(["true", "false"])
    read = as_times(column, kind, is_strict=False) if is_temporal(kind) else value.cast(kind, strict=False)
    return value.is_not_null() & read.is_null()


def _told(rows: Sequence[tuple[int, str]], kind: pl.DataType, *, is_shown: bool) -> str:
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
    return f"a whole number ({kind}) is expected" if kind.is_integer() else f"a number ({kind}) is expected"
