"""The layout of a PDF page as Markdown: lines become paragraphs, headings and tables.

Pure: knows lines of characters, not files. The rows of a table are written once, as a Markdown table, and nowhere else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from domain_sdk.extraction.pdf_hyphens import continued
from domain_sdk.extraction.pdf_lines import Line
from domain_sdk.extraction.pdf_tables import grid_end, grid_markdown, table_end, table_markdown

__all__ = ["page_markdown"]

_BULLET = re.compile(r"[•●▪◦‣·○■□➢\uf000-\uf0ff–-]\s+|\(?(?:\d{1,2}|[a-z])[.)]\s+")
_HEADING_RATIO = 1.12
_LONGEST_HEADING = 140
_NAMED_PART = re.compile(r"(part|chapter|item|section|article|annex|appendix)\s+[\dIVXA-Z]{1,4}\b", re.IGNORECASE)
_END = re.compile(r"[.,;:!?。！？]\Z")
_GLYPH = re.compile(r"[•●▪◦‣·○■□☐☑☒➢✓*–-]\s|[\uf000-\uf0ff]\s")
_NUMBERED = re.compile(r"\(?(?:\d{1,3}|[A-Za-z]|[ivxlc]{1,6})[.)]\s+")
_SENTENCE = re.compile(r"[.,;。！？]\Z|[,;]\s+\w{2,4}\Z")
_FEWEST_WORDS = 6
"""What ends like a sentence and has so many words is one."""


def page_markdown(lines: Sequence[Line], *, body_size: float) -> tuple[str, int]:
    """The page as Markdown and how many tables it holds. `body_size` is the height of the document's running text."""
    parts: list[str] = []
    tables = place = 0
    paragraph: list[Line] = []
    while place < len(lines):
        ruled = grid_end(lines, place)
        end = ruled if ruled > place else table_end(lines, place)
        if end > place:
            parts.extend(_paragraph(paragraph, body_size))
            parts.append(grid_markdown(lines[place:end]) if ruled > place else table_markdown(lines[place:end]))
            tables, paragraph, place = tables + 1, [], end
            continue
        line = lines[place]
        if paragraph and (_is_break(paragraph, line, body_size) or _ends_item(paragraph, line)):
            parts.extend(_paragraph(paragraph, body_size))
            paragraph = []
        paragraph.append(line)
        place += 1
    parts.extend(_paragraph(paragraph, body_size))
    return "\n\n".join(parts), tables


def _is_break(paragraph: Sequence[Line], line: Line, body_size: float) -> bool:
    before = paragraph[-1]
    gap = line.top - before.top
    is_apart = gap < -0.5 * line.size or gap > 1.9 * max(before.size, line.size)
    is_other = abs(before.size - line.size) > 0.12 * body_size or (
        before.is_bold != line.is_bold and not before.text[-1:].isalnum()
    )
    return (
        is_apart
        or is_other
        or line.is_item
        or _BULLET.match(line.text) is not None
        or ((_level(before, body_size) > 0) != (_level(line, body_size) > 0) and not _goes_on(paragraph, line))
    )


def _goes_on(paragraph: Sequence[Line], line: Line) -> bool:
    """True if it looks like the item before it, whose lines are no headings for having a bullet."""
    return _GLYPH.match(paragraph[0].text) is not None and paragraph[-1].is_bold == line.is_bold


def _ends_item(item: Sequence[Line], line: Line) -> bool:
    """True if the item's sentence is at its end, and the line stands farther out than its text."""
    return item[0].is_item and line.left < item[0].cells[1].left - line.size and _END.search(item[-1].text) is not None


def _level(line: Line, body_size: float) -> int:
    """The heading's level a line could have by its looks, 0 for none: items with bullets are none, however large."""
    text = line.text
    if len(line.cells) > 2 or _GLYPH.match(text) or not any(map(str.isalpha, text)):
        return 0
    ratio = line.size / body_size
    if ratio >= 1.6:
        return 1
    if ratio >= 1.3:
        return 2
    if ratio >= _HEADING_RATIO:
        return 3
    if not line.is_bold:
        return 0
    if named := _NAMED_PART.match(text):
        return 2 if named.group(1).lower() in ("part", "chapter") else 3
    return 4 if len(text) <= 90 and not _END.search(text) else 0


def _paragraph(lines: Sequence[Line], body_size: float) -> Iterator[str]:
    if not lines:
        return
    text = lines[0].text
    for line in lines[1:]:
        text = continued(text, line.text)
    level = _level(lines[0], body_size)
    if level and len(lines) <= 3 and not _is_running(text):
        yield f"{'#' * level} {text}"
    else:
        yield _escaped(
            _BULLET.sub(
                lambda found: "- " if not found.group()[0].isalnum() and found.group()[0] != "(" else found.group(), text, count=1
            )
        )


def _is_running(text: str) -> bool:
    """True if it is no heading, however it looks: too long, a sentence, an item that begins as no heading does.

    Headings are in no passage of their own.
    """
    item = _NUMBERED.match(text)
    said = text[item.end() :] if item else text
    is_sentence = _SENTENCE.search(said) and (item or len(said.split()) >= _FEWEST_WORDS)
    return len(text) > _LONGEST_HEADING or (item is not None and said[:1].islower()) or bool(is_sentence)


def _escaped(text: str) -> str:
    """A paragraph that Markdown cannot take for a heading or code."""
    return re.sub(r"^(#{1,6}\s|```|~~~)", r"\\\1", text)
