"""What a detector found, and the tags it is found under."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

__all__ = ["WORDS", "Finding", "is_personal_tag", "left_of", "without_overlaps"]

WORDS = {
    "pii.address": "postal addresses",
    "pii.bank_account": "bank account numbers",
    "pii.birth_date": "dates of birth",
    "pii.card": "payment card numbers",
    "pii.driver_licence": "driving licence numbers",
    "pii.email": "e-mail addresses",
    "pii.health_id": "health numbers",
    "pii.iban": "IBANs",
    "pii.ip": "IP addresses",
    "pii.name": "names of people",
    "pii.national_id": "national identity numbers",
    "pii.passport": "passport numbers",
    "pii.phone": "telephone numbers",
    "pii.tax_id": "tax numbers",
}
"""Every tag that is proposed, and what carries it, in words."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Characters [start, end) of a text are personal data of the kind that `tag` names.

    `is_checked` is true if a checksum, a number plan, a label in front or a form that nothing else has confirms it.
    """

    tag: str
    start: int
    end: int
    is_checked: bool


def is_personal_tag(tag: str) -> bool:
    """True for `pii` and every tag below it, in any case."""
    return tag.casefold() == "pii" or tag.casefold().startswith("pii.")


def without_overlaps(findings: list[Finding]) -> list[Finding]:
    """The findings in order of their start; of those that overlap the checked, then the longest, then the first."""
    kept: list[Finding] = []  # ordered, apart from each other
    for found in sorted(findings, key=lambda it: (not it.is_checked, it.start - it.end, it.start, it.tag)):
        place = bisect_left(kept, found.start, key=lambda it: it.end)
        while place < len(kept) and kept[place].end <= found.start:  # an empty one
            place += 1
        if place == len(kept) or found.end <= kept[place].start:
            kept.insert(place, found)
    return kept


def left_of(text: str, findings: Iterable[Finding], others: Sequence[Finding]) -> Iterator[Finding]:
    """What of the findings in a text lies outside the others, which are in order and apart; a piece without a letter is none."""
    for found in findings:
        start = found.start
        for place in range(bisect_left(others, start + 1, key=lambda it: it.end), len(others) + 1):
            is_last = place == len(others) or others[place].start >= found.end
            end = found.end if is_last else others[place].start
            piece = text[start:end]
            if any(map(str.isalpha, piece)):
                yield replace(found, start=end - len(piece.lstrip()), end=start + len(piece.rstrip()))
            if is_last:
                break
            start = others[place].end
