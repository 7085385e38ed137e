"""What is drawn on a PDF page beside its text, found in one walk over all that it shows.

A report may show each of its letters as an object of its own, thousands a page: texts are passed over before anything is built of
them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Drawn", "read_drawn"]

_MOST_PATHS, _MOST_PICTURES = 4000, 20_000


@dataclass(frozen=True, slots=True)
class Drawn:
    """The pictures and paths of a page and of the forms on it, in order; the first ones if there are very many.

    They live as long as their page is open.
    """

    pictures: list[Any] = field(default_factory=list)
    paths: list[Any] = field(default_factory=list)


def read_drawn(page: Any) -> Drawn:  # noqa: ANN401  (pypdfium2 ships no types)
    """What is drawn on the page, which stays open."""
    import pypdfium2.raw as pdfium

    drawn = Drawn()
    for it in _objects(page):
        if it.type == pdfium.FPDF_PAGEOBJ_IMAGE and len(drawn.pictures) < _MOST_PICTURES:
            drawn.pictures.append(it)
        elif it.type == pdfium.FPDF_PAGEOBJ_PATH and len(drawn.paths) < _MOST_PATHS:
            drawn.paths.append(it)
    return drawn


def _objects(page: Any) -> Iterator[Any]:  # noqa: ANN401
    """All but texts and shadings, those within forms after their form."""
    import pypdfium2 as pypdfium
    import pypdfium2.raw as pdfium

    get_object, get_type, raw_page = pdfium.FPDFPage_GetObject, pdfium.FPDFPageObj_GetType, page.raw
    wanted = {pdfium.FPDF_PAGEOBJ_IMAGE, pdfium.FPDF_PAGEOBJ_PATH, pdfium.FPDF_PAGEOBJ_FORM}
    for number in range(pdfium.FPDFPage_CountObjects(raw_page)):
        raw = get_object(raw_page, number)
        if get_type(raw) not in wanted:
            continue
        it = pypdfium.PdfObject(raw, page=page)
        yield it
        if it.type == pdfium.FPDF_PAGEOBJ_FORM:
            yield from _within(it, page, wanted)


def _within(form: Any, page: Any, wanted: set[int]) -> Iterator[Any]:  # noqa: ANN401
    import pypdfium2 as pypdfium
    import pypdfium2.raw as pdfium

    for number in range(pdfium.FPDFFormObj_CountObjects(form.raw)):
        raw = pdfium.FPDFFormObj_GetObject(form.raw, number)
        if pdfium.FPDFPageObj_GetType(raw) in wanted:
            yield pypdfium.PdfObject(raw, page=page, container=form, level=1)
