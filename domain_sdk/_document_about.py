"""What a document says it is: the organisations of its first page, their ticker symbols, its form, the period it is for.

By rule, from the beginning of the text; it goes before every passage that is indexed, so that questions which name these find it.
"""

from __future__ import annotations

import re
from pathlib import PurePath

from domain_sdk._document_entities import organisations
from domain_sdk._document_files import Document

__all__ = ["about_document", "document_context"]

_HEAD = 2500
_MOST_ORGANISATIONS = 3
_TICKER = re.compile(r"\b(?:NYSE|NASDAQ|LSE|ASX|TSX|AMEX|Euronext|XETRA)\s*:\s*([A-Z]{1,5})\b", re.IGNORECASE)
_FORM = re.compile(r"\bForm\s+([A-Z\d]{1,4}-[A-Z\d]{1,4})\b", re.IGNORECASE)
_PERIOD = re.compile(
    r"\b(?:fiscal |calendar |quarterly |annual )?(?:year|quarter|period|months|weeks) (?:ended|ending) "
    r"[A-Z][a-z]+ \d{1,2}, \d{4}",
    re.IGNORECASE,
)


def about_document(document: Document) -> str:
    """`Foot Locker, Inc; Form 8-K`: what is found, parted by `; `; empty if nothing is."""
    head = document.text[:_HEAD]
    names = [name for name, _ in organisations(head).most_common(_MOST_ORGANISATIONS)]
    tickers = dict.fromkeys(found.upper() for found in _TICKER.findall(head))
    form = _FORM.search(head)
    period = _PERIOD.search(head)
    stated = [f"Form {form.group(1).upper()}" if form else "", " ".join(period.group().split()) if period else ""]
    return "; ".join(dict.fromkeys(filter(None, (*names, *tickers, *stated))))


def document_context(document: Document) -> str:
    """What stands before a document's passages: its title, the name of its file if it has pages, and what it is about."""
    name = re.sub(r"[_-]+", " ", PurePath(document.name).stem)
    return ". ".join(dict.fromkeys(filter(None, (document.title, name if document.pages else "", about_document(document)))))
