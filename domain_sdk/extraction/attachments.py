"""What is attached to a message, read as the file it is: a section of its name a page, and what of it was not read, counted.

Bounded for each message, as a message may hold many files, and these files others.
"""

from __future__ import annotations

import re
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path, PurePosixPath

from domain_sdk._document_text_files import text_document
from domain_sdk.extraction import ocr
from domain_sdk.extraction.calendars import calendar_document
from domain_sdk.extraction.encodings import as_unicode, characters
from domain_sdk.extraction.extracted import Extracted, Unreadable, Unrecognised
from domain_sdk.extraction.file_kinds import KINDS, check_text
from domain_sdk.extraction.pictures import Pictures
from domain_sdk.extraction.text_tables import table_markdown

__all__ = ["Attachments", "is_prose", "without_fences"]

_MOST = 100
_MOST_BYTES = 256 << 20
_TEXTS = frozenset({".txt", ".text", ".md", ".markdown"})
_MARKDOWN = frozenset({".md", ".markdown"})
_PAGES = frozenset({".html", ".htm"})
_TABLES = frozenset({".csv", ".tsv", ".tab", ".psv"})
_CALENDARS = frozenset({".ics", ".ical", ".ifb", ".vcs"})
_READ_HERE = _TEXTS | _TABLES | _CALENDARS
_NOT_TOLD = frozenset({".vtt", ".srt", ".json", ".eml"})
"""Transcripts without their recording; messages are read as parts of theirs."""
_TEXTS_BY_TYPE = {"text/plain": ".txt", "text/csv": ".csv", "text/tab-separated-values": ".tsv", "text/calendar": ".ics"}
_BY_TYPE = _TEXTS_BY_TYPE | {
    media_type: suffix for suffix, media_type in reversed(tuple(KINDS.items())) if suffix not in _NOT_TOLD
}
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})(.*)")
_PLAIN_FENCE = re.compile(r"^( {0,3})(```|~~~)", re.MULTILINE)
_SIGNATURE = re.compile(r"^--[ \t]*$", re.MULTILINE)
"""What stands above it (RFC 3676 §4.3)."""
_PLAIN_HEADING = re.compile(r"^( {0,3})(#{1,6}\s)", re.MULTILINE)
_HEADING = re.compile(r"^( {0,3})(#{1,6})(?=[ \t])")
_DEEPER = 2
"""Headings of an attachment are below its name, which is below the message's subject."""
_OTHERS = "attachments of e-mails"
_BROKEN = "attachments of e-mails that are encrypted, damaged, empty or of another kind than they say"
_NO_PARSER = "attachments of e-mails, as no reader of their kind is installed (extra `documents`)"
_NO_RECOGNITION = "attachments of e-mails that are pictures, as no recognition is installed (extra `ocr`)"
_NO_WORDS = "attachments of e-mails that are pictures in which no text was recognised"
_LARGEST_TABLE = 1 << 20
"""More is data, not something to read; and as Markdown every comma is three characters."""
_TOO_LARGE = f"tables as text attached to e-mails with more than {_LARGEST_TABLE >> 20} MiB"
_TOO_MANY = f"attachments of e-mails beyond {_MOST} files or {_MOST_BYTES >> 20} MiB"


class Attachments:
    """Those of one message. `read_file` reads a file of another kind than text and pictures. May raise Unreadable."""

    def __init__(self, read_file: Callable[[Path], Extracted], on_picture: Callable[[], None] = lambda: None) -> None:
        self._read_file = read_file
        self._pictures = Pictures(on_picture)
        self._count = self._bytes = 0
        self._unread: Counter[str] = Counter()
        self.hidden: Counter[str] = Counter()
        """What authors of attachments hid, in words, and how many."""
        self.people: dict[str, None] = {}
        """Who takes part in what attached calendars say."""
        self._calendars: set[str] = set()
        self._recognition: list[float] = []

    @property
    def unread(self) -> dict[str, int]:
        """What was not read, in words of the plural, and how many."""
        return dict(self._unread + Counter(self._pictures.unread))

    @property
    def recognition(self) -> float:
        """The least confidence of what was recognised, 0 to 100; -1 for none."""
        return min((it for it in (*self._recognition, self._pictures.confidence) if it >= 0), default=-1)

    def leave(self, words: str = _OTHERS) -> None:
        """One more is not read."""
        self._unread[words] += 1

    def sections(self, name: str, media_type: str, data: bytes, charset: str = "") -> list[str] | None:
        """The file as Markdown under its name, nothing for a picture without words; None if it is not read, which is counted.

        `charset` is what the message says of a text's characters; empty if it says nothing.
        """
        suffix = PurePosixPath(name).suffix.lower()
        kind = suffix if suffix in KINDS or suffix in _READ_HERE else _BY_TYPE.get(media_type, "")
        if kind in _NOT_TOLD or not kind:
            self.leave()
            return None
        if kind in _TABLES and len(data) > _LARGEST_TABLE:
            self.leave(_TOO_LARGE)
            return None
        self._count, self._bytes = self._count + 1, self._bytes + len(data)
        if self._count > _MOST or self._bytes > _MOST_BYTES:
            self.leave(_TOO_MANY)
            return None
        if KINDS.get(kind, "").startswith("image/") and kind not in (".tif", ".tiff"):
            picture = self._found(lambda: Extracted(self._pictures.text_in(data)))
            if picture is None:
                return None
            return [f"## Attachment {name}", _below(picture.text)] if picture.text else []
        is_text = kind in _READ_HERE
        told = as_unicode(data, charset) if charset and (is_text or kind in _PAGES) else data
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            path = Path(folder) / f"attached{kind}"
            path.write_bytes(told)
            found = self._found(lambda: _text(told, kind) if is_text else self._read_file(path))
        if found is not None and kind in _CALENDARS:
            if found.text in self._calendars:
                return []  # an invitation is often in a message twice
            self._calendars.add(found.text)
        return None if found is None else self._told(name, found)

    def _found(self, read: Callable[[], Extracted]) -> Extracted | None:
        """What is read; None if nothing is, which is counted: what one file does to its parser takes nothing from its message."""
        try:
            return read()
        except Unrecognised:
            self.leave(_NO_WORDS if ocr.is_available() else _NO_RECOGNITION)
        except ModuleNotFoundError:
            self.leave(_NO_PARSER)
        except Exception:  # noqa: BLE001  (a parser's defect is a problem of the file)
            self.leave(_BROKEN)
        return None

    def _told(self, name: str, found: Extracted) -> list[str] | None:
        if not found.text.strip():
            self.leave(_BROKEN if not found.empty_pages else _NO_WORDS if ocr.is_available() else _NO_RECOGNITION)
            return None
        self._unread.update(found.unread)
        self._unread["pages of attachments that gave no text"] += len(found.empty_pages)
        self._unread += Counter()
        self.hidden.update(found.hidden)
        self.people.update(dict.fromkeys(filter(None, found.facts.get("people", "").split("\n"))))
        self._recognition += [found.recognition, *(page.confidence for page in found.pages)]
        if len(found.pages) < 2:
            return [f"## Attachment {name}", _below(found.text)]
        ends = [*(page.start for page in found.pages[1:]), len(found.text)]
        pages = [(page.number, found.text[page.start : end].strip()) for page, end in zip(found.pages, ends, strict=True)]
        return [part for number, text in pages if text for part in (f"## Attachment {name}, page {number}", _below(text))]


def _text(data: bytes, suffix: str) -> Extracted:
    """Raises: Unreadable."""
    check_text(suffix, data)
    text = characters(data).replace("\r\n", "\n").replace("\r", "\n")
    if "\0" in text:
        raise Unreadable("it holds NUL characters and so is no text: remove it.")
    if suffix in _TABLES:
        return Extracted(table_markdown(text))
    if suffix in _CALENDARS:
        found = calendar_document(text)
        return replace(found, text=_as_plain(found.text))
    if suffix not in _MARKDOWN:
        return Extracted(_as_plain(text.strip()))
    found = text_document(text, is_markdown=True)
    return replace(found, text=found.text.strip())


def _as_plain(text: str) -> str:
    """A plain text as Markdown in which it has no headings and no code."""
    return _PLAIN_HEADING.sub(r"\1\\\2", without_fences(text))


def is_prose(name: str, media_type: str) -> bool:
    """True for a part of a message that is to be read as its text; not for tables and calendars, whatever type they are given."""
    kind = PurePosixPath(name).suffix.lower()
    return _TEXTS_BY_TYPE.get(media_type, ".txt") == ".txt" and kind not in _TABLES and kind not in _CALENDARS


def without_fences(text: str) -> str:
    """A plain text as Markdown in which no line of it begins code, nor makes a heading of the one above a signature."""
    return _SIGNATURE.sub(r"\\--", _PLAIN_FENCE.sub(r"\1\\\2", text))


def _below(markdown: str) -> str:
    """The Markdown with its headings so much deeper, and code that it leaves open ended."""
    fence = ""
    lines: list[str] = []
    for line in markdown.split("\n"):
        found = _FENCE.match(line)
        if found and not fence:
            fence = found.group(1)
            lines.append(line)
            continue
        if found and found.group(1).startswith(fence) and not found.group(2).strip():
            fence = ""
        lines.append(line if fence else _HEADING.sub(lambda it: f"{it[1]}{'#' * min(6, len(it[2]) + _DEEPER)}", line))
    return "\n".join((*lines, fence) if fence else lines)
