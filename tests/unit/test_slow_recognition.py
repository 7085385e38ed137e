"""A picture that takes long to recognise does not take so long that its file counts as one at which the reader stands still."""

from __future__ import annotations

import pytest
from PIL import Image

from domain_sdk.extraction import ocr
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
