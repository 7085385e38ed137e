"""National identity, health and tax numbers, through Presidio's recognisers that need no model (extra `pii`).

The one home of presidio: loaded on first use and only for columns whose values look like such numbers, for it brings spaCy along
(180 MB, seconds of import). Its default engine, which downloads a model, is never made. Without the extra nothing is found here.
"""

from __future__ import annotations

import importlib.util
import re
import warnings
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from mesh_core.pii.column_names import words_of

__all__ = ["is_available", "numbers_by_country"]

_CODE = re.compile(r"(?=(?:.*\d){5})[A-Za-z0-9][A-Za-z0-9 ./-]{6,18}\Z")
_MOST_VALUES = 100
_CODE_SHARE = 0.9
_FEWEST_NAMED, _FEWEST_UNNAMED = 3, 20
_CHECKED_SCORE = 0.99
_RECOGNISERS = {
    "EsNieRecognizer": ("pii.national_id", "nie dni extranjero"),
    "EsNifRecognizer": ("pii.national_id", "nif dni documento identidad"),
    "FiPersonalIdentityCodeRecognizer": ("pii.national_id", "hetu henkilotunnus henkilötunnus personal identity"),
    "InAadhaarRecognizer": ("pii.national_id", "aadhaar uidai"),
    "ItFiscalCodeRecognizer": ("pii.national_id", "codice fiscale fiscal"),
    "KrRrnRecognizer": ("pii.national_id", "rrn resident registration"),
    "PlPeselRecognizer": ("pii.national_id", "pesel"),
    "SgFinRecognizer": ("pii.national_id", "fin nric"),
    "ThTninRecognizer": ("pii.national_id", "thai tnin"),
    "UkNinoRecognizer": ("pii.national_id", "nino national insurance"),
    "UsItinRecognizer": ("pii.tax_id", "itin taxpayer"),
    "AuTfnRecognizer": ("pii.tax_id", "tfn tax file"),
    "InPanRecognizer": ("pii.tax_id", "pan permanent account"),
    "AuMedicareRecognizer": ("pii.health_id", "medicare"),
    "NhsRecognizer": ("pii.health_id", "nhs health"),
    "UsMbiRecognizer": ("pii.health_id", "mbi medicare beneficiary"),
}
"""Class → tag, and the words of a column's name that support it."""


def is_available() -> bool:
    """True if the extra `pii` is installed."""
    return importlib.util.find_spec("presidio_analyzer") is not None


def numbers_by_country(values: Sequence[str], counts: Sequence[int], column: str) -> Iterator[tuple[str, int, bool]]:
    """(tag, how many values, whether certain) of each kind of number that nearly all values of a column are.

    Certain is what the column's name says too: check digits of one country pass a tenth of another's numbers, and whole columns
    of numbers that have the same check digits by design (ISBN and NHS).
    """
    codes = [value for value in values if _CODE.match(value)]
    if not codes or len(codes) < _CODE_SHARE * len(values) or not is_available():
        return
    looked_at = codes[:_MOST_VALUES]
    named = set(words_of(column).split())
    best: dict[str, tuple[float, bool]] = {}
    for class_name, (tag, words) in _RECOGNISERS.items():
        is_named = bool(named & set(words.split()))
        if len(looked_at) < (_FEWEST_NAMED if is_named else _FEWEST_UNNAMED):
            continue
        share = sum(_is_one(class_name, value, is_named=is_named) for value in looked_at) / len(looked_at)
        if share >= _CODE_SHARE:
            best[tag] = max(best.get(tag, (0.0, False)), (share, is_named))
    for tag, (share, is_certain) in best.items():
        yield tag, round(share * sum(counts)), is_certain


def _is_one(class_name: str, value: str, *, is_named: bool) -> bool:
    recogniser = _recogniser(class_name)
    if recogniser is None:
        return False
    found = recogniser.analyze(value, recogniser.supported_entities, None)
    return any(
        it.end - it.start >= len(value.strip()) - 1 and (it.score >= _CHECKED_SCORE or (is_named and it.score > 0.1))
        for it in found
    )


@cache
def _recogniser(class_name: str) -> Any:  # noqa: ANN401  (presidio's classes, loaded only here)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what it imports
        from presidio_analyzer import predefined_recognizers

    made = getattr(predefined_recognizers, class_name, None)  # absent in other releases
    return made() if made is not None else None
