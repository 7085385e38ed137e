"""Words and numbers of PDF pages as they are read: raised digits apart, lines of scripts without blanks joined without one."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from domain_sdk.extraction.pdf_layout import page_markdown
from domain_sdk.extraction.pdf_lines import Cell, Line, split_lines
from domain_sdk.extraction.pdf_places import PlacedChars


def chars_of(text: str, *, left: float = 0.0, top: float = 100.0, size: float = 10.0) -> list[tuple[str, float, float, float]]:
    return [(char, left + 5.0 * n, top, size) for n, char in enumerate(text)]


def line_of(chars: Sequence[tuple[str, float, float, float]]) -> str:
    shown = [char for char in chars if not char[0].isspace()]
    left, top, size = ([char[side] for char in shown] for side in (1, 2, 3))
    text = "".join(char[0] for char in chars)
    return split_lines(PlacedChars(text, left, [it + 5 for it in left], top, size, [False] * len(shown)))[0].text


def test_raised_digits_are_no_digits_of_the_number_before() -> None:
    raised = chars_of("6", left=55, top=95, size=7)
    chars = [*chars_of("Of units 10"), *raised, *chars_of(" made", left=60)]
    assert line_of(chars) == "Of units 10^6^ made"


@pytest.mark.parametrize(("top", "size"), [(102.0, 7.0), (100.0, 10.0), (100.0, 8.0)])
def test_digits_below_or_on_the_line_are_digits(top: float, size: float) -> None:
    chars = [*chars_of("Water is H"), *chars_of("2", left=50, top=top, size=size), *chars_of("O here", left=55)]
    assert line_of(chars) == "Water is H2O here"


def test_an_amount_with_a_note_is_an_amount() -> None:
    assert Cell("1,234^2^", 0, 1).is_number


@pytest.mark.parametrize(
    ("first", "second", "whole"),
    [
        ("联系人：王小", "明，电话：", "联系人：王小明，电话："),
        ("每日住", "138 yuan", "每日住138 yuan"),
        ("숙박비 한도는", "하루 십만", "숙박비 한도는 하루 십만"),
        ("ต้องยื่น", "ล่วงหน้า", "ต้องยื่นล่วงหน้า"),
        ("It is", "read", "It is read"),
    ],
)
def test_lines_are_joined_as_their_script_parts_words(first: str, second: str, whole: str) -> None:
    lines = [Line([Cell(text, 0, 100)], 100 + 12.0 * number, 10) for number, text in enumerate((first, second))]
    assert page_markdown(lines, body_size=10)[0] == whole
