"""Pictures on PDF pages: what is recognised in those beside text, where it is not text of the page already; the page as one."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Sequence
from typing import Any

from domain_sdk.extraction.pdf_calls import Box, area
from domain_sdk.extraction.pdf_drawn import Drawn
from domain_sdk.extraction.pictures import Pictures

__all__ = ["picture_of", "places_of_pictures", "words_of_pictures"]

_LEAST_SIDE = 18.0
"""In points: what is narrower or lower holds no line of words."""
_LEAST_SHARE = 0.005
"""Which part of a page a picture has to cover."""
_APART = 2.0
"""Pictures nearer to each other than so many points are stripes of one."""
_MOST_PICTURES = 20
_COVERED_CHARACTERS = 200
"""With so much text upon it, a picture is the scan that the text was recognised in."""
_DPI = 200
_MOST_PIXELS = 40_000_000
_KNOWN_SHARE = 0.2
"""So few words that are new are misread ones of the text that lies on the picture."""
_WORD = re.compile(r"\w{2,}")


def picture_of(page: Any) -> Any:  # noqa: ANN401  (pypdfium2 ships no types)
    """The page as a picture in grey, sharp enough to be read."""
    width, height = page.get_size()
    scale = min(_DPI / 72, (_MOST_PIXELS / max(1.0, width * height)) ** 0.5)
    return page.render(scale=scale, grayscale=True).to_pil()


def places_of_pictures(drawn: Drawn) -> list[Box]:
    """Where pictures lie that may hold words, those that touch as one, in order; the first ones if there are very many."""
    left, bottom, right, top = drawn.paper
    least = area(drawn.paper) * _LEAST_SHARE
    found: list[Box] = []
    for box in drawn.pictures:
        near = next((number for number, other in enumerate(found) if _touch(box, other)), None)
        if near is None:
            found.append(box)
        else:
            found[near] = _together(box, found[near])
        if len(found) > 4 * _MOST_PICTURES:
            break
    inside = [(max(l, left), max(b, bottom), min(r, right), min(t, top)) for l, b, r, t in found]  # noqa: E741
    large = [it for it in inside if min(it[2] - it[0], it[3] - it[1]) >= _LEAST_SIDE and area(it) >= least]
    return sorted(large, key=lambda it: (-it[3], it[0]))[:_MOST_PICTURES]


def words_of_pictures(page: Any, places: Sequence[Box], pictures: Pictures) -> list[str]:  # noqa: ANN401
    """`Picture: …` for each of the page's pictures in these places. One whose words stand in its text is left out."""
    text_page = page.get_textpage()
    try:
        bare = [box for box in places if len(text_page.get_text_bounded(*box)) < _COVERED_CHARACTERS]
        known = set(_WORD.findall(text_page.get_text_range().casefold())) if bare else set()
    finally:
        text_page.close()
    if not bare:
        return []
    shown = picture_of(page)
    found = [pictures.text_of(shown.crop(_on_picture(page, box, shown.size))) for box in bare]
    return [text for text in found if _is_news(text, known)]


def _is_news(text: str, known: set[str]) -> bool:
    words = set(_WORD.findall(text.removeprefix("Picture:").casefold()))
    return len(words - known) > _KNOWN_SHARE * len(words)


def _touch(one: Box, other: Box) -> bool:
    return (
        one[0] <= other[2] + _APART
        and other[0] <= one[2] + _APART
        and one[1] <= other[3] + _APART
        and other[1] <= one[3] + _APART
    )


def _together(one: Box, other: Box) -> Box:
    return min(one[0], other[0]), min(one[1], other[1]), max(one[2], other[2]), max(one[3], other[3])


def _on_picture(page: Any, box: Box, size: Sequence[int]) -> tuple[int, int, int, int]:  # noqa: ANN401
    """The box in the pixels of the rendered page."""
    import pypdfium2.raw as pdfium

    x, y = ctypes.c_int(), ctypes.c_int()
    corners: list[tuple[int, int]] = []
    for across, up in ((box[0], box[1]), (box[2], box[3])):
        pdfium.FPDF_PageToDevice(page.raw, 0, 0, size[0], size[1], 0, across, up, ctypes.byref(x), ctypes.byref(y))
        corners.append((x.value, y.value))
    (first_x, first_y), (last_x, last_y) = corners
    return min(first_x, last_x), min(first_y, last_y), max(first_x, last_x), max(first_y, last_y)
