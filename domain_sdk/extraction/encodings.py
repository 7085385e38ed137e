"""Which characters a file's bytes are: as its byte order mark or its HTML says, else UTF-8. Nothing is guessed."""

from __future__ import annotations

import codecs
import contextlib
import re

from domain_sdk.extraction.extracted import Unreadable

__all__ = ["as_unicode", "characters", "decoded_as", "decoded_leniently"]

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark begins it
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_DECLARED = re.compile(
    rb"""<(?:meta\b[^>]{0,1024}?\bcharset|\?xml\b[^>]{0,1024}?\bencoding)\s*+=\s*+["']?+\s*+([A-Za-z0-9_:.-]{1,40})""",
    re.IGNORECASE,
)
"""Goes a bounded way from each begin, as a page may be made of begins."""
_SEARCHED_BYTES = 64 << 10
"""A page may declare it behind long scripts and comments; browsers read it anew then (HTML §13.2.3.5)."""
_READ_AS = {
    "iso8859-1": "windows-1252",
    "ascii": "windows-1252",
    "iso8859-9": "windows-1254",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
}
"""What programs that write the first mean, and browsers read (WHATWG Encoding §4.2)."""
_OF_ONE_BYTE = ("iso8859", "windows-", "cp125", "koi8", "mac-")
_NONE = "\ufffd"
_STRANGE_A_MARK, _ALL_A_MARK = 10, 1000
"""Characters beyond ASCII, and of all kinds, that are read for each byte that is none."""
_UNICODE = ("utf-16", "utf-32", "utf-7")


def characters(data: bytes, *, is_html: bool = False) -> str:
    """The text. A byte order mark counts first, then in HTML what it declares, else it is UTF-8.

    What is declared is taken for what browsers take it for, UTF-16 for UTF-8, since it could not have been read (WHATWG Encoding
    §4.2 and HTML §13.2.3.2). What is said to have one byte a character and is UTF-8 is UTF-8: no such text looks like it. A few
    bytes that are no characters are marked, as in browsers, where nearly all others are.

    Raises:
        Unreadable: The bytes are none of that encoding.
    """
    mark, encoding = next((it for it in _MARKS if data.startswith(it[0])), (b"", ""))
    name = encoding or (_declared(data) if is_html else "") or "utf-8"
    try:
        return decoded_as(data[len(mark) :], name)
    except UnicodeDecodeError as error:
        read = decoded_leniently(data[len(mark) :], name)
        if _is_damaged_only(read, is_declared=name != "utf-8" or bool(mark or (is_html and _declared(data)))):
            return read
        shown = "UTF-8" if name == "utf-8" else f"{name}, as it says"
        raise Unreadable(f"it is not {shown} (byte {len(mark) + error.start}): convert it to UTF-8.") from error


def _is_damaged_only(read: str, *, is_declared: bool) -> bool:
    """True if few enough characters are marked as none that the others show the encoding to be right."""
    marks = read.count(_NONE)
    strange = sum(not it.isascii() for it in read) - marks
    return marks * _STRANGE_A_MARK <= strange or (is_declared and marks * _ALL_A_MARK <= len(read))


def decoded_as(data: bytes, name: str) -> str:
    """The characters of bytes that are said to be of this encoding. Where a byte is a character, one that is none is marked.

    Raises: UnicodeDecodeError, LookupError for no such name, ValueError for what can be none.
    """
    codec = codecs.lookup(name).name
    read_as = _READ_AS.get(codec, codec)
    if codec.startswith(_OF_ONE_BYTE) and not data.isascii():
        with contextlib.suppress(UnicodeDecodeError):
            return data.decode()
    return data.decode(read_as, "replace" if read_as.startswith(_OF_ONE_BYTE) else "strict")


def decoded_leniently(data: bytes, name: str) -> str:
    """The characters of bytes that a message says to be of this encoding, of UTF-8 if there is none such; what is none is marked.

    Many programs name ASCII, or no set, and write UTF-8.
    """
    encoding = "utf-8" if name in ("", "us-ascii") else name
    try:
        try:
            return decoded_as(data, encoding)
        except UnicodeDecodeError:
            codec = codecs.lookup(encoding).name
            return data.decode(_READ_AS.get(codec, codec), "replace")
    except (LookupError, ValueError):
        return data.decode("utf-8", "replace")


def as_unicode(data: bytes, name: str) -> bytes:
    """Bytes that a message says to be of this encoding as UTF-8 with its mark, unless a mark begins them."""
    if data.startswith(tuple(mark for mark, _ in _MARKS)):
        return data
    return codecs.BOM_UTF8 + decoded_leniently(data, name).encode("utf-8", "replace")


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
    return name
