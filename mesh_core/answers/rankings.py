"""Rankings in a question: `top 3 regions by …`, `which region has the lowest …`. Words of form only, English."""

from __future__ import annotations

import re
from dataclasses import dataclass

from mesh_core.answers.number_words import SPELT

__all__ = ["Ranking", "ranking_in"]

_HIGHEST = ("most", "highest", "largest", "greatest", "biggest", "top")
_LOWEST = ("least", "lowest", "smallest", "fewest", "bottom")
_WORD = rf"(?P<word>{'|'.join((*_HIGHEST, *_LOWEST))})"
_SPELT = {word: number for word, number in SPELT.items() if number > 1}
_COUNT = rf"(?P<count>\d{{1,3}}|{'|'.join(_SPELT)})"
_FORMS = tuple(
    re.compile(form, re.IGNORECASE)
    for form in (
        rf"\b{_WORD} {_COUNT}\b",
        rf"\b{_COUNT} (?:[\w-]+ ){{1,3}}(?:with|that have|having) (?:the )?{_WORD}\b",
        rf"\A\W*(?:which|what) {_COUNT}\b[^,]*?\b(?:the )?{_WORD}\s",
        rf"\A\W*(?:which|what|who)\b[^,]*?\b(?:the )?{_WORD}\s",
    )
)


@dataclass(frozen=True, slots=True)
class Ranking:
    """How many come first, of the highest or the lowest, and the characters that say so."""

    count: int
    is_lowest: bool
    spans: tuple[tuple[int, int], ...]

    @property
    def begin(self) -> int:
        """Where the first of its words begins."""
        return min(begin for begin, _ in self.spans)


def ranking_in(text: str) -> Ranking | None:
    """The ranking that the text asks for; None if it asks for none."""
    for form in _FORMS:
        if match := form.search(text):
            groups = match.groupdict()
            spans = tuple(match.span(name) for name in groups)
            return Ranking(_number(groups.get("count") or "1"), match["word"].lower() in _LOWEST, spans)
    return None


def _number(word: str) -> int:
    return int(word) if word.isdecimal() else _SPELT[word.lower()]
