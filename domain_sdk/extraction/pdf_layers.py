"""Layers of a PDF page that are switched off where it is opened: nobody sees what they hold, so it is not read.

PDFium tells what an object is a part of, and not whether that is shown: so a page is drawn on which a square stands for each such
part, if the file says at all that it has layers. PDFium does not tell of forms that name their layer themselves (`/OC` in the
form, not around it): they are read.
Loaded in the child process only. Source: ISO 32000-2, optional content.
"""

from __future__ import annotations

import ctypes
import mmap
import re
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import repeat
from pathlib import Path
from typing import Any

from domain_sdk.extraction.pdf_calls import Address, address_of, asked

__all__ = ["may_have_layers", "take_hidden_layers"]

_LAYER = "OC"
_LONGEST_NAME = 8
_SQUARES = 100
"""So many stand in a row."""
_DEEPEST = 41
"""The page and forms in forms: PDFium reads none that lie deeper."""
_Part = tuple[Address | None, Address]
"""An object, behind the form that it lies in, if it does."""


def _name(name: bytes) -> bytes:
    """A pattern for the name, each letter of which may be written in digits."""
    return b"/" + b"".join(b"(?:%c|#%02x|#%02X)" % (char, char, char) for char in name)


_SAID = re.compile(_name(b"OCProperties"))
_PACKED = re.compile(_name(b"ObjStm"))
_STREAM = re.compile(rb"stream\r?\n")
_LONGEST_SAID, _LONGEST_ENTRIES = 64, 1 << 12
_STEP, _MOST_UNPACKED = 1 << 14, 1 << 28


def may_have_layers(path: Path) -> bool:
    """False if the file says nothing of layers, open or packed: then no page need be looked through for them."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        if _SAID.search(content):
            return True
        named = [found.end() for found in _PACKED.finditer(content)]
        streams = [_STREAM.search(content, end, end + _LONGEST_ENTRIES) for end in named]
        return None in streams or _says_layers(content, sorted({it.end() for it in streams if it}))


def _says_layers(content: mmap.mmap, streams: Iterable[int]) -> bool:
    """True, too, if that cannot be told: of what is encrypted, and of more than is worth unpacking."""
    left = _MOST_UNPACKED
    try:
        for begin in streams:
            last = b""
            for unpacked in _unpacked(content, begin):
                left -= len(unpacked)
                last = last[-_LONGEST_SAID:] + unpacked
                if left < 0 or _SAID.search(last):
                    return True
    except zlib.error:
        return True
    return False


def _unpacked(content: mmap.mmap, begin: int) -> Iterator[bytes]:
    unpacker = zlib.decompressobj()
    for step in range(begin, len(content), _STEP):
        yield unpacker.decompress(content[step : step + _STEP])
        if unpacker.eof:
            return


def take_hidden_layers(document: Any, page: Any) -> bool:  # noqa: ANN401  (pypdfium2 ships no types)
    """True if there were objects of layers that are switched off on the page; it has them no more."""
    layers = {mark: parts for mark, parts in _by_mark(address_of(page)).items() if _is_layer(mark)}
    if not layers:
        return False
    hidden = {part[1].value: part for mark in _hidden(document, list(layers)) for part in layers[mark]}
    for form, part in hidden.values():
        if form is None:
            asked("FPDFPage_RemoveObject", ctypes.c_int)(address_of(page), part)
        elif form.value not in hidden:
            asked("FPDFFormObj_RemoveObject", ctypes.c_int)(form, part)
    for form, part in hidden.values():
        if form is None or form.value not in hidden:
            asked("FPDFPageObj_Destroy", ctypes.c_int)(part)
    return bool(hidden)


def _by_mark(page: Address) -> dict[int, list[_Part]]:
    """The objects on the page by the addresses of what marks them; neighbours share theirs."""
    found: dict[int, list[_Part]] = defaultdict(list)
    level: list[tuple[Address | None, list[Address]]] = [(None, _objects("FPDFPage", page))]
    for _ in range(_DEEPEST):
        for form, objects in level:
            _add(found, form, objects)
        level = [(form, _objects("FPDFFormObj", form)) for _, objects in level for form in _forms(objects)]
    return found


def _forms(objects: list[Address]) -> list[Address]:
    import pypdfium2.raw as pdfium

    kinds = map(asked("FPDFPageObj_GetType", ctypes.c_int), objects)
    return [it for it, kind in zip(objects, kinds, strict=True) if kind == pdfium.FPDF_PAGEOBJ_FORM]


def _objects(of: str, parent: Address) -> list[Address]:
    count = max(0, asked(f"{of}_CountObjects", ctypes.c_int)(parent))
    numbers: Iterable[Any] = range(count) if of == "FPDFPage" else map(ctypes.c_ulong, range(count))
    return list(map(asked(f"{of}_GetObject", Address), repeat(parent), numbers))


def _add(found: dict[int, list[_Part]], form: Address | None, objects: list[Address]) -> None:
    mark_of = asked("FPDFPageObj_GetMark", ctypes.c_void_p)
    counts = map(asked("FPDFPageObj_CountMarks", ctypes.c_int), objects)
    for part, count in zip(objects, counts, strict=True):
        for number in range(count):
            found[mark_of(part, ctypes.c_ulong(number))].append((form, part))


def _is_layer(mark: int) -> bool:
    name, length = ctypes.create_string_buffer(_LONGEST_NAME), ctypes.c_ulong()
    size = ctypes.c_ulong(_LONGEST_NAME)
    asked("FPDFPageObjMark_GetName", ctypes.c_int)(Address(mark), name, size, ctypes.byref(length))
    return name.raw[: length.value].decode("utf-16-le", "replace").rstrip("\0") == _LAYER


def _hidden(document: Any, marks: list[int]) -> Iterator[int]:  # noqa: ANN401
    """Those of the marks that what bears them is not drawn for; none if the squares cannot all be seen."""
    import pypdfium2.raw as pdfium

    rows = -(-len(marks) // _SQUARES)
    page = document.new_page(_SQUARES, rows)
    try:
        for set_box in (page.set_mediabox, page.set_cropbox):  # not what all pages inherit
            set_box(0, 0, _SQUARES, rows)
        for number, mark in enumerate(marks):
            square = pdfium.FPDFPageObj_CreateNewRect(number % _SQUARES, number // _SQUARES, 1, 1)
            asked("FPDFPageObj_AddExistingMark", ctypes.c_int)(Address(ctypes.cast(square, ctypes.c_void_p).value), Address(mark))
            pdfium.FPDFPageObj_SetFillColor(square, 0, 0, 0, 255)
            pdfium.FPDFPath_SetDrawMode(square, pdfium.FPDF_FILLMODE_WINDING, False)
            pdfium.FPDFPage_InsertObject(page.raw, square)
        bitmap = page.render(scale=1, grayscale=True)
        if bitmap.width < _SQUARES or bitmap.height < rows:
            return iter(())
        drawn = bytes(bitmap.buffer)
        lines = [drawn[row * bitmap.stride : row * bitmap.stride + _SQUARES] for row in reversed(range(rows))]
    finally:
        page.close()
        document.del_page(len(document) - 1)
    return (mark for mark, value in zip(marks, b"".join(lines), strict=False) if value)
