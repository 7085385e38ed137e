"""Pictures within a file that says more than they do: what is recognised in each, once, and how many were not looked at.

Recognition costs seconds a picture, so all those of one file share a time: what comes after it is counted, never forgotten. A
picture without text is none that was lost.
"""

from __future__ import annotations

import hashlib
import io
import re
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from domain_sdk.extraction import ocr

__all__ = ["Pictures"]

_FILE_SECONDS = 300.0
_LEAST_WIDTH, _LEAST_HEIGHT = 48, 16
"""In pixels: smaller ones are bullets, lines and icons."""
_FEWEST_CONFIDENCE = 55.0
"""Less sure than this, what is read in a picture is the pattern of a photograph."""
_STROKE = 3
_LEAST_CONTRAST = 12
_LEAST_EDGE = 64
"""Letters turn from ink to paper within so many pixels, by so many greys, at so many places; one colour and shades do not."""
_WORD = re.compile(r"[^\W_]{2,}")
_MOST_BYTES = 64 << 20
_NO_RECOGNITION = "pictures, as no recognition is installed (extra `ocr`)"
_TOO_LATE = f"pictures, after {_FILE_SECONDS:g} s of recognition in one file"
_OTHER_KIND = "pictures of a kind that is not recognised, or damaged"


class Pictures:
    """Those of one file. `on_picture` is told when each is done, so that nobody takes its reader to stand still."""

    def __init__(self, on_picture: Callable[[], None] = lambda: None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._on_picture = on_picture
        self._clock = clock
        self._seconds = 0.0
        self._known: dict[bytes, str] = {}
        self._shown: dict[bytes, str] = {}
        self._unread: Counter[str] = Counter()
        self.confidence = -1.0
        """The least of those that were recognised; -1 if none was."""

    @property
    def unread(self) -> Mapping[str, int]:
        """What was not looked at, in words, and how many."""
        return dict(self._unread)

    def leave(self, count: int) -> None:
        """So many more are of a kind that is not recognised."""
        self._unread += Counter({_OTHER_KIND: count})

    def text_in(self, data: bytes) -> str:
        """`Picture: …` for what is recognised in a picture's file; empty if there is nothing or it is not looked at."""
        digest = hashlib.sha256(data).digest()
        if digest not in self._known:
            self._known[digest] = self._of_file(data)
        return self._known[digest]

    def text_of(self, picture: Any) -> str:  # noqa: ANN401  (a PIL image)
        """`Picture: …` for what is recognised in a picture."""
        if picture.width < _LEAST_WIDTH or picture.height < _LEAST_HEIGHT:
            return ""
        if not _has_letters(picture):
            return ""
        digest = hashlib.sha256(f"{picture.mode} {picture.size} ".encode() + picture.tobytes()).digest()
        if digest not in self._shown:
            found = self._recognised(picture)
            if found is None:
                return ""
            self._shown[digest] = found
        return self._shown[digest]

    def _recognised(self, picture: Any) -> str | None:  # noqa: ANN401
        """`Picture: …`, empty if it has no words; None if it is not looked at, which is counted."""
        if not ocr.is_available():
            self._unread[_NO_RECOGNITION] += 1
            return None
        if self._seconds >= _FILE_SECONDS:
            self._unread[_TOO_LATE] += 1
            return None
        begin = self._clock()
        found = ocr.recognise(picture, turns=False)
        self._seconds += self._clock() - begin
        self._on_picture()
        if found is None or found.confidence < _FEWEST_CONFIDENCE or not _WORD.search(found.text):
            return ""
        self.confidence = min(found.confidence, self.confidence if self.confidence >= 0 else 100.0)
        return f"Picture: {' '.join(found.text.split())}"

    def _of_file(self, data: bytes) -> str:
        try:
            from PIL import Image, UnidentifiedImageError
        except ModuleNotFoundError:
            self._unread[_NO_RECOGNITION] += 1
            return ""
        Image.MAX_IMAGE_PIXELS = ocr.MOST_PIXELS
        try:
            with Image.open(io.BytesIO(data[:_MOST_BYTES])) as image:
                if image.width * image.height > ocr.MOST_PIXELS:
                    raise Image.DecompressionBombError
                return self.text_of(ocr.on_paper(image))
        except (UnidentifiedImageError, Image.DecompressionBombError, OSError, SyntaxError, ValueError):
            self._unread[_OTHER_KIND] += 1
            return ""


def _has_letters(picture: Any) -> bool:  # noqa: ANN401
    """False for one colour or a gentle shade, framed or not."""
    from PIL import ImageChops

    grey = picture.convert("L")
    left, top, right, bottom = _STROKE, _STROKE, grey.width - _STROKE, grey.height - _STROKE
    one = grey.crop((left, top, right - _STROKE, bottom))
    other = grey.crop((left + _STROKE, top, right, bottom))
    return sum(ImageChops.difference(one, other).histogram()[_LEAST_CONTRAST:]) >= _LEAST_EDGE
