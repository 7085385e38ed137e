"""What is known of a document besides its passages: facts, entities, personal data, what was lost; counted up, facets.

A record lies as JSON beside the document's passages in the cache, so that a document that did not change is not looked at again.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from domain_sdk._document_entities import NOT_COVERED, amounts, document_date, language_of, organisations, places
from domain_sdk._document_files import Document
from domain_sdk._document_passages import PassageText
from domain_sdk.catalog import CollectionFacets
from mesh_core.pii import Finding, find_personal_data
from mesh_core.pii.findings import without_overlaps
from mesh_core.pii.masking import PersonalValues, spans_text
from mesh_core.pii.people import find_labelled_people

__all__ = ["DocumentRecord", "PassagePersonal", "PersonalSpans", "facets_of", "record_of"]

_MOST_NAMES = 40
_LONGEST_NAME = 120


@dataclass(frozen=True, slots=True)
class DocumentRecord:
    """One document in numbers and names. No value of personal data is in it."""

    media_type: str
    language: str = ""
    day: str = ""
    pages: int = 0
    empty_pages: int = 0
    tables: int = 0
    seconds: float = 0.0
    recognition: float = -1
    organisations: Mapping[str, int] = field(default_factory=dict)
    places: Mapping[str, int] = field(default_factory=dict)
    amounts: Mapping[str, int] = field(default_factory=dict)
    personal: Mapping[str, int] = field(default_factory=dict)
    """Tag → how often such data occurs."""

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


class PersonalSpans:
    """Where a document holds personal data."""

    def __init__(self, text: str) -> None:
        self.findings = without_overlaps([*find_personal_data(text), *find_labelled_people(text)])
        self._ends = [found.end for found in self.findings]

    def within(self, start: int, end: int) -> list[Finding]:
        """The findings that share a character with [start, end), in order."""
        first = bisect_left(self._ends, start + 1)
        found: list[Finding] = []
        for finding in self.findings[first:]:
            if finding.start >= end:
                break
            found.append(finding)
        return found

    def in_passage(self, passage: PassageText) -> PassagePersonal:
        """What of it a passage holds."""
        text = passage.text
        inside = [
            Finding(it.tag, max(0, it.start - passage.start), min(it.end, passage.end) - passage.start, it.is_checked)
            for it in self.within(passage.start, passage.end)
        ]
        values = PersonalValues(text, inside)
        around = find_personal_data(f"{passage.title}\n{passage.heading}")
        return PassagePersonal(
            tags=tuple(sorted({it.tag for it in (*inside, *around)})),
            findings=(*inside, *(it for it in values.again_in(text) if not any(_holds(found, it) for found in inside))),
            values=values,
        )


def _holds(outer: Finding, inner: Finding) -> bool:
    return outer.tag == inner.tag and outer.start <= inner.start and inner.end <= outer.end


@dataclass(frozen=True, slots=True)
class PassagePersonal:
    """The personal data of one passage: the tags of text, title and headings, and its places in the text, which may overlap."""

    tags: tuple[str, ...]
    findings: tuple[Finding, ...]
    values: PersonalValues

    @property
    def spans(self) -> str:
        """`start-end:tag`, blank between, by place in the passage's text."""
        return spans_text(self.findings)


def record_of(document: Document, personal: PersonalSpans) -> DocumentRecord:
    """The record of a document."""
    text = document.text
    return DocumentRecord(
        media_type=document.media_type,
        language=document.facts.get("language", "")[:2].lower() or language_of(text),
        day=document_date(text, dict(document.facts)),
        pages=len(document.pages),
        empty_pages=len(document.empty_pages),
        tables=document.tables,
        seconds=float(document.facts.get("duration_seconds", 0)),
        recognition=document.recognition,
        organisations=_most(organisations(text)),
        places=_most(places(text)),
        amounts=_most(amounts(text)),
        personal=dict(Counter(found.tag for found in personal.findings)),
    )


def _most(names: Counter[str]) -> dict[str, int]:
    return {name[:_LONGEST_NAME]: count for name, count in names.most_common(_MOST_NAMES)}


def facets_of(records: Sequence[DocumentRecord], failed: int) -> CollectionFacets:
    """The collection in numbers. Names are counted by the documents that hold them, personal data by its occurrences."""
    days = sorted(record.day for record in records if record.day)
    recognised = [record.recognition for record in records if record.recognition >= 0]
    return CollectionFacets(
        documents=len(records),
        failed_documents=failed,
        pages=sum(record.pages for record in records),
        empty_pages=sum(record.empty_pages for record in records),
        recognised_documents=len(recognised),
        lowest_recognition=min(recognised, default=0.0),
        tables=sum(record.tables for record in records),
        seconds=sum(record.seconds for record in records),
        first_day=days[0] if days else "",
        last_day=days[-1] if days else "",
        media_types=_counted([record.media_type] for record in records),
        languages=_counted([record.language] for record in records if record.language),
        organisations=_counted(record.organisations for record in records),
        places=_counted(record.places for record in records),
        currencies=_counted(record.amounts for record in records),
        personal=dict(sum((Counter(dict(record.personal)) for record in records), Counter())),
        not_covered=NOT_COVERED,
    )


def _counted(names: Iterable[Iterable[str]]) -> dict[str, int]:
    return dict(Counter(name for some in names for name in set(some)).most_common(_MOST_NAMES))
