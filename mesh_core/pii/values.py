"""Whether a single value is what its column's name promises: rules too weak for running text and right where a name points.

Every function takes the value as text and is true only if the value agrees; a disagreement refutes the name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime

from mesh_core.pii.checksums import is_card_number, is_iban
from mesh_core.pii.phones import is_phone
from mesh_core.pii.text import find_personal_data

__all__ = ["AGREES", "kinds_in"]

_SEPARATORS = re.compile(r"[ .-]")
_PERSON = re.compile(r"[^\W\d_]+(?:['’.-]{1,2}[^\W\d_]*)*(?:,? [^\W\d_]+(?:['’.-]{1,2}[^\W\d_]*)*){0,5}\.?")
_COMPANY = re.compile(r"\b(?:inc|llc|ltd|gmbh|corp|plc|s\.?a|ag|co|company|bank|airport|university)\b\.?", re.IGNORECASE)
_STREET = re.compile(
    r"\d+[A-Za-z]?(?:[-/]\d+)?,? +[^\W\d_]{2,}|[^\W\d_]{3,}[.,]? +\d+[A-Za-z]?(?:\b|,)|\b(?:p\.?o\.? )?box \d+"
    r"|[\u3040-\u9fff]\d+[番号丁路]",
    re.IGNORECASE,
)
_INNER_CAPITAL = re.compile(r"[a-z][A-Z]")
_DATE_FORMS = ("%Y-%m-%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%Y/%m/%d", "%Y%m%d", "%d-%m-%Y", "%d %B %Y", "%B %d, %Y")
_OLDEST_YEARS = 125


def kinds_in(value: str) -> frozenset[str]:
    """The tags of all that a value holds by itself, whatever its column is called."""
    return frozenset(found.tag for found in find_personal_data(value))


def _is_birth_date(value: str) -> bool:
    text = value[:10] if re.match(r"\d{4}-\d\d-\d\d[T ]", value) else value
    for form in _DATE_FORMS:
        try:
            day = datetime.strptime(text, form).replace(tzinfo=UTC).date()
        except ValueError:
            continue
        return date(day.year, 1, 1) >= date(datetime.now(UTC).year - _OLDEST_YEARS, 1, 1) and day <= datetime.now(UTC).date()
    return False


def _is_person(value: str) -> bool:
    text = value.strip()
    return (len(text) > 1 or not text.isascii()) and _PERSON.fullmatch(text) is not None and not _COMPANY.search(text)


def _is_street(value: str) -> bool:
    words = value.split()
    strange = sum(_INNER_CAPITAL.search(word) is not None for word in words)
    return _STREET.search(value) is not None and strange * 4 <= len(words)


def _is_identity_number(value: str) -> bool:
    return (
        re.fullmatch(r"[A-Z]{0,3} ?\d[\dA-Z .+-]{5,18}", value.strip().upper()) is not None and sum(map(str.isdigit, value)) >= 6
    )


def _is_code(value: str) -> bool:
    return re.fullmatch(r"(?=.*\d{4})[A-Z0-9][A-Z0-9 .-]{4,18}", value.strip().upper()) is not None


AGREES: Mapping[str, Callable[[str], bool]] = {
    "pii.address": _is_street,
    "pii.birth_date": _is_birth_date,
    "pii.card": lambda value: is_card_number(_SEPARATORS.sub("", value)) if _SEPARATORS.sub("", value).isdecimal() else False,
    "pii.driver_licence": _is_code,
    "pii.email": lambda value: "pii.email" in kinds_in(value),
    "pii.health_id": _is_code,
    "pii.iban": lambda value: is_iban(_SEPARATORS.sub("", value).upper()),
    "pii.ip": lambda value: "pii.ip" in kinds_in(value),
    "pii.name": _is_person,
    "pii.national_id": _is_identity_number,
    "pii.passport": _is_code,
    "pii.phone": lambda value: is_phone(value) or "pii.phone" in kinds_in(value),
    "pii.tax_id": _is_code,
}
