"""The values of a workbook's cells as they are shown: days and times, percentages, shared texts. Numbers keep their digits. Pure.

Source: ECMA-376, SpreadsheetML: shared strings, styles (number formats), the two systems of dates.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from xml.etree import ElementTree

from domain_sdk.extraction.sheet_formats import PLAIN, NumberFormat, number_format

__all__ = ["Values", "local_name", "shared_texts", "text_of"]

_PERCENT_IDS = frozenset({9, 10})
_ELAPSED_ID = 46
_TIME_IDS = frozenset({*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)})
_SAID = re.compile(r'"[^"]*"|\\.|_.|\*.|\[(?!h+\]|m+\]|s+\])[^\]]*\]', re.IGNORECASE)
"""What a format says in words, or how wide and in which colour: not what it does."""
_NOTHING = ";;;"
"""The format that shows nothing."""
_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")
_LEAP_BUG = 60
"""The day that Excel's calendar has and 1900 had not."""
_LAST_DAY = datetime(9999, 12, 31)
_ELAPSED = re.compile(r"\[(h+|m+|s+)\]", re.IGNORECASE)
"""Hours, minutes or seconds that do not begin anew each day, hour or minute."""
_UNITS = {"hours": 3600, "minutes": 60, "seconds": 1}
_LONGEST = 2_958_466
_LARGEST = Decimal(10) ** 21
_TEXTS_A_TELL = 50_000


def local_name(element: ElementTree.Element) -> str:
    """The element's name without its namespace: there are two, of old and of strict files."""
    return element.tag.rpartition("}")[2]


def text_of(element: ElementTree.Element) -> str:
    """The text of a string item, without what says how to pronounce it."""
    parts: list[str] = []
    for child in element:
        if local_name(child) == "t":
            parts.append(child.text or "")
        elif local_name(child) == "r":
            parts.extend(it.text or "" for it in child if local_name(it) == "t")
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), "".join(parts))


def shared_texts(archive: zipfile.ZipFile, part: str, tell: Callable[[], None]) -> list[str]:
    """The texts that cells refer to by their number. `tell` is called now and then."""
    texts: list[str] = []
    with archive.open(part) as file:
        items = ElementTree.iterparse(file, events=("start", "end"))
        _, root = next(items)
        for event, element in items:
            if event == "end" and local_name(element) == "si":
                texts.append(text_of(element))
                root.clear()  # of the items before
                if len(texts) % _TEXTS_A_TELL == 0:
                    tell()
    return texts


@dataclass(slots=True)
class Values:
    """How cells of one workbook are shown. For each style `formats` has what stands beside its numbers, `kinds` what they are.

    "time", "percent", "hours", "minutes" or "seconds" that passed, "nothing" if nothing is shown, or "".
    """

    texts: list[str] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    formats: list[NumberFormat] = field(default_factory=list)
    is_1904: bool = False

    def read_styles(self, styles: ElementTree.Element) -> None:
        """`kinds` and `formats` are those of this part."""
        codes = {it.get("numFmtId", ""): it.get("formatCode", "") for it in styles.iter() if local_name(it) == "numFmt"}
        formats = (it for it in styles if local_name(it) == "cellXfs")
        numbers = [it.get("numFmtId", "0") for some in formats for it in some if local_name(it) == "xf"]
        self.kinds = [_kind(number, codes) for number in numbers]
        said = {number: number_format(code) for number, code in codes.items()}
        self.formats = [said.get(number, PLAIN) for number in numbers]

    def shown(self, kind: str, style: str, value: str) -> str:
        """What stands in a cell of this kind (`s`, `b`, `n` …) and style; a value that is not of its kind as it is written."""
        if kind == "s":
            return self.texts[int(value)] if value.isdecimal() and int(value) < len(self.texts) else ""
        if kind == "b":
            return {"1": "TRUE", "0": "FALSE"}.get(value, value)
        if kind in ("n", ""):
            return self._number(value, style)
        return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), value)

    def is_unseen(self, style: str) -> bool:
        """True for a style whose format shows nothing."""
        return self._kind_of(style) == "nothing"

    def _kind_of(self, style: str) -> str:
        return self.kinds[int(style)] if style.isdecimal() and int(style) < len(self.kinds) else ""

    def _number(self, value: str, style: str) -> str:
        kind = self._kind_of(style)
        try:
            number = float(value)
        except ValueError:
            return value
        if kind == "time" and (moment := _moment(number, is_1904=self.is_1904)):
            return moment
        if kind in _UNITS and 0 <= number < _LONGEST:
            return _passed(round(number * 86_400), kind)
        if kind == "percent":
            return f"{_digits(number * 100)}%"
        digits = _digits(number)
        is_said = not kind and style.isdecimal() and int(style) < len(self.formats)
        return self.formats[int(style)].shown(digits) if is_said else digits


def _kind(number: str, codes: dict[str, str]) -> str:
    if codes.get(number, "").strip() == _NOTHING:
        return "nothing"
    code = _SAID.sub("", codes.get(number, "")).partition(";")[0].lower()
    if number not in codes and number.isdecimal():
        if int(number) == _ELAPSED_ID:
            return "hours"
        return "time" if int(number) in _TIME_IDS else "percent" if int(number) in _PERCENT_IDS else ""
    if passed := _ELAPSED.search(code):
        return next(unit for unit in _UNITS if unit.startswith(passed[1][0]))
    if "%" in code:
        return "percent"
    return "time" if "general" not in code and re.search("[dmyhs]", code) else ""


def _digits(number: float) -> str:
    """The number as Excel keeps it: 15 digits, without exponent where it can be."""
    found = Decimal(f"{number:.15g}")
    return f"{found:f}" if found.is_finite() and abs(found) < _LARGEST else f"{number:.15g}"


def _passed(seconds: int, unit: str) -> str:
    """`26:30` for hours, `1590` for minutes, `95400` for seconds; what is left over where there is some."""
    if unit == "seconds":
        return str(seconds)
    if unit == "minutes":
        return f"{seconds // 60}:{seconds % 60:02}" if seconds % 60 else str(seconds // 60)
    return f"{seconds // 3600}:{seconds // 60 % 60:02}{f':{seconds % 60:02}' if seconds % 60 else ''}"


def _moment(serial: float, *, is_1904: bool) -> str:
    """`2024-03-15`, `2024-03-15 13:30`, or for less than a day `13:30`; seconds where there are some. "" for no day there is."""
    if not 0 <= serial < _LONGEST:
        return ""
    seconds = round((serial % 1) * 86_400)
    day = int(serial) + seconds // 86_400
    seconds %= 86_400
    clock = f"{seconds // 3600:02}:{seconds // 60 % 60:02}{f':{seconds % 60:02}' if seconds % 60 else ''}"
    if day == 0 and not is_1904:
        return clock
    if day == _LEAP_BUG and not is_1904:
        return "1900-02-29"
    start = datetime(1904, 1, 1) if is_1904 else datetime(1899, 12, 31 if day < _LEAP_BUG else 30)
    if day > (_LAST_DAY - start).days:
        return ""
    date = (start + timedelta(days=day)).date().isoformat()
    return f"{date} {clock}" if seconds else date
