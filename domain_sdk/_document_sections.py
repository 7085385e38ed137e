"""Where a document can be cut: sections under their headings, blocks (paragraphs, list items, code) and pieces of long blocks.

Works on offsets only, so that every piece is an exact slice of the text. Knows Markdown's headings, lists and fences, not files.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = [
    "Section",
    "Span",
    "blocks",
    "count_words",
    "pieces",
    "plain_text",
    "sections",
    "table_head",
    "table_pieces",
    "without_figures",
    "words_beside_figures",
]

_ATX = re.compile(r" {0,3}(#{1,6})(?:[ \t]+(.*?))??(?:[ \t]+#+)?[ \t]*$")
_SETEXT = re.compile(r" {0,3}(=+|-{2,})[ \t]*$")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_RULE = re.compile(r" {0,3}([-*_])(?:[ \t]*\1){2,}[ \t]*$")
_ITEM = re.compile(r"(?:[-*+]|\d{1,9}[.)])[ \t]")
_LINE = re.compile(r"[^\n]*\n|[^\n]+")
_SENTENCE = re.compile(r"(?:(?<=[.!?…])[\"')\]]*\s+|(?<=[。！？｡])[」』）]?\s*)")
_UNSPACED = "\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff66-\uff9d\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"
_WORD = re.compile(rf"[{_UNSPACED}][。、，．！？」』）]?|[^\s{_UNSPACED}]{{1,64}}")
"""A word; a character of the scripts that put no spaces between words; at most 64 characters of what has no spaces at all."""
_TABLE_RULE = re.compile(r" {0,3}\|?(?:[ \t]*:?-+:?[ \t]*\|)+[ \t]*:?-*:?[ \t]*")
_CELL_EDGE = re.compile(r"[ \t]*\|[ \t]*")
_FIGURE = re.compile(r"(?=[-–—$€£¥(\d])(?:(?<!\w)[-–—$€£¥(]*\d[\d,.]*\s?[)%x]*(?!\w)|[$€£¥]|[-–—]+(?=\s))")
"""What it begins with is said first: few characters are one of these."""
_YEAR = re.compile(r"\(*(?:19|20)\d\d[,.]* ?\)*")
"""A figure that is one, whatever brackets and stops stand around it."""
_LINK = re.compile(r"!?\[([^\]\[]*)\](?:\([^()\s]*(?:\([^()]*\)[^()\s]*)*(?:\s+\"[^\"]*\")?\)|\[[^\]]*\])")
_TEMPLATE_LINK = re.compile(r"!?\[([^\]\[]*)\]\(\{%.{0,500}?%\}[^)]{0,500}\)", re.DOTALL)
_TAG = re.compile(r"</?[A-Za-z][\w:-]*(?:\s+[\w:@.-]+\s*=[^<>]*|\s*/)?\s*>")
"""Not `<Name of the client>`, which stands for words, nor an address."""
_LONGEST_HEADING = 160
_LONG_ROW = 2
_EMPHASIS = re.compile(r"(\*\*|__|\*|(?<!`)`{1,3}(?!`))(?=\S)(.{1,1000}?)(?<=\S)\1")


@dataclass(frozen=True, slots=True)
class Span:
    """Characters [start, end) of a text."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Section:
    """The body under one heading; `path` holds the headings above it, outermost first, without markup."""

    path: tuple[str, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class _Line:
    start: int
    text: str
    is_code: bool

    @property
    def end(self) -> int:
        return self.start + len(self.text)


def sections(text: str, *, has_headings: bool = True, are_looks: bool = False) -> Iterator[Section]:
    """The sections in order; together they cover everything but the heading lines. Without headings the text is one section.

    Where looks make the headings, those of one level with nothing between are the lines of one: `BALANCE SHEETS (In millions)`.
    """
    path: list[tuple[int, str]] = []
    start = 0
    if has_headings:
        for line, level, title in _headings(_lines(text)):
            yield Section(tuple(title for _, title in path), Span(start, line.start))
            is_next_line = are_looks and path and path[-1][0] == level and not text[start : line.start].strip()
            joined = f"{path[-1][1]} {title}" if is_next_line else ""
            path = [(above, name) for above, name in path if above < level]
            path.append((level, joined if joined and len(joined) <= _LONGEST_HEADING else title))
            start = line.end
    yield Section(tuple(title for _, title in path), Span(start, len(text)))


def blocks(text: str, section: Section) -> Iterator[Span]:
    """The section's blocks in order, white space trimmed: paragraphs, top-level list items with what they contain, code."""
    start: int | None = None
    was_code = False
    for line in _lines(text[section.span.start : section.span.end]):
        is_blank = not line.is_code and (not line.text.strip() or _RULE.match(line.text) is not None)
        is_break = is_blank or (line.is_code and not was_code) or (not line.is_code and _ITEM.match(line.text) is not None)
        here = section.span.start + line.start
        if is_break and start is not None:
            yield from _trimmed(text, start, here)
            start = None
        if not is_blank and start is None:
            start = here
        was_code = line.is_code
    if start is not None:
        yield from _trimmed(text, start, section.span.end)


def pieces(text: str, block: Span, *, max_words: int) -> Iterator[Span]:
    """The block in pieces of at most `max_words`, cut behind sentences where possible, else behind words."""
    if len(_WORD.findall(text, block.start, block.end)) <= max_words:
        yield from _trimmed(text, block.start, block.end)
        return
    words = [Span(*match.span()) for match in _WORD.finditer(text, block.start, block.end)]
    ends = {block.start + m.end() for m in _SENTENCE.finditer(text[block.start : block.end])}
    first = 0
    while first < len(words):
        last = min(first + max_words, len(words))
        if last < len(words):
            behind_sentence = [i for i in range(first + 1, last + 1) if words[i].start in ends]
            last = behind_sentence[-1] if behind_sentence else last
        yield Span(words[first].start, words[last - 1].end)
        first = last


def count_words(text: str) -> int:
    """How many words the text has; a character counts as one in scripts without spaces."""
    return len(_WORD.findall(text))


def table_head(text: str, block: Span) -> Span | None:
    """The header row and the rule below it, if the block is a Markdown table."""
    first = text.find("\n", block.start, block.end)
    second = text.find("\n", first + 1, block.end) if first >= 0 else -1
    if first < 0 or "|" not in text[block.start : first]:
        return None
    rule = text[first + 1 : second if second >= 0 else block.end]
    return Span(block.start, block.end if second < 0 else second) if _TABLE_RULE.fullmatch(rule) else None


def table_pieces(text: str, block: Span, head: Span, *, max_words: int) -> Iterator[Span]:
    """The table in pieces of whole rows, the first with its head. Digits count too: a number is many tokens to a model.

    A row that is as long as `_LONG_ROW` pieces is cut itself.
    """
    start, end, used = block.start, head.end, _row_weight(text[head.start : head.end])
    if used > _LONG_ROW * max_words:
        yield from pieces(text, head, max_words=max_words)
        start = end = min(head.end + 1, block.end)
        used = 0
    for match in _LINE.finditer(text, min(head.end + 1, block.end), block.end):
        weight = _row_weight(match.group())
        if used + weight > max_words and end > start:
            yield Span(start, end)
            start, used = match.start(), 0
        if weight > _LONG_ROW * max_words:
            yield from pieces(text, Span(match.start(), match.start() + len(match.group().rstrip("\n"))), max_words=max_words)
            start = end = min(match.end(), block.end)
            used = 0
            continue
        end, used = match.start() + len(match.group().rstrip("\n")), used + weight
    if end > start:
        yield Span(start, end)


def _row_weight(row: str) -> int:
    words = _WORD.findall(row.replace("|", " "))
    return len(words) + sum(sum(map(str.isdigit, word)) // 3 for word in words if not word.isalpha())


def words_beside_figures(text: str) -> int:
    """How many words the text has that are no amounts; the edges of table cells count for nothing."""
    return count_words(_without_figures(_CELL_EDGE.sub(" ", text) if "|" in text else text))


def without_figures(markdown: str) -> str:
    """The text, its tables without amounts: to a model of meaning they are noise, and many tokens. Years stay."""
    if "|" not in markdown:
        return markdown
    return "\n".join(_without_figures(line) if line.lstrip().startswith("|") else line for line in markdown.split("\n"))


def _without_figures(text: str) -> str:
    return _FIGURE.sub(lambda found: found[0] if _YEAR.fullmatch(found[0]) else " ", text)


def plain_text(markdown: str) -> str:
    """The text as it reads: link targets, tags and emphasis are dropped, words stay. For indexing, never for quoting."""
    shown = _LINK.sub(r"\1", _TEMPLATE_LINK.sub(r"\1", markdown)) if "[" in markdown else markdown
    if "|" in shown:
        lines = (line for line in shown.split("\n") if not ("|" in line and _TABLE_RULE.fullmatch(line)))
        shown = "\n".join(_cells(line) if line.lstrip().startswith("|") else line for line in lines)
    if "<" in shown:
        shown = _TAG.sub(" ", shown)
    is_emphatic = "*" in shown or "`" in shown or "__" in shown
    return (_EMPHASIS.sub(r"\2", shown) if is_emphatic else shown).strip()


def _lines(text: str) -> Iterator[_Line]:
    """The lines with their offsets; fences and what they enclose are code."""
    fence = ""
    for match in _LINE.finditer(text):
        line = match.group()
        found = _FENCE.match(line)
        closes = bool(fence and found and found.group(1).startswith(fence) and not line.strip().strip(fence[0]))
        yield _Line(match.start(), line, is_code=bool(fence or found))
        if closes:
            fence = ""
        elif found and not fence:
            fence = found.group(1)


def _headings(lines: Iterator[_Line]) -> Iterator[tuple[_Line, int, str]]:
    """Heading lines with level and title. A setext heading is one line that holds both its lines."""
    before = previous = _Line(0, "", is_code=False)
    for line in lines:
        atx = None if line.is_code else _ATX.match(line.text.rstrip("\n"))
        setext = None if line.is_code else _SETEXT.match(line.text.rstrip("\n"))
        if atx and atx.group(2):
            yield line, len(atx.group(1)), plain_text(atx.group(2))
        elif setext and _is_lone_paragraph_line(previous, before):
            whole = _Line(previous.start, previous.text + line.text, is_code=False)
            yield whole, 1 if setext.group(1)[0] == "=" else 2, plain_text(previous.text)
        before, previous = previous, line


def _is_lone_paragraph_line(line: _Line, above: _Line) -> bool:
    text = line.text.strip()
    return (
        bool(text)
        and not line.is_code
        and not above.text.strip()
        and not _ITEM.match(text)
        and not _ATX.match(text)
        and "|" not in text
    )


def _trimmed(text: str, start: int, end: int) -> Iterator[Span]:
    body = text[start:end]
    if body.strip():
        yield Span(start + len(body) - len(body.lstrip()), start + len(body.rstrip()))


def _cells(row: str) -> str:
    return _CELL_EDGE.sub(" ", row.strip().strip("|")).strip()
