"""Rows of tables in a text: which sentence is one, what names its columns, and how it reads with these names."""

from __future__ import annotations

import re

from mesh_core.answers.answer import Span
from mesh_core.answers.sentences import said

__all__ = ["header_of", "is_header", "is_row_at", "labelled"]

_RULE = re.compile(r"[ \t]*\|?(?:[ \t]*:?-+:?[ \t]*\|)+(?:[ \t]*:?-+:?)?[ \t]*(?:\n|\Z)")
_CELL = re.compile(r"(?<!\\)\|")


def is_row_at(text: str, start: int) -> bool:
    """True if what begins there stands in a row of a table."""
    return _line(text, start).lstrip().startswith("|")


def is_header(text: str, span: Span) -> bool:
    """True if it is the row that names the columns."""
    behind = text.find("\n", span.end)
    return is_row_at(text, span.start) and behind >= 0 and _RULE.match(text, behind + 1) is not None


def header_of(text: str, span: Span) -> Span | None:
    """Where the row stands that names the columns of this one; None if there is none in the text."""
    if not is_row_at(text, span.start):
        return None
    end = text.rfind("\n", 0, span.start)
    while end > 0:
        begin = text.rfind("\n", 0, end) + 1
        if not text[begin:end].lstrip().startswith("|"):
            return None
        if _RULE.match(text, end + 1):
            return Span(begin, end)
        end = begin - 1
    return None


def labelled(text: str, span: Span) -> str:
    """The row with the names of columns before its values (`Ward: North; Visits: 40`); as it is said if there are none."""
    header = header_of(text, span)
    if header is None:
        return said(text[span.start : span.end])
    names, values = _cells(text[header.start : header.end]), _cells(text[span.start : span.end])
    if len(names) != len(values):
        return said(text[span.start : span.end])
    return "; ".join(f"{name}: {value}" if name else value for name, value in zip(names, values, strict=True) if value)


def _cells(row: str) -> list[str]:
    return [said(cell) for cell in _CELL.split(row.strip().removeprefix("|").removesuffix("|"))]


def _line(text: str, start: int) -> str:
    return text[text.rfind("\n", 0, start) + 1 :]
