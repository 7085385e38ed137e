"""The slides of a presentation as they are shown, with what their charts and diagrams say; their notes and comments apart.

Source: ECMA-376, PresentationML.
"""

from __future__ import annotations

import copy
import re
import zipfile
from collections import Counter
from collections.abc import Iterator
from itertools import zip_longest
from xml.etree import ElementTree

from domain_sdk.extraction.drawn_texts import chart_rows, chart_title, diagram_lines
from domain_sdk.extraction.office_relations import A, R, parsed, related, relations, relations_of
from domain_sdk.extraction.pictures import Pictures

__all__ = ["shown_slides"]

_P = "{http://schemas.openxmlformats.org/presentationml/2006/main}"
_CHART = "{http://schemas.openxmlformats.org/drawingml/2006/chart}chart"
_DIAGRAM = "{http://schemas.openxmlformats.org/drawingml/2006/diagram}relIds"
_TABLE_KIND = "http://schemas.openxmlformats.org/drawingml/2006/table"
_ROOT = "ppt/presentation.xml"
_OFF = frozenset({"0", "false", "off"})
_SLIDE_PART = re.compile(r"ppt/slides/slide\d+\.xml\Z")
_EMPTY_SLIDE = b'<p:sld xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main"><p:cSld><p:spTree/></p:cSld></p:sld>'
_NO_RELATIONS = b'<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"/>'
_Element = ElementTree.Element


def shown_slides(archive: zipfile.ZipFile, changed: dict[str, bytes], hidden: Counter[str], pictures: Pictures) -> dict[int, str]:
    """What pictures say, notes and comments, by the number of the slide.

    The parts called slides hold them in the order shown, hidden ones empty.
    """
    targets = relations(archive, _ROOT)
    listed = [targets.get(it.get(f"{R}id", ""), "") for it in ElementTree.fromstring(archive.read(_ROOT)).iter(f"{_P}sldId")]
    shown = [part for part in listed if part in archive.NameToInfo]
    authors = _authors(archive)
    contents: list[bytes] = []
    notes: dict[int, str] = {}
    for number, part in enumerate(shown, start=1):
        slide = parsed(archive.read(part))
        if slide.get("show", "1") in _OFF:
            contents.append(_EMPTY_SLIDE)
            hidden["hidden slides"] += 1
            continue
        _take_out(slide, hidden)
        contents.append(_whole(archive, part, slide))
        pictured = _pictured(archive, part, slide, pictures)
        if beside := "\n\n".join((*pictured, *_noted(archive, part), *_commented(archive, part, authors))):
            notes[number] = beside
    parts = sorted(filter(_SLIDE_PART.match, archive.namelist()), key=lambda it: (len(it), it))
    for name, shown_part, content in zip_longest(parts, shown, contents):  # readers take the parts by their names
        if name is None:
            break
        changed[name] = content or _EMPTY_SLIDE
        links = archive.NameToInfo.get(relations_of(shown_part or ""))
        changed[relations_of(name)] = archive.read(links) if links else _NO_RELATIONS
    return notes


def _take_out(slide: _Element, hidden: Counter[str]) -> None:
    """Shapes that were hidden in the list of what is on the slide are not in the tree."""
    for parent in list(slide.iter()):
        for child in list(parent):
            looks = child.find("*/{*}cNvPr")
            if looks is not None and looks.get("hidden", "0") not in _OFF:
                parent.remove(child)
                hidden["hidden shapes on slides"] += 1


def _whole(archive: zipfile.ZipFile, part: str, slide: _Element) -> bytes:
    """The slide, with words in one piece and text where it has charts and diagrams."""
    for paragraph in slide.iter(f"{A}p"):
        _join_runs(paragraph)
    for table in slide.iter(f"{A}tbl"):
        _fill(table)
    targets = relations(archive, part)
    for parent in list(slide.iter()):
        for place, frame in enumerate(parent):
            if frame.tag == f"{_P}graphicFrame" and (drawn := _drawing(archive, targets, frame)) is not None:
                parent[place] = drawn
    written: bytes = ElementTree.tostring(slide, "utf-8")
    return written


def _join_runs(paragraph: _Element) -> None:
    """Pieces that differ in nothing but their looks are one: parsers part them by blanks, in the middle of words."""
    before: _Element | None = None
    for child in list(paragraph):
        is_plain = child.tag == f"{A}r" and child.find(f"{A}rPr/{A}hlinkClick") is None
        text = child.find(f"{A}t")
        if is_plain and before is not None and text is not None:
            before.text = f"{before.text or ''}{text.text or ''}"
            paragraph.remove(child)
        elif child.tag == f"{A}br" and before is not None:
            before.text = f"{before.text or ''} "
            paragraph.remove(child)
        elif child.tag != f"{A}pPr":
            before = text if is_plain else None


def _fill(table: _Element) -> None:
    """Cells over several rows stand in each of them, and no cell has the mark in it that parts them."""
    above: list[_Element] = []
    for row in table.iter(f"{A}tr"):
        cells = row.findall(f"{A}tc")
        for cell, over in zip(cells, above, strict=False):
            if cell.get("vMerge", "0") not in _OFF:
                cell[:] = [copy.deepcopy(it) for it in over if it.tag == f"{A}txBody"]
        above = cells
    for text in table.iter(f"{A}t"):
        text.text = (text.text or "").replace("|", "¦")


def _drawing(archive: zipfile.ZipFile, targets: dict[str, str], frame: _Element) -> _Element | None:
    """What stands for a frame with a chart (its table) or a diagram (its words); None for others."""
    data = frame.find(f"{A}graphic/{A}graphicData")
    chart = None if data is None else data.find(_CHART)
    diagram = None if data is None else data.find(_DIAGRAM)
    part = targets.get(chart.get(f"{R}id", "") if chart is not None else diagram.get(f"{R}dm", "") if diagram is not None else "")
    if data is None or part is None or part not in archive.NameToInfo:
        return None
    said = ElementTree.fromstring(archive.read(part))
    if chart is None:
        return _shape(diagram_lines(said), frame)
    rows, title = chart_rows(said), f"Chart: {chart_title(said)}".strip()
    if not rows:
        return None
    rows[0][0] = title
    data.set("uri", _TABLE_KIND)
    data[:] = [_table(rows)]
    return frame


def _table(rows: list[list[str]]) -> _Element:
    table = _Element(f"{A}tbl")
    for row in rows:
        line = ElementTree.SubElement(table, f"{A}tr")
        for text in row:
            cell = ElementTree.SubElement(ElementTree.SubElement(line, f"{A}tc"), f"{A}txBody")
            _write(cell, text)
    return table


def _shape(lines: list[str], frame: _Element) -> _Element:
    """A box of text at the place of the frame."""
    shape = _Element(f"{_P}sp")
    place = frame.find(f"{_P}xfrm")
    looks = ElementTree.SubElement(shape, f"{_P}spPr")
    if place is not None:
        ElementTree.SubElement(looks, f"{A}xfrm", place.attrib).extend(place)
    body = ElementTree.SubElement(shape, f"{_P}txBody")
    for line in lines:
        _write(body, line)
    return shape


def _write(body: _Element, text: str) -> None:
    run = ElementTree.SubElement(ElementTree.SubElement(body, f"{A}p"), f"{A}r")
    ElementTree.SubElement(run, f"{A}t").text = text


def _pictured(archive: zipfile.ZipFile, part: str, slide: _Element, pictures: Pictures) -> Iterator[str]:
    """The words of the slide's pictures, wherever they are used: as such, or to fill a shape or the ground."""
    targets = relations(archive, part)
    for name in dict.fromkeys(targets.get(it.get(f"{R}embed", ""), "") for it in slide.iter(f"{A}blip")):
        if name in archive.NameToInfo and (text := pictures.text_in(archive.read(name))):
            yield text


def _noted(archive: zipfile.ZipFile, slide: str) -> Iterator[str]:
    """The paragraphs of the notes' body: not the picture of the slide, nor its number."""
    for part in related(archive, slide, "notesSlide")[:1]:
        lines = [
            "".join(text.text or "" for text in paragraph.iter(f"{A}t")).strip()
            for shape in ElementTree.fromstring(archive.read(part)).iter(f"{_P}sp")
            if any(it.get("type", "") == "body" for it in shape.iter(f"{_P}ph"))
            for paragraph in shape.iter(f"{A}p")
        ]
        if text := "\n\n".join(filter(None, lines)):
            yield f"Speaker notes: {text}"


def _authors(archive: zipfile.ZipFile) -> dict[str, str]:
    """Who comments, by the number or the identifier that comments name."""
    parts = (*related(archive, _ROOT, "commentAuthors"), *related(archive, _ROOT, "authors"))
    people = [it for part in parts for it in ElementTree.fromstring(archive.read(part))]
    return {it.get("id", ""): it.get("name", "").strip() for it in people}


def _commented(archive: zipfile.ZipFile, slide: str, authors: dict[str, str]) -> Iterator[str]:
    """The comments on the slide and the replies to them, in both forms that PowerPoint has written them in."""
    for part in related(archive, slide, "comments"):
        for it in ElementTree.fromstring(archive.read(part)).iter():
            if it.tag.rpartition("}")[2] not in ("cm", "reply"):
                continue
            own = [child for child in it if child.tag.rpartition("}")[2] in ("text", "txBody")]
            text = " ".join(" ".join("".join(child.itertext()) for child in own).split())
            author = authors.get(it.get("authorId", ""), "")
            if text:
                yield f"Comment by {author}: {text}" if author else f"Comment: {text}"
