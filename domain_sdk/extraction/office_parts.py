"""What an Office file hides, taken out of it before it is read, and what its parser would not see of it, put where it does.

Sheets, rows, columns and slides that their author hid, and text with the attribute `hidden`, are content that somebody took out
of sight: it is not published, and counted. Source: ECMA-376 (SpreadsheetML; slides and Word's text have modules of their own).
"""

from __future__ import annotations

import io
import re
import zipfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from domain_sdk.extraction.file_kinds import KINDS
from domain_sdk.extraction.slide_parts import shown_slides
from domain_sdk.extraction.word_parts import whole_text

__all__ = ["OfficeParts", "office_parts"]

_SHEET = re.compile(rb"<(?:\w+:)?sheet\b[^>]*?\bstate=[\"'](?:hidden|veryHidden)[\"'][^>]*?(?:/>|>\s*</(?:\w+:)?sheet>)")
_HIDDEN = re.compile(rb"\bhidden=[\"'](?:1|true)[\"']")
_ROW = re.compile(rb"<(?:\w+:)?row\b([^>]*?)(?:/>|>.*?</(?:\w+:)?row>)", re.DOTALL)
_COLUMN = re.compile(rb"<(?:\w+:)?col\b([^>]*)>")
_SPAN = re.compile(rb"\b(min|max)=[\"'](\d+)[\"']")
_CELL = re.compile(rb"<(?:\w+:)?c\b[^>]*?\br=[\"']([A-Z]+)\d+[\"'][^>]*?(?:/>|>.*?</(?:\w+:)?c>)", re.DOTALL)
_SHEET_PART = re.compile(r"xl/worksheets/[^/]+\.xml\Z")
_WIDEST = 16_384


@dataclass(frozen=True, slots=True)
class OfficeParts:
    """`data` is the file as it is to be read, None for as it is; `notes` are paragraphs that go with a slide, by its number."""

    data: bytes | None = None
    hidden: Mapping[str, int] = field(default_factory=dict)
    """What was taken out, in words of the plural, and how many."""
    notes: Mapping[int, str] = field(default_factory=dict)


def office_parts(path: Path, media_type: str) -> OfficeParts:
    """What there is to know of the file before it is read. Raises: what zipfile and ElementTree do for damaged files."""
    parts = {KINDS[".xlsx"]: _sheets, KINDS[".pptx"]: shown_slides, KINDS[".docx"]: whole_text}.get(media_type)
    if parts is None:
        return OfficeParts()
    with zipfile.ZipFile(path) as archive:
        changed: dict[str, bytes] = {}
        hidden: Counter[str] = Counter()
        notes = parts(archive, changed, hidden)
        return OfficeParts(_rewritten(archive, changed) if changed else None, dict(hidden), notes)


def _rewritten(archive: zipfile.ZipFile, changed: Mapping[str, bytes]) -> bytes:
    """The archive with other contents for some of its parts."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as written:
        for entry in archive.infolist():
            written.writestr(entry.filename, changed.get(entry.filename) or archive.read(entry))
        for name in changed.keys() - archive.NameToInfo.keys():
            written.writestr(name, changed[name])
    return target.getvalue()


def _sheets(archive: zipfile.ZipFile, changed: dict[str, bytes], hidden: Counter[str]) -> dict[int, str]:
    book = archive.read("xl/workbook.xml")
    shown, count = _SHEET.subn(b"", book)
    if count:
        changed["xl/workbook.xml"], hidden["hidden sheets"] = shown, count
    for name in filter(_SHEET_PART.match, archive.namelist()):
        sheet = archive.read(name)
        if _HIDDEN.search(sheet):
            changed[name] = _without_columns(_without_rows(sheet, hidden), hidden)
    return {}


def _without_rows(sheet: bytes, hidden: Counter[str]) -> bytes:
    def kept(row: re.Match[bytes]) -> bytes:
        if not _HIDDEN.search(row.group(1)):
            return row.group()
        hidden["hidden rows"] += 1
        return b""

    return _ROW.sub(kept, sheet)


def _without_columns(sheet: bytes, hidden: Counter[str]) -> bytes:
    numbers: set[int] = set()
    for column in _COLUMN.finditer(sheet):
        if _HIDDEN.search(column.group(1)):
            span = {name: int(number) for name, number in _SPAN.findall(column.group(1))}
            numbers.update(range(span.get(b"min", 1), min(span.get(b"max", 0), _WIDEST) + 1))
    if not numbers:
        return sheet
    used: set[int] = set()

    def kept(cell: re.Match[bytes]) -> bytes:
        number = _column_number(cell.group(1))
        if number not in numbers:
            return cell.group()
        used.add(number)
        return b""

    shown = _CELL.sub(kept, sheet)
    hidden["hidden columns"] += len(used)
    return shown


def _column_number(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number
