"""Words with a hyphen at the end of a line: whether it is their own or parts them is told by the rest of the document. Pure.

A line says nothing of the next pages: joined lines hold a mark where it is open, until the whole text is there. Of English,
German and French the words that leave a hyphen standing alone are known (`long- and short-term`), no others, and only in a
document that uses them: they end words of any language, too.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from domain_sdk.extraction.scripts import between

__all__ = ["continued", "with_hyphens"]

_OPEN = "\ufffe"
"""A hyphen or nothing. No character of a page is this one (`pdf_characters`)."""
_SOFT_HYPHEN = "\u00ad"
_HYPHENS = ("-", "\u2010", _SOFT_HYPHEN)
_PART = r"[^\W_]++"
_PARTS = rf"{_PART}(?:[-\u2010]{_PART})*+"
_CHAIN = re.compile(rf"(?<![^\W_])(?<![^\W_][-\u2010]){_PARTS}(?:{_OPEN}{_PARTS})++")
_PARTED = re.compile(rf"(?<![^\W_]){_PART}(?:{_OPEN}{_PART})++")
_WORD = re.compile(_PART)
_HYPHENED = re.compile(rf"(?<![^\W_]){_PART}(?:[-\u2010]{_PART})++")
_HYPHEN = re.compile(r"[-\u2010]")
_ADDRESS = re.compile(r"[/@\\_=]|\w\.\w")
_ALONE = frozenset({"and", "or", "to", "und", "oder", "bis", "et", "ou"})
_LINKS = frozenset({"of", "the", "and", "by", "und"})
"""No word that is parted begins with these."""
_SUSPENDED = re.compile(rf"(?<![^\W_])({_PART})[-\u2010](?=,? \w)")
_AFTER_ALONE = re.compile(rf"\w[-\u2010],? (?:{'|'.join(sorted(_ALONE))}) \Z", re.IGNORECASE)
_SECOND = re.compile(rf" {_PART}[-\u2010]")
_LOOKED_AROUND = 12
_LOOKED_BACK = 256
_LONGEST = 64
_FEWEST_LETTERS = 3
"""Parts with fewer are words of their own too often to tell."""


def continued(text: str, line: str) -> str:
    """The text with its next line; `with_hyphens` closes what is open then."""
    if text[-1:] not in _HYPHENS or not text[-2:-1].isalnum() or not line[:1].isalnum():
        return f"{text}{between(text, line)}{line}"
    if text[-1] == _SOFT_HYPHEN:
        return f"{text[:-1]}{line}"
    is_address = _ADDRESS.search(text[-_LOOKED_BACK:].rsplit(maxsplit=1)[-1]) is not None
    return f"{text}{line}" if is_address else f"{text[:-1]}{_OPEN}{line}"


def with_hyphens(texts: Sequence[str]) -> list[str]:
    """The texts of a document's pages; hyphens at the ends of lines stand where they are of the word, and nowhere else."""
    if not any(_OPEN in text for text in texts):
        return list(texts)
    seen = _Seen()
    for text in texts:
        seen.add(_PARTED.sub(_OPEN, text).casefold())
    return [_CHAIN.sub(lambda found: _closed(found, seen), text) for text in texts]


@dataclass(frozen=True)
class _Seen:
    """What the document writes where no line ends: small letters."""

    words: Counter[str] = field(default_factory=Counter)
    pairs: Counter[tuple[str, str]] = field(default_factory=Counter)
    suspended: set[str] = field(default_factory=set)

    def add(self, text: str) -> None:
        self.words.update(_WORD.findall(text))
        for word in _HYPHENED.findall(text):
            self.pairs.update(pairwise(_HYPHEN.split(word)))
        self.suspended.update(_SUSPENDED.findall(text))


@dataclass(frozen=True)
class _Place:
    """Where a word stands whose parts open marks part: after `long- and`, in prose, behind and before other parts."""

    is_second: bool
    is_prose: bool
    has_second: bool
    is_behind: bool
    is_before: bool


def _closed(found: re.Match[str], seen: _Seen) -> str:
    chain, text, (begin, end) = found.group(), found.string, found.span()
    around = text[max(0, begin - _LOOKED_AROUND) : begin] + text[end : end + _LOOKED_AROUND]
    is_second = _AFTER_ALONE.search(text, max(0, begin - _LOOKED_AROUND), begin) is not None
    is_prose, has_second = around.upper() != around, _SECOND.match(text, end) is not None
    closed, behind = [], 0
    for hyphen in (*_HYPHEN.finditer(chain), None):
        stop = len(chain) if hyphen is None else hyphen.start()
        place = _Place(is_second, is_prose, has_second, is_behind=behind > 0, is_before=hyphen is not None)
        closed += [*_marked(chain[behind:stop].split(_OPEN), place, seen), chain[stop : stop + 1]]
        behind = stop + 1
    return "".join(closed)


def _marked(parts: list[str], place: _Place, seen: _Seen) -> Iterator[str]:
    """The parts, and what stands between them."""
    if len(parts) > 2 and seen.words["".join(parts).casefold()]:
        yield from parts
        return
    first, *others = parts
    yield first
    for number, part in enumerate(others, start=1):
        is_before = place.is_before or number < len(others)
        mark = _mark(first, part, replace(place, is_before=is_before), seen)
        yield mark
        yield part
        first = part if mark else (first + part)[-_LONGEST:]
        place = place if not mark else replace(place, is_behind=True)


def _mark(first: str, last: str, place: _Place, seen: _Seen) -> str:
    """What stands between the two most often in the document; if that does not tell, what their looks do."""
    low, high = first.casefold(), last.casefold()
    joined, hyphened = seen.words[low + high], seen.pairs[low, high]
    if joined != hyphened:
        return "-" if hyphened > joined else ""
    if high in _ALONE:
        return _alone(low, high, place, seen)
    return "-" if place.is_second or _is_compound(first, last, place, seen) else ""


def _alone(low: str, high: str, place: _Place, seen: _Seen) -> str:
    """What stands before a word that may leave a hyphen standing alone."""
    if place.is_before:
        return "-" if seen.words[low] or not low.isalpha() else ""
    is_end = high == "to" and len(low) < _FEWEST_LETTERS  # into, onto
    is_first = low in seen.suspended or (not is_end and (seen.words[low] > 0 or place.has_second))
    return "- " if not low.isalpha() or (seen.words[high] and is_first) else ""


def _is_compound(first: str, last: str, place: _Place, seen: _Seen) -> bool:
    """True by the looks of its parts (digits, capitals), or if they are words elsewhere."""
    low, high = first.casefold(), last.casefold()
    is_loud = first.isupper() and last.isupper() and min(len(first), len(last)) > 1
    if not (first + last).isalpha() or (not is_loud and (not last[0].islower() or (first.isupper() and len(first) > 1))):
        return True
    if place.is_behind:
        return seen.words[high] > 0 or low in _LINKS
    fewest = 1 if is_loud and place.is_prose else _FEWEST_LETTERS
    return all(len(part) >= fewest and seen.words[part] for part in (low, high))
