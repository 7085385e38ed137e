"""The characters of a PDF page with their boxes, in PDFium's order. Loaded in the child process only.

Most of what reading a PDF takes is asking PDFium about every character of it: what is asked is asked in the cheapest way.
"""

from __future__ import annotations

import ctypes
import re
from array import array
from collections.abc import Iterable
from functools import cache
from itertools import repeat
from operator import sub
from typing import Any

from domain_sdk.extraction.pdf_places import LINE_END_HYPHEN, PaperChar

__all__ = ["read_characters"]

_BOLD = 600
_BOLD_EVERY = 8
"""Characters between two looks at the font, which cost more than all else of a character."""
_LONGEST_NAME = 96
_BOX = 4 * 4
"""Bytes of four floats: left, top, right, bottom."""
_HALF = re.compile("[\ud800-\udfff]")
_NO_CHARACTERS = frozenset("\0\ufffe\uffff")


def read_characters(page: Any) -> list[PaperChar]:  # noqa: ANN401  (pypdfium2 ships no types)
    """The page's characters, without those that are none; halves of a character that belong together are one."""
    text_page = page.get_textpage()
    try:
        handle = ctypes.cast(text_page.raw, ctypes.c_void_p).value or 0
        text = _text(handle, max(0, text_page.count_chars()))
        boxes = _boxes(handle, len(text))
        bold = _bold(handle, text, map(sub, boxes[1::4], boxes[3::4]))
    finally:
        text_page.close()
    chars = zip(text, boxes[::4], boxes[3::4], boxes[2::4], boxes[1::4], bold, strict=True)
    return list(chars) if _NO_CHARACTERS.isdisjoint(text) else [char for char in chars if char[0] not in _NO_CHARACTERS]


def _text(handle: int, length: int) -> str:
    """A character for each that PDFium counts, a line feed for all ends of lines."""
    units = array("H", bytes(4 * (length + 1)))
    place, _ = units.buffer_info()
    written = _asked("FPDFText_GetText", ctypes.c_int, ctypes.c_int, ctypes.c_void_p)(handle, 0, length, place)
    text = units[: max(0, written)].tobytes().decode("utf-16-le", "surrogatepass")
    if written == len(text) == length + 1:
        text = text[:-1].replace("\ufffe", LINE_END_HYPHEN)
    else:  # some are not in it, or two units each: where, it does not tell
        codes = map(_asked("FPDFText_GetUnicode", ctypes.c_uint), repeat(handle, length), range(length))
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


def _boxes(handle: int, length: int) -> array[float]:
    """The box of each character, one after the other."""
    boxes = array("f", bytes(_BOX * length))
    first, _ = boxes.buffer_info()
    box_of = _asked("FPDFText_GetLooseCharBox", ctypes.c_int, ctypes.c_void_p)
    for _ in map(box_of, repeat(handle), range(length), range(first, first + _BOX * length, _BOX)):
        pass
    return boxes


def _bold(handle: int, text: str, sizes: Iterable[float]) -> list[bool]:
    """Whether each character is bold: looked up where the size changes, and every few characters."""
    bold: list[bool] = []
    drawn = _asked("FPDFText_GetTextObject", ctypes.c_void_p)
    known: dict[int | None, bool] = {}
    """By what draws the characters: all that one text object draws are of one font."""
    is_bold, previous_size = False, -1.0
    for index, (char, size) in enumerate(zip(text, sizes, strict=True)):
        if char == "\n" or char in _NO_CHARACTERS:
            bold.append(False)
            continue
        if size != previous_size or index % _BOLD_EVERY == 0:
            text_object, previous_size = drawn(handle, index), size
            found = known.get(text_object)
            is_bold = known[text_object] = _is_bold(handle, index) if found is None else found
        bold.append(is_bold)
    return bold


def _is_bold(handle: int, index: int) -> bool:
    """True by the font's weight or its name."""
    if _asked("FPDFText_GetFontWeight", ctypes.c_int)(handle, index) >= _BOLD:
        return True
    name = ctypes.create_string_buffer(_LONGEST_NAME)
    font = _asked("FPDFText_GetFontInfo", ctypes.c_ulong, ctypes.c_void_p, ctypes.c_ulong, ctypes.c_void_p)
    if not 0 < font(handle, index, ctypes.addressof(name), _LONGEST_NAME, None) <= _LONGEST_NAME:  # nothing was written
        return False
    written = name.value.lower()
    return b"bold" in written or b"black" in written


@cache
def _asked(function: str, result: Any, *more: Any) -> Any:  # noqa: ANN401  (kinds of ctypes)
    """PDFium's function of a text page, a place on it and `more`, called with addresses as numbers: at half of the price."""
    import pypdfium2.raw as pdfium

    address = ctypes.cast(getattr(pdfium, function), ctypes.c_void_p).value or 0
    return ctypes.PYFUNCTYPE(result, ctypes.c_void_p, ctypes.c_int, *more)(address)
