"""Telephone numbers: candidates by form, judged by the number plans of the world (the library `phonenumbers`)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mesh_core.pii.findings import Finding

__all__ = ["find_phones", "is_phone"]

_CANDIDATE = re.compile(
    r"(?<![\w@.,/:$€£#%-])(?:\+|00|\(\+?)?\(?\d(?:[ \t  ().‐-―/-]{0,3}\d){6,16}"
    r"(?:[ ]?(?:x|ext\.?|extension)[ ]?\d{1,6})?(?![\w@%]|[.,:/-]\d)",
    re.IGNORECASE,
)
_GROUPED = re.compile(r"\(\d{2,5}\)[ -]?\d{2,5}[ -]\d{2,5}|\d{3}-\d{3}-\d{4}|\d{3}\.\d{3}\.\d{4}|1[-.]\d{3}[-.]\d{3}[-.]\d{4}")
_LABEL = re.compile(
    r"(?:\b(?:phone|telephone|tel|fax|cell|mobile|call|dial|hotline|whatsapp|sms|text|desk|office|answering|messages? to|contact"
    r"|contact (?:me|us)|telefon|mobil|t[eé]l[eé]phone|tel[eé]fono|telefono|handy|number is|reach (?:me|us|him|her|them))\b"
    r"|電話|电话|☎|📞)[^\n\d]{0,24}$",
    re.IGNORECASE,
)
_LABEL_BEHIND = re.compile(r"[ \t]{0,2}[-–,(]?[ \t]?(?:office|desk|mobile|cell|fax|phone|home|work|tel)\b", re.IGNORECASE)
_LABEL_REACH = 40
_REGIONS = tuple("US GB DE FR IN AU ES IT NL CH AT BE BR SE DK NO FI PL IE NZ ZA RU JP".split())  # noqa: SIM905  (readable)
_DATE = re.compile(r"(?:19|20)\d\d[-/. ](?:0?[1-9]|1[0-2])[-/. ]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.](?:19|20)?\d\d\Z")


def find_phones(text: str) -> Iterator[Finding]:
    """The telephone numbers of a text: international ones, those grouped as is usual, and any behind a word like `tel`."""
    for match in _CANDIDATE.finditer(text):
        number = match.group()
        if _DATE.match(number):
            continue
        start, end = match.span()
        if number.startswith(("+", "(+")) or (number.startswith("00") and number[2:3] != "0"):
            international = "+" + number.lstrip("(+0").replace(")", " ", 1) if number[0] == "(" else "+" + number.lstrip("+0")
            if _is_number(international, None):
                yield Finding("pii.phone", start, end, is_checked=_is_number(international, None, is_strict=True))
            continue
        is_labelled = _LABEL.search(text[max(0, start - _LABEL_REACH) : start]) or _LABEL_BEHIND.match(text, end)
        if is_labelled and any(_is_number(number, region) for region in _REGIONS[:3]):
            yield Finding("pii.phone", start, end, is_checked=is_phone(number))
        elif _GROUPED.match(number) and any(_is_number(number, region, is_strict=True) for region in _REGIONS):
            yield Finding("pii.phone", start, end, is_checked=False)


def is_phone(number: str) -> bool:
    """True if the whole text is a number, written as people of some large country write it or as in international traffic."""
    if number.startswith(("+", "(+")):
        return _is_number(number, None)
    if _GROUPED.fullmatch(number.partition("x")[0]):
        return True
    return any(_is_number(number, region, is_strict=True) for region in _REGIONS)


def _is_number(number: str, region: str | None, *, is_strict: bool = False) -> bool:
    """True if the plan could give out the number, by its length; with `is_strict`, if it does and groups the digits like this."""
    import phonenumbers

    try:
        parsed = phonenumbers.parse(number, region)
    except phonenumbers.NumberParseException:
        return False
    if not is_strict:
        return phonenumbers.is_possible_number(parsed)
    if not phonenumbers.is_valid_number(parsed):
        return False
    matcher = phonenumbers.PhoneNumberMatcher(number, region, leniency=phonenumbers.Leniency.STRICT_GROUPING)
    return any(True for _ in matcher)
