"""How a level of a Word list writes its numbers: digits, letters or Roman digits between other characters. Pure.

Source: ECMA-376, WordprocessingML: `lvl`, and the number formats of simple types.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from xml.etree import ElementTree

from domain_sdk._numerals import letters, roman

__all__ = ["Level", "read_levels", "value_of"]

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_OFF = frozenset({"0", "false", "off"})
_ENDS = {1: "st", 2: "nd", 3: "rd"}


@dataclass(frozen=True, slots=True)
class Level:
    """One level. `text` has `%1` for the number of the first level, and so on; `style` numbers its paragraphs at this level."""

    start: int
    kind: str
    text: str
    style: str
    restarts_behind: int
    """Levels above this many, from 1, make it begin anew; 0 for none."""
    is_all_digits: bool
    gap: str

    @property
    def is_bullet(self) -> bool:
        """True if it is marked, not numbered."""
        return self.kind == "bullet"

    def label(self, counts: Mapping[int, int], levels: Mapping[int, Level]) -> str:
        """What stands before a paragraph where its level and those above have these counts; "" for nothing."""
        label = self.text
        for place, count in counts.items():
            kind = "decimal" if self.is_all_digits and levels[place].kind != "none" else levels[place].kind
            label = label.replace(f"%{place + 1}", _WRITTEN.get(kind, str)(count))
        return f"{label}{self.gap}" if label.strip() else ""


def value_of(element: ElementTree.Element | None, name: str) -> str:
    """The value of the child of this name; "" if there is none."""
    child = element.find(f"{_W}{name}") if element is not None else None
    return child.get(f"{_W}val", "") if child is not None else ""


def read_levels(definition: ElementTree.Element | None) -> dict[int, Level]:
    """The levels that a list, or what it is an instance of, defines: place from 0 → level."""
    found = definition.iter(f"{_W}lvl") if definition is not None else ()
    places = ((it.get(f"{_W}ilvl", "0"), it) for it in found)
    return {int(place): _level(it, int(place)) for place, it in places if place.isdecimal() and len(place) == 1}


def _level(lvl: ElementTree.Element, place: int) -> Level:
    start, restart = value_of(lvl, "start"), value_of(lvl, "lvlRestart")
    kinds = [it.get(f"{_W}val", "") for it in lvl.iter(f"{_W}numFmt")]  # the last is what older programs read
    digits = lvl.find(f"{_W}isLgl")
    hidden = lvl.find(f"{_W}rPr/{_W}vanish")
    is_hidden = hidden is not None and hidden.get(f"{_W}val", "1") not in _OFF
    return Level(
        start=int(start) if start.isdecimal() else 0,
        kind=kinds[-1] if kinds else "decimal",
        text="" if is_hidden else value_of(lvl, "lvlText"),
        style=value_of(lvl, "pStyle"),
        restarts_behind=int(restart) if restart.isdecimal() else place,
        is_all_digits=digits is not None and digits.get(f"{_W}val", "1") not in _OFF,
        gap="" if value_of(lvl, "suff") == "nothing" else " ",
    )


def _ordinal(count: int) -> str:
    return f"{count}{'th' if 10 < count % 100 < 14 else _ENDS.get(count % 10, 'th')}"


_WRITTEN: Mapping[str, Callable[[int], str]] = {
    "lowerLetter": letters,
    "upperLetter": lambda count: letters(count).upper(),
    "lowerRoman": roman,
    "upperRoman": lambda count: roman(count).upper(),
    "decimalZero": lambda count: f"{count:02}",
    "ordinal": _ordinal,
    "none": lambda count: "",
}
"""Kinds of numbers that are no plain digits; those of other languages are written in digits."""
