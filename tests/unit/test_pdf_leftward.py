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


def placed(chars: Sequence[Char]) -> PlacedChars:
    shown = [char for char in chars if not char[0].isspace()]
    left, right, top = [char[1] for char in shown], [char[2] for char in shown], [char[3] for char in shown]
    return PlacedChars("".join(char[0] for char in chars), left, right, top, [SIZE] * len(shown), [False] * len(shown))


def page(lines: Sequence[Sequence[tuple[str, float]]]) -> tuple[str, int]:
    """The Markdown of lines of texts with their right edges."""
    chars: list[Char] = []
    for number, line in enumerate(lines):
        for text, right in line:
            chars += leftward(text.split(), right=right, top=100 + 12.0 * number)
        chars.append(("\n", 0.0, 0.0, 0.0))
    return page_markdown(split_lines(placed(chars)), body_size=SIZE)


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


def line_led_rightwards(words: Sequence[str], *, right: float, top: float) -> list[Char]:
    """The words as PDFium gives them where it takes the line for one of Latin words: what stands left comes first."""
    found: list[list[Char]] = [[]]
    for char in leftward(words, right=right, top=top):
        if char[0].isspace():
            found.append([])
        else:
            found[-1].append(char)
    ordered = sorted(found, key=lambda word: word[0][1])
    space = (" ", ordered[0][0][1], ordered[0][0][1], top)
    return [char for word in ordered for char in [*word, space]]


def test_a_line_with_many_latin_letters_and_digits_is_read_from_the_right() -> None:
    first = "תקופת ההודעה היא ארבעה עשר ימים מיום קבלת המסמך במשרד ליצירת קשר"
    second = "דוא״ל dana@example.org או בטלפון 054-123-4567"
    chars = [*leftward(first.split(), right=500, top=100), ("\n", 0.0, 0.0, 0.0)]
    chars += line_led_rightwards(second.split(), right=500, top=112)
    assert page_markdown(split_lines(placed(chars)), body_size=SIZE)[0] == f"{first} {second}"


def test_a_latin_line_on_a_page_of_hebrew_is_whole_and_ends_with_its_full_stop() -> None:
    first = "תקופת ההודעה היא ארבעה עשר ימים מיום קבלת המסמך במשרד"
    chars = [*leftward(first.split(), right=500, top=100), ("\n", 0.0, 0.0, 0.0)]
    chars += leftward([".dana.of.the.travel.desk@mail.example.org"], right=500, top=112)
    text, tables = page_markdown(split_lines(placed(chars)), body_size=SIZE)
    assert (text, tables) == (f"{first} dana.of.the.travel.desk@mail.example.org.", 0)


def test_a_ligature_of_lam_and_alef_is_read_as_both_in_their_order() -> None:
    chars = leftward(["الإشعار"], right=500, top=100)
    lam, alef = chars[1], chars[2]
    chars[1:3] = [(alef[0], *lam[1:]), (lam[0], *lam[1:])]  # one glyph, and PDFium's order
    assert split_lines(placed(chars))[0].text == "الإشعار"
