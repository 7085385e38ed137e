"""Text documents and presentations, through kreuzberg: Markdown with headings, lists and tables. The one home of kreuzberg."""

from __future__ import annotations

import re
import secrets
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from domain_sdk.extraction.extracted import Extracted, Page, Unreadable
from domain_sdk.extraction.file_kinds import KINDS
from domain_sdk.extraction.office_parts import PICTURES, office_parts
from domain_sdk.extraction.pictures import Pictures
from domain_sdk.extraction.word_signs import with_signs_read

__all__ = ["read_office"]

_TABLE = re.compile(r"^\|(?:\s*:?-+:?\s*\|)+\s*$", re.MULTILINE)
_PICTURE = re.compile(r"\\?!\[[^\]\n]*\]\([^)\n]*\)")
_NO_WORDS = re.compile(r"\\?!\[(?:image)?\]\(image_\d+\.\w+\)|^\[TABLE_ROW\]$", re.MULTILINE)
"""What the parser writes for a picture of which nobody said what it shows, and for rows that it takes apart."""
_HEADING = re.compile(r"^#{1,6} ", re.MULTILINE)
_ESCAPED = re.compile(r"(^ {0,3})?\\(?!!\[)([!-/:-@\[-`{}~])(?=(\S?))", re.MULTILINE)
_TAB = re.compile(r"(?<!\\)&#9;")
_LEADING = frozenset("#=~`*-+>")
"""What would be more than a character where a line begins with it."""
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")


def read_office(path: Path, media_type: str, on_picture: Callable[[], None] = lambda: None) -> Extracted:
    """The document; `on_picture` is told of every picture that is looked at. Raises: Unreadable."""
    import kreuzberg

    mark = f"slide{secrets.token_hex(8)}"  # nothing in the file can look like it
    config = kreuzberg.ExtractionConfig(  # type: ignore[call-arg]  # its types lag behind it
        output_format="markdown",
        use_cache=False,
        disable_ocr=True,
        pages=kreuzberg.PageConfig(insert_page_markers=True, marker_format=f"\n\n{mark}n{{page_num}}end\n\n"),
    )
    pictures = Pictures(on_picture)
    try:
        parts = office_parts(path, media_type, pictures)
        if parts.data is None:
            result = kreuzberg.extract_file_sync(str(path), mime_type=media_type, config=config)
        else:
            result = kreuzberg.extract_bytes_sync(parts.data, mime_type=media_type, config=config)
    except (kreuzberg.KreuzbergError, zipfile.BadZipFile, zlib.error, KeyError, ElementTree.ParseError) as error:
        raise Unreadable("it is damaged or encrypted, so that it cannot be read: get it anew.") from error
    text = _CONTROL.sub("", str(result.content)).replace("\r\n", "\n")
    if media_type in (KINDS[".rtf"], KINDS[".odt"]):
        text = _NO_WORDS.sub("", text)
    if media_type != KINDS[".epub"]:
        text = with_signs_read(_ESCAPED.sub(_unescaped, _TAB.sub(" ", text)))
    text, pages = _with_notes(*_unmarked(text, re.compile(rf"\n*{mark}n(\d+)end\n*")), parts.notes)
    end = parts.end if _HEADING.search(text) else parts.end.removeprefix(f"{PICTURES}\n\n")  # it is no title
    text = "\n\n".join(filter(None, (text.strip("\n"), end))) if end else text
    return Extracted(
        text,
        pages,
        empty_pages=_picture_pages(text, pages),
        hidden=parts.hidden,
        unread=pictures.unread,
        recognition=pictures.confidence,
        tables=len(_TABLE.findall(text)),
        facts=_facts(dict(result.metadata)),
        parser=f"kreuzberg {kreuzberg.__version__}",
    )


def _unescaped(found: re.Match[str]) -> str:
    """The character as its author wrote it, unless it would be read as Markdown there."""
    start, character, after = found.groups()
    is_sign = character in "-+" and after.isdigit()
    return found[0] if start is not None and character in _LEADING and not is_sign else f"{start or ''}{character}"


def _unmarked(marked: str, mark: re.Pattern[str]) -> tuple[str, tuple[Page, ...]]:
    """The text without the marks, and where each stood: slides. Pages of text documents have none, they depend on the printer."""
    parts: list[str] = []
    pages: list[Page] = []
    length = place = 0
    for found in mark.finditer(marked):
        before = marked[place : found.start()]
        glue = "\n\n" if length + len(before) else ""
        parts += [before, glue]
        length += len(before) + len(glue)
        pages.append(Page(int(found.group(1)), length))
        place = found.end()
    return "".join([*parts, marked[place:]]), tuple(pages)


def _with_notes(text: str, pages: tuple[Page, ...], notes: Mapping[int, str]) -> tuple[str, tuple[Page, ...]]:
    """The text with what goes with each slide behind what it shows."""
    if not notes:
        return text, pages
    whole = text[: pages[0].start] if pages else text
    placed: list[Page] = []
    for page, slide in zip(pages, _slides(text, pages), strict=True):
        whole += "\n\n" if placed else ""
        placed.append(Page(page.number, len(whole)))
        noted = notes.get(page.number)
        whole += "\n\n".join(filter(None, (slide.strip(), noted or "")))
    return whole, tuple(placed)


def _picture_pages(text: str, pages: tuple[Page, ...]) -> tuple[int, ...]:
    """The slides that show pictures and nothing that can be read."""
    shown = zip(pages, _slides(text, pages), strict=True)
    return tuple(page.number for page, slide in shown if (rest := _PICTURE.sub("", slide)) != slide and not rest.strip())


def _slides(text: str, pages: tuple[Page, ...]) -> list[str]:
    ends = [*(page.start for page in pages[1:]), len(text)] if pages else []
    return [text[page.start : end] for page, end in zip(pages, ends, strict=True)]


def _facts(metadata: Mapping[str, Any]) -> dict[str, str]:
    authors = metadata.get("authors") or []
    found = {
        "title": metadata.get("title"),
        "author": ", ".join(str(it) for it in authors) if isinstance(authors, list) else authors,
        "created": str(metadata.get("created_at") or "")[:10],
        "modified": str(metadata.get("modified_at") or "")[:10],
        "subject": metadata.get("subject"),
        "language": metadata.get("language"),
    }
    return {name: " ".join(str(value).split()) for name, value in found.items() if value and str(value) != "None"}
