"""Known people in text: values of columns, kept as keyed hashes only, found again wherever their words stand in a row.

A value is its words, folded (case, accents, apostrophes, compatibility forms), with `ae` for `ä`, too; of scripts without spaces
each character is a word. Words that a hyphen parts at a line's end are joined. The matcher looks at every word of a text once:
unless its hash begins some value, nothing more is done, so a million characters take a fraction of a second. Who has the hashes
and not the key can neither read nor test a value. Pure: the key is an argument.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from mesh_core.pii.readable import readable

__all__ = ["KnownValues", "Match", "folded_words"]

_UNSPACED = "\u2e80-\u9fff\uac00-\ud7a3\uf900-\ufaff\uff66-\uff9d\u0e01-\u0eff\u1000-\u109f\u1780-\u17ff"
_MARKS = "\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670"
"""Accents, and vowels of Hebrew and Arabic, that stand as characters of their own."""
_LETTERS = rf"[^\W_{_UNSPACED}]+"
_WORD = re.compile(rf"[{_UNSPACED}]|{_LETTERS}(?:[{_MARKS}]{{1,8}}{_LETTERS})*(?:[{_MARKS}]{{1,8}})?(?:['’](?!s\b){_LETTERS})*")
_UNACCENTED = str.maketrans("øłđıħŧ", "oldiht") | str.maketrans({"æ": "ae", "œ": "oe", "þ": "th", "ð": "d", "ß": "ss"})
_WRITTEN_OUT = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "å": "aa", "ø": "oe"})
_UNSPACED_CHARACTER = re.compile(f"[{_UNSPACED}]")
_HIDDEN = re.compile(rf"[{_MARKS}'’\u0640]")
_MOST_WORDS = 8
_FEWEST_LETTERS = 6
_KNOWN_WORDS = 200_000


@dataclass(frozen=True, slots=True)
class Match:
    """Characters [start, end) are the value of `owner`."""

    start: int
    end: int
    owner: int


def folded_words(value: str) -> tuple[str, ...]:
    """The words by which a value is known."""
    return tuple(_folded(match.group()) for match in _WORD.finditer(readable(value).text))


def _folded(word: str) -> str:
    if word.isascii():
        return word.casefold().replace("'", "")
    return _HIDDEN.sub("", unicodedata.normalize("NFKD", word).casefold()).translate(_UNACCENTED)


def _spellings(value: str) -> set[tuple[str, ...]]:
    """The words of a value as they may be spelt: `Müller` is also written `Mueller`."""
    written_out = unicodedata.normalize("NFC", value).casefold().translate(_WRITTEN_OUT)
    return {folded_words(value), folded_words(written_out)}


def _is_telling(words: Sequence[str]) -> bool:
    unspaced = sum(_UNSPACED_CHARACTER.match(word) is not None for word in words)
    letters = sum(map(len, words)) if not unspaced else sum(2 if _UNSPACED_CHARACTER.match(word) else len(word) for word in words)
    if letters < _FEWEST_LETTERS or len(words) - unspaced + unspaced / 4 > _MOST_WORDS:
        return False
    return len(words) > 1 or any(map(str.isdigit, words[0]))


@dataclass
class KnownValues:
    """Values, by their hashes under one key of 16 to 64 bytes. Add all, then search."""

    key: bytes = field(repr=False)
    _first: set[int] = field(default_factory=set)
    _hashes: list[int] = field(default_factory=list)
    _owners: list[int] = field(default_factory=list)
    _lengths: set[int] = field(default_factory=set)
    _sorted: tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]] | None = None
    _words: dict[str, bool] = field(default_factory=dict)
    _count: int = 0

    def __len__(self) -> int:
        """How many values are known."""
        return self._count

    def add(self, value: str, owner: int) -> bool:
        """The value is known; False if it is too short or too long to be told from other text.

        Taken are values of 2 to 8 words and, of a single word, those with a digit; of at least 6 letters. Of scripts without
        spaces that is 3 to 32 characters.
        """
        spellings = [words for words in _spellings(value) if _is_telling(words)]
        for words in spellings:
            self._first.add(self._hash(words[:1]))
            self._hashes.append(self._hash(words))
            self._owners.append(owner)
            self._lengths.add(len(words))
        self._count += bool(spellings)
        self._sorted = None
        return bool(spellings)

    def find(self, text: str) -> Iterator[Match]:
        """The values in the text, in order, the longest where several begin; one match for each owner of a value."""
        if not self._hashes:
            return
        shown = readable(text)
        spans = [(match.start(), match.end(), match.group()) for match in _WORD.finditer(shown.text)]
        place = 0
        while place < len(spans):
            found = self._longest(spans, place) if self._begins(spans[place][2]) else None
            if found is None:
                place += 1
                continue
            length, owners = found
            for owner in owners:
                yield Match(shown.origin(spans[place][0]), shown.origin(spans[place + length - 1][1]), owner)
            place += length

    def _begins(self, word: str) -> bool:
        known = self._words.get(word)
        if known is None:
            if len(self._words) > _KNOWN_WORDS:
                self._words.clear()
            known = self._words[word] = self._hash((_folded(word),)) in self._first
        return known

    def _longest(self, spans: Sequence[tuple[int, int, str]], place: int) -> tuple[int, Sequence[int]] | None:
        hashes, owners = self._index()
        for length in sorted(self._lengths, reverse=True):
            if place + length > len(spans):
                continue
            wanted = np.uint64(self._hash(_folded(span[2]) for span in spans[place : place + length]))
            first, last = np.searchsorted(hashes, wanted, "left"), np.searchsorted(hashes, wanted, "right")
            if first < last:
                return length, [int(it) for it in owners[first:last]]
        return None

    def _index(self) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]]:
        if self._sorted is None:
            hashes, owners = np.array(self._hashes, dtype=np.uint64), np.array(self._owners, dtype=np.int64)
            order = np.argsort(hashes, kind="stable")
            self._sorted = hashes[order], owners[order]
        return self._sorted

    def _hash(self, words: Iterable[str]) -> int:
        return int.from_bytes(
            hashlib.blake2b(" ".join(words).encode("utf-8", "replace"), key=self.key, digest_size=8).digest(), "big"
        )
