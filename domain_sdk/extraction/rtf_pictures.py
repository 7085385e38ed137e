"""The pictures of an RTF file, which its parser passes over: PNG and JPEG as their bytes, others counted.

Source: Rich Text Format specification 1.9.1, pictures; a picture's copy for older programs (`nonshppict`) is none of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

__all__ = ["other_pictures", "read_pictures"]

_BETWEEN = rb"(?:\\[a-z]{1,32}-?\d{0,10} ?|\{[^{}]{0,4000}\}|\s)*+"
_PICTURE = re.compile(rb"\\(?:pngblip|jpegblip)(?![a-z])" + _BETWEEN + rb"([0-9a-fA-F][0-9a-fA-F\s]*)")
_OTHER = re.compile(rb"(\\nonshppict\s*)?\{\\pict(?![a-z])" + _BETWEEN)
_DRAWN = re.compile(rb"\\(?:emfblip|wmetafile|dibitmap|wbitmap|macpict|pmmetafile)")
_SPACE = re.compile(rb"\s+")


def read_pictures(data: bytes) -> Iterator[bytes]:
    """The files of PNG and JPEG pictures, in order."""
    for found in _PICTURE.finditer(data):
        digits = _SPACE.sub(b"", found.group(1))
        yield bytes.fromhex(digits[: len(digits) // 2 * 2].decode("ascii"))


def other_pictures(data: bytes) -> int:
    """How many pictures there are of kinds that are drawn by their program: metafiles and bitmaps of Windows and Macintosh."""
    return sum(not found.group(1) and _DRAWN.search(found.group()) is not None for found in _OTHER.finditer(data))
