"""What a document says it is: the organisations of its first page, their ticker symbols, its form, the period it is for.

By rule, from the beginning of the text; it goes before every passage that is indexed, so that questions which name these find it.
"""

from __future__ import annotations

import calendar
import re
from pathlib import PurePath

from domain_sdk._document_entities import organisations
from domain_sdk._document_files import Document

__all__ = ["about_document", "document_context"]

_HEAD = 2500
_MOST_ORGANISATIONS = 3
_TICKER = re.compile(r"\b(?:NYSE|NASDAQ|LSE|ASX|TSX|AMEX|Euronext|XETRA)\s*:\s*([A-Z]{1,5})\b", re.IGNORECASE)
_FORM = re.compile(r"\bForm\s+([A-Z\d]{1,4}-[A-Z\d]{1,4})\b", re.IGNORECASE)
_MONTH = "|".join(calendar.month_name[1:])
_ENDED, _GAP = (
    r"\b((?:fiscal |calendar |quarterly |annual )?(?:year|quarter|period|months|weeks) (?:ended|ending))\b",
    {True: r"\D{1,40}?", False: " "},
)
"""On cover pages that are tables, edges of cells and the next column's name stand between the words and the day."""
_PERIODS = {
    has_pages: re.compile(rf"{_ENDED}{gap}((?:{_MONTH}) \d{{1,2}}, \d{{4}})", re.IGNORECASE) for has_pages, gap in _GAP.items()
}
_REGISTRANT = re.compile(r"\(\s*exact name of (?:the )?(?:registrant|company)\b", re.IGNORECASE)
_NUMBERED = re.compile(r".*(?:\d|_{3,})\s+(?=[^\W\d_])")
_SAYING_LITTLE = re.compile(r"\b(?:the|company|corporation|corp|co|inc|incorporated|limited|ltd|llc|plc)\b")


def about_document(document: Document) -> str:
    """`Foot Locker, Inc; Form 8-K`: what is found, parted by `; `; empty if nothing is."""
    head = document.text[:_HEAD]
    names = [name for name, _ in organisations(head).most_common(_MOST_ORGANISATIONS)]
    tickers = dict.fromkeys(found.upper() for found in _TICKER.findall(head))
    form = _FORM.search(head)
    period = _PERIODS[bool(document.pages)].search(head)
    stated = [f"Form {form.group(1).upper()}" if form else "", " ".join(" ".join(period.groups()).split()) if period else ""]
    own = _registrant(head)
    others = [name for name in names if _core(name) != _core(own)]
    return "; ".join(dict.fromkeys(filter(None, (own, *others, *tickers, *stated))))


def document_context(document: Document) -> str:
    """What stands before a document's passages: its title, the name of its file if it has pages, and what it is about.

    A name that title or file say already is not said again: a passage and what stands before it share what a model reads.
    """
    name = re.sub(r"[_-]+", " ", PurePath(document.name).stem)
    called = list(dict.fromkeys(filter(None, (document.title, name if document.pages else ""))))
    own = _registrant(document.text[:_HEAD])
    parts = [part for part in about_document(document).split("; ") if part]
    if own and f" {_core(own)} " in f" {_core(' '.join(called))} ":
        parts.remove(own)
    return ". ".join(filter(None, (*called, "; ".join(parts))))


def _registrant(head: str) -> str:
    """The name above `(Exact name of registrant as specified in its charter)`; empty if there is none."""
    found = _REGISTRANT.search(head)
    lines = re.split(r"[\n|]", head[: found.start()]) if found else []
    line = next((it for it in reversed(lines) if any(map(str.isalpha, it))), "")
    return _NUMBERED.sub("", line).strip(" #*_.;-").replace("; ", ", ")


def _core(name: str) -> str:
    """The words that tell the name from others."""
    return " ".join(re.findall(r"[^\W_]+", _SAYING_LITTLE.sub(" ", name.lower())))
