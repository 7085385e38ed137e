"""HTML as text: headings become `#` lines, list items `-` lines, tables rows; what nobody reads is dropped."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from html.parser import HTMLParser

from domain_sdk._document_html_tables import HtmlCell, table_blocks
from domain_sdk._numerals import letters, roman

__all__ = ["html_text"]

_DROPPED = frozenset({"script", "style", "template", "noscript", "svg", "iframe", "object", "head"})
_BLOCKS = frozenset({
    "address", "article", "aside", "blockquote", "body", "button", "caption", "center", "dd", "details", "dialog", "div", "dl",
    "dt", "fieldset", "figcaption", "figure", "footer", "form", "header", "hr", "html", "legend", "main", "nav", "ol",
    "optgroup", "option", "p", "pre", "section", "select", "summary", "table", "tbody", "textarea", "tfoot", "thead", "tr", "ul",
})  # fmt: skip
_NEVER_DROPPED = frozenset(
    {"html", "body", "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
)
_UNSEEN = re.compile(r"(?:^|;)\s*(?:display\s*:\s*none|visibility\s*:\s*(?:hidden|collapse))\b", re.IGNORECASE)
_CLOSED_BY_ITSELF = frozenset({"p", "li", "td", "th", "tr", "option", "dt", "dd"})
_HEADING = re.compile(r"h([1-6])\Z")
_SPACE = re.compile(r"\s+")
_NUMERALS: Mapping[str, Callable[[int], str]] = {
    "a": letters,
    "A": lambda it: letters(it).upper(),
    "i": roman,
    "I": lambda it: roman(it).upper(),
}
"""How a list's `type` has its numbers written; in digits if it is another."""
_SOFT_HYPHEN = "\u00ad"
_PERMALINK = frozenset("¶#§\u21a9\u2693\U0001f517\ufe0e\ufe0f\u200b")
"""The signs (an arrow back, an anchor, a chain, what selects their form) with which a heading or a note links to itself."""
_Attributes = list[tuple[str, str | None]]


def html_text(html: str) -> tuple[str, str]:
    """The title ("" if there is none) and the text, in which Markdown's headings, lists and tables stand for HTML's."""
    parser = _TextParser()
    parser.feed(html)
    parser.close()
    return parser.title, parser.text()


def _number(value: str | None, default: int) -> int:
    return int(value) if value and value.strip().isdecimal() and len(value) < 6 and int(value) else default


def _is_unseen(attrs: _Attributes) -> bool:
    """True for an element that its page hides by itself; what style sheets and programs hide is not known here."""
    return any(name == "hidden" or (name == "style" and _UNSEEN.search(value or "")) for name, value in attrs)


def _is_permalink(said: str) -> bool:
    return bool(said.strip()) and _PERMALINK.issuperset(said.strip())


class _TextParser(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.title = ""
        self._dropped: list[str] = []
        self._in_title = False
        self._blocks: list[str] = []
        self._line = ""
        self._prefix = ""
        self._rows: list[list[HtmlCell]] | None = None
        self._in_names = False
        self._raised: str | None = None
        self._lists: list[tuple[int, str] | None] = []
        self._as_written = False
        self._is_to_itself = False

    def handle_starttag(self, tag: str, attrs: _Attributes) -> None:
        if tag == "title":
            self._in_title = True
        if tag == "body":
            self._dropped.clear()
        if self._dropped and self._dropped[-1] == tag and tag in _CLOSED_BY_ITSELF:
            self._dropped.pop()
        if tag in _DROPPED or (tag not in _NEVER_DROPPED and (_is_unseen(attrs) or (self._dropped and tag == self._dropped[-1]))):
            self._dropped.append(tag)
        if self._dropped:
            return
        if tag == "a":
            self._is_to_itself = (dict(attrs).get("href") or "").startswith("#")
        if tag == "sup":
            self._end_raised()
            self._raised = ""
        elif not self._starts_in_table(tag, attrs):
            self._start(tag, attrs)

    def _starts_in_table(self, tag: str, attrs: _Attributes) -> bool:
        """True if it was dealt with: what starts in a table, or a table."""
        if self._rows is not None:
            if tag in ("tr", "td", "th") or (not _HEADING.match(tag) and tag not in ("li", "table")):
                self._in_table(tag, dict(attrs))
                return True
            self._end_table(is_layout=True)
        if tag == "table":
            self._end_block()
            self._rows, self._in_names = [], False
            return True
        return False

    def _start(self, tag: str, attrs: _Attributes) -> None:
        heading = _HEADING.match(tag)
        if heading or tag in _BLOCKS or tag == "li":
            self._end_block()
        if heading:
            self._prefix = "#" * int(heading.group(1)) + " "
        elif tag in ("ul", "ol"):
            said = dict(attrs)
            self._lists.append((_number(said.get("start"), 1), said.get("type") or "1") if tag == "ol" else None)
        elif tag == "li":
            self._prefix = self._item(dict(attrs))
        elif tag == "pre":
            self._as_written = True
        elif tag in ("br", "td", "th"):
            self._end_raised()
            self._line += "\n" if self._as_written else " "

    def _item(self, attrs: dict[str, str | None]) -> str:
        """What stands before an item: its number, as in `3. ` or `c. `, or a dash."""
        counted = self._lists[-1] if self._lists else None
        if counted is None:
            return "- "
        number, kind = _number(attrs.get("value"), counted[0]), counted[1]
        self._lists[-1] = number + 1, kind
        return f"{_NUMERALS.get(kind, str)(number)}. "

    def handle_endtag(self, tag: str) -> None:
        if tag == "title":
            self._in_title = False
        if tag in self._dropped:
            while self._dropped.pop() != tag:
                pass
        if self._dropped:
            return
        if tag == "a":
            self._is_to_itself = False
        if tag == "sup":
            self._end_raised()
        if self._rows is not None:
            self._in_names = self._in_names and tag != "thead"
            if tag == "table":
                self._end_table(is_layout=False)
            return
        if _HEADING.match(tag) or tag in _BLOCKS or tag == "li":
            self._end_block()
        if tag in ("ul", "ol") and self._lists:
            self._lists.pop()

    def handle_data(self, data: str) -> None:
        said = data.replace(_SOFT_HYPHEN, "")
        if self._in_title and not self.title:
            self.title = _SPACE.sub(" ", said).strip()
        elif self._dropped or self._in_title or (self._is_to_itself and _is_permalink(said)):
            return
        elif self._raised is not None:
            self._raised += said
        else:
            self._write(said)

    def _write(self, data: str) -> None:
        if self._rows and self._rows[-1]:
            self._rows[-1][-1].text += data
        else:
            self._line += data

    def _end_raised(self) -> None:
        """What is raised is written; a number as `^2^`, lest it becomes digits of the number before it."""
        said, self._raised = self._raised or "", None
        if said:
            self._write(f"^{said.strip()}^" if said.strip()[:1].isdigit() and said.strip().isalnum() else said)

    def text(self) -> str:
        """Everything read so far."""
        if self._rows is not None:
            self._end_table(is_layout=False)
        self._end_block()
        return "\n\n".join(self._blocks) + ("\n" if self._blocks else "")

    def _in_table(self, tag: str, attrs: dict[str, str | None]) -> None:
        assert self._rows is not None
        self._end_raised()
        if tag in ("thead", "tbody", "tfoot"):
            self._in_names = tag == "thead"
        elif tag == "tr":
            self._rows.append([])
        elif tag in ("td", "th"):
            if not self._rows:
                self._rows.append([])
            columns, rows = _number(attrs.get("colspan"), 1), _number(attrs.get("rowspan"), 1)
            self._rows[-1].append(HtmlCell("", columns, rows, is_name=self._in_names or tag == "th"))
        elif self._rows and self._rows[-1] and (tag in _BLOCKS or tag == "br"):
            self._rows[-1][-1].text += " "

    def _end_table(self, *, is_layout: bool) -> None:
        self._end_raised()
        rows, self._rows = self._rows or [], None
        self._end_block()
        self._blocks.extend(table_blocks(rows, is_layout=is_layout))

    def _end_block(self) -> None:
        self._end_raised()
        if self._as_written:
            self._end_as_written()
            return
        content = _SPACE.sub(" ", self._line).strip()
        if content:
            shown = content if self._prefix else re.sub(r"^(#{1,6}\s|[-*+]\s|\d+[.)]\s|```|~~~)", r"\\\1", content)
            self._blocks.append(self._prefix + shown)
            self._prefix = ""
        elif self._prefix.startswith("#"):
            self._prefix = ""
        self._line = ""

    def _end_as_written(self) -> None:
        """Lines of `pre` stand between fences, as they are."""
        said, self._line, self._as_written = self._line.strip("\n").rstrip(), "", False
        if said:
            fence = "~~~" if "```" in said else "```"
            self._blocks.append(f"{fence}\n{said}\n{fence}")
