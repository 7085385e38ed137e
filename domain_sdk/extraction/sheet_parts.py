"""What lies on a sheet beside its cells: comments and threads of them, text boxes, titles of charts, diagrams, pictures.

Source: ECMA-376, SpreadsheetML; threaded comments as Excel writes them ([MS-XLSX] 2.4).
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from xml.etree import ElementTree

from domain_sdk.extraction.drawn_texts import chart_title, diagram_lines
from domain_sdk.extraction.office_relations import A, R, related, relations
from domain_sdk.extraction.pictures import Pictures
from domain_sdk.extraction.sheet_rows import Sheet, column_number

__all__ = ["beside_cells", "people_of"]

_PLACE = re.compile(r"([A-Z]+)(\d+)")
_X = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_THREADED = "{http://schemas.microsoft.com/office/spreadsheetml/2018/threadedcomments}"
_DRAWING = "{http://schemas.openxmlformats.org/drawingml/2006/spreadsheetDrawing}"


def beside_cells(archive: zipfile.ZipFile, part: str, sheet: Sheet, people: dict[str, str], pictures: Pictures) -> Iterator[str]:
    """Paragraphs that say what they are; not the comments on cells that are hidden."""
    for place, text in _comments(archive, part, people):
        found = _PLACE.match(place)
        if not found or (int(found[2]) not in sheet.hidden_rows and column_number(found[1]) not in sheet.hidden_columns):
            yield text
    yield from _drawn(archive, part, pictures)


def people_of(archive: zipfile.ZipFile, book: str) -> dict[str, str]:
    """Who writes threaded comments, by identifier."""
    parts = related(archive, book, "person")
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
    """The words of boxes, charts, diagrams and pictures on a sheet; the values of charts are cells."""
    for part in related(archive, sheet, "drawing"):
        root = ElementTree.fromstring(archive.read(part))
        for box in root.iter(f"{_DRAWING}txBody"):
            lines = ("".join(it.text or "" for it in paragraph.iter(f"{A}t")) for paragraph in box.iter(f"{A}p"))
            if text := " ".join(" ".join(lines).split()):
                yield f"Text box: {text}"
        for chart in related(archive, part, "chart"):
            if title := chart_title(ElementTree.fromstring(archive.read(chart))):
                yield f"Chart: {title}"
        for diagram in related(archive, part, "diagramData"):
            if points := diagram_lines(ElementTree.fromstring(archive.read(diagram))):
                yield f"Diagram: {', '.join(points)}"
        targets = relations(archive, part)
        for it in root.iter(f"{A}blip"):
            name = targets.get(it.get(f"{R}embed", ""), "")
            if name in archive.NameToInfo and (text := pictures.text_in(archive.read(name))):
                yield text
