"""A picture that takes long to recognise: pages are read on, and its reader does not count as one that stands still."""

from __future__ import annotations

from pathlib import Path
from threading import Event
from typing import Any

import pypdfium2
import pytest
from fpdf import FPDF
from PIL import Image

from domain_sdk.extraction import ocr
from domain_sdk.extraction.pdf_drawn import read_drawn
from domain_sdk.extraction.pdf_pictures import PagePictures, places_of_pictures
from domain_sdk.extraction.pictures import Pictures
from domain_sdk.extraction.worker import STILL_SECONDS


@pytest.mark.parametrize(("seconds", "readings"), [(1.0, 4), (20.0, 2), (60.0, 1)])
def test_a_slow_picture_is_not_turned_all_ways(monkeypatch: pytest.MonkeyPatch, seconds: float, readings: int) -> None:
    now = [0.0]

    def read(picture: object) -> None:
        now[0] += seconds

    monkeypatch.setattr(ocr, "is_available", lambda: True)
    monkeypatch.setattr(ocr, "_read", read)
    assert ocr.recognise(Image.new("L", (8, 8)), clock=lambda: now[0]) is None
    assert now[0] == readings * seconds
    assert now[0] < STILL_SECONDS


def test_the_longest_recognition_ends_before_its_reader_counts_as_standing_still() -> None:
    assert ocr._TURNING_SECONDS + ocr._PAGE_SECONDS < STILL_SECONDS


class Held(Pictures):
    """Pictures whose recognition waits until it may."""

    def __init__(self) -> None:
        super().__init__()
        self.may = Event()

    def text_of(self, picture: Any) -> str:
        assert self.may.wait(30)
        return f"Picture: {picture.width} wide"


def test_pages_are_read_on_while_a_picture_is_recognised(tmp_path: Path) -> None:
    book = FPDF(unit="pt", format=(360, 360))
    book.add_page()
    book.image(Image.new("L", (50, 50), 90), 36, 72, 144, 72)
    book.output(str(tmp_path / "a.pdf"))
    held = Held()
    document = pypdfium2.PdfDocument(tmp_path / "a.pdf")
    page = document[0]
    drawn, _ = read_drawn(page)
    with PagePictures(held) as pictures:
        words = pictures.words(page, places_of_pictures(drawn))
        page.close()
        held.may.set()
        assert words() == ["Picture: 400 wide"]
    document.close()
