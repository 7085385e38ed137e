"""What the name of a column promises: words that say which personal data it holds.

A name proposes and never decides: whether the values agree is judged beside it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = ["hinted_tags", "words_of"]

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\d_A-Za-z]+")
_HINTS: tuple[tuple[str, str], ...] = (
    ("pii.email", r"e ?mails?|mails?|e ?mail ?addr(?:ess)?"),
    ("pii.phone", r"phones?|telephones?|tel|mobile|cell|cellphone|fax|telefon|handy|phonenumber|msisdn"),
    ("pii.iban", r"iban"),
    ("pii.card", r"(?:credit |payment |debit )?card (?:number|no|num)|cardnumber|ccnumber|cc (?:number|no|num)|pan|creditcard"),
    (
        "pii.national_id",
        r"ssn|social security(?: number| no)?|socialsecuritynumber|itin|national (?:id|identity)|nino|pesel|bsn|aadhaar|nif|nie",
    ),
    ("pii.passport", r"passport"),
    ("pii.driver_licence", r"driver'?s? licen[cs]e|driving licen[cs]e"),
    ("pii.tax_id", r"tax (?:id|number|no)|steuer(?:id|nummer)|tin"),
    ("pii.health_id", r"nhs(?: number| no)?|medicare|health (?:id|insurance) (?:number|no)?"),
    ("pii.birth_date", r"birth ?dates?|date of birth|dob|birth ?days?|born|geburtsdatum|geburtstag|date naissance"),
    ("pii.ip", r"ip(?: ?addr(?:ess)?)?|ipv4|ipv6|(?:client|remote|source|user) ip"),
    (
        "pii.address",
        r"(?:street|postal|home|mailing|billing|shipping|delivery|residential)? ?addr(?:ess)?(?: line)?|street|strasse|adresse",
    ),
    (
        "pii.name",
        r"(?:first|last|middle|given|family|full|maiden|birth|sur|for|nick) ?names?|surname|forename|vorname|nachname|pr[eé]nom|"
        r"apellidos?|(?:customer|client|employee|person|patient|contact|user|member|owner|holder|account holder|"
        r"cardholder|passenger|guest|student|"
        r"teacher|manager|author|recipient|sender|beneficiary|applicant|subscriber|tenant|driver|doctor) ?names?|cardholder",
    ),
)
_COMPILED = tuple(
    (tag, re.compile(rf"(?:^|.* )(?:{pattern})(?: (?:number|no|value|text|str|raw|line|\d))*\Z")) for tag, pattern in _HINTS
)
_PEOPLE = re.compile(
    r"\b(?:customer|client|employee|person|people|patient|contact|user|member|owner|passenger|guest|student|teacher|staff"
    r"|author|candidate|applicant|subscriber|tenant|driver|doctor|nurse|worker|colleague|citizen|resident|participant|beneficiary)s?\b"
)
_DENIED = re.compile(
    r"\b(?:is|has|count|sent|verified|valid|type|status|hash|hashed|masked|domain|opt|flag|days|len|length|seconds)\b"
)


def words_of(name: str) -> str:
    """The words of a name in lower case, one space between: `customerEMail_Address` is `customer e mail address`."""
    return " ".join(word.lower() for word in _WORD.findall(name))


def hinted_tags(column: str, *, within: Sequence[str] = ()) -> tuple[str, ...]:
    """The tags that the column's name promises; `within` are the names of the things around it, which make `name` a person's."""
    words = words_of(column)
    if _DENIED.search(words):
        return ()
    tags = [tag for tag, pattern in _COMPILED if pattern.match(words)]
    is_bare_name = words.split()[-1:] == ["name"] and len(words.split()) <= 2
    if is_bare_name and "pii.name" not in tags and any(_PEOPLE.search(words_of(thing)) for thing in within):
        tags.append("pii.name")
    return tuple(tags)
