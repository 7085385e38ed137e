"""A text in sentences, each with its place; and a sentence as it is said, without the marks of its layout.

Lists, table rows, headings and lines of code end at their line: what stands in one is one sentence.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from mesh_core.answers.answer import Span
from mesh_core.answers.list_labels import ITEM, SURE_LABEL

__all__ = ["code_in", "said", "sentences_of"]

_LINE = re.compile(r"[^\n]+")
_NEW_BLOCK = re.compile(rf"\s*(?:{SURE_LABEL}\s|(?:>|#{{1,6}})\s|\|)")
_FENCE = re.compile(r"^[ \t]*(?:```|~~~)[^\n`]*$", re.MULTILINE)
_HEADING = re.compile(r"\s*#{1,6}\s")
_RULE = re.compile(r"[\s|:=_*~`-]*\Z")
_END = re.compile(r"""[.!?…]["'”’)\]*_]*(?=\s+["'“‘(\[*_]*[A-Z0-9])|[。！？]""")
_ABBREVIATION = re.compile(
    r"(?:\b(?:e\.g|i\.e|etc|cf|vs|approx|no|nos|fig|art|sec|mr|mrs|ms|dr|prof|st|inc|ltd|co|corp|dept|jr|sr|p|pp)|\b[A-Z])\.\Z",
    re.IGNORECASE,
)
_MARKS = (
    (re.compile(rf"^\s*(?:(?:{SURE_LABEL}|>)\s+(?:#{{1,6}}\s+)?)+"), ""),
    (re.compile(r"!?\[([^\]]*)\]\([^)]*\)"), r"\1"),
    (re.compile(r"(\*\*|__|`)"), ""),
    (re.compile(r"(?<!\w)[*_](\S[^*_]*)[*_](?!\w)"), r"\1"),
    (re.compile(r"\s+"), " "),
)
_CELLS = ((re.compile(r"^\s*\|\s*|\s*\|\s*$"), ""), (re.compile(r"\s*\|\s*"), "; "))
_LONGEST = 1200
"""What is longer is no sentence: it is left out of what may be said."""


def sentences_of(text: str) -> list[Span]:
    """Where the sentences lie, in order; headings, rules and what is longer than 1,200 characters are none."""
    code = code_in(text)
    return [
        span
        for block in _blocks(text, code)
        for span in ([block] if _is_in(block.start, code) else _split(text, block))
        if 0 < span.end - span.start <= _LONGEST and any(it.isalnum() for it in text[span.start : span.end])
    ]


def said(text: str) -> str:
    """The sentence without bullets, emphasis, links' targets and bars of tables, on one line."""
    found = text
    for pattern, plain in (*_MARKS, *_CELLS) if text.lstrip().startswith("|") else _MARKS:
        found = pattern.sub(plain, found)
    return found.strip()


def code_in(text: str) -> list[Span]:
    """What stands between fences, each in whole lines; nothing if a fence is missing, as it cannot be told where code is then."""
    fences = list(_FENCE.finditer(text))
    pairs = zip(fences[::2], fences[1::2], strict=False)
    return [] if len(fences) % 2 else [Span(one.end(), other.start()) for one, other in pairs]


def _blocks(text: str, code: Sequence[Span]) -> Iterator[Span]:
    """Paragraphs, list items, table rows and lines of code: other lines are joined until one begins something new."""
    start = end = -1
    for match in _LINE.finditer(text):
        line = match.group()
        is_code = _is_in(match.start(), code)
        is_apart = is_code or any(it.match(line) for it in (_HEADING, _RULE, _FENCE))
        follows = start >= 0 and text[end : match.start()].count("\n") == 1
        if start >= 0 and (is_apart or not follows or _begins_anew(text[start:end], line)):
            yield Span(start, end)
            start = -1
        if is_code:
            yield _trimmed(text, match.start(), match.end())
        if is_apart:
            continue
        start = match.start() if start < 0 else start
        end = match.end()
        if line.lstrip().startswith("|"):
            yield Span(start, end)
            start = -1
    if start >= 0:
        yield Span(start, end)


def _is_in(place: int, spans: Sequence[Span]) -> bool:
    return any(it.start <= place < it.end for it in spans)


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
