"""Personal data in running text, with positions: linear in the text's length, a few million characters a second.

Each kind has a cheap pattern that proposes and a rule that decides: a checksum, a number plan, a grammar, or a label in front.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

from mesh_core.pii.checksums import IBAN_LENGTHS, is_card_number, is_iban
from mesh_core.pii.findings import Finding, without_overlaps
from mesh_core.pii.phones import find_phones
from mesh_core.pii.readable import ReadableText, readable

__all__ = ["find_personal_data"]

_LOCAL_PART = re.compile(r"[\w.!#$%&'*+/=?^`{|}~-]{1,64}\Z")
_DOMAIN = re.compile(r"(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.){1,8}(?:xn--[a-z0-9-]{2,59}|[^\W\d_]{2,24})")
_LONGEST_LOCAL = 64
_IBAN_START = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}[0-9]{2}(?=[ -]?[A-Za-z0-9])")
_CARD = re.compile(r"(?<![\w./=-])\d(?:[ -]?\d){11,18}(?![\w/]|[.-][\w])")
_SSN = re.compile(r"(?<![\w-])(?!000|666|9)\d{3}(?P<by>[ -])(?!00)\d{2}(?P=by)(?!0000)\d{4}(?![\w]|-\d)")
_LABELLED = re.compile(
    r"\b(?=[spdibgn])(?:"
    r"(?P<ssn>(?:ssn|social security(?: number| no\.?)?|itin)\b)|(?P<passport>passport(?: number| no\.?| #)?)|"
    r"(?P<licence>(?:driver'?s?|driving) licen[cs]e(?: number| no\.?| #)?)|"
    r"(?P<birth>(?:date of birth|birth ?date|birthday|d\.?o\.?b\.?|born(?: on)?|geboren(?: am)?|n[ée]e? le)\b))",
    re.IGNORECASE,
)
"""What the labels begin with is said first, here and where names are found: most words are ruled out at once."""
_BEHIND = {
    "ssn": ("pii.national_id", re.compile(r"[^\w\n]{0,4}(?:is|:)?[^\w\n]{0,3}((?!000|666|9)\d{3}[ -]?\d{2}[ -]?\d{4})(?!\d)")),
    "passport": ("pii.passport", re.compile(r"[^\w\n]{0,4}(?:is|:)?[^\w\n]{0,3}((?=(?:[A-Z]*\d){5})[A-Z0-9]{7,9})\b")),
    "licence": ("pii.driver_licence", re.compile(r"[^\w\n]{0,4}(?:is|:)?[^\w\n]{0,3}((?=(?:[A-Z-]*\d){4})[A-Z0-9-]{6,16})\b")),
    "birth": (
        "pii.birth_date",
        re.compile(
            r"[^\w\n]{0,4}(?:is|was|:)?[^\w\n]{0,3}"
            r"((?:\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4})|(?:\d{1,2}\.? )?[^\W\d_]{3,10}\.? (?:\d{1,2},? )?\d{4})"
            r"(?!\d)"
        ),
    ),
}
_IPV4 = re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w]|\.\d)")
_COLONS = re.compile(r":[0-9A-Fa-f]{0,4}:")
_IPV6 = re.compile(r"(?<![\w:.])(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4}(?:(?<=:)(?:\d{1,3}\.){3}\d{1,3})?(?![\w:])")


def find_personal_data(text: str | ReadableText) -> list[Finding]:
    """The personal data in the text by pattern and rule, in order, not overlapping. Names are not looked for.

    Looked at is what a reader sees: spaces that do not break, hyphens that do not show and ends of full lines hide nothing.
    """
    shown = readable(text)
    return [shown.original(it) for it in without_overlaps(_found(shown.text))]


def _found(text: str) -> list[Finding]:
    found = [*_emails(text), *_ibans(text), *_cards(text), *_labelled(text), *_social_security(text), *_addresses_of_hosts(text)]
    return [*found, *find_phones(text)]


def _emails(text: str) -> Iterator[Finding]:
    at = text.find("@")
    while at >= 0:
        local = _LOCAL_PART.search(text, max(0, at - _LONGEST_LOCAL), at)
        domain = _DOMAIN.match(text, at + 1)
        if local and domain and (name := local.group().strip(".'")) and not domain.group().endswith("."):
            start = at - len(local.group().lstrip(".'`*{|"))
            if start < at and name[-1:].isalnum() | (name[-1:] in "_-+"):
                yield Finding("pii.email", start, domain.end(), is_checked=True)
        at = text.find("@", at + 1)


def _ibans(text: str) -> Iterator[Finding]:
    for match in _IBAN_START.finditer(text):
        length = IBAN_LENGTHS.get(match.group()[:2].upper())
        if length is None:
            continue
        place, taken = match.start(), ""
        while len(taken) < length and place < len(text):
            char = text[place]
            if char.isascii() and char.isalnum():
                taken += char.upper()
            elif char not in " -" or not taken:
                break
            place += 1
        behind = text[place : place + 1]
        if is_iban(taken) and not (behind.isascii() and behind.isalnum()):
            yield Finding("pii.iban", match.start(), place, is_checked=True)


def _cards(text: str) -> Iterator[Finding]:
    for match in _CARD.finditer(text):
        if is_card_number(re.sub(r"[ -]", "", match.group())):
            yield Finding("pii.card", match.start(), match.end(), is_checked=True)


def _labelled(text: str) -> Iterator[Finding]:
    for match in _LABELLED.finditer(text):
        tag, behind = _BEHIND[str(match.lastgroup)]
        found = behind.match(text, match.end())
        if found:
            yield Finding(tag, found.start(1), found.end(1), is_checked=True)


def _social_security(text: str) -> Iterator[Finding]:
    for match in _SSN.finditer(text):
        yield Finding("pii.national_id", match.start(), match.end(), is_checked=match.group("by") == "-")


def _addresses_of_hosts(text: str) -> Iterator[Finding]:
    for match in (*_IPV4.finditer(text), *(_IPV6.finditer(text) if _COLONS.search(text) else ())):
        try:
            address = ipaddress.ip_address(match.group())
        except ValueError:
            continue
        if not address.is_unspecified and (address.version == 4 or match.group().count(":") > 2 or "::" in match.group()):
            yield Finding("pii.ip", match.start(), match.end(), is_checked=False)
