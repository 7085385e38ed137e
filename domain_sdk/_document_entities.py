"""What a document speaks of, by rule: organisations by legal form, countries and cities by lists, amounts, dates.

No model: what no rule knows is not found, and the catalog says so (`NOT_COVERED`).
"""

from __future__ import annotations

import re
from collections import Counter
from datetime import date, datetime
from functools import cache
from itertools import islice
from typing import Any

from domain_sdk._place_names import place_names

__all__ = ["NOT_COVERED", "amounts", "document_date", "language_of", "organisations", "places"]

NOT_COVERED = (
    "names of people without a title, a label or a record in the mesh (no model)",
    "organisations without a legal form in their name",
    "places other than countries, American states and the cities of time zones",
)
"""What is not looked for, in words for the catalog."""

_FORM = (
    r"(?:Inc|Incorporated|Corp|Corporation|Co|Company|LLC|L\.L\.C|LLP|Ltd|Limited|PLC|plc|GmbH|AG|SE|KG|S\.A|SA|SAS|SARL|S\.p\.A"
    r"|SpA|S\.r\.l|N\.V|B\.V|BV|ASA|A/S|Oy|Oyj|Pty|K\.K|Bank|University|Foundation|Holdings|Association)"
)
_NAME_WORD = r"(?:[A-Z][\w&'’.-]*|[A-Z]{2,}|&|and|de|von|van)"
_ORGANISATION = re.compile(
    rf"\b((?:(?:Bank|University|Institute|College) of )?[A-Z][\w&'’-]+(?:[ \t]{_NAME_WORD}){{0,5}},?[ \t]{_FORM})\b\.?"
)
_ROLE = re.compile(r".*\b(?:Reports?|Certificates?|Officers?|Boards?|Shareholders|Directors|Statements?|President)(?: of| and)? ")
_SENTENCE = re.compile(r".*[^\W\d_]{4}\. (?=[A-Z])|(?:At|By|For|From|In|On|Of|To|With) ")
"""What of a match is the sentence before, or the beginning of its own."""
_GENERIC = re.compile(
    r"(?:The|Our|This|Public|Parent|Holding|Such|Each|Any|Another) (?:Company|Corporation|Group|Bank)\b|(?:Our|This|Such) "
    r"|.*\b(?:Reporting|Growth|Shell) Company\b"
)
_AMOUNT = re.compile(
    r"(?P<sign>[$€£¥₹])[ ]?(?P<a>\d[\d,.]*\d|\d)(?:[ ](?P<scale>thousand|million|billion|trillion|bn|mn|m|k)\b)?"
    r"|(?P<b>\d[\d,.]*\d|\d)[ ](?P<code>USD|EUR|GBP|JPY|CHF|INR|dollars?|euros?|pounds?|francs?|yen)\b",
    re.IGNORECASE,
)
_CURRENCIES = {
    "$": "USD", "€": "EUR", "£": "GBP", "¥": "JPY", "₹": "INR", "dollar": "USD", "euro": "EUR", "pound": "GBP", "yen": "JPY",
    "franc": "CHF",
}  # fmt: skip
_DATE = re.compile(
    r"\b(?:(\d{4})-(\d{2})-(\d{2})|(\d{1,2})\.? ([A-Z][a-zä]{2,8})\.?,? (\d{4})"
    r"|([A-Z][a-z]{2,8})\.? (\d{1,2})(?:st|nd|rd|th)?,? (\d{4}))\b"
)
_MONTH_NAMES = "jan januar|feb februar|mar mär|apr|may mai|jun|jul|aug|sep|oct okt|nov|dec dez"
_MONTHS = {name: number for number, names in enumerate(_MONTH_NAMES.split("|"), start=1) for name in names.split()}
_HEAD = 3000
_LANGUAGE_TEXT = 400
_FEWEST_LETTERS = 16
_SURE = 0.85
"""Less sure than this, no language is better than a wrong one."""
_LETTERS = re.compile(r"(?<![\w@./-])[^\W\d_]+(?:['’][^\W\d_]+)?(?![\w@/])")


def organisations(text: str) -> Counter[str]:
    """Names with a legal form (`Foot Locker, Inc.`), with how often each occurs."""
    found: Counter[str] = Counter()
    for match in _ORGANISATION.finditer(text):
        name = _SENTENCE.sub("", _ROLE.sub("", " ".join(match.group(1).split())))
        if " " in name and not _GENERIC.match(name):
            found[name] += 1
    return found


def places(text: str) -> Counter[str]:
    """Countries, American states and cities that name a time zone, with how often each occurs."""
    return Counter(match.group() for match in _place_pattern().finditer(text))


def amounts(text: str) -> Counter[str]:
    """Currencies, with how many amounts of each the text holds."""
    found: Counter[str] = Counter()
    for match in _AMOUNT.finditer(text):
        word = (match.group("sign") or match.group("code")).lower().removesuffix("s")
        found[_CURRENCIES.get(word, word.upper())] += 1
    return found


def document_date(text: str, facts: dict[str, str]) -> str:
    """The day the document states as its own (ISO 8601), else the first one in its beginning; empty if there is none."""
    for stated in (facts.get("created", ""), facts.get("modified", "")):
        if day := _iso(stated[:10]):
            return day
    return next(filter(None, map(_matched_day, _DATE.finditer(text[:_HEAD]))), "")


def _matched_day(match: re.Match[str]) -> str:
    year, month, day, day_first, name, its_year, name_first, its_day, last_year = match.groups()
    if year:
        return _iso(f"{year}-{month}-{day}")
    number = _MONTHS.get((name or name_first)[:3].lower())
    return _iso(f"{its_year or last_year}-{number:02}-{int(day_first or its_day):02}") if number else ""


def _iso(text: str) -> str:
    try:
        day = datetime.strptime(text, "%Y-%m-%d").date()
    except ValueError:
        return ""
    return day.isoformat() if date(1900, 1, 1) <= day <= date(2100, 1, 1) else ""


def language_of(text: str) -> str:
    """The ISO 639-1 code of the text's language; empty if it cannot be told for sure.

    Names and codes are of no language: words in capitals and cells of tables count only where there are no sentences.
    """
    head = text[: 10 * _LANGUAGE_TEXT]
    prose = "\n".join(line for line in head.split("\n") if not line.lstrip().startswith(("|", "#")))
    sample = next((it for it in map(_common_words, (prose, head)) if it), "")
    if not sample:
        return ""
    detector = _detector()
    if detector is None:
        return _by_script(sample)
    found = detector.compute_language_confidence_values(sample)
    return str(found[0].language.iso_code_639_1.name).lower() if found and found[0].value >= _SURE else ""


def _common_words(text: str) -> str:
    """The first words that are written like no name; empty if there are too few to tell a language by."""
    words = (match.group() for match in _LETTERS.finditer(text))
    common = (word for word in words if word[0].islower() or not word[0].isupper())
    sample = " ".join(islice(common, _LANGUAGE_TEXT // 2))[:_LANGUAGE_TEXT]
    weight = sum(4 if _is_caseless(char) else 1 for char in sample if char.isalpha())
    return sample if weight >= _FEWEST_LETTERS else ""


def _is_caseless(letter: str) -> bool:
    return letter.lower() == letter.upper()


@cache
def _detector() -> Any:  # noqa: ANN401  (None without the extra)
    try:
        from lingua import LanguageDetectorBuilder
    except ModuleNotFoundError:
        return None
    return LanguageDetectorBuilder.from_all_languages().with_low_accuracy_mode().build()


def _by_script(text: str) -> str:
    scripts = {"ja": "\u3040-\u30ff", "ko": "\uac00-\ud7af", "zh": "\u4e00-\u9fff", "he": "\u0590-\u05ff", "th": "\u0e00-\u0e7f"}
    return next((code for code, letters in scripts.items() if re.search(f"[{letters}]", text)), "")


@cache
def _place_pattern() -> re.Pattern[str]:
    names = sorted(place_names(), key=len, reverse=True)
    return re.compile(rf"\b(?=[A-Z])(?:{'|'.join(map(re.escape, names))})\b(?![ \t]{_FORM}\b)")
