"""Pictures on PDF pages: what is recognised in those beside text, where it is not text of the page already; the page as one."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Sequence
from typing import Any

from domain_sdk.extraction.pictures import Pictures

__all__ = ["covered", "picture_of", "shows_something", "words_of_pictures"]

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
_Box = tuple[float, float, float, float]


def covered(page: Any) -> float:  # noqa: ANN401  (pypdfium2 ships no types)
    """Which part of the page its largest picture covers."""
    import pypdfium2.raw as pdfium

    left, bottom, right, top = page.get_mediabox()
    area: float = max(1.0, abs((right - left) * (top - bottom)))
    pictures = page.get_objects(filter=[pdfium.FPDF_PAGEOBJ_IMAGE], max_depth=2)
    boxes = [it.get_bounds() for it in pictures]
    largest: float = max((abs((box[2] - box[0]) * (box[3] - box[1])) for box in boxes), default=0.0)
    return largest / area


def shows_something(page: Any) -> bool:  # noqa: ANN401
    """True if there is a picture or a drawing on the page."""
    import pypdfium2.raw as pdfium

    kinds = (pdfium.FPDF_PAGEOBJ_IMAGE, pdfium.FPDF_PAGEOBJ_PATH, pdfium.FPDF_PAGEOBJ_SHADING, pdfium.FPDF_PAGEOBJ_FORM)
    return next(iter(page.get_objects(filter=list(kinds), max_depth=2)), None) is not None


def picture_of(page: Any) -> Any:  # noqa: ANN401
    """The page as a picture in grey, sharp enough to be read."""
    width, height = page.get_size()
    scale = min(_DPI / 72, (_MOST_PIXELS / max(1.0, width * height)) ** 0.5)
    return page.render(scale=scale, grayscale=True).to_pil()


def words_of_pictures(page: Any, drawn: Sequence[Any], pictures: Pictures) -> list[str]:  # noqa: ANN401
    """`Picture: …` for each of those drawn on the page. One whose words stand in the page's text is left out."""
    boxes = _boxes(page, drawn) if drawn else []
    if not boxes:
        return []
    text_page = page.get_textpage()
    try:
        bare = [box for box in boxes if len(text_page.get_text_bounded(*box)) < _COVERED_CHARACTERS]
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


def _boxes(page: Any, drawn: Sequence[Any]) -> list[_Box]:  # noqa: ANN401
    """Where pictures lie, those that touch as one, in order; the first ones if there are very many."""
    left, bottom, right, top = page.get_mediabox()
    least = abs((right - left) * (top - bottom)) * _LEAST_SHARE
    found: list[_Box] = []
    for it in drawn:
        box = _on_page(it)
        near = next((number for number, other in enumerate(found) if _touch(box, other)), None)
        if near is None:
            found.append(box)
        else:
            found[near] = _together(box, found[near])
        if len(found) > 4 * _MOST_PICTURES:
            break
    inside = [(max(l, left), max(b, bottom), min(r, right), min(t, top)) for l, b, r, t in found]  # noqa: E741
    large = [it for it in inside if min(it[2] - it[0], it[3] - it[1]) >= _LEAST_SIDE and _area(it) >= least]
    return sorted(large, key=lambda it: (-it[3], it[0]))[:_MOST_PICTURES]


def _on_page(picture: Any) -> _Box:  # noqa: ANN401
    """Where it lies; within a form its places count from the form's."""
    left, bottom, right, top = picture.get_bounds()
    if picture.container is None:
        return left, bottom, right, top
    matrix = picture.container.get_matrix()
    corners = [matrix.on_point(x, y) for x in (left, right) for y in (bottom, top)]
    return min(x for x, _ in corners), min(y for _, y in corners), max(x for x, _ in corners), max(y for _, y in corners)


def _touch(one: _Box, other: _Box) -> bool:
    return (
        one[0] <= other[2] + _APART
        and other[0] <= one[2] + _APART
        and one[1] <= other[3] + _APART
        and other[1] <= one[3] + _APART
    )


def _together(one: _Box, other: _Box) -> _Box:
    return min(one[0], other[0]), min(one[1], other[1]), max(one[2], other[2]), max(one[3], other[3])


def _area(box: _Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def _on_picture(page: Any, box: _Box, size: Sequence[int]) -> tuple[int, int, int, int]:  # noqa: ANN401
    """The box in the pixels of the rendered page."""
    import pypdfium2.raw as pdfium

    x, y = ctypes.c_int(), ctypes.c_int()
    corners: list[tuple[int, int]] = []
    for across, up in ((box[0], box[1]), (box[2], box[3])):
        pdfium.FPDF_PageToDevice(page.raw, 0, 0, size[0], size[1], 0, across, up, ctypes.byref(x), ctypes.byref(y))
        corners.append((x.value, y.value))
    (first_x, first_y), (last_x, last_y) = corners
    return min(first_x, last_x), min(first_y, last_y), max(first_x, last_x), max(first_y, last_y)
