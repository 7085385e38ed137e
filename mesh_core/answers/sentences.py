"""A text in sentences, each with its place; and a sentence as it is said, without the marks of its layout.

Lists, table rows and headings end at their line: what stands in one is one sentence.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from mesh_core.answers.answer import Span
from mesh_core.answers.list_labels import ITEM, SURE_LABEL

__all__ = ["said", "sentences_of"]

_LINE = re.compile(r"[^\n]+")
_NEW_BLOCK = re.compile(rf"\s*(?:{SURE_LABEL}\s|(?:>|#{{1,6}})\s|\||```|~~~)")
_HEADING = re.compile(r"\s*#{1,6}\s")
_RULE = re.compile(r"[\s|:=_*~`-]*\Z")
_END = re.compile(r"""[.!?…]["'”’)\]*_]*(?=\s+["'“‘(\[*_]*[A-Z0-9])|[。！？]""")
_ABBREVIATION = re.compile(
    r"(?:\b(?:e\.g|i\.e|etc|cf|vs|approx|no|nos|fig|art|sec|mr|mrs|ms|dr|prof|st|inc|ltd|co|corp|dept|jr|sr|p|pp)|\b[A-Z])\.\Z",
    re.IGNORECASE,
)
_MARKS = (
    (re.compile(rf"^\s*(?:(?:{SURE_LABEL}|>|#{{1,6}})\s+)+"), ""),
    (re.compile(r"!?\[([^\]]*)\]\([^)]*\)"), r"\1"),
    (re.compile(r"(\*\*|__|`)"), ""),
    (re.compile(r"(?<!\w)[*_](\S[^*_]*)[*_](?!\w)"), r"\1"),
    (re.compile(r"^\s*\|\s*|\s*\|\s*$"), ""),
    (re.compile(r"\s*\|\s*"), "; "),
    (re.compile(r"\s+"), " "),
)
_LONGEST = 1200
"""What is longer is no sentence: it is left out of what may be said."""


def sentences_of(text: str) -> list[Span]:
    """Where the sentences lie, in order; headings, rules and what is longer than 1,200 characters are none."""
    return [
        span
        for block in _blocks(text)
        for span in _split(text, block)
        if 0 < span.end - span.start <= _LONGEST and any(it.isalnum() for it in text[span.start : span.end])
    ]


def said(text: str) -> str:
    """The sentence without bullets, emphasis, links' targets and bars of tables, on one line."""
    found = text
    for pattern, plain in _MARKS:
        found = pattern.sub(plain, found)
    return found.strip()


def _blocks(text: str) -> Iterator[Span]:
    """Paragraphs, list items and table rows: lines are joined until one begins something new."""
    start = end = -1
    for match in _LINE.finditer(text):
        line = match.group()
        is_apart = _HEADING.match(line) is not None or _RULE.match(line) is not None
        follows = start >= 0 and text[end : match.start()].count("\n") == 1
        if start >= 0 and (is_apart or not follows or _begins_anew(text[start:end], line)):
            yield Span(start, end)
            start = -1
        if is_apart:
            continue
        start = match.start() if start < 0 else start
        end = match.end()
        if line.lstrip().startswith("|"):
            yield Span(start, end)
            start = -1
    if start >= 0:
        yield Span(start, end)


def _begins_anew(before: str, line: str) -> bool:
    """True if the line does not go on with what stands before it; a number with a point begins an item only in a list."""
    return _NEW_BLOCK.match(line) is not None or (
        ITEM.match(line) is not None and (ITEM.match(before) is not None or before.rstrip().endswith(":"))
    )


def _split(text: str, block: Span) -> Iterator[Span]:
    start = block.start
    label = ITEM.match(text, block.start, block.end)
    for match in _END.finditer(text, label.end() if label else block.start, block.end):
        if match.group()[0] == "." and _ABBREVIATION.search(text, start, match.start() + 1):
            continue
        yield _trimmed(text, start, match.end())
        start = match.end()
    yield _trimmed(text, start, block.end)


def _trimmed(text: str, start: int, end: int) -> Span:
    part = text[start:end]
    return (
        Span(start + len(part) - len(part.lstrip()), end - len(part) + len(part.rstrip())) if part.strip() else Span(start, start)
    )
