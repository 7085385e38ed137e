"""How the levels of OpenDocument lists, and of the outline, write their numbers, and which styles are of which list. Pure.

Source: OpenDocument 1.3, part 3 (list styles, the outline style, `style:num-format`); 1.4 for the format of a whole label.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from xml.etree import ElementTree

from domain_sdk._numerals import letters, roman

__all__ = ["LEVELS", "Level", "Styles", "read_styles", "whole_number"]

LEVELS = 10
"""What lists and outlines can have."""
_TEXT = "{urn:oasis:names:tc:opendocument:xmlns:text:1.0}"
_STYLE = "{urn:oasis:names:tc:opendocument:xmlns:style:1.0}"
_WHOLE = (f"{_STYLE}num-list-format", "{urn:org:documentfoundation:names:experimental:office:xmlns:loext:1.0}num-list-format")
_NUMBERED = frozenset({f"{_TEXT}list-level-style-number", f"{_TEXT}outline-level-style"})
_PLACE = re.compile(r"%([1-9]|10)%(\.?)")
_MOST_ABOVE = 20
"""Styles that a style may be based on, one on the other."""
_LONGEST_COUNT = 8
_LONGEST_LABEL = 100
"""Characters around numbers; a document that has more would be mostly these."""


@dataclass(frozen=True, slots=True)
class Level:
    """One level that is numbered. `text` has `%1%` for the number of the first level, and so on."""

    start: int
    kind: str
    """The number 1 in it: digits, letters or Roman digits; "" if its numbers are not shown."""
    is_doubled: bool
    """After `z` comes `aa`, then `bb`; else `ab`."""
    text: str
    gap: str

    def label(self, counts: Mapping[int, int], levels: Mapping[int, Level]) -> str:
        """What stands before a paragraph where its level and those above have these counts; "" for nothing."""

        def written(found: re.Match[str]) -> str:
            place = int(found[1])
            level = levels.get(place)
            return f"{level.written(counts.get(place, level.start))}{found[2]}" if level is not None and level.kind else ""

        label = _PLACE.sub(written, self.text).strip()
        return f"{label}{self.gap}" if label else ""

    def written(self, count: int) -> str:
        """The number in the kind of this level; in digits if it is of another language."""
        if self.kind.lower() == "a":
            text = letters(count) if self.is_doubled else _in_order(count)
        else:
            text = _KINDS.get(self.kind.lower(), str)(count)
        return text.upper() if self.kind.isupper() else text


@dataclass(frozen=True, slots=True)
class Styles:
    """What the styles of a document say of numbers."""

    levels: Mapping[str, Mapping[int, Level]]
    """Of each list style, and of the outline, the levels that it numbers, from 1."""
    of_paragraphs: Mapping[str, str | None]
    """Style of paragraphs → the list that it is of; "" for taken out of any, None where nothing says."""
    outline: str
    """What the list of headings is called; "" if there is none."""


def read_styles(parts: Iterable[ElementTree.Element]) -> Styles:
    """The styles of these parts, of which a later one goes before."""
    levels: dict[str, Mapping[int, Level]] = {}
    said: dict[str, tuple[str | None, str]] = {}
    outline = ""
    for style in (it for root in parts for it in root.iter()):
        name = style.get(f"{_STYLE}name", "")
        if style.tag == f"{_TEXT}outline-style":
            outline = name or "Outline"
            levels[outline] = _levels(style)
        elif style.tag == f"{_TEXT}list-style":
            levels[name] = _levels(style)
        elif style.tag == f"{_STYLE}style" and style.get(f"{_STYLE}family") == "paragraph":
            said[name] = style.get(f"{_STYLE}list-style-name"), style.get(f"{_STYLE}parent-style-name", "")
    return Styles(levels, {name: _list_style(name, said) for name in said}, outline)


def _levels(style: ElementTree.Element) -> dict[int, Level]:
    places = ((whole_number(it.get(f"{_TEXT}level")), it) for it in style if it.tag in _NUMBERED)
    return {place: _level(it, place) for place, it in places if place is not None and 0 < place <= LEVELS}


def whole_number(said: str | None) -> int | None:
    """The number; None if there is none, or none that anybody counts to."""
    return int(said) if said and said.isdecimal() and len(said) <= _LONGEST_COUNT else None


def _list_style(name: str, said: Mapping[str, tuple[str | None, str]]) -> str | None:
    own, above = said.get(name, (None, ""))
    for _ in range(_MOST_ABOVE):
        if own is not None or not above:
            break
        own, above = said.get(above, (None, ""))
    return own


def _level(said: ElementTree.Element, place: int) -> Level:
    kind, start = said.get(f"{_STYLE}num-format", ""), whole_number(said.get(f"{_TEXT}start-value"))
    above = min(whole_number(said.get(f"{_TEXT}display-levels")) or 1, place) - 1
    parts = ".".join(f"%{it}%" for it in range(place - above, place + 1)) if kind else ""
    around = said.get(f"{_STYLE}num-prefix", ""), said.get(f"{_STYLE}num-suffix", "")
    whole = next((text for name in _WHOLE if (text := said.get(name))), parts and parts.join(around))
    follows = next((it.get(f"{_TEXT}label-followed-by") for it in said.iter(f"{_STYLE}list-level-label-alignment")), "")
    return Level(
        start=1 if start is None else start,
        kind=kind,
        is_doubled=said.get(f"{_STYLE}num-letter-sync") == "true",
        text=whole if len(whole) <= _LONGEST_LABEL else "",
        gap="" if follows == "nothing" else " ",
    )


def _in_order(number: int) -> str:
    """From `a` to `z`, then `aa`, `ab` and so on; digits for what is no place in that row."""
    written, left = "", number
    while left > 0:
        left, place = divmod(left - 1, 26)
        written = f"{chr(ord('a') + place)}{written}"
    return written or str(number)


_KINDS: Mapping[str, Callable[[int], str]] = {"i": roman, "01, 02, 03, ...": lambda count: f"{count:02}"}
