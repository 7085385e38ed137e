"""A page of a PDF file as it is printed, and what is read of it: its lines, what is drawn on it.

Loaded in the child process only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from domain_sdk.extraction.pdf_calls import Box
from domain_sdk.extraction.pdf_characters import read_characters
from domain_sdk.extraction.pdf_comments import has_only_links, read_comments
from domain_sdk.extraction.pdf_drawn import Drawn, read_drawn
from domain_sdk.extraction.pdf_forms import field_boxes, with_values, with_values_apart
from domain_sdk.extraction.pdf_grids import with_grids
from domain_sdk.extraction.pdf_layers import take_hidden_layers
from domain_sdk.extraction.pdf_lines import Line, split_lines
from domain_sdk.extraction.pdf_pictures import PagePictures, places_of_pictures
from domain_sdk.extraction.pdf_places import on_page, placed, upright, with_line_ends
from domain_sdk.extraction.pdf_rules import parted, read_grid_rules, read_rules

__all__ = ["EDGE_LINES", "SPARSE_CHARACTERS", "OpenedPage", "Sheet", "read_sheet"]

SPARSE_CHARACTERS = 200
"""A page with less text than this, most of which a picture covers, is a scan with a stamp: both are read."""
EDGE_LINES = 2
"""So many lines at the top and the bottom may be those of every page."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """What is read of a page, which lasts when it is closed."""

    lines: list[Line]
    drawn: Drawn
    words: Callable[[], list[str]] | None = None
    """What gives the words of the pictures beside its text, if they are being recognised already."""
    has_hidden: bool = False
    """True if layers of it are switched off."""

    @property
    def is_text(self) -> bool:
        """True if it says so much between its edges that it is no picture of a page."""
        return _is_text(self.lines)


def read_sheet(opened: OpenedPage, pictures: PagePictures) -> Sheet:
    """What is read of an open page. Pictures beside text that is enough for one begin to be recognised."""
    page = opened.page
    drawn, paths = read_drawn(page)
    left, bottom, right, top = drawn.paper
    size = (right - left, top - bottom)
    degrees = page.get_rotation()
    chars = on_page(read_characters(page), drawn.paper)
    needed = upright(chars, size, degrees)
    if needed != degrees:  # PDFium orders lines by how the page is held
        page.set_rotation(needed)
        chars = on_page(read_characters(page), drawn.paper)
    shown = placed(with_values_apart(with_line_ends(chars, needed), opened.fields), size, needed)
    rules = read_rules(paths, needed)
    printed = with_values(split_lines(parted(shown, rules, size, needed)), opened.fields, size, needed)
    lines = with_grids(printed, read_grid_rules(paths, rules, size, needed))
    places = places_of_pictures(drawn) if _is_text(lines) else []
    return Sheet(lines, drawn, pictures.words(page, places) if places else None, opened.has_hidden)


def _is_text(lines: Sequence[Line]) -> bool:
    """Twice as much as would do: lines lose hyphens when they are joined."""
    return sum(len(line.text) for line in lines[EDGE_LINES : len(lines) - EDGE_LINES]) >= 2 * SPARSE_CHARACTERS


class OpenedPage:
    """A page that is opened when something is asked of it, and closed at the end; use it as a context manager."""

    def __init__(self, document: Any, index: int, comments: dict[int, list[str]], *, has_layers: bool) -> None:  # noqa: ANN401
        self._document, self._has_layers = document, has_layers
        self._open: Callable[[], Any] = lambda: _shown_page(document, index, comments, self.fields)
        self._page: Any = None
        self.fields: list[Box] = []
        """Where the fields of its form lie, once it is open."""
        self.has_hidden = False
        """True if layers of it were switched off, once it is open: it is without them."""

    def __enter__(self) -> OpenedPage:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._page is not None:
            self._page.close()

    @property
    def page(self) -> Any:  # noqa: ANN401
        """The page as it is printed."""
        if self._page is None:
            self._page = self._open()
            self.has_hidden = self._has_layers and take_hidden_layers(self._document, self._page)
        return self._page


def _shown_page(document: Any, index: int, comments: dict[int, list[str]], fields: list[Box]) -> Any:  # noqa: ANN401
    """The page as it is printed: with the values of its form and the notes that stand on it; `comments` has what does not.

    `fields` gets where the fields of its form lie.
    """
    import pypdfium2.raw as pdfium

    page = document[index]
    if not pdfium.FPDFPage_GetAnnotCount(page.raw):
        return page
    comments.setdefault(index, read_comments(page))  # a flat page has none
    if has_only_links(page):
        return page
    fields.extend(field_boxes(page))
    if pdfium.FPDFPage_Flatten(page.raw, 0) == pdfium.FLATTEN_SUCCESS:
        page.close()  # its text is that of before
        page = document[index]
    return page
