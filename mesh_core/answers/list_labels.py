"""What stands before an item of a list: a bullet, or a number or letter in any of the forms that documents have.

Some labels are read as such wherever a line begins with them. Others may as well be a quantity (`1.5 litres`), a date or an
initial (`J. Roe`): they make an item where a list is expected, and are never taken from what is said.
"""

from __future__ import annotations

import re

__all__ = ["ITEM", "SURE_LABEL"]

_ROMAN = "[ivx]{2,5}|[IVX]{2,5}"
SURE_LABEL = (
    rf"(?:[-*+•]|\((?:\d{{1,3}}|[A-Za-z]|{_ROMAN})\)(?!\s+(?:and|or)\b)|(?:\d{{1,3}}|[A-Za-z]|{_ROMAN})\)|"
    rf"(?:\d{{1,3}}|[a-z]|{_ROMAN})\.)(?=\s)"
)
"""A pattern of a bullet, `1.`, `1)`, `(1)`, `a.`, `(a)`, `iv)`; but not of what a sentence refers to (`(a) and (b) apply`)."""
_OPEN_LABEL = r"(?:\d{1,2}(?:\.\d{1,2}){1,4}\.?|[A-Z]\.)(?=\s)"
ITEM = re.compile(rf"\s*(?:{SURE_LABEL}|{_OPEN_LABEL})\s")
"""The beginning of an item, with `1.1`, `4.2.1` and `A.`, too."""
