"""Rows of tables in a text: which sentence is one, what names its columns, and how it reads with these names."""

from __future__ import annotations

import re

from mesh_core.answers.answer import Span
from mesh_core.answers.answer_kinds import answers_kind
from mesh_core.answers.sentences import said
from mesh_core.answers.wording import wording_of

__all__ = ["asked_cells", "cells_at", "header_of", "is_header", "is_row_at", "labelled"]

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


def cells_at(text: str, span: Span) -> list[str]:
    """The cells of the row, as they are said; none if it is no row of a table."""
    return _cells(text[span.start : span.end]) if is_row_at(text, span.start) else []


def labelled(text: str, span: Span) -> str:
    """The row with the names of columns before its values (`Ward: North; Visits: 40`); as it is said if there are none."""
    cells = _named_cells(text, span)
    return "; ".join(map(_labelled, cells)) if cells else said(text[span.start : span.end])


def asked_cells(question: str, text: str, span: Span) -> str:
    """What the row says to the question: what it is of, and the cells of the columns that are asked for; empty if it has none.

    Asked for are columns of whose names the question has a word, or else those that hold the kind of thing that it asks for. A
    wide row as a whole is far from every question, as most of it is not asked for.
    """
    first, *others = _named_cells(text, span) or [("", "")]
    asked = wording_of(question).words
    named = [it for it in others if not asked.isdisjoint(wording_of(it[0].lower()).words)]
    of_kind = [it for it in others if answers_kind(question, _labelled(it))]
    told = named or (of_kind if len(of_kind) < len(others) else [])
    return "; ".join([first[1], *map(_labelled, told)]) if told else ""


def _named_cells(text: str, span: Span) -> list[tuple[str, str]]:
    """The cells that are not empty, each behind the name of its column; none if the row has no header of its length."""
    header = header_of(text, span)
    if header is None:
        return []
    names, values = _cells(text[header.start : header.end]), _cells(text[span.start : span.end])
    return [it for it in zip(names, values, strict=True) if it[1]] if len(names) == len(values) else []


def _labelled(cell: tuple[str, str]) -> str:
    name, value = cell
    return f"{name}: {value}" if name else value


def _cells(row: str) -> list[str]:
    return [said(cell) for cell in _CELL.split(row.strip().removeprefix("|").removesuffix("|"))]


def _line(text: str, start: int) -> str:
    return text[text.rfind("\n", 0, start) + 1 :]
