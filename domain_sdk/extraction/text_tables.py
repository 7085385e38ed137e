"""Tables that are text, as one of Markdown: values between commas, semicolons, tabs or bars. Pure.

Source: RFC 4180; what parts the values is told by the rows, as programs of many countries write semicolons.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from itertools import islice

from domain_sdk.extraction.extracted import Unreadable

__all__ = ["table_markdown"]

_MARKS = ",;\t|"
_LOOKED_AT = 50
_SAID = re.compile(r"sep=(.)\r?\n", re.IGNORECASE)
"""What Excel writes above the rows."""


def table_markdown(text: str) -> str:
    """The rows, the first as the names of columns. Raises: Unreadable if they are none."""
    said = _SAID.match(text)
    rows = text[said.end() :] if said else text
    mark = said[1] if said else max(_MARKS, key=lambda it: _agreeing(rows, it))
    try:
        read = list(csv.reader(rows.splitlines(keepends=True), delimiter=mark))
    except csv.Error as error:
        raise Unreadable("it is no table as text: get it anew.") from error
    shown = [cells for row in read if any(cells := [" ".join(it.split()).replace("|", "¦") for it in row])]
    width = max(map(len, shown), default=0)
    if not width:
        raise Unreadable("it is a table without rows: fill or remove it.")
    lines = [f"| {' | '.join(row)} |" for row in shown]
    return "\n".join([lines[0] + " |" * (width - len(shown[0])), f"|{' --- |' * width}", *lines[1:]])


def _agreeing(text: str, mark: str) -> tuple[int, int]:
    """How many of the first rows have the same number of values, more than one, if this parts them; and that number."""
    lines = text.split("\n", _LOOKED_AT)[:_LOOKED_AT]
    try:
        rows = [row for row in islice(csv.reader(lines, delimiter=mark), _LOOKED_AT) if row]
    except csv.Error:
        return 0, 0
    widths = Counter(len(row) for row in rows if len(row) > 1)
    width, count = widths.most_common(1)[0] if widths else (0, 0)
    return count, width
