"""Which kind of file it is, by name and by content: a file that is not what its name says is refused, not guessed at."""

from __future__ import annotations

import mmap
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path

from domain_sdk.extraction.extracted import Unreadable

__all__ = ["AUDIO", "KINDS", "check_content", "check_text", "unknown_kind"]

_OFFICE = "application/vnd.openxmlformats-officedocument."
_WORD = f"{_OFFICE}wordprocessingml.document"
_SLIDES = f"{_OFFICE}presentationml.presentation"
_SHEETS = f"{_OFFICE}spreadsheetml.sheet"
KINDS: Mapping[str, str] = {
    ".pdf": "application/pdf",
    ".docx": _WORD,
    ".pptx": _SLIDES,
    ".xlsx": _SHEETS,
    **dict.fromkeys((".docm", ".dotx", ".dotm"), _WORD),
    **dict.fromkeys((".pptm", ".ppsx", ".ppsm", ".potx", ".potm"), _SLIDES),
    **dict.fromkeys((".xlsm", ".xltx", ".xltm"), _SHEETS),
    ".odt": "application/vnd.oasis.opendocument.text",
    ".rtf": "application/rtf",
    ".epub": "application/epub+zip",
    ".eml": "message/rfc822",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".tif": "image/tiff",
    ".tiff": "image/tiff",
    ".webp": "image/webp",
    ".gif": "image/gif",
    ".bmp": "image/bmp",
    ".vtt": "text/vtt",
    ".srt": "application/x-subrip",
    ".json": "application/json",
    ".html": "text/html",
    ".htm": "text/html",
}
"""Suffix → media type of what is read in the child process; a file with macros, a template and a show hold text as others do."""

AUDIO = frozenset({".mp3", ".wav", ".m4a", ".flac", ".ogg", ".aac", ".mp4", ".webm", ".mkv", ".mov"})
"""Recordings: read through a transcript beside them, or a transcriber."""

_MAGIC: Mapping[str, tuple[bytes, ...]] = {
    "application/pdf": (b"%PDF-",),
    "application/rtf": (b"{\\rtf",),
    "image/png": (b"\x89PNG\r\n\x1a\n",),
    "image/jpeg": (b"\xff\xd8\xff",),
    "image/tiff": (b"II*\0", b"MM\0*"),
    "image/webp": (b"RIFF",),
    "image/gif": (b"GIF8",),
    "image/bmp": (b"BM",),
}
_PARTS: Mapping[str, str] = {
    KINDS[".docx"]: "word/document.xml",
    KINDS[".pptx"]: "ppt/presentation.xml",
    KINDS[".xlsx"]: "xl/workbook.xml",
    KINDS[".odt"]: "content.xml",
    KINDS[".epub"]: "META-INF/container.xml",
}
_NAMED = {b"%PDF-": "a PDF", b"PK\x03\x04": "a ZIP archive", b"\x89PNG": "a PNG image", b"\xff\xd8\xff": "a JPEG image",
          b"\xd0\xcf\x11\xe0": "an encrypted or old Office file", b"<!DOC": "HTML", b"<html": "HTML", b"GIF8": "a GIF image",
          b"\x1f\x8b": "a gzip archive", b"II*\0": "a TIFF image", b"\x7fELF": "a program", b"{\\rtf": "RTF"}  # fmt: skip
_BINARY = (b"%PDF-", b"PK\x03\x04", b"\x89PNG", b"\xff\xd8\xff", b"\xd0\xcf\x11\xe0", b"GIF8", b"\x1f\x8b", b"\x7fELF")
_TEXTS = frozenset({"text/html", "text/vtt", "application/x-subrip", "application/json", "message/rfc822"})
_CONVERTED: Mapping[str, str] = {
    ".heic": "a picture of a phone: save it as .jpg or .png",
    ".heif": "a picture of a phone: save it as .jpg or .png",
    ".avif": "a picture of a kind that is not opened: save it as .png",
    ".doc": "a Word file of before 2007: save it as .docx",
    ".xls": "an Excel file of before 2007: save it as .xlsx",
    ".ppt": "a PowerPoint file of before 2007: save it as .pptx",
    ".msg": "a message of Outlook: save it as .eml",
    ".pst": "a mailbox of Outlook: save its messages as .eml",
    ".zip": "an archive, which is not opened: unpack it",
    ".7z": "an archive, which is not opened: unpack it",
    ".rar": "an archive, which is not opened: unpack it",
    ".gz": "an archive, which is not opened: unpack it",
}
_NUMBER = re.compile(r"\d*(?=\.xml\Z)")
"""Some programs call the main part `document2.xml`."""
_SAYING_ENCRYPTED = frozenset({"META-INF/manifest.xml", "META-INF/encryption.xml"})
_LOCK = re.compile(rb"<(?:\w+:)?EncryptionMethod\b[^>]*>")
_FONT_LOCK = re.compile(rb"idpf\.org/2008/embedding|ns\.adobe\.com/pdf/enc#RC")
"""Fonts that are obfuscated hide no text."""
_MOST_SAID = 4 << 20
_ENCRYPTED_STREAM = "EncryptedPackage".encode("utf-16-le")
"""How an OLE container calls the Office file in it that has a password ([MS-OFFCRYPTO] 2.3.4.4)."""
_HEAD = 1024
_MOST_UNPACKED = 512 << 20
_MOST_RATIO, _FREE_BYTES = 200, 16 << 20
_MOST_PARTS = 20_000


def check_content(path: Path, media_type: str) -> None:
    """Returns if the file's content is of the kind its name says, and unpacks to a bounded size. Raises: Unreadable, OSError."""
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if not head:
        raise Unreadable("it is empty (0 bytes): fill or remove it.")
    if media_type in _TEXTS and head.startswith(_BINARY):
        raise Unreadable(f"its name says {path.suffix} and its content is {_described(head)}: name it as what it is.")
    magic = _MAGIC.get(media_type)
    if magic is not None and not any(head.startswith(it) or (it == b"%PDF-" and it in head) for it in magic):
        raise Unreadable(f"its name says {path.suffix} and its content is {_described(head)}: name it as what it is.")
    if media_type in _PARTS:
        _check_archive(path, head, _PARTS[media_type])


def unknown_kind(path: Path, known: str) -> str:
    """Why a file of this name is not read, and what to do about it; `known` are the suffixes that are."""
    if path.name.lower() == "winmail.dat":
        return (
            "it is what Outlook packs attachments into (TNEF), which is not opened: have the message sent as HTML or plain text."
        )
    hint = _CONVERTED.get(path.suffix.lower())
    return f"it is {hint}." if hint else f"{path.suffix or 'a file without suffix'} is not read: convert it to one of {known}."


def check_text(suffix: str, data: bytes) -> None:
    """Returns if what is called a text does not begin as a file of another kind. Raises: Unreadable."""
    head = data[:_HEAD].removeprefix(b"\xef\xbb\xbf").lstrip()
    is_page = re.match(rb"<(?:!doctype html|html|head|body)\b|<\?xml\b[^>]*>\s*<(?:!doctype html|html)\b", head, re.IGNORECASE)
    if is_page or head.startswith(_BINARY) or head.startswith((b"%PDF-", b"{\\rtf")):
        what = "HTML" if is_page else _described(head)
        raise Unreadable(f"its name says {suffix} and its content is {what}: name it as what it is.")


def _is_encrypted(path: Path, names: set[str]) -> bool:
    """True for an OpenDocument file with a password and a book with a lock (OpenDocument 1.3 part 2 §3; EPUB 3.3 §4.2.6.3)."""
    if "encrypted-package" in names:
        return True
    with zipfile.ZipFile(path) as archive:
        said = {name: archive.read(name) for name in _SAYING_ENCRYPTED & names if archive.getinfo(name).file_size < _MOST_SAID}
    locks = _LOCK.findall(said.get("META-INF/encryption.xml", b""))
    return b"encryption-data" in said.get("META-INF/manifest.xml", b"") or any(_FONT_LOCK.search(it) is None for it in locks)


def _described(head: bytes) -> str:
    return next((words for magic, words in _NAMED.items() if head.startswith(magic)), "something else")


def _check_archive(path: Path, head: bytes, part: str) -> None:
    if head.startswith(b"\xd0\xcf\x11\xe0"):
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            is_encrypted = content.find(_ENCRYPTED_STREAM) >= 0
        if is_encrypted:
            raise Unreadable("it is encrypted: save it anew without a password.")
        raise Unreadable(f"it is of a format before 2007: save it anew as {path.suffix}.")
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
        if any(it.header_offset < 0 for it in entries):
            raise zipfile.BadZipFile("its index names places before its begin")
    except (zipfile.BadZipFile, ValueError, EOFError) as error:
        what = "truncated or damaged" if head.startswith(b"PK\x03\x04") else f"{_described(head)}, not a {path.suffix} file"
        raise Unreadable(f"it is {what}: get it anew.") from error
    unpacked, packed = sum(it.file_size for it in entries), max(1, sum(it.compress_size for it in entries))
    if unpacked > _MOST_UNPACKED or len(entries) > _MOST_PARTS or (unpacked > _FREE_BYTES and unpacked / packed > _MOST_RATIO):
        raise Unreadable(
            f"it unpacks to {unpacked >> 20:,} MiB in {len(entries):,} parts, as a zip bomb would: it is not opened."
        )
    if any(it.flag_bits & 1 for it in entries) or _is_encrypted(path, {it.filename for it in entries}):
        raise Unreadable("it is encrypted: save it anew without a password.")
    if part not in {_NUMBER.sub("", it.filename) for it in entries}:
        raise Unreadable(f"its name says {path.suffix} and it is another ZIP archive (no {part}): name it as what it is.")
