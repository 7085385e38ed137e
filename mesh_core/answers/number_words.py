"""Numbers, their scales and months as English writes them in words; whoever reads a text takes them from here."""

from __future__ import annotations

__all__ = ["COUNT", "MONTH", "MONTHS", "SCALES", "SPELT", "WEEKDAYS"]

_UNITS = (
    "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen", "fourteen",
    "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")

SPELT = {word: number for number, word in enumerate(_UNITS, start=1)} | {
    word: 10 * number for number, word in enumerate(_TENS, start=2)
}
"""Numbers of one word, from `one` to `ninety`."""
_OTHERS = ("once", "twice", "no", "none", "zero", "half", "dozen", "hundred", "thousand", "million")
COUNT = rf"(?:\d[\d,.]*(?![\d,.]*[A-Za-z]{{5}})|\b(?:(?:{'|'.join(_TENS)})-\w+|{'|'.join((*SPELT, *_OTHERS))})\b)"
"""A pattern of whatever says how many; a name that begins with a digit (`1Password`) says nothing of it."""
SCALES = {"k": 1_000, "thousand": 1_000, "m": 1_000_000, "million": 1_000_000, "bn": 10**9, "billion": 10**9}
"""What a word behind a number multiplies it by."""
MONTHS = {
    name: number
    for number, names in enumerate(
        ("january jan", "february feb", "march mar", "april apr", "may", "june jun", "july jul", "august aug",
         "september sept sep", "october oct", "november nov", "december dec"), start=1,
    )
    for name in names.split()
}  # fmt: skip
"""Months by their names and what these are cut to, from 1."""
MONTH = "|".join(sorted(MONTHS, key=len, reverse=True))
"""A pattern of a month's name, longest first; without a point behind it."""
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
