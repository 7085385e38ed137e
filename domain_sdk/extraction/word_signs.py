"""Characters of Word that its parser does not read: those that XML writes as references, and signs of fonts of pictures."""

from __future__ import annotations

import re

__all__ = ["symbol", "with_signs_kept", "with_signs_read"]

_SIGNS, _KEPT = "&<>", "\ufdd0\ufdd1\ufdd2"
"""The parser drops the first; no text has the second, which are no characters."""
_WINGDINGS = dict(zip("\x6c\x6f\x71\x72\x78\xa8\xfb\xfc\xfd\xfe", "●☐☐☐☒☐✗✓☒☑", strict=True))
_FONTS = {"wingdings": _WINGDINGS, "wingdings 2": dict(zip("\x4f\x50\x51\x52\x53\xa3", "✗✓☒☑☒☐", strict=True))}
"""What forms are ticked with, in fonts that have pictures for letters."""
_CODE = re.compile("[0-9A-Fa-f]{1,4}")
_SURROGATES = 0xD800


def with_signs_kept(text: str) -> str:
    """The text as the parser is to read it."""
    return text.translate(str.maketrans(_SIGNS, _KEPT))


def with_signs_read(text: str) -> str:
    """The text again, of what the parser read."""
    return text.translate(str.maketrans(_KEPT, _SIGNS))


def symbol(font: str, code: str) -> str:
    """The character that a sign of a font stands for; "" if that is not known."""
    number = int(code, 16) if _CODE.fullmatch(code) else 0
    known = _FONTS.get(font.strip().lower())
    if known is not None:
        return known.get(chr(number & 0xFF), "")
    return chr(number) if ord(" ") <= number < _SURROGATES else ""
