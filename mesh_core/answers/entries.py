"""Entries of glossaries, lists of codes and tables: whether a line or a row is of the very thing that a question asks for.

`What does E10 mean?` is answered by `E10: the battery is too warm`, however far from it that is in meaning: codes and
abbreviations mean nothing to what compares. Only questions count that name the thing and nothing else. Words of form, English.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from mesh_core.answers.answer_kinds import lacks_amount
from mesh_core.answers.money_words import SUM
from mesh_core.answers.people_words import SOMEBODY
from mesh_core.answers.wording import stem, wording_of

__all__ = ["is_entry_of"]

_COST = re.compile(
    r"\A\W*(?:how much (?:is|are|does|do)|what (?:does|do)\b.*\bcost|what(?:['’]s| is| are) the (?:price|cost|fee))\b",
    re.IGNORECASE,
)
_TIME = re.compile(r"\A\W*how long (?:is|are|does|do)\b", re.IGNORECASE)
_WHO = re.compile(r"\A\W*who(?:['’]s| is| are| was)\b", re.IGNORECASE)
_MEANING = re.compile(r"\A\W*what(?:['’]s| is| are|(?: does| do)\b.*\b(?:mean|stand for)\b)", re.IGNORECASE)
_FORMS = (
    (_COST, frozenset(map(stem, ("cost", "price", "fee")))),
    (_TIME, frozenset(map(stem, ("long", "last", "take")))),
    (_WHO, frozenset[str]()),
    (_MEANING, frozenset(map(stem, ("mean", "stand")))),
)
"""How it is asked, the first that is so; and the words of the question that name nothing."""
_LABEL = re.compile(r"(?P<label>[^:;.?!]{1,80}?)(?::| [–—-]) +(?P<rest>\S.*)")
_ALIASES = re.compile(r"\s*(?:[,/()]|\bor\b)\s*")
_SUM, _SOMEBODY = re.compile(SUM, re.IGNORECASE), re.compile(SOMEBODY)
_OF_FORM = frozenset(
    map(stem, ("attention", "caution", "danger", "error", "hint", "important", "note", "tip", "warning", "example", "remark"))
)
"""What stands before a colon and says what kind of sentence follows. Source: reStructuredText admonitions."""
_WIDE = 3
"""A row with so many cells says much about a thing, but not what it is."""


def is_entry_of(asks: str, line: str, cells: Sequence[str], above: frozenset[str]) -> bool:
    """True if the line or row is of what is asked for, and holds what is asked of it: what it is, costs, how long or who.

    Args:
        asks: The sentence that asks.
        line: The sentence as it is said.
        cells: If it is a row, its cells; else empty.
        above: Stems and numbers of the title and headings above it: words that the question may have, too.
    """
    form, unnaming = next((it for it in _FORMS if it[0].match(asks)), (None, frozenset[str]()))
    wanted = _stems(asks) - unnaming
    return form is not None and any(
        bool(label - _OF_FORM) and label <= wanted and wanted - label <= above and _holds(form, rest, cells)
        for names, rest in (_entries_of_row(form, cells) if cells else _entries_of_line(line))
        for label in map(_stems, (names, *_ALIASES.split(names)))
    )


def _entries_of_line(line: str) -> Iterator[tuple[str, str]]:
    if found := _LABEL.match(line):
        yield found["label"], found["rest"]


def _entries_of_row(form: re.Pattern[str], cells: Sequence[str]) -> Iterator[tuple[str, str]]:
    """What the row is of, and the rest of it; who somebody is may stand behind the name."""
    yield cells[0], "; ".join(cells[1:])
    if form is _WHO:
        yield from ((it, cells[0]) for it in cells[1:])


def _holds(form: re.Pattern[str], rest: str, cells: Sequence[str]) -> bool:
    """True if the rest of the entry holds what is asked of it."""
    if form is _COST:
        return _SUM.search(rest) is not None
    if form is _TIME:
        return not lacks_amount("How long is it?", rest)
    if form is _WHO:
        return _SOMEBODY.search(f", {rest}") is not None
    return bool(rest) and len(cells) < _WIDE


def _stems(text: str) -> frozenset[str]:
    said = wording_of(text)
    return said.words | said.numbers
