"""A Word document as its reader sees it, for a parser that knows less: notes, comments, headers, charts stand in the text.

What Word shows beside the text becomes paragraphs of it that say what they are; numbers of paragraphs stand in them. Text with
the attribute `hidden`, and what was moved away under change tracking, is taken out. Source: ECMA-376, WordprocessingML.
"""

from __future__ import annotations

import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from xml.etree import ElementTree

from domain_sdk.extraction.drawn_texts import chart_rows, chart_title, diagram_lines
from domain_sdk.extraction.office_relations import A, R, main_part, parsed, related, relations, relations_of
from domain_sdk.extraction.pictures import Pictures
from domain_sdk.extraction.word_formulas import put_formulas_into_text
from domain_sdk.extraction.word_hidden import FALLBACK, is_hidden, take_out
from domain_sdk.extraction.word_numbers import Numbers
from domain_sdk.extraction.word_signs import symbol, with_signs_kept

__all__ = ["WORD_PART", "whole_text"]

WORD_PART = "word/document.xml"
_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_CHART = "{http://schemas.openxmlformats.org/drawingml/2006/chart}chart"
_DIAGRAM = "{http://schemas.openxmlformats.org/drawingml/2006/diagram}relIds"
_BETWEEN = {f"{_W}tab": " ", f"{_W}cr": " ", f"{_W}ptab": " ", f"{_W}noBreakHyphen": "-"}
"""What parts words, or is a character, and is no text in the file."""
_NOTES = {"footnote": ("footnotes", "Footnote"), "endnote": ("endnotes", "Endnote"), "comment": ("comments", "Comment")}
_NO_NOTE = frozenset({"separator", "continuationSeparator", "continuationNotice"})
_GONE = frozenset({f"{_W}del", f"{_W}moveFrom", FALLBACK})
_PICTURES = {f"{A}blip": f"{R}embed", "{urn:schemas-microsoft-com:vml}imagedata": f"{R}id"}
"""What shows a picture, and the attribute that names its part: today's way and that of before 2007."""
_Element = ElementTree.Element


@dataclass(slots=True)
class _Beside:
    """What stands beside the text: (kind, id) → paragraph; charts, diagrams, words of pictures by the id of their part."""

    pictured: Callable[[str], str]
    notes: dict[tuple[str, str], str] = field(default_factory=dict)
    drawn: dict[str, list[_Element]] = field(default_factory=dict)


def whole_text(archive: zipfile.ZipFile, changed: dict[str, bytes], hidden: Counter[str], pictures: Pictures) -> None:
    """`changed` holds the document with all that is read of it in its body; `hidden` counts what was taken out."""
    name = main_part(archive, WORD_PART)
    root = parsed(archive.read(name))
    ElementTree.register_namespace("w", _W[1:-1])
    styles = _part(archive, name, "styles")
    take_out(root, hidden, styles)
    put_formulas_into_text(root)
    _put_between(root)
    _put_out(root)
    Numbers(_numbering(archive, name), styles).write(root)
    targets = relations(archive, name)
    beside = _Beside(pictured=lambda key: _pictured(archive, targets.get(key, ""), pictures))
    for kind, (part_kind, word) in _NOTES.items():
        for part in related(archive, name, part_kind):
            notes = ElementTree.fromstring(archive.read(part))
            beside.notes.update(((kind, key), text) for key, text in _noted(notes, kind, word))
            if kind != "comment":
                changed[part] = ElementTree.tostring(_Element(notes.tag), "utf-8")  # they stand in the text
    beside.drawn = {
        key: _drawn(ElementTree.fromstring(archive.read(it))) for key, it in targets.items() if _is_drawn(archive, it)
    }
    _put_beside(root, beside)
    _put_around(root, {key: _edge(archive, it, pictures) for key, it in targets.items() if _is_edge(archive, it)})
    for it in root.iter():
        it.text = it.text and with_signs_kept(it.text)
    changed[WORD_PART] = ElementTree.tostring(root, "utf-8")
    if name != WORD_PART and relations_of(name) in archive.NameToInfo:
        changed[relations_of(WORD_PART)] = archive.read(relations_of(name))


def _part(archive: zipfile.ZipFile, document: str, kind: str) -> _Element:
    """What the part of this kind says; nothing if there is none."""
    parts = related(archive, document, kind)
    return ElementTree.fromstring(archive.read(parts[0])) if parts else _Element(kind)


def _numbering(archive: zipfile.ZipFile, document: str) -> _Element:
    """The lists; none if what says of them is damaged: then nothing is numbered."""
    try:
        return _part(archive, document, "numbering")
    except ElementTree.ParseError:
        return _Element("numbering")


def _is_drawn(archive: zipfile.ZipFile, part: str) -> bool:
    return part in archive.NameToInfo and part.endswith(".xml") and part.startswith(("word/charts/chart", "word/diagrams/data"))


def _pictured(archive: zipfile.ZipFile, part: str, pictures: Pictures) -> str:
    return pictures.text_in(archive.read(part)) if part in archive.NameToInfo else ""


def _is_edge(archive: zipfile.ZipFile, part: str) -> bool:
    return part in archive.NameToInfo and part.endswith(".xml") and part.startswith(("word/header", "word/footer"))


def _edge(archive: zipfile.ZipFile, part: str, pictures: Pictures) -> str:
    """What a header or footer says, its pictures included."""
    root = ElementTree.fromstring(archive.read(part))
    targets = relations(archive, part)
    shown = [targets.get(it.get(_PICTURES[it.tag], ""), "") for it in root.iter() if it.tag in _PICTURES]
    return " ".join(filter(None, (_text(root), *(_pictured(archive, name, pictures) for name in dict.fromkeys(shown)))))


def _put_between(root: _Element) -> None:
    for run in root.iter(f"{_W}r"):
        for child in run:
            if child.tag in _BETWEEN or child.tag == f"{_W}sym":
                sign = symbol(child.get(f"{_W}font", ""), child.get(f"{_W}char", ""))
                child.text, child.tag = _BETWEEN.get(child.tag, sign), f"{_W}t"
                child.attrib = {"{http://www.w3.org/XML/1998/namespace}space": "preserve"}


def _put_out(root: _Element) -> None:
    """What boxes say stands behind the paragraph that they are fixed to: the parser takes one for the other."""
    for parent in reversed(list(root.iter())):  # boxes within boxes first
        for place, child in reversed(list(enumerate(parent))):
            if child.tag == f"{_W}p" and (boxed := list(_boxed(child))):
                parent[place + 1 : place + 1] = boxed


def _boxed(element: _Element) -> Iterator[_Element]:
    for child in list(element):
        if child.tag == f"{_W}txbxContent":
            yield from child
            element.remove(child)
        else:
            yield from _boxed(child)


def _noted(notes: _Element, kind: str, word: str) -> Iterator[tuple[str, str]]:
    for note in notes.iter(f"{_W}{kind}"):
        text = _text(note)
        if text and note.get(f"{_W}type", "") not in _NO_NOTE:
            author = note.get(f"{_W}author", "").strip()
            yield note.get(f"{_W}id", ""), f"{word} by {author}: {text}" if author else f"{word}: {text}"


def _text(element: _Element) -> str:
    """What a reader sees of it, on one line."""
    return " ".join(" ".join("".join(_words(it)) for it in element.iter(f"{_W}p")).split())


def _words(element: _Element) -> Iterator[str]:
    for child in element:
        if child.tag in _GONE or child.tag == f"{_W}p" or (child.tag == f"{_W}r" and is_hidden(child)):
            continue
        if child.tag == f"{_W}t":
            yield child.text or ""
        elif child.tag == f"{_W}br":
            yield " "
        elif child.tag in _BETWEEN and element.tag == f"{_W}r":
            yield _BETWEEN[child.tag]
        else:
            yield from _words(child)


def _put_beside(root: _Element, beside: _Beside) -> None:
    """Notes, comments and what drawings say stand behind the paragraph they belong to."""
    for parent in list(root.iter()):
        children: list[_Element] = []
        for child in parent:
            children.append(child)
            if child.tag == f"{_W}p":
                children.extend(_belonging(child, beside))
        if len(children) > len(parent):
            parent[:] = children


def _belonging(element: _Element, beside: _Beside) -> Iterator[_Element]:
    for child in list(element):
        if child.tag == f"{_W}p":
            continue
        kind = child.tag.removeprefix(_W).removesuffix("Reference")
        if kind in _NOTES and child.tag != f"{_W}{kind}":
            element.remove(child)
            if note := beside.notes.pop((kind, child.get(f"{_W}id", "")), ""):
                yield _paragraph(note)
        elif child.tag == _CHART:
            yield from beside.drawn.pop(child.get(f"{R}id", ""), ())
        elif child.tag == _DIAGRAM:
            yield from beside.drawn.pop(child.get(f"{R}dm", ""), ())
        elif child.tag in _PICTURES:
            if words := beside.pictured(child.get(_PICTURES[child.tag], "")):
                yield _paragraph(words)
        else:
            yield from _belonging(child, beside)


def _drawn(part: _Element) -> list[_Element]:
    rows = chart_rows(part)
    if not rows:
        return [_paragraph(line) for line in diagram_lines(part)]
    return [_paragraph(f"Chart: {chart_title(part)}".strip()), _table(rows), _paragraph("")]


def _put_around(root: _Element, edges: Mapping[str, str]) -> None:
    """Headers stand before the body, footers behind it, each once; those of numbers alone are left out."""
    body = root.find(f"{_W}body")
    if body is None:
        return
    for kind, word in (("header", "Header"), ("footer", "Footer")):
        used = [edges.get(it.get(f"{R}id", ""), "") for it in root.iter(f"{_W}{kind}Reference")]
        said = [text for text in dict.fromkeys(used) if any(map(str.isalpha, text))]
        is_last = len(body) > 0 and body[-1].tag == f"{_W}sectPr"
        place = 0 if kind == "header" else len(body) - is_last
        body[place:place] = [_paragraph(f"{word}: {text}") for text in said]


def _paragraph(text: str) -> _Element:
    paragraph = _Element(f"{_W}p")
    run = ElementTree.SubElement(paragraph, f"{_W}r")
    ElementTree.SubElement(run, f"{_W}t").text = text
    return paragraph


def _table(rows: list[list[str]]) -> _Element:
    table = _Element(f"{_W}tbl")
    for row in rows:
        line = ElementTree.SubElement(table, f"{_W}tr")
        for text in row:
            ElementTree.SubElement(line, f"{_W}tc").append(_paragraph(text))
    return table
