"""Words with a hyphen at the end of a line: whether it is their own or parts them is told by the rest of the document. Pure.

A line says nothing of the next pages: joined lines hold a mark where it is open, until the whole text is there. Of English,
German and French the words that leave a hyphen standing alone are known (`long- and short-term`), no others.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from domain_sdk.extraction.scripts import between

__all__ = ["continued", "with_hyphens"]

_OPEN = "\ufffe"
"""A hyphen or nothing. No character of a page is this one (`pdf_characters`)."""
_SOFT_HYPHEN = "\u00ad"
_HYPHENS = ("-", "\u2010", _SOFT_HYPHEN)
_PART = r"[^\W_]++"
_OPEN_WORD = re.compile(rf"(?<![^\W_]){_PART}(?:[-\u2010]{_PART})*(?:{_OPEN}{_PART})+")
_WORD = re.compile(_PART)
_HYPHENED = re.compile(rf"(?<![^\W_]){_PART}(?:[-\u2010]{_PART})+")
_HYPHEN = re.compile(r"[-\u2010]")
_ADDRESS = re.compile(r"[/@\\_=]|\w\.\w")
_ALONE = frozenset({"and", "or", "to", "und", "oder", "bis", "et", "ou"})
_AFTER_ALONE = re.compile(rf"\w[-\u2010],? (?:{'|'.join(sorted(_ALONE))}) \Z", re.IGNORECASE)
_LOOKED_BACK = 12
_FEWEST_LETTERS = 3
"""Parts with fewer are words of their own too often to tell."""


def continued(text: str, line: str) -> str:
    """The text with its next line; `with_hyphens` closes what is open then."""
    if text[-1:] not in _HYPHENS or not text[-2:-1].isalnum() or not line[:1].isalnum():
        return f"{text}{between(text, line)}{line}"
    if text[-1] == _SOFT_HYPHEN:
        return f"{text[:-1]}{line}"
    is_address = _ADDRESS.search(text.rsplit(maxsplit=1)[-1]) is not None
    return f"{text}{line}" if is_address else f"{text[:-1]}{_OPEN}{line}"


def with_hyphens(texts: Sequence[str]) -> list[str]:
    """The texts of a document's pages; hyphens at the ends of lines stand where they are of the word, and nowhere else."""
    if not any(_OPEN in text for text in texts):
        return list(texts)
    words: Counter[str] = Counter()
    pairs: Counter[tuple[str, str]] = Counter()
    for text in texts:
        closed = _OPEN_WORD.sub(" ", text).casefold()
        words.update(_WORD.findall(closed))
        for word in _HYPHENED.findall(closed):
            pairs.update(pairwise(_HYPHEN.split(word)))
    return [_OPEN_WORD.sub(lambda found: _closed(found, words, pairs), text) for text in texts]


def _closed(found: re.Match[str], words: Counter[str], pairs: Counter[tuple[str, str]]) -> str:
    first, *others = found.group().split(_OPEN)
    if len(others) > 1 and words["".join((*_HYPHEN.split(first)[-1:], *others)).casefold()]:
        return "".join((first, *others))
    begin = found.start()
    is_second = _AFTER_ALONE.search(found.string, max(0, begin - _LOOKED_BACK), begin) is not None
    for part in others:
        mark = _elsewhere(first, part, words, pairs)
        if mark is None:
            mark = "-" if is_second or _is_compound(first, part, words) else ""
        first = f"{first}{mark}{part}"
    return first


def _elsewhere(first: str, last: str, words: Counter[str], pairs: Counter[tuple[str, str]]) -> str | None:
    """What stands between the two most often in the document, or always before some words; None if neither tells."""
    low, high = _HYPHEN.split(first)[-1].casefold(), last.casefold()
    joined, hyphened = words[low + high], pairs[low, high]
    if joined != hyphened:
        return "-" if hyphened > joined else ""
    return "- " if high in _ALONE else None


def _is_compound(first: str, last: str, words: Counter[str]) -> bool:
    """True by the looks of its parts (hyphens, digits, capitals), or if both are words elsewhere."""
    before = _HYPHEN.split(first)[-1]
    is_sign = not (before + last).isalpha() or not last[0].islower() or (before.isupper() and len(before) > 1)
    parts = (before.casefold(), last.casefold())
    return before != first or is_sign or all(len(part) >= _FEWEST_LETTERS and words[part] for part in parts)
