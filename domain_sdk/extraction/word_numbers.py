"""The numbers that Word gives paragraphs by itself, written into them: clauses are cited by them, and the text has none of them.

Counted as Word does: a list goes on wherever its paragraphs stand, what is deleted or hidden is not counted, a level begins anew
behind one above it. Source: ECMA-376, WordprocessingML: numbering definitions and their inheritance by styles.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from xml.etree import ElementTree

from domain_sdk.extraction.word_levels import Level, read_levels, value_of

__all__ = ["Numbers"]

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_LIST, _LEVEL = f"{_W}numId", f"{_W}ilvl"
_OF_STYLE = f"{_W}pPr/{_W}numPr"
_PRESERVED = {"{http://www.w3.org/XML/1998/namespace}space": "preserve"}
_GONE = (f"{_W}del", f"{_W}moveFrom", f"{_W}vanish")
_OFF = frozenset({"0", "false", "off"})
_LEVELS = 9
_Element = ElementTree.Element


class Numbers:
    """The lists of one document, from its parts of numbering and of styles. Counts go on from text to text."""

    def __init__(self, numbering: _Element, styles: _Element) -> None:
        found = list(styles.iterfind(f"{_W}style"))
        self._styles = {it.get(f"{_W}styleId", ""): it for it in found}
        defaults = [it for it in found if it.get(f"{_W}type") == "paragraph" and it.get(f"{_W}default", "0") not in _OFF]
        self._default = defaults[0].get(f"{_W}styleId", "") if defaults else ""
        self._abstract = {it.get(f"{_W}abstractNumId", ""): it for it in numbering.iterfind(f"{_W}abstractNum")}
        self._lists = {it.get(_LIST, ""): it for it in numbering.iterfind(f"{_W}num")}
        self._levels: dict[str, Mapping[int, Level]] = {}
        self._counts: dict[str, dict[int, int]] = {}
        self._begins: dict[str, dict[int, int]] = {}
        self._begun: set[tuple[str, int]] = set()

    def write(self, root: _Element) -> None:
        """Paragraphs of `root` begin with their numbers; what bullets styles give them, they have themselves."""
        in_cells = {id(it) for cell in root.iter(f"{_W}tc") for it in cell}
        for paragraph in root.iter(f"{_W}p"):
            number, place = self._place(paragraph)
            says = any((it.text or "").strip() for it in paragraph.iter(f"{_W}t"))
            _take_from_list(paragraph)
            if number not in self._lists or (not says and _is_gone(paragraph)):
                continue
            level = self._levels_of(number).get(place)
            if level is None or level.is_bullet:
                if level is not None and says:
                    _put_in_list(paragraph, number, place)
                continue
            label = self._next(number, place, level)
            if label and (says or id(paragraph) in in_cells):
                _begin_with(paragraph, label)

    def _place(self, paragraph: _Element) -> tuple[str, int]:
        """Which list the paragraph is of, "" for none, and at which level."""
        own = paragraph.find(_OF_STYLE)
        styles = list(self._based(value_of(paragraph.find(f"{_W}pPr"), "pStyle") or self._default))
        marks = [own, *(it.find(_OF_STYLE) for it in styles)]
        number = next((found for mark in marks if (found := value_of(mark, "numId"))), "")
        level = next((found for mark in marks if (found := value_of(mark, "ilvl"))), "0")
        if number in self._lists and not value_of(own, "ilvl"):
            by_style = {it.style: str(place) for place, it in self._levels_of(number).items() if it.style}
            names = (it.get(f"{_W}styleId", "") for it in styles)
            level = next((by_style[name] for name in names if name in by_style), level)
        return number, int(level) if level.isdecimal() and len(level) == 1 else 0

    def _based(self, name: str) -> Iterator[_Element]:
        """The style, and those that it is based on."""
        seen: set[str] = set()
        while name in self._styles and name not in seen:
            seen.add(name)
            yield self._styles[name]
            name = value_of(self._styles[name], "basedOn")

    def _definition(self, number: str) -> str:
        """What the list is an instance of, and counted with; a style of lists may stand between."""
        key = value_of(self._lists.get(number), "abstractNumId")
        style = self._styles.get(value_of(self._abstract.get(key), "numStyleLink"))
        linked = value_of(style.find(_OF_STYLE), "numId") if style is not None else ""
        return value_of(self._lists.get(linked), "abstractNumId") or key

    def _levels_of(self, number: str) -> Mapping[int, Level]:
        if number not in self._levels:
            own = self._lists[number]
            general = self._abstract.get(self._definition(number))
            self._levels[number] = read_levels(general) | read_levels(own)
            self._begins[number] = {
                int(place): int(start)
                for it in own.iterfind(f"{_W}lvlOverride")
                if (start := value_of(it, "startOverride")).isdecimal() and (place := it.get(_LEVEL, "0")).isdecimal()
            }
        return self._levels[number]

    def _next(self, number: str, place: int, level: Level) -> str:
        """The label of the list's next paragraph at this level."""
        levels = self._levels_of(number)
        counts = self._counts.setdefault(self._definition(number), {})
        begins = self._begins[number].get(place)
        if begins is not None and (place not in counts or (number, place) not in self._begun):
            counts[place] = begins
        else:
            counts[place] = counts.get(place, level.start - 1) + 1
        self._begun.add((number, place))
        for below in range(place + 1, _LEVELS):
            if below not in levels or place < levels[below].restarts_behind:
                counts.pop(below, None)
        return level.label({it: counts.get(it, levels[it].start) for it in levels if it <= place}, levels)


def _is_gone(paragraph: _Element) -> bool:
    """True if its end was deleted or is hidden, too: nothing is left of it."""
    mark = paragraph.find(f"{_W}pPr/{_W}rPr")
    return mark is not None and any(it.tag in _GONE and it.get(f"{_W}val", "1") not in _OFF for it in mark)


def _take_from_list(paragraph: _Element) -> None:
    properties = paragraph.find(f"{_W}pPr")
    for own in properties.findall(f"{_W}numPr") if properties is not None else ():
        assert properties is not None
        properties.remove(own)


def _put_in_list(paragraph: _Element, number: str, place: int) -> None:
    properties = paragraph.find(f"{_W}pPr")
    if properties is None:
        properties = _Element(f"{_W}pPr")
        paragraph.insert(0, properties)
    mark = ElementTree.SubElement(properties, f"{_W}numPr")
    ElementTree.SubElement(mark, _LEVEL, {f"{_W}val": str(place)})
    ElementTree.SubElement(mark, _LIST, {f"{_W}val": number})


def _begin_with(paragraph: _Element, label: str) -> None:
    run = _Element(f"{_W}r")
    ElementTree.SubElement(run, f"{_W}t", _PRESERVED).text = label
    paragraph.insert(len(paragraph.findall(f"{_W}pPr")), run)
