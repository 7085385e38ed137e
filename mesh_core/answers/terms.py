"""Names of a contract in the words of a question: where a text names a port, a measure, a dimension or a value.

Names are taken apart (`net_revenue` is two words) and compared word by word; a question may use the plural of a name's last
word, a name in the plural is not met by its singular. Knows nothing of what is named.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

__all__ = ["Match", "Word", "best_matches", "names_of", "term_words", "words_of"]

_WORD = re.compile(r"[^\W_]+(?:[-.:/@'’&#][^\W_]+)*", re.UNICODE)
_SPLIT = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_a-zA-Z]+")


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a question and where it stands, in characters."""

    text: str
    begin: int
    finish: int

    @property
    def folded(self) -> str:
        """In lower case, without a possessive."""
        return re.sub(r"['’]s\Z", "", self.text).casefold()


@dataclass(frozen=True, slots=True)
class Match:
    """A name found: words from `first` on, `last` excluded, and how it was written in the contract."""

    name: str
    first: int
    last: int

    @property
    def length(self) -> int:
        """How many words it has."""
        return self.last - self.first

    def overlaps(self, other: Match) -> bool:
        """True if they share a word."""
        return self.first < other.last and other.first < self.last


def words_of(text: str) -> list[Word]:
    """The words of a question; numbers, keys like `O-004711` and addresses stay whole."""
    return [Word(match[0], *match.span()) for match in _WORD.finditer(text)]


def names_of(name: str, others: Iterable[str] = ()) -> list[str]:
    """A thing's name and its other names, each once."""
    return list(dict.fromkeys([name, *others]))


def term_words(name: str) -> tuple[str, ...]:
    """The words of a contract's name in lower case: `net_revenue` and `netRevenue` are `net revenue`."""
    return tuple(word.casefold() for word in _SPLIT.findall(name.replace("'", "")))


def best_matches(words: list[Word], names: Iterable[str]) -> list[Match]:
    """Where the question has the names: of those that overlap the longest; of equal ones all."""
    found = [match for name in names for match in _matches(words, name)]
    longest = [it for it in found if not any(other.length > it.length and other.overlaps(it) for other in found)]
    return sorted(longest, key=lambda it: (it.first, it.name))


def _matches(words: list[Word], name: str) -> Iterator[Match]:
    term = term_words(name)
    if not term:
        return
    for first in range(len(words)):
        last = _end(words, first, term)
        if last:
            yield Match(name, first, last)


def _end(words: list[Word], first: int, term: tuple[str, ...]) -> int:
    """The word after the name if it begins here; 0 if it does not. A word like `net-revenue` has two of its words."""
    place, left = first, list(term)
    while left and place < len(words):
        parts = [it.casefold() for it in _SPLIT.findall(words[place].folded)]
        if not parts or len(parts) > len(left):
            return 0
        wanted, left = left[: len(parts)], left[len(parts) :]
        if parts[:-1] != wanted[:-1] or not _is_word(parts[-1], wanted[-1], ends=not left):
            return 0
        place += 1
    return 0 if left else place


def _is_word(asked: str, known: str, *, ends: bool) -> bool:
    if asked == known:
        return True
    return ends and asked in (f"{known}s", f"{known}es", f"{known[:-1]}ies" if known.endswith("y") else f"{known}s")
