"""What is drawn on a PDF page beside its text, found in one walk over all that it shows.

A report may show each of its letters as an object of its own, thousands a page: nothing is built of those. Loaded in the child
process only.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Any

from domain_sdk.extraction.pdf_calls import Address, Box, address_of, area, asked, bounds_of, matrix_of, on_paper

__all__ = ["Drawn", "DrawnPath", "read_drawn"]

_FAR = 1e6
"""In points: no page is as large."""
_MOST_PATHS, _MOST_PICTURES = 4000, 20_000
_Objects = Sequence[tuple[Address, int]]


@dataclass(frozen=True, slots=True)
class DrawnPath:
    """A path by its address, where it lies, and the form that it lies in; `bounds` are within the form. Gone with its page."""

    address: Address
    bounds: Box
    form: Address | None = None


@dataclass(frozen=True, slots=True)
class Drawn:
    """What is known of a page's pictures and drawings, those within forms after their form, when the page is closed, too."""

    paper: Box
    """What the page shows of its paper, whoever says so: boxes are inherited."""
    pictures: tuple[Box, ...] = ()
    """Where they lie on the page; the first ones if there are very many."""
    is_something: bool = False
    """True if there is a picture or a drawing."""

    @property
    def share(self) -> float:
        """Which part of the page the largest picture covers."""
        return max(map(area, self.pictures), default=0.0) / max(1.0, area(self.paper))


def read_drawn(page: Any) -> tuple[Drawn, list[DrawnPath]]:  # noqa: ANN401  (pypdfium2 ships no types)
    """What is drawn on the page, and its paths while it is open; the first ones if there are very many."""
    import pypdfium2.raw as pdfium

    found = _objects("FPDFPage", address_of(page))
    pictures: list[Box] = []
    paths: list[DrawnPath] = []
    for form, kinds in _by_form(found):
        inside = [address for address, kind in kinds if kind == pdfium.FPDF_PAGEOBJ_IMAGE][: _MOST_PICTURES - len(pictures)]
        boxes = bounds_of(inside)
        pictures += [_placed(box, form) for box in boxes] if form else boxes
        lines = [address for address, kind in kinds if kind == pdfium.FPDF_PAGEOBJ_PATH][: _MOST_PATHS - len(paths)]
        paths += [DrawnPath(address, bounds, form) for address, bounds in zip(lines, bounds_of(lines), strict=True)]
    return Drawn(_paper(page), tuple(pictures), bool(found)), paths


def _paper(page: Any) -> Box:  # noqa: ANN401  (as above)
    """What is shown of the page; all of it if its crop box lies beside it, which it then has no more.

    What is asked for its media box does not know one that it inherits; what shows pages does.
    """
    left, bottom, right, top = page.get_bbox()
    if not (left < right and bottom < top):
        page.set_cropbox(-_FAR, -_FAR, _FAR, _FAR)
        left, bottom, right, top = page.get_bbox()
    return left, bottom, right, top


def _objects(of: str, parent: Address) -> _Objects:
    """Address and kind of each object on a page or within a form that is no text."""
    import pypdfium2.raw as pdfium

    count = max(0, asked(f"{of}_CountObjects", ctypes.c_int)(parent))
    numbers = range(count) if of == "FPDFPage" else map(ctypes.c_ulong, range(count))
    addresses = list(map(asked(f"{of}_GetObject", Address), repeat(parent), numbers))
    kinds = map(asked("FPDFPageObj_GetType", ctypes.c_int), addresses)
    return [it for it in zip(addresses, kinds, strict=True) if it[1] != pdfium.FPDF_PAGEOBJ_TEXT]


def _by_form(found: _Objects) -> list[tuple[Address | None, _Objects]]:
    """The objects in order, in groups: of the page itself (no form), and of each form on it."""
    import pypdfium2.raw as pdfium

    groups: list[tuple[Address | None, _Objects]] = []
    begin = 0
    for place, (address, kind) in enumerate(found):
        if kind == pdfium.FPDF_PAGEOBJ_FORM:
            groups += [(None, found[begin:place]), (address, _objects("FPDFFormObj", address))]
            begin = place + 1
    return [*groups, (None, found[begin:])]


def _placed(box: Box, form: Address) -> Box:
    """Where it lies on the page: within a form its places count from the form's."""
    left, bottom, right, top = box
    matrix = matrix_of(form)
    corners = [on_paper(matrix, (x, y)) for x in (left, right) for y in (bottom, top)]
    return min(x for x, _ in corners), min(y for _, y in corners), max(x for x, _ in corners), max(y for _, y in corners)
