"""The sheets of a workbook as they are shown, without what was hidden; the comments, pictures and boxes that lie on them apart.

Source: ECMA-376, SpreadsheetML; threaded comments as Excel writes them ([MS-XLSX] 2.4).
"""

from __future__ import annotations

import re
import zipfile
from collections import Counter
from collections.abc import Iterator
from xml.etree import ElementTree

from domain_sdk.extraction.office_relations import A, R, main_part, related, relations
from domain_sdk.extraction.pictures import Pictures

__all__ = ["BOOK_PART", "shown_sheets"]

BOOK_PART = "xl/workbook.xml"
_SHEET = re.compile(rb"<(?:\w+:)?sheet\b[^>]*?\bstate=[\"'](?:hidden|veryHidden)[\"'][^>]*?(?:/>|>\s*</(?:\w+:)?sheet>)")
_HIDDEN = re.compile(rb"\bhidden=[\"'](?:1|true)[\"']")
_ROW = re.compile(rb"<(?:\w+:)?row\b([^>]*?)(?:/>|>.*?</(?:\w+:)?row>)", re.DOTALL)
_ROW_NUMBER = re.compile(rb"\br=[\"'](\d+)[\"']")
_COLUMN = re.compile(rb"<(?:\w+:)?col\b([^>]*)>")
_SPAN = re.compile(rb"\b(min|max)=[\"'](\d+)[\"']")
_CELL = re.compile(rb"<(?:\w+:)?c\b[^>]*?\br=[\"']([A-Z]+)\d+[\"'][^>]*?(?:/>|>.*?</(?:\w+:)?c>)", re.DOTALL)
_PLACE = re.compile(r"([A-Z]+)(\d+)")
_SHEET_PART = re.compile(r"xl/worksheets/[^/]+\.xml\Z")
_X = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_THREADED = "{http://schemas.microsoft.com/office/spreadsheetml/2018/threadedcomments}"
_DRAWING = "{http://schemas.openxmlformats.org/drawingml/2006/spreadsheetDrawing}"
_WIDEST = 16_384
_OutOfSight = tuple[set[int], set[int]]
"""The numbers of the rows and of the columns that are hidden."""


def shown_sheets(archive: zipfile.ZipFile, changed: dict[str, bytes], hidden: Counter[str], pictures: Pictures) -> str:
    """What lies on the shown sheets beside their cells, a section each; `changed` holds them without what is hidden."""
    book = archive.read(BOOK_PART)
    shown, count = _SHEET.subn(b"", book)
    if count:
        changed[BOOK_PART], hidden["hidden sheets"] = shown, count
    out_of_sight: dict[str, _OutOfSight] = {}
    for name in filter(_SHEET_PART.match, archive.namelist()):
        sheet = archive.read(name)
        if _HIDDEN.search(sheet):
            out_of_sight[name] = _hidden_rows(sheet), _hidden_columns(sheet)
            changed[name] = _without_columns(_without_rows(sheet, hidden), out_of_sight[name][1], hidden)
    return "\n\n".join(_sections(archive, ElementTree.fromstring(shown), out_of_sight, pictures))


def _sections(
    archive: zipfile.ZipFile, book: ElementTree.Element, out_of_sight: dict[str, _OutOfSight], pictures: Pictures
) -> Iterator[str]:
    targets = relations(archive, main_part(archive, BOOK_PART))
    people = _people(archive)
    for sheet in book.iter(f"{_X}sheet"):
        part = targets.get(sheet.get(f"{R}id", ""), "")
        rows, columns = out_of_sight.get(part, (set(), set()))
        comments = [text for place, text in _comments(archive, part, people) if not _is_within(place, rows, columns)]
        if beside := [*comments, *_drawn(archive, part, pictures)]:
            yield "\n\n".join([f"## {' '.join(sheet.get('name', '').split())}", *beside])


def _is_within(place: str, rows: set[int], columns: set[int]) -> bool:
    found = _PLACE.match(place)
    return found is not None and (int(found.group(2)) in rows or _column_number(found.group(1).encode()) in columns)


def _people(archive: zipfile.ZipFile) -> dict[str, str]:
    """Who writes threaded comments, by identifier."""
    parts = related(archive, main_part(archive, BOOK_PART), "person")
    found = [it for part in parts for it in ElementTree.fromstring(archive.read(part))]
    return {it.get("id", ""): it.get("displayName", "").strip() for it in found}


def _comments(archive: zipfile.ZipFile, sheet: str, people: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Place and text of each comment and reply; of threads not the copy that is there for older programs."""
    threaded: set[str] = set()
    for part in related(archive, sheet, "threadedComment"):
        for it in ElementTree.fromstring(archive.read(part)).iter(f"{_THREADED}threadedComment"):
            place, text = it.get("ref", ""), " ".join(it.findtext(f"{_THREADED}text", "").split())
            threaded.add(place)
            if text:
                yield place, _comment(place, people.get(it.get("personId", ""), ""), text)
    for part in related(archive, sheet, "comments"):
        root = ElementTree.fromstring(archive.read(part))
        authors = [" ".join((it.text or "").split()) for it in root.iter(f"{_X}author")]
        for it in root.iter(f"{_X}comment"):
            place, number = it.get("ref", ""), it.get("authorId", "0")
            author = authors[int(number)] if number.isdigit() and int(number) < len(authors) else ""
            text = " ".join("".join(piece.text or "" for piece in it.iter(f"{_X}t")).split()).removeprefix(f"{author}:").strip()
            if text and place not in threaded:
                yield place, _comment(place, author, text)


def _comment(place: str, author: str, text: str) -> str:
    return f"Comment on {place} by {author}: {text}" if author else f"Comment on {place}: {text}"


def _drawn(archive: zipfile.ZipFile, sheet: str, pictures: Pictures) -> Iterator[str]:
    """The words of boxes and of pictures on a sheet."""
    for part in related(archive, sheet, "drawing"):
        root = ElementTree.fromstring(archive.read(part))
        for box in root.iter(f"{_DRAWING}txBody"):
            lines = ("".join(it.text or "" for it in paragraph.iter(f"{A}t")) for paragraph in box.iter(f"{A}p"))
            if text := " ".join(" ".join(lines).split()):
                yield f"Text box: {text}"
        targets = relations(archive, part)
        for it in root.iter(f"{A}blip"):
            name = targets.get(it.get(f"{R}embed", ""), "")
            if name in archive.NameToInfo and (text := pictures.text_in(archive.read(name))):
                yield text


def _hidden_rows(sheet: bytes) -> set[int]:
    tags = (row.group(1) for row in _ROW.finditer(sheet) if _HIDDEN.search(row.group(1)))
    return {int(found.group(1)) for found in map(_ROW_NUMBER.search, tags) if found}


def _hidden_columns(sheet: bytes) -> set[int]:
    numbers: set[int] = set()
    for column in _COLUMN.finditer(sheet):
        if _HIDDEN.search(column.group(1)):
            span = {name: int(number) for name, number in _SPAN.findall(column.group(1))}
            numbers.update(range(span.get(b"min", 1), min(span.get(b"max", 0), _WIDEST) + 1))
    return numbers


def _without_rows(sheet: bytes, hidden: Counter[str]) -> bytes:
    def kept(row: re.Match[bytes]) -> bytes:
        if not _HIDDEN.search(row.group(1)):
            return row.group()
        hidden["hidden rows"] += 1
        return b""

    return _ROW.sub(kept, sheet)


def _without_columns(sheet: bytes, numbers: set[int], hidden: Counter[str]) -> bytes:
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
