"""A text as its reader sees it: usual spaces, dashes and digits, nothing that is invisible, full lines joined.

Word processors and mail programs write `DE89 3704` with spaces that do not break, hyphens that do not show, and line ends in the
middle of a number. Detectors look at the readable text; every place in it leads back to the text. Pure.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from dataclasses import dataclass, field, replace

from mesh_core.pii.findings import Finding

__all__ = ["INVISIBLE", "ReadableText", "readable"]

INVISIBLE = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufe00-\ufe0f\ufeff"
)
"""What shows nothing, as the inside of a character class: soft hyphens, joiners, marks of direction and of variants."""
_SPACES = "\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000"
_DASHES = "\u2010-\u2015\u2212\ufe58\ufe63"
_WRAPPED = re.compile(r"(?<=[^\n]{40})\n(?=[^\s>|#*+])")
"""The end of a line that is full: what stands there goes on in the next one."""
_ONE_BY_ONE = (
    rf"(?<=[^\W\d_])[-\u00ad\u2010]\n(?=[^\W\d_])|[{INVISIBLE}]+|[{_SPACES}]|[{_DASHES}]|[\uff01-\uff5e]|[^\x00-\x7f](?<=\d)"
)
_SPECIAL = re.compile(rf"{_ONE_BY_ONE}|[^\W\d_][\u0300-\u036f]{{1,8}}")
_SPECIAL_WITHOUT_MARKS = re.compile(rf"(?=[^\x00-,.-\x7f])(?:{_ONE_BY_ONE})")
"""The same for a text without combining marks: most characters are ruled out at once."""
_MARK = re.compile("[\u0300-\u036f]")


@dataclass(frozen=True, slots=True)
class ReadableText:
    """The readable text, and where its characters are from."""

    text: str
    _starts: list[int] = field(default_factory=list)
    _shifts: list[int] = field(default_factory=list)
    """From `_starts` on, a place in the original is so many characters further."""

    def origin(self, place: int) -> int:
        """Where the character at this place is in the original."""
        found = bisect_right(self._starts, place)
        return place + (self._shifts[found - 1] if found else 0)

    def original(self, finding: Finding) -> Finding:
        """The finding at its place in the original."""
        if not self._starts:
            return finding
        return replace(finding, start=self.origin(finding.start), end=self.origin(finding.end))


def readable(text: str | ReadableText) -> ReadableText:
    """The text as it reads; the very same if it has nothing of the kind, or was made readable already."""
    if isinstance(text, ReadableText):
        return text
    if "\n" not in text and text.isascii():
        return ReadableText(text)
    return _without_specials(text)


def _without_specials(text: str) -> ReadableText:
    parts: list[str] = []
    starts: list[int] = []
    shifts: list[int] = []
    place = length = 0
    special = _SPECIAL if _MARK.search(text) else _SPECIAL_WITHOUT_MARKS
    for match in special.finditer(text):
        parts.append(text[place : match.start()])
        shown = _shown(match.group(), behind=text[match.end() : match.end() + 1])
        parts.append(shown)
        length += match.start() - place + len(shown)
        place = match.end()
        if place - length != (shifts[-1] if shifts else 0):
            starts.append(length)
            shifts.append(place - length)
    parts.append(text[place:])
    whole = "".join(parts)
    return ReadableText(_WRAPPED.sub(" ", whole), starts, shifts)


def _shown(special: str, *, behind: str) -> str:
    """What a reader sees of it: at most as many characters. A hyphen at a line's end stays before a capital: `Anna-Maria`."""
    first = special[0]
    if special.endswith("\n"):
        return "-" if behind.isupper() and first != "\u00ad" else ""
    if len(special) > 1 and first.isalpha():
        composed = unicodedata.normalize("NFC", special)
        return composed if len(composed) < len(special) else special
    if first.isspace():
        return " "
    if first.isdigit() and first.isdecimal():
        return str(unicodedata.decimal(first))
    if "\uff01" <= first <= "\uff5e":
        return chr(ord(first) - 0xFEE0)
    return "-" if unicodedata.category(first) in ("Pd", "Sm") else ""
