"""Personal data in tables: which columns hold some, how sure that is, and which tag would say so.

Owns the sample that is taken while rows stream by, and the judgement: names and values together, accidents ruled out.
Knows nothing of the server. Imports polars: loaded on first use.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import polars as pl

from mesh_core.pii.column_names import hinted_tags
from mesh_core.pii.findings import WORDS
from mesh_core.pii.recognisers import numbers_by_country
from mesh_core.pii.values import AGREES, kinds_in

__all__ = ["ColumnFinding", "RowSample", "find_personal_columns"]

_SAMPLE_ROWS = 4096
_PIECE_ROWS, _ROWS_A_PIECE = 1024, 256
_MOST_JUDGED = 100
_MOST_TEXT = 2000
_SUSPECT = (
    r"@|\d[\d ().\-/]{5,}\d|[0-9A-Fa-f]{0,4}:[0-9A-Fa-f]{0,4}:|(?:\d{1,3}\.){3}\d|[A-Za-z]{2}\d{2}[ \-]?[A-Za-z0-9]{4}"
    r"|(?i:passport|licen[cs]e|birth|born)"
)
_FEWEST_SHARE, _LEAST_SHARE, _CERTAIN_SHARE = 0.01, 0.3, 0.5
_ACCIDENT = 1e-6
_NAME_FACTOR = 1e-3
_BY_ACCIDENT = {
    "pii.email": 1e-6,
    "pii.iban": 1e-5,
    "pii.card": 0.1,
    "pii.national_id": 1e-3,
    "pii.phone": 0.05,
    "pii.birth_date": 1e-4,
}
"""How likely a value that has nothing to do with it passes the kind's test. What is not here is never certain."""


@dataclass(frozen=True, slots=True)
class ColumnFinding:
    """A column holds personal data of the kind that `tag` names."""

    column: str
    tag: str
    is_certain: bool
    """True if neither the name alone nor an accident explains the values."""
    matched: int
    """Sampled values of that kind."""
    sampled: int
    """Sampled values that are not null."""

    @property
    def words(self) -> str:
        """What was found, without a single value of it."""
        verb = "holds" if self.is_certain else "may hold"
        return f"{self.column} {verb} {WORDS[self.tag]} ({self.matched} of {self.sampled} sampled values)"


class RowSample:
    """At most 4,096 rows, spread evenly over everything that streamed by, whatever its length; the same for the same stream."""

    def __init__(self) -> None:
        self._kept: list[pl.DataFrame] = []
        self._stride = 1
        self._seen = 0

    def observe(self, batch: pl.DataFrame) -> None:
        """The batch may have given rows to the sample."""
        for start in range(0, batch.height, _PIECE_ROWS):
            if self._seen % self._stride == 0:
                self._keep(batch.slice(start, _PIECE_ROWS))
            self._seen += 1

    def rows(self) -> pl.DataFrame:
        """The sample."""
        return pl.concat(self._kept, how="vertical_relaxed") if self._kept else pl.DataFrame()

    def _keep(self, piece: pl.DataFrame) -> None:
        step = -(-piece.height // _ROWS_A_PIECE)
        self._kept.append(piece.gather_every(step))
        if sum(frame.height for frame in self._kept) > _SAMPLE_ROWS:
            self._kept = self._kept[::2]
            self._stride *= 2


def find_personal_columns(
    rows: pl.DataFrame, *, within: Sequence[str] = (), skipped: Collection[str] = ()
) -> tuple[ColumnFinding, ...]:
    """The columns of a frame (a sample of it, if it is large) that hold personal data, each kind once, in the frame's order.

    Args:
        rows: Any frame. Nested values are searched as the texts in them.
        within: The names of the table and what it belongs to: in `customers`, `name` is a person's.
        skipped: Columns that are not looked at.
    """
    found: list[ColumnFinding] = []
    for name in rows.columns:
        if name not in skipped:
            found.extend(_judged(name, rows[name], within))
    return tuple(found)


def _judged(name: str, column: pl.Series, within: Sequence[str]) -> Iterator[ColumnFinding]:
    hints = hinted_tags(name, within=within)
    values = _texts(column, has_hint=bool(hints))
    sampled = int(values["count"].sum()) if values.height else 0
    if not sampled:
        return
    held = _held(values, hints)
    total = sum(held.values())
    for tag, matched in held.items():
        is_named = tag in hints
        if matched / sampled < (_FEWEST_SHARE if tag in _SAYS_ITSELF else _LEAST_SHARE):
            continue
        chance = _BY_ACCIDENT.get(tag, 1.0) ** min(matched, 12) * (_NAME_FACTOR if is_named else 1)
        certain = tag in _BY_ACCIDENT and chance <= _ACCIDENT and total / sampled >= _CERTAIN_SHARE
        if certain or is_named or tag in _SAYS_ITSELF:
            yield ColumnFinding(name, tag, certain, matched, sampled)
    if not held:
        for tag, matched, certain in numbers_by_country(values["value"].to_list(), values["count"].to_list(), name):
            yield ColumnFinding(name, tag, certain, matched, sampled)


_SAYS_ITSELF = frozenset({"pii.email", "pii.iban"})


def _held(values: pl.DataFrame, hints: Sequence[str]) -> dict[str, int]:
    """Tag → how many of the values are of its kind."""
    held: dict[str, int] = {}
    for value, count in values.filter("is_suspect").select("value", "count").iter_rows():
        for tag in kinds_in(value):
            held[tag] = held.get(tag, 0) + count
    judged = values.select("value", "count").head(_MOST_JUDGED)
    for tag in hints:
        agreeing = sum(count for value, count in judged.iter_rows() if _agrees(tag, value))
        if agreeing:
            held[tag] = max(held.get(tag, 0), round(agreeing / judged["count"].sum() * values["count"].sum()))
    return held


def _agrees(tag: str, value: str) -> bool:
    """Whether a value is of the kind that its column's name says; whole numbers hold telephone numbers without the plus."""
    is_bare = tag == "pii.phone" and re.fullmatch(r"[1-9]\d{9,14}", value) is not None
    return AGREES[tag](value) or (is_bare and AGREES[tag](f"+{value}"))


def _texts(column: pl.Series, *, has_hint: bool) -> pl.DataFrame:
    """The distinct values as text with their counts, and whether a cheap look makes them worth a closer one."""
    dtype = column.dtype
    is_text = dtype in (pl.String, pl.Categorical, pl.Enum)
    is_number = dtype.is_integer() and (has_hint or _has_long_numbers(column))
    is_day = has_hint and (dtype == pl.Date or isinstance(dtype, pl.Datetime))
    if isinstance(dtype, pl.Struct | pl.List | pl.Array):
        texts = pl.Series("value", [" \n ".join(_leaves(value)) or None for value in column.to_list()], dtype=pl.String)
    elif is_text or is_number or is_day:
        texts = column.cast(pl.String)
    else:
        return pl.DataFrame(schema={"value": pl.String, "count": pl.UInt32, "is_suspect": pl.Boolean})
    counted = texts.alias("value").str.slice(0, _MOST_TEXT).drop_nulls().value_counts(name="count", sort=True)
    return counted.filter(pl.col("value").str.strip_chars() != "").with_columns(
        pl.col("value").str.contains(_SUSPECT).alias("is_suspect")
    )


def _has_long_numbers(column: pl.Series) -> bool:
    greatest = column.max()
    return isinstance(greatest, int) and greatest >= 10**11


def _leaves(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from _leaves(part)
    elif isinstance(value, list):
        for part in value:
            yield from _leaves(part)
