"""Whose report a document is: the name on the cover of a filing, or the one that announces its results.

By rule, from the beginning of the text. Knows nothing of the organisations a document only speaks of.
"""

from __future__ import annotations

import re

__all__ = ["registrant", "tickers"]

_TICKER = re.compile(
    r"\((?:[^()\n]{0,40}\W)?(?:NYSE|NASDAQ|LSE|ASX|TSX|AMEX|SIX|TSE|TYO|Euronext|XETRA)\b[^():\n]{0,24}:\s*(\d{4}|[A-Z]{1,5})\b",
    re.IGNORECASE,
)
"""The exchange and the symbol behind a name: `(NYSE: JNJ)`, `(Nasdaq Global Select Market: ABC)`."""
_LISTED = re.compile(
    r"(?:[|]|\bper share\b|\b(?:stock|shares)\b)[ |]*(?<![A-Z])([A-Z]{1,5})[ |]+"
    r"(?i:(?:the )?(?:nasdaq|nyse|new york stock exchange))"
)
"""The symbol of the shares on a cover: `| Common Stock | ABC | New York Stock Exchange |`."""
_CHARTER = re.compile(r"\(\s*exact name of (?:the )?(?:registrant|company)\b", re.IGNORECASE)
_NUMBERED = re.compile(r".*(?:\d|_{2,})\s+(?=[^\W\d_])")
_FORM = (
    r"(?:INC|INCORPORATED|CORP|CORPORATION|CO|COMPANY|COMPANIES|L\.?L\.?C|L\.?P|LTD|LIMITED|PLC|GROUP|HOLDINGS|TRUST|BANCORP|AG|SE"
    r"|N\.?V|S\.?A|A/?S|ASA|AB|OYJ|S\.?P\.?A|K\.?K)"
)
_COVER = re.compile(rf"(?:^|\|)[ #*]*(?P<alone>[^|\n]{{2,60}}?\b{_FORM})\.?[ *]*(?:\||$)", re.MULTILINE | re.IGNORECASE)
_FILE_NUMBER = re.compile(
    rf"Commission file (?:number|no\.?):?\s*[\d-]+\s+(?P<name>(?-i:[A-Z][^a-z|\n]{{1,60}}?)\b{_FORM})\b", re.IGNORECASE
)
_ANNUAL = re.compile(r"\bFORM\s+\d{1,2}-[A-Z]", re.IGNORECASE)
_SAYING = r"(?:reports?|announces?|reported|announced|delivers?|posts?|publishes|releases|provides|completes?)"
_HEADLINE = re.compile(rf"^[ #*]*(?P<name>\S.{{1,60}}?) {_SAYING}\b", re.MULTILINE | re.IGNORECASE)
_HEADLINES = 600
_JOINING = frozenset({"&", "and", "of", "the", "de", "van", "von", "du", "la"})
_SAYING_NOTHING = frozenset({"at", "in", "by", "for", "from", "with", "today", "the", "our", "this", "we", "form", "exhibit"})
_OF_NOBODY = re.compile(
    r"\b(?:(?:stock|securities) exchange|stock market|(?:reporting|growth|shell|public) company|quarter|year|board|management"
    r"|registrant|auditor|press release|news)\b",
    re.IGNORECASE,
)
"""What stands like a name on covers and in headlines: classes of filers, markets, periods."""
_MOST_WORDS = 8


def registrant(head: str, *, has_pages: bool) -> str:
    """The name as the beginning of the document has it; empty if nothing there says whose it is.

    The line above `(Exact name of registrant …)`; else the name before a ticker symbol; else, in documents with pages, a company
    alone on a line of a cover, or who announces something in the headline.
    """
    ways = (_in_charter, _before_ticker, *((_on_cover, _in_headline) if has_pages else ()))
    return next(filter(None, (way(head) for way in ways)), "")


def tickers(head: str) -> list[str]:
    """The symbols under which its shares are listed, in capitals, each once: behind a name, and on the cover the first."""
    listed = _LISTED.search(head)
    found = [*_TICKER.findall(head), *([listed.group(1)] if listed else [])]
    return list(dict.fromkeys(symbol.upper() for symbol in found))


def _in_charter(head: str) -> str:
    found = _CHARTER.search(head)
    lines = re.split(r"[\n|]", head[: found.start()]) if found else []
    line = next((it for it in reversed(lines) if any(map(str.isalpha, it))), "")
    return _NUMBERED.sub("", line).strip(" #*_.;-").replace("; ", ", ")


def _before_ticker(head: str) -> str:
    """`Johnson & Johnson` of `New Brunswick, N.J. (January 24, 2023) – Johnson & Johnson (NYSE: JNJ) today announced`."""
    found = _TICKER.search(head)
    if not found:
        return ""
    line = re.split(r"[\n|)]|\s[-–—]\s|--|—", head[: found.start()].rstrip(" ("))[-1]
    words: list[str] = []
    for word in reversed(line.split()):
        if not _is_of_name(word) or re.fullmatch(r"(?:19|20)\d\d[,.:]?", word):
            break
        words.insert(0, word)
    return _name(words)


def _on_cover(head: str) -> str:
    if not _ANNUAL.search(head):
        return ""
    numbered = _FILE_NUMBER.search(head)
    alone = (found.group("alone").split() for found in _COVER.finditer(head))
    names = [numbered.group("name").split() if numbered else [], *(words for words in alone if all(map(_is_of_name, words)))]
    return next(filter(None, map(_name, names)), "")


def _in_headline(head: str) -> str:
    """`Contoso` of `# Contoso reports results of fiscal 2031`."""
    found = (it.group("name").split() for it in _HEADLINE.finditer(head[:_HEADLINES]))
    return next(filter(None, (_name(words) for words in found if all(map(_is_of_name, words)))), "")


def _is_of_name(word: str) -> bool:
    return word.lower() in _JOINING or any(char.isupper() or char.isdigit() for char in word)


def _name(words: list[str]) -> str:
    """The words as a name; empty if they are none."""
    first = next((place for place, word in enumerate(words) if word.lower() not in _SAYING_NOTHING | _JOINING), len(words))
    name = " ".join(words[first:]).strip(" #*_.;,-").replace("; ", ", ")
    is_one = any(map(str.isalpha, name)) and len(words) - first <= _MOST_WORDS and not _OF_NOBODY.search(name)
    return name if is_one else ""
