"""HTML as text: headings become `#` lines, list items `-` lines; scripts, styles and other parts nobody reads are dropped."""

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
_HEADING = re.compile(r"h([1-6])\Z")
_SPACE = re.compile(r"\s+")


def html_text(html: str) -> tuple[str, str]:
    """The title ("" if there is none) and the text, in which Markdown's headings and lists stand for HTML's."""
    parser = _TextParser()
    parser.feed(html)
    parser.close()
    return parser.title, parser.text()


class _TextParser(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.title = ""
        self._dropped: list[str] = []
        self._in_title = False
        self._blocks: list[str] = []
        self._line = ""
        self._prefix = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "title":
            self._in_title = True
        if tag == "body":
            self._dropped.clear()
        if tag in _DROPPED:
            self._dropped.append(tag)
        heading = _HEADING.match(tag)
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
        if _HEADING.match(tag) or tag in _BLOCKS or tag == "li":
            self._end_block()

    def handle_data(self, data: str) -> None:
        if self._in_title and not self.title:
            self.title = _SPACE.sub(" ", data).strip()
        elif not self._dropped and not self._in_title:
            self._line += data

    def text(self) -> str:
        """Everything read so far."""
        self._end_block()
        return "\n\n".join(self._blocks) + ("\n" if self._blocks else "")

    def _end_block(self) -> None:
        content = _SPACE.sub(" ", self._line).strip()
        if content:
            shown = content if self._prefix else re.sub(r"^(#{1,6}\s|[-*+]\s|\d+[.)]\s|```|~~~)", r"\\\1", content)
            self._blocks.append(self._prefix + shown)
            self._prefix = ""
        elif self._prefix.startswith("#"):
            self._prefix = ""
        self._line = ""
