"""The characters of a PDF page with their boxes, in PDFium's order. Loaded in the child process only.

Most of what reading a PDF takes is asking PDFium about every character of it: what is asked is asked in the cheapest way.
"""

from __future__ import annotations

import ctypes
import re
from array import array
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import compress, pairwise, repeat
from operator import ne, sub
from typing import Any

from domain_sdk.extraction.pdf_calls import Address, address_of, asked
from domain_sdk.extraction.pdf_places import LINE_END_HYPHEN, PaperChars

__all__ = ["read_characters"]

_BOLD = 600
_BOLD_EVERY = 8
"""Characters between two looks at the font."""
_LONGEST_NAME = 96
_SIDES = 4
"""Of a box: left, top, right, bottom."""
_FLOAT = ctypes.sizeof(ctypes.c_float)
_WITHIN_WORD = re.compile(r"(?<=\S)\n+(?=\S)")
_TOUCHING = 0.05
"""Of their size: letters so near are of one word."""
_HALF = re.compile("[\ud800-\udfff]")
_NO_CHARACTERS = frozenset("\0\ufffe\uffff")
_SILENT = re.compile("[\n\0\ufffe\uffff]+")


def read_characters(page: Any) -> PaperChars:  # noqa: ANN401  (pypdfium2 ships no types)
    """The page's characters, without those that are none; halves of a character that belong together are one."""
    text_page = page.get_textpage()
    try:
        handle = address_of(text_page)
        text = _text(handle, max(0, text_page.count_chars()))
        left, top, right, bottom = _boxes(handle, len(text))
        text = _with_whole_words(text, left, right, bottom, list(map(sub, top, bottom)))
        is_bold = _bold(handle, text, list(map(sub, top, bottom)))
    finally:
        text_page.close()
    if _NO_CHARACTERS.isdisjoint(text):
        return PaperChars(text, left, bottom, right, top, is_bold)
    kept = [char not in _NO_CHARACTERS for char in text]
    left, bottom, right, top = (list(compress(side, kept)) for side in (left, bottom, right, top))
    return PaperChars("".join(compress(text, kept)), left, bottom, right, top, list(compress(is_bold, kept)))


def _text(handle: Address, length: int) -> str:
    """A character for each that PDFium counts, a line feed for all ends of lines."""
    units = array("H", bytes(4 * (length + 1)))
    place = Address(units.buffer_info()[0])
    written = asked("FPDFText_GetText", ctypes.c_int)(handle, 0, length, place)
    text = units[: max(0, written)].tobytes().decode("utf-16-le", "surrogatepass")
    if written == len(text) == length + 1:
        text = text[:-1].replace("\ufffe", LINE_END_HYPHEN)
    else:  # some are not in it, or two units each: where, it does not tell
        codes = map(asked("FPDFText_GetUnicode", ctypes.c_uint), repeat(handle, length), range(length))
        text = "".join(map(chr, codes))
    return _with_whole_characters(text).replace("\r", "\n")


def _with_whole_characters(text: str) -> str:
    """Two halves as one character at the place of the second, with NUL at that of the first; a lone second half as U+FFFD."""
    if not _HALF.search(text):
        return text
    whole: list[str] = []
    high = 0
    for char in text:
        code = ord(char)
        if 0xD800 <= code < 0xDC00:
            high = code
            whole.append("\0")
        elif 0xDC00 <= code < 0xE000:
            whole.append(chr(0x10000 + ((high - 0xD800) << 10) + (code - 0xDC00)) if high else "\ufffd")
            high = 0
        else:
            whole.append(char)
    return "".join(whole)


def _with_whole_words(
    text: str, left: Sequence[float], right: Sequence[float], bottom: Sequence[float], sizes: Sequence[float]
) -> str:
    """The text with NUL for ends of lines between letters that touch: PDFium puts them where each letter is drawn alone."""
    if "\n" not in text:
        return text
    whole = list(text)
    for found in _WITHIN_WORD.finditer(text):
        before, after = found.start() - 1, found.end()
        near = _TOUCHING * sizes[before]
        if abs(left[after] - right[before]) <= near and abs(bottom[after] - bottom[before]) <= near:
            whole[before + 1 : after] = "\0" * (after - before - 1)
    return "".join(whole)


def _boxes(handle: Address, length: int) -> Iterator[list[float]]:
    """A column for each side of the characters' boxes."""
    boxes = array("f", bytes(_SIDES * length * _FLOAT))
    written = (ctypes.c_float * len(boxes)).from_buffer(boxes)
    places = map(ctypes.byref, repeat(written), range(0, len(boxes) * _FLOAT, _SIDES * _FLOAT))
    deque(map(asked("FPDFText_GetLooseCharBox", ctypes.c_int), repeat(handle), range(length), places), maxlen=0)
    return (boxes[side::_SIDES].tolist() for side in range(_SIDES))


def _bold(handle: Address, text: str, sizes: Sequence[float]) -> list[bool]:
    """Whether each character is bold: looked up where the size changes, and every few characters."""
    bold = [False] * len(text)
    drawn, font_of = asked("FPDFText_GetTextObject", Address), asked("FPDFTextObj_GetFont", ctypes.c_void_p)
    known: dict[int, bool] = {}
    is_bold, previous_size = False, -1.0
    for begin, end in _runs(text):
        if is_bold:
            bold[begin:end] = [True] * (end - begin)
        run = sizes[begin:end]
        changes = compress(range(begin, end), map(ne, run, (previous_size, *run)))
        previous_size = run[-1]
        for place in sorted({*changes, *range(begin + -begin % _BOLD_EVERY, end, _BOLD_EVERY)}):
            text_object = drawn(handle, place)
            font = font_of(text_object) if text_object else None
            found = known.get(font or 0)
            if found is None:
                found = known[font or 0] = _is_bold(handle, place)
            if found != is_bold:
                is_bold = found
                bold[place:end] = [is_bold] * (end - place)
    return bold


def _runs(text: str) -> Iterator[tuple[int, int]]:
    """Where characters stand that are some, and no ends of lines."""
    silent = [(0, 0), *(found.span() for found in _SILENT.finditer(text)), (len(text), len(text))]
    return ((end, begin) for (_, end), (begin, _) in pairwise(silent) if end < begin)


def _is_bold(handle: Address, index: int) -> bool:
    """True by the font's weight or its name."""
    if asked("FPDFText_GetFontWeight", ctypes.c_int)(handle, index) >= _BOLD:
        return True
    name = ctypes.create_string_buffer(_LONGEST_NAME)
    font = asked("FPDFText_GetFontInfo", ctypes.c_ulong)(handle, index, name, ctypes.c_ulong(_LONGEST_NAME), None)
    if not 0 < font <= _LONGEST_NAME:  # nothing was written
        return False
    written = name.value.lower()
    return b"bold" in written or b"black" in written
