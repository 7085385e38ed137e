"""Files that are text themselves: their characters, with line feeds only. HTML as the text that is read of it."""

from __future__ import annotations

import re
from pathlib import Path

from domain_sdk._document_html import html_text
from domain_sdk.extraction.encodings import characters
from domain_sdk.extraction.extracted import Extracted, Unreadable

__all__ = ["TABLE_RULE", "decoded", "read_html"]

TABLE_RULE = re.compile(r"^ {0,3}\|?(?:[ \t]*:?-+:?[ \t]*\|)+[ \t]*:?-*:?[ \t]*$", re.MULTILINE)
"""The line below the head of a Markdown table."""
_WHY_EMPTY = (
    (re.compile(r"<frame\b", re.IGNORECASE), "it is a page that frames others and says nothing itself: add those pages."),
    (
        re.compile(r"<script\b", re.IGNORECASE),
        "it is a page that is filled by a program when it is opened, and holds no text itself: save it from a browser as PDF.",
    ),
)
_MOST_BYTES = 64 << 20


def decoded(path: Path, *, is_html: bool = False) -> str:
    """The file's characters; a page may declare which. Raises: Unreadable, if it is empty, too large or no text."""
    size = path.stat().st_size
    if not size:
        raise Unreadable("it is empty (0 bytes): fill or remove it.")
    if size > _MOST_BYTES:
        raise Unreadable(f"it has {size >> 20:,} MiB, more than the {_MOST_BYTES >> 20:,} that are read: split it.")
    text = characters(path.read_bytes(), is_html=is_html).replace("\r\n", "\n").replace("\r", "\n")
    if "\0" in text:
        raise Unreadable("it holds NUL characters and so is no text: remove it.")
    return text


def read_html(path: Path) -> Extracted:
    """What a reader sees of the page. The parser needs hours for some tags that never end, so this is read in the child."""
    page = decoded(path, is_html=True)
    title, text = html_text(page)
    if not text.strip() and (why := next((reason for tag, reason in _WHY_EMPTY if tag.search(page)), "")):
        raise Unreadable(why)
    return Extracted(text, tables=len(TABLE_RULE.findall(text)), facts={"title": title} if title else {}, parser="text")
