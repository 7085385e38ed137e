"""HTML as text: headings become `#` lines, list items `-` lines, tables rows; what nobody reads is dropped."""

from __future__ import annotations

import re
from html.parser import HTMLParser

__all__ = ["html_text"]

_DROPPED = frozenset({"script", "style", "template", "noscript", "svg", "iframe", "object", "head"})
_BLOCKS = frozenset(
    [
        "address",
        "article",
        "aside",
        "blockquote",
        "body",
        "dd",
        "details",
        "div",
        "dl",
        "dt",
        "fieldset",
        "figcaption",
        "figure",
        "footer",
        "form",
        "header",
        "hr",
        "html",
        "main",
        "nav",
        "ol",
        "p",
        "pre",
        "section",
        "summary",
        "table",
        "tbody",
        "tfoot",
        "thead",
        "tr",
        "ul",
    ]
)
_NEVER_DROPPED = frozenset(
    {"html", "body", "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
)
_UNSEEN = re.compile(r"(?:^|;)\s*(?:display\s*:\s*none|visibility\s*:\s*(?:hidden|collapse))\b", re.IGNORECASE)
_CLOSED_BY_ITSELF = frozenset({"p", "li", "td", "th", "tr", "option", "dt", "dd"})
_HEADING = re.compile(r"h([1-6])\Z")
_SPACE = re.compile(r"\s+")


def html_text(html: str) -> tuple[str, str]:
    """The title ("" if there is none) and the text, in which Markdown's headings, lists and tables stand for HTML's."""
    parser = _TextParser()
    parser.feed(html)
    parser.close()
    return parser.title, parser.text()


def _is_unseen(attrs: list[tuple[str, str | None]]) -> bool:
    """True for an element that its page hides by itself; what style sheets and programs hide is not known here."""
    return any(name == "hidden" or (name == "style" and _UNSEEN.search(value or "")) for name, value in attrs)


class _TextParser(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.title = ""
        self._dropped: list[str] = []
        self._in_title = False
        self._blocks: list[str] = []
        self._line = ""
        self._prefix = ""
        self._rows: list[list[str]] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "title":
            self._in_title = True
        if tag == "body":
            self._dropped.clear()
        if self._dropped and self._dropped[-1] == tag and tag in _CLOSED_BY_ITSELF:
            self._dropped.pop()
        if tag in _DROPPED or (tag not in _NEVER_DROPPED and (_is_unseen(attrs) or (self._dropped and tag == self._dropped[-1]))):
            self._dropped.append(tag)
        heading = _HEADING.match(tag)
        if self._rows is not None and not self._dropped:
            if tag in ("tr", "td", "th") or (not heading and tag not in ("li", "table")):
                self._in_table(tag)
                return
            self._end_table(is_layout=True)
        if tag == "table" and not self._dropped:
            self._end_block()
            self._rows = []
            return
        if heading or tag in _BLOCKS or tag == "li":
            self._end_block()
        if heading:
            self._prefix = "#" * int(heading.group(1)) + " "
        elif tag == "li":
            self._prefix = "- "
        elif tag in ("br", "td", "th"):
            self._line += " "

    def handle_endtag(self, tag: str) -> None:
        if tag == "title":
            self._in_title = False
        if tag in self._dropped:
            while self._dropped.pop() != tag:
                pass
        if self._dropped:
            return
        if self._rows is not None:
            if tag == "table":
                self._end_table(is_layout=False)
            return
        if _HEADING.match(tag) or tag in _BLOCKS or tag == "li":
            self._end_block()

    def handle_data(self, data: str) -> None:
        if self._in_title and not self.title:
            self.title = _SPACE.sub(" ", data).strip()
        elif self._dropped or self._in_title:
            return
        elif self._rows and self._rows[-1]:
            self._rows[-1][-1] += data
        else:
            self._line += data

    def text(self) -> str:
        """Everything read so far."""
        if self._rows is not None:
            self._end_table(is_layout=False)
        self._end_block()
        return "\n\n".join(self._blocks) + ("\n" if self._blocks else "")

    def _in_table(self, tag: str) -> None:
        assert self._rows is not None
        if tag == "tr":
            self._rows.append([])
        elif tag in ("td", "th"):
            if not self._rows:
                self._rows.append([])
            self._rows[-1].append("")
        elif self._rows and self._rows[-1] and (tag in _BLOCKS or tag == "br"):
            self._rows[-1][-1] += " "

    def _end_table(self, *, is_layout: bool) -> None:
        """What was read of the table is a Markdown table, or lines if it only laid out the page or has one column or row."""
        kept = [row for row in self._rows or () if any(map(str.strip, row))]
        rows = [[_SPACE.sub(" ", cell).strip().replace("|", "¦") for cell in row] for row in kept]
        self._rows = None
        width = max(map(len, rows), default=0)
        self._end_block()
        if is_layout or len(rows) < 2 or width < 2:
            self._blocks.extend(" ".join(filter(None, row)) for row in rows)
            return
        lines = [f"| {' | '.join(row + [''] * (width - len(row)))} |" for row in rows]
        self._blocks.append("\n".join([lines[0], f"|{' --- |' * width}", *lines[1:]]))

    def _end_block(self) -> None:
        content = _SPACE.sub(" ", self._line).strip()
        if content:
            shown = content if self._prefix else re.sub(r"^(#{1,6}\s|[-*+]\s|\d+[.)]\s|```|~~~)", r"\\\1", content)
            self._blocks.append(self._prefix + shown)
            self._prefix = ""
        elif self._prefix.startswith("#"):
            self._prefix = ""
        self._line = ""
