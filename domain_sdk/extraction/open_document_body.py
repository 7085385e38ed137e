"""The text of an OpenDocument file laid out as its parser reads it, which passes over what is nested or grouped.

Of a cell the parser reads what stands before the first piece with a format of its own, of tables no rows that are grouped (those
of the head), of paragraphs no formats within formats, of items one paragraph, of notes and drawings little. Here a cell becomes
one paragraph without formats, a paragraph a row of pieces; notes, and what boxes and shapes say, stand behind their paragraph.

Source: OpenDocument 1.3, part 3 (paragraph elements, lists, tables, text boxes and drawing shapes).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.etree import ElementTree

__all__ = ["lay_out"]

_OFFICE = "{urn:oasis:names:tc:opendocument:xmlns:office:1.0}"
_TEXT = "{urn:oasis:names:tc:opendocument:xmlns:text:1.0}"
_TABLE = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"
_DRAW = "{urn:oasis:names:tc:opendocument:xmlns:drawing:1.0}"
_P, _H, _SPAN, _LINK, _NOTE = (f"{_TEXT}{name}" for name in ("p", "h", "span", "a", "note"))
_PARAGRAPHS = frozenset({_P, _H})
_LIST, _ITEM = f"{_TEXT}list", f"{_TEXT}list-item"
_ITEMS = frozenset({_ITEM, f"{_TEXT}list-header"})
_ROW, _CELL = f"{_TABLE}table-row", f"{_TABLE}table-cell"
_ROW_GROUPS = frozenset(f"{_TABLE}{name}" for name in ("table-header-rows", "table-rows", "table-row-group"))
_CELLS = frozenset({_CELL, f"{_TABLE}covered-table-cell"})
_AROUND = frozenset(f"{_TEXT}{name}" for name in ("numbered-paragraph", "bibliography", "index-body", "index-title"))
"""Stands around blocks, and is none; tables of contents say again what the headings do."""
_BLANKS = frozenset({f"{_TEXT}s", f"{_TEXT}tab"})
_BREAK = f"{_TEXT}line-break"
_APART = frozenset({f"{_OFFICE}annotation", f"{_TEXT}ruby-text", _NOTE})
"""Is within a line and no part of it."""
_WHITE = re.compile(r"[ \t\r\n]+")
_MOST_REPEATED = 100
"""Cells of a row that are written once for many; a row that is, is read once."""
_LONGEST_REPEATED = 200
"""Characters that stand in each column of such a cell; more stand in the first, as tables within tables would multiply them."""
_LONGEST_COUNT = 9
_Element = ElementTree.Element


def lay_out(root: _Element) -> None:
    """The body holds the same text, and the parser reads all of it."""
    for body in root.iter(f"{_OFFICE}text"):
        body[:] = list(_blocks(body))


def _blocks(parent: _Element) -> Iterator[_Element]:
    for child in parent:
        yield from _block(child)


def _block(element: _Element) -> Iterator[_Element]:
    if element.tag in _PARAGRAPHS:
        yield _paragraph(element.tag, element, list(_pieces(element)))
        yield from _beside(element)
    elif element.tag == f"{_TABLE}table":
        yield _table(element)
    elif element.tag == _LIST:
        yield from _parted(element)
    elif element.tag in _AROUND or (element.tag.startswith(_DRAW) and _says_something(element)):
        yield from _blocks(element)
    elif element.tag == f"{_TEXT}section":
        element[:] = list(_blocks(element))
        yield element
    else:
        yield element


def _beside(paragraph: _Element) -> Iterator[_Element]:
    """What stands at the paragraph and is not in its line: notes, and what boxes and shapes say."""
    for child in paragraph:
        if child.tag.startswith(_DRAW):
            yield from (_blocks(child) if _says_something(child) else ())
        elif child.tag == _NOTE:
            body = child.find(f"{_NOTE}-body")
            word = child.get(f"{_NOTE}-class", "footnote").capitalize()
            if body is not None and (text := _words(body)):
                yield _paragraph(_P, _Element(_P), [f"{word}: {text}"])
        elif child.tag not in _APART:
            yield from _beside(child)


def _says_something(drawing: _Element) -> bool:
    return any(it.tag in _PARAGRAPHS for it in drawing.iter())


def _pieces(element: _Element) -> Iterator[str | _Element]:
    """What stands in a paragraph in a row: text, spans and links of text alone, breaks and pictures."""
    yield _WHITE.sub(" ", element.text or "")
    for child in element:
        if child.tag in _BLANKS:
            yield " "
        elif child.tag == _SPAN:
            yield from (_piece(it, child) if isinstance(it, str) else it for it in _pieces(child))
        elif child.tag == _LINK:
            within = list(_pieces(child))
            yield _piece("".join(map(_of_link, within)), child)
            yield from (it for it in within if not isinstance(it, str) and it.tag.startswith(_DRAW))
        elif child.tag == _BREAK or (child.tag.startswith(_DRAW) and not _says_something(child)):
            yield _paragraph(child.tag, child, [child.text or "", *child])
        elif child.tag not in _APART and not child.tag.startswith(_DRAW):
            yield from _pieces(child)
        yield _WHITE.sub(" ", child.tail or "")


def _of_link(piece: str | _Element) -> str:
    """What a piece says in a link, which is of text alone."""
    if isinstance(piece, str):
        return piece
    return " " if piece.tag == _BREAK else "" if piece.tag.startswith(_DRAW) else piece.text or ""


def _piece(text: str, around: _Element) -> _Element | str:
    if not text.strip():
        return text
    made = _Element(around.tag, around.attrib)
    made.text = text
    return made


def _paragraph(tag: str, like: _Element, pieces: list[str | _Element]) -> _Element:
    """An element of these pieces in a row, with the attributes of another."""
    made = _Element(tag, like.attrib)
    for piece in pieces:
        if not isinstance(piece, str):
            made.append(piece)
        elif len(made):
            made[-1].tail = f"{made[-1].tail or ''}{piece}"
        else:
            made.text = f"{made.text or ''}{piece}"
    return made


def _parted(element: _Element) -> Iterator[_Element]:
    """The list in parts, and between them the headings in it: their numbers may come from it."""
    part = _Element(_LIST, element.attrib)
    for item in (it for it in element if it.tag in _ITEMS):
        if not _has_heading(item):
            part.append(item)
            continue
        if len(part):
            yield _list(part)
            part = _Element(_LIST, element.attrib)
        yield from _blocks(item)
    if len(part):
        yield _list(part)


def _has_heading(item: _Element) -> bool:
    """True if a heading stands in it or in its lists, not beside them or in a table."""
    inner = (part for child in item if child.tag == _LIST for part in child)
    return any(it.tag == _H for it in item) or any(_has_heading(it) for it in inner if it.tag in _ITEMS)


def _list(element: _Element) -> _Element:
    made = _Element(_LIST, element.attrib)
    for item in element:
        if item.tag in _ITEMS:
            made.extend(list(_parts_of(item)))  # it says of what fails in an iterator only that it is no sequence
    return made


def _parts_of(item: _Element) -> Iterator[_Element]:
    """The item with its paragraphs as one, and a further item for what follows a list or table within it."""
    part = _Element(_ITEM, item.attrib)
    for block in (it for child in item for it in ([_list(child)] if child.tag == _LIST else _block(child))):
        if block.tag not in _PARAGRAPHS:
            part.append(block if block.tag == _LIST else _paragraph(_P, block, [_words(block)]))
        elif len(part) and part[-1].tag in _PARAGRAPHS:
            before = part[-1]
            part[-1] = _paragraph(before.tag, before, [before.text or "", *before, " ", block.text or "", *block])
        else:
            if len(part):
                yield part
                part = _Element(_ITEM)
            part.append(block)
    yield part


def _table(element: _Element) -> _Element:
    made = _Element(element.tag, element.attrib)
    for row in _rows(element):
        line = ElementTree.SubElement(made, _ROW)
        left = _MOST_REPEATED
        for cell in (it for it in row if it.tag in _CELLS):
            count = min(left, _repeated(cell))
            left -= count - 1
            text = _words(cell) if cell.tag == _CELL else ""
            for place in range(count):
                said = text if place == 0 or len(text) <= _LONGEST_REPEATED else ""
                ElementTree.SubElement(ElementTree.SubElement(line, _CELL), _P).text = said
    return made


def _rows(element: _Element) -> Iterator[_Element]:
    for child in element:
        if child.tag == _ROW:
            yield child
        elif child.tag in _ROW_GROUPS:
            yield from _rows(child)


def _repeated(cell: _Element) -> int:
    """How many columns it stands in."""
    said = cell.get(f"{_TABLE}number-columns-repeated", "")
    return int(said) if said.isdecimal() and 0 < len(said) < _LONGEST_COUNT and int(said) else 1


def _words(block: _Element) -> str:
    """All that stands in it on one line."""
    paragraphs = [block] if block.tag in _PARAGRAPHS else _blocks(block)
    return " ".join(filter(None, (" ".join("".join(_read(it)).split()) for it in paragraphs)))


def _read(block: _Element) -> Iterator[str]:
    """The text of a block that is laid out."""
    yield block.text or ""
    for child in block:
        yield from () if child.tag.startswith(_DRAW) else _read(child)
        yield child.tail or ""
    yield " " if block.tag in _PARAGRAPHS or block.tag == _BREAK else ""
