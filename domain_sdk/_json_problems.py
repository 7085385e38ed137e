"""What is wrong with an NDJSON file that could not be read: each line is looked at, and told with its row.

Owns the words only: whether a file is refused is the reader's to say.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl

from domain_sdk._json_rows import JsonRows
from domain_sdk._text_values import as_written, told
from domain_sdk.errors import Violation

__all__ = ["json_problems"]

_MOST = 1_000
"""After so many problems the rest of the file is not looked at."""
_WRITTEN = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_MOST_DIGITS = 80
"""More than any decimal has."""
_FLOAT32, _FLOAT64 = Decimal("3.4028235677973366e38"), Decimal("1.7976931348623158e308")


class _Number(str):
    """A number as it is written."""


def json_problems(file: Path, *, rows: JsonRows, unshown: frozenset[str]) -> list[Violation]:
    """What of the file is not as the contract says, by column; lines that are no objects first.

    Args:
        file: An NDJSON file.
        rows: How the file is read.
        unshown: Columns whose values are not shown.
    """
    lines: list[Violation] = []
    values: dict[str, list[tuple[int, str]]] = {}
    unknown: dict[str, int] = {}
    kinds = rows.kinds
    for row, line in _lines(file):
        found = _parsed(line)
        if isinstance(found, str):
            lines.append(Violation(str(file), f"row {row} {found}"))
            break
        for name, value in found.items():
            if rows.columns and name not in rows.columns:
                unknown.setdefault(name, row)
            elif name in kinds and not _fits(value, kinds[name]):
                values.setdefault(name, []).append((row, _shown(value)))
        if sum(map(len, values.values())) >= _MOST:
            break
    extra = [Violation(f"{file}: {name}", f"row {row}: the contract has no such column.") for name, row in unknown.items()]
    wrong = [Violation(f"{file}: {it}", told(at, kinds[it], is_shown=it not in unshown)) for it, at in values.items()]
    return [*lines, *extra, *wrong]


def _lines(file: Path) -> Iterator[tuple[int, bytes]]:
    with file.open("rb") as opened:
        filled = (line for line in opened if line.strip())
        yield from ((row, line.removeprefix(b"\xef\xbb\xbf")) for row, line in enumerate(filled, start=1))


def _parsed(line: bytes) -> dict[str, Any] | str:
    """The object, or what the line is instead."""
    try:
        found = json.loads(line.decode(), parse_int=_Number, parse_float=_Number, parse_constant=_Number, object_pairs_hook=_once)
    except UnicodeDecodeError:
        return "is not UTF-8: save the file as UTF-8."
    except json.JSONDecodeError as error:
        return f"is not JSON: {error.msg} at character {error.pos + 1}."
    except RecursionError:
        return "is nested too deeply."
    except _Twice as error:
        return f"has the key {error} twice."
    return found if isinstance(found, dict) else "is no object: each line is one, like {…}."


class _Twice(Exception):
    """A key that stands twice in an object."""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise _Twice(repr(name))
        found[name] = value
    return found


def _fits(value: Any, kind: Any) -> bool:  # noqa: ANN401 # anything that JSON can say; a polars type
    if value is None:
        return True
    if isinstance(kind, pl.Struct):
        parts = {part.name: part.dtype for part in kind.fields}
        return isinstance(value, dict) and all(name in parts and _fits(it, parts[name]) for name, it in value.items())
    if isinstance(kind, pl.List):
        return isinstance(value, list) and all(_fits(it, kind.inner) for it in value)
    if kind == pl.Boolean:
        return isinstance(value, bool)
    if kind == pl.String or kind.is_temporal():
        return isinstance(value, str) and not isinstance(value, _Number) and _is_text(value) and _is_time(value, kind)
    return isinstance(value, str) and (isinstance(value, _Number) or kind.is_decimal()) and _is_number(value, kind)


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_time(value: str, kind: pl.DataType) -> bool:
    if kind == pl.String:
        return True
    return pl.DataFrame({"it": [value]}).select(as_written("it", kind, is_strict=False)).item() is not None


def _is_number(value: str, kind: pl.DataType) -> bool:
    if kind.is_integer():
        read = pl.Series([value], dtype=pl.String).cast(kind, strict=False)
        return value.lstrip("-").isdecimal() and read.null_count() == 0
    if not _WRITTEN.fullmatch(value):  # NaN and its like, which some write into JSON
        return isinstance(value, _Number) and not kind.is_decimal()
    number = Decimal(value)
    if isinstance(kind, pl.Decimal):
        if abs(number.adjusted()) > _MOST_DIGITS:
            return not number
        digits, exponent = number.normalize().as_tuple()[1:]
        places = max(0, -int(exponent)) if number else 0
        return places <= kind.scale and len(digits) + max(0, int(exponent)) + kind.scale - places <= (kind.precision or 38)
    return number.adjusted() < (38 if kind == pl.Float32 else 308) or abs(number) <= (
        _FLOAT32 if kind == pl.Float32 else _FLOAT64
    )


def _shown(value: Any) -> str:  # noqa: ANN401 # anything that JSON can say
    """The value; a text by itself is not in quotes."""
    return str(value) if isinstance(value, str) else _written(value)


def _written(value: Any) -> str:  # noqa: ANN401 # anything that JSON can say
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(name)}: {_written(it)}" for name, it in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_written, value)) + "]"
    return str(value) if isinstance(value, _Number) else json.dumps(value, ensure_ascii=False)
