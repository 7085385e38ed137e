"""What an Office file hides, taken out of it before it is read, and the notes of its slides, which no reader of it gives.

Sheets, rows, columns and slides that their author hid, and text with the attribute `hidden`, are content that somebody took out
of sight: it is not published, and counted. Source: ECMA-376 (SpreadsheetML, PresentationML, WordprocessingML).
"""

from __future__ import annotations

import io
import posixpath
import re
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from xml.etree import ElementTree

from domain_sdk.extraction.file_kinds import KINDS

__all__ = ["OfficeParts", "office_parts"]

_A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_P = "{http://schemas.openxmlformats.org/presentationml/2006/main}"
_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_R = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
_OFF = frozenset({"0", "false", "off"})
_SHEET = re.compile(rb"<(?:\w+:)?sheet\b[^>]*?\bstate=[\"'](?:hidden|veryHidden)[\"'][^>]*?(?:/>|>\s*</(?:\w+:)?sheet>)")
_HIDDEN = re.compile(rb"\bhidden=[\"'](?:1|true)[\"']")
_ROW = re.compile(rb"<(?:\w+:)?row\b([^>]*?)(?:/>|>.*?</(?:\w+:)?row>)", re.DOTALL)
_COLUMN = re.compile(rb"<(?:\w+:)?col\b([^>]*)>")
_SPAN = re.compile(rb"\b(min|max)=[\"'](\d+)[\"']")
_CELL = re.compile(rb"<(?:\w+:)?c\b[^>]*?\br=[\"']([A-Z]+)\d+[\"'][^>]*?(?:/>|>.*?</(?:\w+:)?c>)", re.DOTALL)
_SHEET_PART = re.compile(r"xl/worksheets/[^/]+\.xml\Z")
_WORD_PART = re.compile(r"word/(?:document|header\d*|footer\d*|footnotes|endnotes)\.xml\Z")
_WIDEST = 16_384


@dataclass(frozen=True, slots=True)
class OfficeParts:
    """`data` is the file without what it hides, None if it hides nothing; `notes` are by the number of the slide."""

    data: bytes | None = None
    hidden: Mapping[str, int] = field(default_factory=dict)
    """What was taken out, in words of the plural, and how many."""
    notes: Mapping[int, str] = field(default_factory=dict)


def office_parts(path: Path, media_type: str) -> OfficeParts:
    """What there is to know of the file before it is read. Raises: what zipfile and ElementTree do for damaged files."""
    parts = {KINDS[".xlsx"]: _sheets, KINDS[".pptx"]: _slides, KINDS[".docx"]: _words}.get(media_type)
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


def _slides(archive: zipfile.ZipFile, changed: dict[str, bytes], hidden: Counter[str]) -> dict[int, str]:
    """The notes; the parts that are called slides hold them in the order in which they are shown, hidden ones are empty."""
    root = "ppt/presentation.xml"
    targets = _relations(archive, root)
    listed = [targets.get(it.get(f"{_R}id", ""), "") for it in ElementTree.fromstring(archive.read(root)).iter(f"{_P}sldId")]
    shown = [part for part in listed if part in archive.NameToInfo]
    parts = sorted(filter(_SLIDE_PART.match, archive.namelist()), key=lambda it: (len(it), it))
    contents = [archive.read(part) for part in shown]
    notes: dict[int, str] = {}
    for number, part in enumerate(shown, start=1):
        if ElementTree.fromstring(contents[number - 1]).get("show", "1") in _OFF:
            contents[number - 1] = _EMPTY_SLIDE
            hidden["hidden slides"] += 1
            continue
        noted = next((it for it in _relations(archive, part).values() if it.startswith("ppt/notesSlides/")), "")
        if noted in archive.NameToInfo and (text := _noted(archive.read(noted))):
            notes[number] = text
    if shown != parts or hidden:  # readers take the parts by their names, whatever the order is
        for name, part, content in zip_longest(parts, shown, contents):
            if name is None:
                break
            changed[name] = content or _EMPTY_SLIDE
            relations = archive.NameToInfo.get(_relations_of(part or ""))
            changed[_relations_of(name)] = archive.read(relations) if relations else _NO_RELATIONS
    return notes


_SLIDE_PART = re.compile(r"ppt/slides/slide\d+\.xml\Z")
_EMPTY_SLIDE = b'<p:sld xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main"><p:cSld><p:spTree/></p:cSld></p:sld>'
_NO_RELATIONS = b'<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"/>'


def _noted(part: bytes) -> str:
    """The paragraphs of the notes' body: not the picture of the slide, nor its number."""
    lines = [
        "".join(text.text or "" for text in paragraph.iter(f"{_A}t")).strip()
        for shape in ElementTree.fromstring(part).iter(f"{_P}sp")
        if any(it.get("type", "") == "body" for it in shape.iter(f"{_P}ph"))
        for paragraph in shape.iter(f"{_A}p")
    ]
    return "\n\n".join(filter(None, lines))


def _relations(archive: zipfile.ZipFile, part: str) -> dict[str, str]:
    """What a part refers to: id → part."""
    folder, path = posixpath.dirname(part), _relations_of(part)
    if path not in archive.NameToInfo:
        return {}
    return {
        it.get("Id", ""): posixpath.normpath(posixpath.join("/", folder, it.get("Target", ""))).lstrip("/")
        for it in ElementTree.fromstring(archive.read(path))
    }


def _relations_of(part: str) -> str:
    folder, name = posixpath.split(part)
    return f"{folder}/_rels/{name}.rels"


def _words(archive: zipfile.ZipFile, changed: dict[str, bytes], hidden: Counter[str]) -> dict[int, str]:
    for name in filter(_WORD_PART.match, archive.namelist()):
        part = archive.read(name)
        if b"vanish" not in part:
            continue
        for _, (prefix, uri) in ElementTree.iterparse(io.BytesIO(part), events=("start-ns",)):
            if not re.fullmatch(r"ns\d+", prefix):
                ElementTree.register_namespace(prefix, uri)
        tree = ElementTree.fromstring(part)
        count = sum(_take_out(parent, run) for parent, run in list(_hidden_runs(tree)))
        if count:
            changed[name], hidden["hidden pieces of text"] = (
                ElementTree.tostring(tree, "utf-8"),
                hidden["hidden pieces of text"] + count,
            )
    return {}


def _hidden_runs(tree: ElementTree.Element) -> Iterator[tuple[ElementTree.Element, ElementTree.Element]]:
    for parent in tree.iter():
        for run in parent.findall(f"{_W}r"):
            mark = run.find(f"{_W}rPr/{_W}vanish")
            if mark is not None and mark.get(f"{_W}val", "1") not in _OFF:
                yield parent, run


def _take_out(parent: ElementTree.Element, run: ElementTree.Element) -> int:
    says_something = any((it.text or "").strip() for it in run.iter(f"{_W}t"))
    parent.remove(run)
    return int(says_something)
