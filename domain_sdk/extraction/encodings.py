"""Which characters a file's bytes are: as its byte order mark or its HTML says, else UTF-8. Nothing is guessed."""

from __future__ import annotations

import codecs
import re

from domain_sdk.extraction.extracted import Unreadable

__all__ = ["characters"]

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark begins it
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_DECLARED = re.compile(
    rb"""<(?:meta\b[^>]*?\bcharset|\?xml\b[^>]*?\bencoding)\s*=\s*["']?\s*([A-Za-z0-9_:.-]{1,40})""", re.IGNORECASE
)
_SEARCHED_BYTES = 1024
_LATIN_1 = frozenset({"iso8859-1", "ascii"})
_UNICODE = ("utf-16", "utf-32", "utf-7")


def characters(data: bytes, *, is_html: bool = False) -> str:
    """The text. A byte order mark counts first, then in HTML what its first 1,024 bytes declare, else it is UTF-8.

    A declared Latin-1 is read as windows-1252, which browsers take it for; a declared UTF-16 as UTF-8, since it could not have
    been read (WHATWG Encoding §4.2 and HTML §13.2.3.2).

    Raises:
        Unreadable: The bytes are none of that encoding.
    """
    mark, encoding = next((it for it in _MARKS if data.startswith(it[0])), (b"", ""))
    name = encoding or (_declared(data) if is_html else "") or "utf-8"
    try:
        return data[len(mark) :].decode(name)
    except UnicodeDecodeError as error:
        shown = "UTF-8" if name == "utf-8" else f"{name}, as it says"
        raise Unreadable(f"it is not {shown} (byte {len(mark) + error.start}): convert it to UTF-8.") from error


def _declared(data: bytes) -> str:
    """The encoding that a page declares; empty if it declares none that Python has for text."""
    found = _DECLARED.search(data[:_SEARCHED_BYTES])
    try:
        name = codecs.lookup(found[1].decode("ascii")).name if found else ""
        if name.startswith(_UNICODE):
            return ""
        b"a".decode(name or "utf-8")  # some codecs are for no text
    except (LookupError, UnicodeDecodeError):
        return ""
    return "windows-1252" if name in _LATIN_1 else name
