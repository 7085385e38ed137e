"""Headings that no passage has, in its text or in its path, go into the text of the passage beside them.

A heading over no text of its own, at the end of a page or a document, or of the lesser part of a passage, says something, too:
every word of a document is in a passage. Works on what lies between pieces, so that nothing is lost whatever lies there.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby

from domain_sdk._document_files import Document
from domain_sdk._document_sections import Section, Span, count_words, pieces, plain_text

__all__ = ["Cut", "Piece", "page_of", "with_headings"]

_SHARE = 4
"""Headings may add a fourth of its most words to a passage."""
_LINE = re.compile(r"[^\n]+")
_MARKS = re.compile(r"\A[ \t]*#{1,6}[ \t]+|[ \t]+#+[ \t]*\Z")
_NO_WORDS = re.compile(r"[-=*_#`~|\s]*")


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a block; `head` is the row of a table's names, where the part itself has none."""

    start: int
    end: int
    head: str = ""
    is_table: bool = False


Cut = tuple[Section, Piece]
"""What becomes a passage, and the section that it is of."""


def with_headings(document: Document, cuts: Iterable[Cut], *, max_words: int) -> Iterator[Cut]:
    """The cuts in order, each with the headings before it that its path does not have; else those behind it, on the same page.

    Headings of pages that have no cut, and those that are too many words for one, are cuts of their own.
    """
    held: list[Cut] = []
    end = 0
    for cut in cuts:
        *before, held_now = _between(document, held, end, [cut], max_words)
        yield from before
        held, end = [held_now], max(end, cut[1].end)
    yield from _between(document, held, end, [], max_words)


def _between(document: Document, before: list[Cut], end: int, behind: list[Cut], max_words: int) -> list[Cut]:
    """The cut before a gap that begins at `end`, cuts of what is lost in it, and the cut behind it; either may not be there."""
    gap = Span(end, behind[0][1].start if behind else len(document.text))
    path = behind[0][0].path if behind else ()
    own: list[Cut] = []
    for page, lines in groupby(_lost(document, gap, path), key=lambda line: page_of(document, line.start)):
        first, *others = lines
        lost = Span(first.start, others[-1].end if others else first.end)
        is_short = count_words(document.text[lost.start : lost.end]) <= max_words // _SHARE
        if is_short and behind and page == page_of(document, behind[0][1].start):
            behind = [(behind[0][0], replace(behind[0][1], start=lost.start))]
        elif is_short and before and not own and page == page_of(document, before[0][1].start):
            before = [(before[0][0], replace(before[0][1], end=lost.end))]
        else:
            section = Section((), lost)
            own.extend((section, Piece(it.start, it.end)) for it in pieces(document.text, lost, max_words=max_words))
    return [*before, *own, *behind]


def _lost(document: Document, gap: Span, path: tuple[str, ...]) -> Iterator[Span]:
    """The lines of the gap whose words the path does not have."""
    for found in _LINE.finditer(document.text, gap.start, gap.end):
        line = found.group()
        title = "" if _NO_WORDS.fullmatch(line) else plain_text(_MARKS.sub("", line))
        if title and not any(f" {title} " in f" {name} " for name in path):
            yield Span(found.end() - len(line.lstrip()), found.start() + len(line.rstrip()))


def page_of(document: Document, start: int) -> int | None:
    """The number of the page on which that character stands; None in a document without pages."""
    place = bisect_right(document.pages, start, key=lambda page: page.start)
    return document.pages[place - 1].number if place else None
