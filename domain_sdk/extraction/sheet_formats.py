"""What the format of a cell says beside its number: currency, unit, leading zeros. Pure.

Source: ECMA-376, SpreadsheetML: number formats. What positive numbers are shown with counts; the digits stay those of the value.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from unicodedata import category

__all__ = ["PLAIN", "NumberFormat", "number_format"]

_TOKEN = re.compile(
    r'"(?P<said>[^"]*)"|\\(?P<sign>.)|\[\$(?P<currency>[^\]-]*)(?:-[^\]]*)?\]|(?P<digits>[0#?][0#?.,]*(?:E[+-]0+)?|General)'
    r"|(?P<unsaid>_.|\*.|\[[^\]]*\])|(?P<end>;)|(?P<bare>.)",
    re.IGNORECASE,
)
_CONDITION = re.compile(r"\[[<>=]")
_UNIT_KINDS = frozenset({"Sc", "So"})
_LONGEST_MASK = 30


@dataclass(frozen=True, slots=True)
class NumberFormat:
    """What stands before and behind a number; or `mask`, in which the digits of a whole number take the places of zeros."""

    before: str = ""
    after: str = ""
    mask: str = ""

    def shown(self, digits: str) -> str:
        """The number of these digits as it is shown."""
        sign, number = ("-", digits[1:]) if digits.startswith("-") else ("", digits)
        if self.mask and number.isdecimal() and not sign:
            return self._masked(number)
        return f"{sign}{self.before}{number}{self.after}"

    def _masked(self, number: str) -> str:
        places = self.mask.count("0")
        digits = number.zfill(places)
        more, rest = digits[: len(digits) - places], iter(digits[len(digits) - places :])
        masked = "".join(next(rest) if it == "0" else it for it in self.mask)
        first = self.mask.index("0")
        return f"{masked[:first]}{more}{masked[first:]}"


PLAIN = NumberFormat()


def number_format(code: str) -> NumberFormat:
    """What a code of numbers says; `PLAIN` for one that says nothing, divides, or holds under a condition."""
    if _CONDITION.search(code):
        return PLAIN
    texts, runs = [""], list[str]()
    for token in _TOKEN.finditer(code):
        if token["end"]:
            break
        if token["digits"]:
            runs.append(token["digits"])
            texts.append("")
        elif not token["unsaid"]:
            texts[-1] += token["said"] or token["sign"] or token["currency"] or token["bare"] or ""
    if not runs or not {"@", "%"}.isdisjoint("".join(texts)):
        return PLAIN
    zeros = "".join(runs)
    if set(zeros) == {"0"} and 1 < len(zeros) <= _LONGEST_MASK and not any(map(str.isalnum, "".join(texts))):
        return NumberFormat(mask="".join(f"{text}{run}" for text, run in zip(texts, [*runs, ""], strict=True)).strip())
    if len(runs) > 1 or runs[0].endswith(","):
        return PLAIN
    before, after = texts[0].lstrip(), texts[1].rstrip()
    return NumberFormat(before if _says(before) else "", after if _says(after) else "")


def _says(text: str) -> bool:
    return any(char.isalpha() or category(char) in _UNIT_KINDS for char in text)
