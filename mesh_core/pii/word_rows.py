"""Where the words of a value stand in a row in a text, however parted and in any case. Pure.

By plain search: a directory has ten thousand values, and a pattern takes longer to compile than a page takes to be searched.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

__all__ = ["WordRow", "folded_text"]

_WIDEST_GAP = 3
"""How many characters that are no letters or digits may part two words."""


def folded_text(text: str) -> str:
    """The text without a difference of case, every character at its place."""
    whole = text.casefold()
    return whole if len(whole) == len(text) else "".join(map(_folded, text))


def _folded(char: str) -> str:
    folded = char.casefold()
    return folded if len(folded) == 1 else char


@dataclass(frozen=True, slots=True)
class WordRow:
    """Words that follow each other. `is_exact` if their case counts, else they are folded."""

    words: tuple[str, ...]
    is_exact: bool = False

    @classmethod
    def of(cls, words: Sequence[str]) -> WordRow:
        """A row of words in any case."""
        return cls(tuple(map(folded_text, words)))

    def places(self, text: str, folded: str) -> Iterator[tuple[int, int]]:
        """Where it stands as whole words: characters [start, end), apart from each other, in order."""
        searched = text if self.is_exact else folded
        start = searched.find(self.words[0])
        while start >= 0:
            end = self._end(searched, start)
            if end > start:
                yield start, end
            start = searched.find(self.words[0], max(end, start + 1))

    def _end(self, searched: str, start: int) -> int:
        """Where the row that begins here ends; -1 if none does."""
        if start and _is_inside_word(searched[start - 1]):
            return -1
        end = start + len(self.words[0])
        for word in self.words[1:]:
            end = _behind(searched, end, word)
            if end < 0:
                return -1
        return -1 if end < len(searched) and _is_inside_word(searched[end]) else end


def _behind(searched: str, place: int, word: str) -> int:
    """The end of the word that begins here, or behind a gap; -1 if it does not."""
    for begin in range(place, place + _WIDEST_GAP + 1):
        if searched.startswith(word, begin):
            return begin + len(word)
        if begin >= len(searched) or searched[begin].isalnum():
            return -1
    return -1


def _is_inside_word(char: str) -> bool:
    return char.isalnum() or char == "_"
