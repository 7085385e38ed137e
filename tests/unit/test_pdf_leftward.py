"""PDF pages of scripts that run from right to left: lines are whole, tables begin at their right."""

from __future__ import annotations

from collections.abc import Sequence

from domain_sdk.extraction.pdf_layout import page_markdown
from domain_sdk.extraction.pdf_lines import split_lines
from domain_sdk.extraction.pdf_places import PlacedChars

WIDTH, SIZE = 5.0, 10.0
Char = tuple[str, float, float, float]
"""Text, left, right, base line."""


def leftward(words: Sequence[str], *, right: float, top: float) -> list[Char]:
    """Words from the right edge on to the left, as PDFium gives them: in reading order, Latin words from left to right inside."""
    chars: list[Char] = []
    place = right
    for word in words:
        if place != right:
            chars.append((" ", place - WIDTH, place, top))
            place -= WIDTH
        letters = word if word.isascii() else word[::-1]
        boxes = [
            (letter, place - WIDTH * (len(word) - n), place - WIDTH * (len(word) - n - 1)) for n, letter in enumerate(letters)
        ]
        for letter, left, its_right in boxes if word.isascii() else reversed(boxes):
            chars.append((letter, left, its_right, top))
        place -= WIDTH * len(word)
    return chars


def page(lines: Sequence[Sequence[tuple[str, float]]]) -> tuple[str, int]:
    """The Markdown of lines of texts with their right edges."""
    chars: list[Char] = []
    for number, line in enumerate(lines):
        for text, right in line:
            chars += leftward(text.split(), right=right, top=100 + 12.0 * number)
        chars.append(("\n", 0.0, 0.0, 0.0))
    shown = [char for char in chars if not char[0].isspace()]
    text = "".join(char[0] for char in chars)
    left, right, top = [char[1] for char in shown], [char[2] for char in shown], [char[3] for char in shown]
    placed = PlacedChars(text, left, right, top, [SIZE] * len(shown), [False] * len(shown))
    return page_markdown(split_lines(placed), body_size=SIZE)


def test_long_lines_of_hebrew_with_latin_words_are_a_paragraph() -> None:
    first = "המדיניות החדשה של החברה חלה על כל העובדים במשרד"
    second = "שימוש בתוכנה Microsoft Excel 365 מותר רק לאחר אישור המנהל"
    third = "הבקשה תוגש בכתב ותיענה בתוך שבוע ימים מיום קבלתה"
    text, tables = page([[(first, 500)], [(second, 500)], [(third, 500)]])
    assert text == f"{first} {second} {third}"
    assert tables == 0


def test_a_table_of_arabic_begins_with_its_labels() -> None:
    rows = [("الإيرادات", "120"), ("التكاليف", "75"), ("الأرباح", "45")]
    text, tables = page([[(label, 500), (number, 300)] for label, number in rows])
    assert tables == 1
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.split("\n")]
    assert [line for line in lines if "---" not in line] == [list(row) for row in rows]
