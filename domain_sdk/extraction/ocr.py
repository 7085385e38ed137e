"""Recognition of text in pictures, by Tesseract (extra `ocr`, and `tesseract` installed): words, and how sure they are."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

from domain_sdk.extraction.extracted import Extracted, Page, Unreadable, Unrecognised
from domain_sdk.extraction.tesseract import NoLanguage, Tesseract, library_of

__all__ = ["MOST_PIXELS", "Recognition", "is_available", "on_paper", "read_image", "recognise"]

_FEWEST_CONFIDENCE = 30
_SURE, _BETTER = 80, 8
"""Less sure than this, a picture is turned and read again; what is read then must be so much surer."""
_PAGE_SECONDS = 60
_TURNING_SECONDS = 30
"""A picture is turned no more when it took this long: all of it must end before its reader is taken to stand still."""
MOST_PIXELS = 120_000_000
"""Larger pictures are not opened."""
_LANGUAGE = re.compile("[a-z_]+")
_TIP = "install the extra `ocr` (domain-mesh[ocr]) and the program tesseract to have its text recognised"


@dataclass(frozen=True, slots=True)
class Recognition:
    """The text of a picture, paragraphs apart, and the mean confidence of its words, 0 to 100."""

    text: str
    confidence: float


@cache
def is_available() -> bool:
    """True if pictures can be read here."""
    return importlib.util.find_spec("PIL") is not None and library_of() is not None


def recognise(
    picture: Any,  # noqa: ANN401  (a PIL image)
    *,
    turns: bool = True,
    clock: Callable[[], float] = time.monotonic,
) -> Recognition | None:
    """What stands in the picture, whichever way up; None if recognition is not installed or nothing was recognised.

    Without `turns` it is read as it lies: pictures within a text stand upright.

    Raises:
        Unreadable: the languages that are asked for are not installed.
    """
    if not is_available():
        return None
    until = clock() + _TURNING_SECONDS
    best = _read(picture)
    for degrees in (90, 180, 270) if turns else ():
        if clock() >= until or (best is not None and best.confidence >= _SURE):
            break
        it = _read(picture.rotate(degrees, expand=True))
        if it is not None and (best is None or it.confidence > best.confidence + _BETTER):
            best = it
    return best


def _read(picture: Any) -> Recognition | None:  # noqa: ANN401
    """What is read in the picture as it is; nothing of one that takes too long."""
    grey = picture.convert("L")
    try:
        table = _tesseract().table(grey.width, grey.height, grey.tobytes())
    except NoLanguage as error:
        raise Unrecognised(
            f"its text cannot be recognised: install tesseract's data for {_languages()}, or change MESH_OCR_LANGUAGES."
        ) from error
    return None if table is None else _recognition(table)


@cache
def _tesseract() -> Tesseract:
    return Tesseract(library_of() or "", _languages(), picture_seconds=_PAGE_SECONDS)


def _recognition(table: str) -> Recognition | None:
    """The words of Tesseract's table, whose first line names its columns."""
    paragraphs: dict[tuple[str, str], list[str]] = {}
    confidences: list[float] = []
    names, *rows = (line.split("\t") for line in table.split("\n"))
    for row in rows:
        told = dict(zip(names, row, strict=False))
        word = told.get("text", "")
        if word.strip() and float(told["conf"]) >= _FEWEST_CONFIDENCE:
            paragraphs.setdefault((told["block_num"], told["par_num"]), []).append(word)
            confidences.append(float(told["conf"]))
    if not confidences:
        return None
    return Recognition("\n\n".join(" ".join(words) for words in paragraphs.values()), sum(confidences) / len(confidences))


def read_image(path: Path, on_page: Callable[[int, int], None] = lambda done, total: None) -> Extracted:
    """The text of a picture; `on_page` is told of each that is done. Raises: Unreadable if there is none, or no reader for it."""
    try:
        from PIL import Image, ImageOps, UnidentifiedImageError
    except ModuleNotFoundError as error:
        raise Unrecognised(f"it is a picture: {_TIP}.") from error
    if not is_available():
        raise Unrecognised(f"it is a picture: {_TIP}.")
    Image.MAX_IMAGE_PIXELS = MOST_PIXELS
    try:
        with Image.open(path) as image:
            if image.width * image.height > MOST_PIXELS:
                raise Unreadable(f"it has {image.width} × {image.height} pixels, more than is read: make it smaller.")
            count = getattr(image, "n_frames", 1) if image.format == "TIFF" else 1
            found: list[Recognition | None] = []
            for frame in islice(_frames(image), count):
                found.append(recognise(on_paper(ImageOps.exif_transpose(frame))))
                on_page(len(found), count)
    except (UnidentifiedImageError, OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise Unreadable("it is damaged, so that no picture can be read: get it anew.") from error
    texts = [it for it in found if it is not None]
    if not texts:
        raise Unrecognised("it is a picture in which no text was recognised: remove it, or add its text as a document.")
    pages: list[Page] = []
    text = ""
    for number, recognition in enumerate(found, start=1):
        if recognition is not None:
            text += "\n\n" if text else ""
            pages.append(Page(number, len(text), recognition.confidence))
            text += recognition.text
    empty = tuple(number for number, it in enumerate(found, start=1) if it is None)
    return Extracted(text, tuple(pages), empty, facts={"page_count": str(len(found))}, parser="tesseract")


def on_paper(image: Any) -> Any:  # noqa: ANN401
    """The picture in grey; what is transparent is white, as paper is."""
    if not image.has_transparency_data:
        return image.convert("L")
    from PIL import Image

    coloured = image.convert("RGBA")
    paper = Image.new("RGBA", coloured.size, "white")
    paper.alpha_composite(coloured)
    return paper.convert("L")


def _frames(image: Any) -> Any:  # noqa: ANN401
    from PIL import ImageSequence

    return ImageSequence.Iterator(image)


@cache
def _languages() -> str:
    """Those that are asked for (MESH_OCR_LANGUAGES, like `eng+deu`), else all of the installed ones up to four, English first."""
    asked = os.environ.get("MESH_OCR_LANGUAGES")
    if asked:
        return asked
    try:
        said = subprocess.run(["tesseract", "--list-langs"], capture_output=True, timeout=_PAGE_SECONDS, check=False).stdout
    except subprocess.TimeoutExpired:
        said = b""
    lines = said.decode("utf-8", "replace").split("\n")
    installed = [line.strip() for line in lines if _LANGUAGE.fullmatch(line.strip()) and line.strip() != "osd"]
    return "+".join(sorted(installed, key=lambda it: (it != "eng", it))[:4]) or "eng"
