"""Comments on a PDF page: what its readers wrote on sticky notes and marked passages, which does not stand on the page itself."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from typing import Any

__all__ = ["has_only_links", "read_comments"]

_LONGEST_BYTES = 1 << 16
_NO_LOOK_BYTES = 2
"""As long is an empty look, with the NUL at its end."""


def read_comments(page: Any) -> list[str]:  # noqa: ANN401  (pypdfium2 ships no types)
    """`Comment by Ana: …` for each note on the page that is not hidden, in their order. Source: ISO 32000, 12.5.6."""
    return list(_comments(page))


def has_only_links(page: Any) -> bool:  # noqa: ANN401
    """True if nothing that was put upon the page shows: there are links, and none has a look of its own."""
    import pypdfium2.raw as pdfium

    for number in range(pdfium.FPDFPage_GetAnnotCount(page.raw)):
        note = pdfium.FPDFPage_GetAnnot(page.raw, number)
        if not note:
            return False
        try:
            is_link = pdfium.FPDFAnnot_GetSubtype(note) == pdfium.FPDF_ANNOT_LINK
            if not is_link or pdfium.FPDFAnnot_GetAP(note, pdfium.FPDF_ANNOT_APPEARANCEMODE_NORMAL, None, 0) > _NO_LOOK_BYTES:
                return False
        finally:
            pdfium.FPDFPage_CloseAnnot(note)
    return True


def _comments(page: Any) -> Iterator[str]:  # noqa: ANN401
    import pypdfium2.raw as pdfium

    marks = (
        pdfium.FPDF_ANNOT_TEXT,
        pdfium.FPDF_ANNOT_HIGHLIGHT,
        pdfium.FPDF_ANNOT_UNDERLINE,
        pdfium.FPDF_ANNOT_SQUIGGLY,
        pdfium.FPDF_ANNOT_STRIKEOUT,
        pdfium.FPDF_ANNOT_CARET,
        pdfium.FPDF_ANNOT_STAMP,
    )
    for number in range(pdfium.FPDFPage_GetAnnotCount(page.raw)):
        note = pdfium.FPDFPage_GetAnnot(page.raw, number)
        if not note:
            continue
        try:
            is_shown = not pdfium.FPDFAnnot_GetFlags(note) & pdfium.FPDF_ANNOT_FLAG_HIDDEN
            if pdfium.FPDFAnnot_GetSubtype(note) in marks and is_shown and (text := _string(note, b"Contents")):
                author = _string(note, b"T")
                yield f"Comment by {author}: {text}" if author else f"Comment: {text}"
        finally:
            pdfium.FPDFPage_CloseAnnot(note)


def _string(note: Any, key: bytes) -> str:  # noqa: ANN401
    """An entry of the note, on one line; as much of it as a note may have."""
    import pypdfium2.raw as pdfium

    size = min(pdfium.FPDFAnnot_GetStringValue(note, key, None, 0), _LONGEST_BYTES)
    buffer = ctypes.create_string_buffer(size + 2)
    pdfium.FPDFAnnot_GetStringValue(note, key, ctypes.cast(buffer, ctypes.POINTER(pdfium.FPDF_WCHAR)), size)
    return " ".join(buffer.raw[:size].decode("utf-16-le", "replace").split("\0")[0].split())
