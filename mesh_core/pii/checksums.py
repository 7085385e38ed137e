"""Numbers that prove themselves: IBANs and payment cards.

Source: ISO 13616 (IBAN registry, lengths by country) and ISO 7064 MOD 97-10; ISO/IEC 7812 (Luhn, issuer prefixes).
"""

from __future__ import annotations

import re

__all__ = ["IBAN_LENGTHS", "is_card_number", "is_iban", "passes_luhn"]

_LENGTHS = (
    "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 EG29 "
    "ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 "
    "LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 "
    "PT25 QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 "
    "YE30"
)
IBAN_LENGTHS = {country: int(length) for country, length in re.findall(r"([A-Z]{2})(\d{2})", _LENGTHS)}
"""Country → how many characters its IBANs have."""

_IBAN = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}\Z")
_CARD = re.compile(
    r"(?:4(?:\d{12}|\d{15}|\d{18})"  # Visa
    r"|(?:5[1-5]\d{2}|222[1-9]|22[3-9]\d|2[3-6]\d{2}|27[01]\d|2720)\d{12}"  # Mastercard
    r"|3[47]\d{13}"  # American Express
    r"|3(?:0[0-59]|[689]\d)\d{11}(?:\d{2,5})?"  # Diners Club
    r"|(?:6011|65\d{2}|64[4-9]\d)\d{12}(?:\d{3})?"  # Discover
    r"|35\d{14}|(?:2131|1800)\d{11}"  # JCB
    r"|62\d{14}(?:\d{1,3})?"  # UnionPay
    r"|(?:50|5[6-8])\d{10,17}|(?:6304|67\d\d)\d{8,15})\Z"  # Maestro
)


def passes_luhn(digits: str) -> bool:
    """True if the last digit is the check digit of those before it. `digits` holds ASCII digits only."""
    total = 0
    for place, char in enumerate(reversed(digits)):
        value = ord(char) - 48
        if place % 2:
            value = value * 2 - 9 if value > 4 else value * 2
        total += value
    return total % 10 == 0


def is_card_number(digits: str) -> bool:
    """True if an issuer gives out such numbers (prefix and length) and the check digit is right."""
    return _CARD.match(digits) is not None and passes_luhn(digits) and len(set(digits)) > 1


def is_iban(text: str) -> bool:
    """True for an IBAN without separators, in capitals: known country, its length, right check digits."""
    if not _IBAN.match(text) or IBAN_LENGTHS.get(text[:2]) != len(text):
        return False
    return int("".join(str(int(char, 36)) for char in text[4:] + text[:4])) % 97 == 1
