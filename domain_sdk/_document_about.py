"""What a document says it is: the organisations of its first page, their ticker symbols, its form, the period it is for.

By rule, from the beginning of the text; it goes before every passage that is indexed, so that questions which name these find it.
"""

from __future__ import annotations

import calendar
import re
from pathlib import PurePath

from domain_sdk._document_entities import organisations
from domain_sdk._document_files import Document
from domain_sdk._document_registrant import registrant, tickers

__all__ = ["about_document", "document_context"]

_HEAD = 2500
_MOST_ORGANISATIONS = 3
_FORM = re.compile(r"\bForm\s+([A-Z\d]{1,4}-[A-Z\d]{1,4}(?:/A)?)(?![\w/])", re.IGNORECASE)
_MONTH = "|".join(calendar.month_name[1:])
_ENDED, _GAP = (
    r"\b((?:fiscal |calendar |quarterly |annual )?(?:year|quarter|period|months|weeks) (?:ended|ending))\b",
    {True: r"\D{1,40}?", False: " "},
)
"""On cover pages that are tables, edges of cells and the next column's name stand between the words and the day."""
_PERIODS = {
    has_pages: re.compile(rf"{_ENDED}{gap}((?:{_MONTH}) \d{{1,2}}, \d{{4}})", re.IGNORECASE) for has_pages, gap in _GAP.items()
}
_SPOKEN_PERIOD = re.compile(
    r"\b(?:(?:first|second|third|fourth)[ -]quarter|full[ -]year|fiscal(?: year)?|[1-4]Q|Q[1-4])"
    r"(?:[ ,]+(?:of|and|the|full|fiscal|year|quarter)){0,4}[ -]*(?:20\d\d|FY\d\d)\b"
    r"|\b20\d\d[ -](?:first|second|third|fourth)[ -]quarter\b",
    re.IGNORECASE,
)
"""As releases say it: `Fourth Quarter Fiscal 2022`, `fourth quarter and full year 2022`, `fiscal 2023`."""
_REPORTED = re.compile(
    rf"\bDate of (?:earliest event |report|event)[^:|]{{0,60}}:[\s|]*((?:{_MONTH}) \d{{1,2}}, \d{{4}})", re.IGNORECASE
)
_MARKET = re.compile(r"\b(?:Stock|Securities) (?:Exchange|Market)\b")
_SAYING_LITTLE = re.compile(r"\b(?:the|company|corporation|corp|co|inc|incorporated|limited|ltd|llc|plc)\b")


def about_document(document: Document) -> str:
    """`Foot Locker, Inc; Form 8-K`: what is found, parted by `; `; empty if nothing is."""
    head = document.text[:_HEAD]
    names = [name for name, _ in organisations(head).most_common(_MOST_ORGANISATIONS) if not _MARKET.search(name)]
    form = _FORM.search(head)
    stated = [f"Form {form.group(1).upper()}" if form else "", _period(head, has_pages=bool(document.pages))]
    own = registrant(head, has_pages=bool(document.pages))
    others = [name for name in names if _core(name) != _core(own)]
    return "; ".join(dict.fromkeys(filter(None, (own, *others, *tickers(head), *stated))))


def document_context(document: Document) -> str:
    """What stands before a document's passages: its title, the name of its file if it has pages, and what it is about.

    A name that title or file say already is not said again: a passage and what stands before it share what a model reads.
    """
    name = re.sub(r"[_-]+", " ", PurePath(document.name).stem)
    called = list(dict.fromkeys(filter(None, (document.title, name if document.pages else ""))))
    own = registrant(document.text[:_HEAD], has_pages=bool(document.pages))
    parts = [part for part in about_document(document).split("; ") if part]
    if own and f" {_core(own)} " in f" {_core(' '.join(called))} ":
        parts.remove(own)
    return ". ".join(filter(None, (*called, "; ".join(parts))))


def _period(head: str, *, has_pages: bool) -> str:
    """The period with its last day as covers have it, else, in documents with pages, as releases name it; or empty."""
    found = _PERIODS[has_pages].search(head)
    if found:
        return " ".join(" ".join(found.groups()).split())
    event = _REPORTED.search(head)
    if event:
        return f"dated {' '.join(event.group(1).split())}"
    spoken = _SPOKEN_PERIOD.search(head) if has_pages else None
    return " ".join(spoken.group().split()) if spoken else ""


def _core(name: str) -> str:
    """The words that tell the name from others."""
    return " ".join(re.findall(r"[^\W_]+", _SAYING_LITTLE.sub(" ", name.lower())))
