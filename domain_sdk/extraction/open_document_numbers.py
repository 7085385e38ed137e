"""The numbers that OpenDocument texts count by themselves, written into them: clauses are cited by them, and the text has none.

Items that are numbered become paragraphs that begin with their number, as in Word; bullets stay. An item that holds a deeper list
alone is counted only if none was before it at its level: so lists go on that were parted, as LibreOffice writes and counts them.
Source: OpenDocument 1.3, part 3 (lists, headings, list styles, the outline style).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import count, islice
from xml.etree import ElementTree

from domain_sdk.extraction.open_document_levels import LEVELS, read_styles, whole_number

__all__ = ["write_numbers"]

_TEXT = "{urn:oasis:names:tc:opendocument:xmlns:text:1.0}"
_OFFICE = "{urn:oasis:names:tc:opendocument:xmlns:office:1.0}"
_CELL = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}table-cell"
_ID = "{http://www.w3.org/XML/1998/namespace}id"
_P, _H, _LIST, _ITEM = (f"{_TEXT}{name}" for name in ("p", "h", "list", "list-item"))
_ALONE, _NUMBER = f"{_TEXT}numbered-paragraph", f"{_TEXT}number"
_PARAGRAPHS, _ITEMS = frozenset({_P, _H}), frozenset({_ITEM, f"{_TEXT}list-header"})
_NOT_COUNTED = frozenset({f"{_TEXT}tracked-changes", f"{_OFFICE}annotation"})
_STYLE_NAME, _START, _GOES_ON = f"{_TEXT}style-name", f"{_TEXT}start-value", f"{_TEXT}continue-numbering"
_MOST_LOOKED_AT = 1_000
"""Pieces of a paragraph that might say something."""
_Element = ElementTree.Element


@dataclass(frozen=True, slots=True)
class _Place:
    """Where an item stands: in which list, counted with those that it goes on from, at which level, of which style."""

    counted_as: str
    level: int
    style: str


def write_numbers(root: _Element, parts: Iterable[_Element]) -> None:
    """Paragraphs and headings of the body begin with their numbers; `parts` hold the styles, of which the last goes before."""
    numbers = _Numbers(parts)
    for body in root.iter(f"{_OFFICE}text"):
        numbers.write(body)


class _Numbers:
    def __init__(self, parts: Iterable[_Element]) -> None:
        styles = read_styles(parts)
        self._styles, self._of_paragraphs, self._outline = styles.levels, styles.of_paragraphs, styles.outline
        self._counts: dict[str, dict[int, int]] = {}
        self._counted_as: dict[str, str] = {}
        self._last: dict[str, str] = {}
        self._fresh = count()
        self._cells_around = 0

    def write(self, parent: _Element) -> None:
        """What stands in the element is numbered, and its lists of numbers are paragraphs."""
        if parent.tag in _NOT_COUNTED:
            return
        self._cells_around += parent.tag == _CELL
        made: list[_Element] = []
        for child in parent:
            if child.tag == _LIST:
                made += self._list(child, None)
                continue
            if child.tag == _H and parent.tag != _ALONE:
                self._heading(child)
            elif child.tag == _ALONE:
                self._paragraph_alone(child)
            self.write(child)
            made.append(child)
        parent[:] = made
        self._cells_around -= parent.tag == _CELL

    def _heading(self, heading: _Element) -> None:
        """The heading has its number of the outline, if its style is not taken out of it."""
        level = whole_number(heading.get(f"{_TEXT}outline-level")) or 1
        is_taken_out = self._of_paragraphs.get(heading.get(_STYLE_NAME, "")) == ""
        if self._outline and not is_taken_out and heading.get(f"{_TEXT}is-list-header") != "true":
            if heading.get(f"{_TEXT}restart-numbering") == "true":
                self._begin_anew(self._outline, level)
            self._count(heading, heading, _Place(self._outline, level, self._outline))

    def _paragraph_alone(self, around: _Element) -> None:
        style, its_list = around.get(_STYLE_NAME, ""), around.get(f"{_TEXT}list-id")
        key = f"paragraphs {its_list}" if its_list else self._key(around, style)
        for number in around.findall(_NUMBER):
            around.remove(number)
        for paragraph in (it for it in around if it.tag in _PARAGRAPHS):
            self._count(paragraph, around, _Place(key, whole_number(around.get(f"{_TEXT}level")) or 1, style))

    def _list(self, element: _Element, around: _Place | None) -> Iterator[_Element]:
        """What the list becomes: lists of what is not numbered, and between them what is."""
        style = element.get(_STYLE_NAME) or (around.style if around is not None else "")
        key = around.counted_as if around is not None else self._key(element, style)
        place = _Place(key, around.level + 1 if around is not None else 1, style)
        unnumbered: _Element | None = None
        for item in (it for it in element if it.tag in _ITEMS):
            for block in self._item(item, place):
                if block.tag not in _ITEMS:
                    unnumbered = None
                    yield block
                    continue
                if unnumbered is None:
                    unnumbered = _Element(_LIST, element.attrib)
                    yield unnumbered
                unnumbered.append(block)

    def _item(self, item: _Element, place: _Place) -> Iterator[_Element]:
        """The blocks of a numbered item; of another items again, and between them what is numbered in it."""
        first = next((it for it in item if it.tag in _PARAGRAPHS or it.tag == _LIST), item)
        style = item.get(f"{_TEXT}style-override") or place.style
        if style not in self._styles and first.tag in _PARAGRAPHS:
            style = self._of_paragraphs.get(first.get(_STYLE_NAME, "")) or style
        if first.tag == _H and style not in self._styles:
            self._heading(first)
        elif first is not item and item.tag == _ITEM:
            self._count(first, item, _Place(place.counted_as, place.level, style))
        is_numbered = place.level in self._styles.get(style, ())
        own: _Element | None = None
        is_parted = False
        for block, is_of_list in self._within(item, place):
            if is_numbered or (is_of_list and (block.tag != _LIST or (is_parted and own is None))):
                own, is_parted = None, True
                yield block
                continue
            if own is None:
                own = _Element(item.tag, item.attrib)
                yield own
            own.append(block)

    def _within(self, item: _Element, place: _Place) -> Iterator[tuple[_Element, bool]]:
        """The blocks of the item, and whether a list in it became them; a second one begins anew."""
        has_list = False
        for child in item:
            if child.tag == _LIST:
                if has_list and child.get(_GOES_ON) != "true":
                    self._begin_anew(place.counted_as, place.level + 1)
                has_list = True
                yield from ((it, True) for it in self._list(child, place))
            elif child.tag != _NUMBER:
                self.write(child)
                yield child, False

    def _key(self, element: _Element, style: str) -> str:
        """What the list is counted as: itself, or that which it goes on from."""
        key = self._counted_as.get(element.get(f"{_TEXT}continue-list", ""), "")
        if not key and element.get(_GOES_ON) == "true":
            key = self._last.get(style, "")
        if style == self._outline:
            key = self._outline
        self._last[style] = key or f"list {next(self._fresh)}"
        if its_id := element.get(_ID):
            self._counted_as[its_id] = self._last[style]
        return self._last[style]

    def _begin_anew(self, counted_as: str, level: int) -> None:
        counts = self._counts.get(counted_as, {})
        for place in range(level, LEVELS + 1):
            counts.pop(place, None)

    def _count(self, first: _Element, said: _Element, place: _Place) -> None:
        """The next one is counted, and begins with its number if it is numbered; a deeper list at its begin counts none."""
        levels, counts = self._styles.get(place.style, {}), self._counts.setdefault(place.counted_as, {})
        if place.level > LEVELS:
            return
        for above in range(1, place.level + (first.tag == _LIST)):
            counts.setdefault(above, levels[above].start if above in levels else 1)
        if first.tag == _LIST:
            return
        level, start = levels.get(place.level), whole_number(said.get(_START))
        begin = level.start if level is not None else 1
        counts[place.level] = counts.get(place.level, begin - 1) + 1 if start is None else start
        self._begin_anew(place.counted_as, place.level + 1)
        label = level.label(counts, levels) if level is not None else ""
        if label and (self._cells_around or _says_something(first)):
            _begin_with(first, label)


def _says_something(paragraph: _Element) -> bool:
    pieces = islice(paragraph.iter(), _MOST_LOOKED_AT)
    return any((it.text or "").strip() or (it is not paragraph and (it.tail or "").strip()) for it in pieces)


def _begin_with(paragraph: _Element, label: str) -> None:
    """Its number stands in it; what another program counted does not."""
    text = paragraph.text or ""
    if len(paragraph) and paragraph[0].tag == _NUMBER:
        text = f"{text}{paragraph[0].tail or ''}"
        del paragraph[0]
    paragraph.text = f"{label}{text.lstrip()}"
