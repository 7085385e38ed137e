"""Pictures on PDF pages: what is recognised in those beside text, where it is not text of the page already; the page as one."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from math import ceil
from types import TracebackType
from typing import Any

from domain_sdk.extraction.pdf_calls import Box, area
from domain_sdk.extraction.pdf_drawn import Drawn
from domain_sdk.extraction.pictures import Pictures

__all__ = ["PagePictures", "picture_of", "places_of_pictures"]

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
    return page.render(scale=_scale(page), grayscale=True).to_pil()


def _scale(page: Any) -> float:  # noqa: ANN401
    """Pixels a point."""
    width, height = page.get_size()
    scale: float = min(_DPI / 72, (_MOST_PIXELS / max(1.0, width * height)) ** 0.5)
    return scale


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


class PagePictures:
    """Pictures beside the text of one file's pages, recognised one after the other while further pages are read.

    Use it as a context manager. It holds one at a time, however many a page has.
    """

    def __init__(self, pictures: Pictures) -> None:
        """`pictures` are those of the file; to be asked for what became of them when all words were."""
        self._pictures = pictures
        self._thread = ThreadPoolExecutor(1, "pictures")
        self._last: Future[str] | None = None

    def __enter__(self) -> PagePictures:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._thread.shutdown(cancel_futures=True)

    def words(self, page: Any, places: Sequence[Box]) -> Callable[[], list[str]]:  # noqa: ANN401
        """What gives `Picture: …` for each of the page's pictures in these places, and waits for it; the page may be closed.

        One whose words stand in the page's text is left out.
        """
        text_page = page.get_textpage()
        try:
            bare = [box for box in places if len(text_page.get_text_bounded(*box)) < _COVERED_CHARACTERS]
            known = set(_WORD.findall(text_page.get_text_range().casefold())) if bare else set()
        finally:
            text_page.close()
        found = [self._begun(picture, known) for picture in (_rendered(page, bare) if bare else ())]
        return lambda: [text for it in found if (text := it.result())]

    def _begun(self, picture: Any, known: set[str]) -> Future[str]:  # noqa: ANN401
        if self._last is not None:
            self._last.result()
        self._last = self._thread.submit(self._news, picture, known)
        return self._last

    def _news(self, picture: Any, known: set[str]) -> str:  # noqa: ANN401
        text = self._pictures.text_of(picture)
        return text if _is_news(text, known) else ""


def _rendered(page: Any, boxes: Sequence[Box]) -> Iterator[Any]:  # noqa: ANN401
    """The pictures in these places as they are shown on the page; no more of it is drawn than they need."""
    scale = _scale(page)
    width, height = (ceil(side * scale) for side in page.get_size())
    places = [_on_picture(page, box, (width, height)) for box in boxes]
    left, top = (max(0, min(place[side] for place in places)) for side in (0, 1))
    right, bottom = min(width, max(place[2] for place in places)), min(height, max(place[3] for place in places))
    if left >= right or top >= bottom:
        left, top, right, bottom = 0, 0, width, height
    beside = ((it - 0.5) / scale if it > 0 else 0 for it in (left, height - bottom, width - right, top))  # it is rounded up
    shown = page.render(scale=scale, grayscale=True, crop=tuple(beside)).to_pil()
    return (shown.crop((l - left, t - top, r - left, b - top)) for l, t, r, b in places)  # noqa: E741


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
