"""An RTF file as its parser reads it right: every character written by its number, nothing in it that its reader does not see.

The parser takes all bytes for those of Western Europe, whatever the font says, and knows no signs of one character but some.

Source: Rich Text Format specification 1.9.1 (character set, font table, Unicode RTF, special characters, track changes).
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

__all__ = ["with_characters_by_number"]

_TOKEN = re.compile(
    rb"\\(?P<word>[a-zA-Z]{1,32})(?P<value>-?\d{1,10})? ?|\\'(?P<byte>[0-9a-fA-F]{2})|\\(?P<sign>[^a-zA-Z'])"
    rb"|(?P<brace>[{}])|(?P<text>[^\\{}\r\n]+)",
    re.DOTALL,
)
_CODECS = {0: "cp1252", 77: "mac_roman", 128: "cp932", 129: "cp949", 130: "johab", 134: "gbk", 136: "cp950", 161: "cp1253",
           162: "cp1254", 163: "cp1258", 177: "cp1255", 178: "cp1256", 186: "cp1257", 204: "cp1251", 222: "cp874",
           238: "cp1250", 254: "cp437", 255: "cp850"}  # fmt: skip
"""What `fcharset` says of a font's bytes."""
_OF_DOCUMENT, _OF_PICTURES = 1, 2
_DOCUMENT = {b"mac": "mac_roman", b"pc": "cp437", b"pca": "cp850"}
_SIGNS = {b"~": b" ", b"_": b"-", b"-": b""}
"""A blank and a hyphen at which no line ends, and one that is seen only there."""
_SPECIAL = re.compile(r"[{}\\]|[^\x20-\x7e]")
_NO_CHARACTER = re.compile(rb"[^\x20-\x7e]|[{}\\]")
_DATA = frozenset({b"pict", b"objdata"})
"""Holds pictures and files as digits, which are read apart: often nearly all of the file."""
_NO_TEXT = _DATA | {b"fonttbl", b"colortbl", b"stylesheet", b"info", b"listtable", b"listoverridetable"}
_NUMBERS = frozenset({b"listtext", b"pntext"})
"""What a program counted for a paragraph of a list, which the parser passes over."""
_ENDS = frozenset({b"par", b"cell", b"nestcell", b"row", b"nestrow", b"sect"})
"""Ends the paragraph, if it says nothing, too."""
_LATIN = "cp1252"
_BEYOND, _LAST = 0x10000, 0x10FFFF
"""Some programs write what is beyond as it is, others by two halves, and many what is in the upper half as negative."""
_HALVES, _SURROGATES = range(0xD800, 0xE000), range(0xDC00, 0xE000)


@dataclass(frozen=True, slots=True)
class _Group:
    """What holds until the group ends."""

    font: int | None = None
    skipped: int = 1
    """How many characters for older programs follow one that is written by its number."""
    is_deleted: bool = False
    destination: bytes = b""


@dataclass(slots=True)
class _Writer:
    codec: str = _LATIN
    first_font: int | None = None
    fonts: dict[int, int] = field(default_factory=dict)
    group: _Group = field(default_factory=_Group)
    above: list[_Group] = field(default_factory=list)
    pending: bytearray = field(default_factory=bytearray)
    """Bytes of one font: some characters have two."""
    high: int = 0
    """The first half of a character beyond the first 65,536."""
    to_skip: int = 0
    number: str = ""
    """What was counted for the paragraph that begins."""
    is_open: bool = False
    """True behind a control word that nothing has ended yet."""
    out: list[bytes] = field(default_factory=list)

    def write(self, data: bytes) -> bytes:
        for found in _tokens(data):
            self._take(found)
        self._flush()
        return b"".join(self.out)

    def _take(self, found: re.Match[bytes]) -> None:
        word, byte, sign, brace, text = found.group("word", "byte", "sign", "brace", "text")
        if text is not None or byte is not None or (sign is not None and sign in b"{}\\"):
            self._text(text if text is not None else bytes.fromhex(byte.decode()) if byte is not None else sign)
        elif brace is not None:
            self._brace(brace)
        elif sign is not None:
            self._text(_SIGNS[sign]) if sign in _SIGNS else self._control(found.group())
        else:
            self._word(word, found.group("value"), found.group())

    def _text(self, text: bytes) -> None:
        skipped = min(self.to_skip, len(text))
        self.to_skip -= skipped
        if not self.group.is_deleted and self.group.destination not in _DATA:
            self.pending += text[skipped:]

    def _brace(self, brace: bytes) -> None:
        self.to_skip = 0
        self._control(brace)
        if brace == b"{":
            self.above.append(self.group)
        elif self.above:
            self.group = self.above.pop()

    def _word(self, word: bytes, value: bytes | None, whole: bytes) -> None:
        number = int(value) if value else None
        if self.to_skip:
            self.to_skip -= 1
            return
        if word == b"u" and number is not None:
            self._numbered(number if _BEYOND <= number <= _LAST else number % _BEYOND)
            self.to_skip = self.group.skipped
            return
        self._flush()
        self._know(word, number)
        if self.group.destination in _NUMBERS or (word in (b"ls", b"ilvl") and _is_counted(self.number)):
            return
        if word in _ENDS:
            self.number = ""
        if word in (b"cell", b"nestcell"):
            self._put(b"\\u32?")  # where the parser sees no table, it puts nothing between cells
        if word not in (b"uc", b"nestcell", b"bin"):
            self._put(whole, is_open=not whole.endswith(b" "))

    def _know(self, word: bytes, number: int | None) -> None:
        """The state after a control word."""
        group, is_on = self.group, number != 0
        if word == b"f" and group.destination == b"fonttbl":
            self.group = replace(group, font=number)
        elif word == b"fcharset" and group.font is not None and number is not None:
            self.fonts[group.font] = number
        elif word == b"f":
            self.group = replace(group, font=number)
        elif word == b"plain":
            self.group = replace(group, font=self.first_font, is_deleted=False)
        elif word == b"deleted":
            self.group = replace(group, is_deleted=is_on)
        elif word == b"uc":
            self.group = replace(group, skipped=max(0, number or 0))
        elif word in _NO_TEXT or word in _NUMBERS:
            self.number = ""
            self.group = replace(group, destination=word)
        elif word == b"deff":
            self.first_font = number
            self.group = replace(group, font=number)
        elif word in _DOCUMENT or word == b"ansicpg":
            self.codec = _DOCUMENT.get(word) or _codec(number)

    def _numbered(self, number: int) -> None:
        self._flush()
        if self.group.is_deleted:
            return
        if self.group.destination in _NUMBERS:
            self._count("" if number in _HALVES else chr(number))
            return
        self._put_number()
        if number in _SURROGATES and self.high:
            self._put(b"\\u%d?" % (_BEYOND + ((self.high - 0xD800) << 10) + number - 0xDC00))
        is_first_half = 0xD800 <= number < _SURROGATES.start
        self.high = number if is_first_half else 0
        if not is_first_half and number not in _SURROGATES:
            self._put(b"\\u%d?" % number)

    def _charset(self) -> int:
        return self.fonts.get(self.group.font, _OF_DOCUMENT) if self.group.font is not None else _OF_DOCUMENT

    def _count(self, text: str) -> None:
        """It is of the paragraph's number, unless its letters are pictures."""
        if self._charset() != _OF_PICTURES:
            self.number += text

    def _put_number(self) -> None:
        """What was counted stands before the paragraph's text."""
        if _is_counted(self.number):
            self._put(_by_number(f"{self.number.strip()} "))
        self.number = ""

    def _control(self, token: bytes) -> None:
        self._flush()
        self._put(token)

    def _put(self, written: bytes, *, is_open: bool = False) -> None:
        """Writes it; an open control word takes the blank that follows it for its end."""
        if self.is_open and not written.startswith((b"\\", b"{", b"}")):
            self.out.append(b" ")
        self.is_open = is_open
        self.out.append(written)

    def _flush(self) -> None:
        """The bytes so far are written."""
        if not self.pending:
            return
        data, self.pending = bytes(self.pending), bytearray()
        if self.group.destination and self.group.destination not in _NUMBERS:
            self._put(_NO_CHARACTER.sub(lambda found: b"\\'%02x" % found[0][0], data))
            return
        charset = self._charset()
        text = _decoded(data, _CODECS.get(charset, self.codec))
        if self.group.destination in _NUMBERS:
            self._count(text)
        else:
            if text.strip():
                self._put_number()
            self._put(_by_number(text))


def with_characters_by_number(data: bytes) -> bytes:
    """The file with all characters beyond ASCII by their numbers, and without pictures' data and deleted text."""
    return _Writer().write(data)


def _tokens(data: bytes) -> Iterator[re.Match[bytes]]:
    """The tokens in order, without binary data."""
    place = 0
    while found := _TOKEN.search(data, place):
        yield found
        place = found.end()
        if found.group("word") == b"bin" and found.group("value"):
            place += max(0, int(found.group("value")))


def _is_counted(number: str) -> bool:
    """True for digits and letters; bullets are told by the list."""
    return any(map(str.isalnum, number))


def _decoded(data: bytes, codec: str) -> str:
    """The characters. Bytes of Western Europe that are UTF-8 are that; words of other scripts may look like it, and are not."""
    if codec == _LATIN:
        with contextlib.suppress(UnicodeDecodeError):
            return data.decode()
    return data.decode(codec, "replace")


def _codec(number: int | None) -> str:
    """What Python calls a code page; that of Western Europe if it is none."""
    name = "utf-8" if number == 65001 else "mac_roman" if number == 10000 else f"cp{number}"
    try:
        b"a".decode(name)
    except LookupError:
        return _LATIN
    return name


def _by_number(text: str) -> bytes:
    return _SPECIAL.sub(lambda found: _written(found.group()), text).encode("ascii")


def _written(character: str) -> str:
    if character in "{}\\":
        return f"\\{character}"
    return f"\\u{ord(character)}?"
