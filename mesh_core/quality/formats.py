r"""String formats and patterns as regular expressions the dataframe engine can run.

A pattern is ECMA-262 and is rewritten to the engine's dialect (Rust regex): `\d` and `\w` become ASCII, and characters that would
mean set arithmetic inside brackets are escaped. What only a backtracking engine can do (look-around, back-references) is left to
Python's `re`, value by distinct value.
"""

from __future__ import annotations

import re

import polars as pl

__all__ = ["FORMATS", "UnknownPattern", "matches"]

_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_IPV4 = rf"{_OCTET}(?:\.{_OCTET}){{3}}"
_H16 = r"[0-9A-Fa-f]{1,4}"
_LS32 = rf"(?:{_H16}:{_H16}|{_IPV4})"
_IPV6 = "|".join(
    [rf"(?:{_H16}:){{6}}{_LS32}", rf"::(?:{_H16}:){{5}}{_LS32}"]
    + [rf"(?:(?:{_H16}:){{0,{n}}}{_H16})?::(?:{_H16}:){{{4 - n}}}{_LS32}" for n in range(5)]
    + [rf"(?:(?:{_H16}:){{0,5}}{_H16})?::{_H16}", rf"(?:(?:{_H16}:){{0,6}}{_H16})?::"]
)

FORMATS: dict[str, str] = {
    "email": rf"^[A-Za-z0-9!#$%&'*+/=?^_`{{|}}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{{|}}~-]+)*@{_LABEL}(?:\.{_LABEL})*$",
    "uuid": r"^[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}$",
    "uri": r"^[A-Za-z][A-Za-z0-9+.-]*:(?:[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+$",
    "hostname": rf"^{_LABEL}(?:\.{_LABEL})*$",
    "ipv4": rf"^{_IPV4}$",
    "ipv6": rf"^(?:{_IPV6})$",
    "byte": r"^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$",
}
"""The formats of the standard that can be judged. Source: RFC 5321 dot-atom, 4122, 3986, 1123, 4291, 4648."""

_ASCII = {"d": "[0-9]", "D": "[^0-9]", "w": "[0-9A-Za-z_]", "W": "[^0-9A-Za-z_]"}


class UnknownPattern(ValueError):
    """A pattern no engine here can run."""


def matches(value: pl.Expr, pattern: str) -> pl.Expr:
    """True where the pattern matches somewhere in the string; null stays null. Raises: UnknownPattern."""
    rewritten = _rewrite(pattern)
    try:
        pl.Series([""]).str.contains(rewritten)
    except pl.exceptions.ComputeError:
        return _by_python(value, pattern)
    return value.str.contains(rewritten)


def _by_python(value: pl.Expr, pattern: str) -> pl.Expr:
    try:
        compiled = re.compile(_for_python(pattern), re.ASCII)
    except re.error as error:
        raise UnknownPattern(f"the pattern cannot be read: {error}") from error

    def search(series: pl.Series) -> pl.Series:
        distinct = series.unique().drop_nulls()
        found = [text for text in distinct.to_list() if compiled.search(text)]
        return series.is_in(pl.Series(found, dtype=pl.String).implode())

    return value.map_batches(search, return_dtype=pl.Boolean, is_elementwise=True)


def _for_python(pattern: str) -> str:
    """The pattern in Python's words: its `$` also stands before a line feed at the end, and it names groups otherwise."""
    out: list[str] = []
    in_class = False
    for piece in re.findall(r"\\k<\w+>|\\.|\(\?<(?![=!])|.", pattern, re.DOTALL):
        if in_class or piece == "[":
            in_class = piece != "]"
            out.append(piece)
        elif piece.startswith("\\k<"):
            out.append(f"(?P={piece[3:-1]})")
        else:
            out.append({"(?<": "(?P<", "$": r"\Z"}.get(piece, piece))
    return "".join(out)


def _rewrite(pattern: str) -> str:
    out: list[str] = []
    in_class = False
    position = 0
    while position < len(pattern):
        char = pattern[position]
        following = pattern[position + 1 : position + 2]
        if char == "\\" and following:
            out.append(_ASCII.get(following, char + following))
            position += 2
            continue
        if in_class:
            in_class = char != "]"
            out.append(f"\\{char}" if char in "[&~" else char)
        else:
            in_class = char == "["
            out.append(char)
            if in_class and following == "^":
                out.append(following)
                position += 1
        position += 1
    return "".join(out)
