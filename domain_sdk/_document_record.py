"""What is known of a document besides its passages: facts, entities, personal data, what was lost; counted up, facets.

A record lies as JSON beside the document's passages in the cache, so that a document that did not change is not looked at again.
"""

from __future__ import annotations

import re
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
from mesh_core.pii.findings import left_of, without_overlaps
from mesh_core.pii.masking import PersonalValues, masked, spans_text
from mesh_core.pii.people import find_labelled_people, people_among
from mesh_core.pii.readable import readable

__all__ = ["DocumentRecord", "PassagePersonal", "PersonalSpans", "facets_of", "record_of"]

_MOST_NAMES = 40
_LONGEST_NAME = 120
_LABELLED = frozenset({"pii.name", "pii.passport", "pii.driver_licence", "pii.birth_date", "pii.national_id"})
"""What is found by a label, and has no form by which it is found again without it."""
_LANGUAGE_TAG = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]+)*")
_NAME_PARTS = re.compile(r"[_./+-]+")


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
    hidden: Mapping[str, int] = field(default_factory=dict)
    """What its author hid and is left out, and how many."""
    unread: Mapping[str, int] = field(default_factory=dict)
    """What is in it and was not read, and how many."""

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


class PersonalSpans:
    """Where a document holds personal data."""

    def __init__(self, text: str, *, people: Sequence[str] = ()) -> None:
        """`people` are known to be names: of who speaks, or wrote and received it."""
        self._people = PersonalValues.of_people(people)
        shown = readable(text)
        forms = find_personal_data(shown)
        names = [*find_labelled_people(shown), *self._people.again_in(text)]  # one may run into what stands behind it
        self.findings = without_overlaps([*forms, *left_of(text, names, forms)])
        self._ends = [found.end for found in self.findings]
        self._labelled = PersonalValues(text, [it for it in self.findings if it.tag in _LABELLED])
        self._around: dict[str, tuple[Finding, ...]] = {}

    @classmethod
    def of(cls, document: Document) -> PersonalSpans:
        """Those of a document."""
        told = [*(anchor.speaker for anchor in document.anchors), *document.facts.get("people", "").split("\n")]
        return cls(document.text, people=people_among(told))

    def around(self, text: str) -> tuple[Finding, ...]:
        """The personal data of a title, a heading or a name that stands with the text: by its form, or as the text has it."""
        found = self._around.get(text)
        if found is None:
            forms = (*find_personal_data(text), *find_labelled_people(text))
            found = self._around[text] = (*forms, *self._people.again_in(text), *self._labelled.again_in(text))
        return found

    def out_of(self, text: str) -> str:
        """A title, heading or name without it."""
        return masked(text, self.around(text))

    def within(self, start: int, end: int) -> list[Finding]:
        """The findings that share a character with [start, end), in order."""
        first = bisect_left(self._ends, start + 1)
        found: list[Finding] = []
        for place in range(first, len(self.findings)):
            finding = self.findings[place]
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
        beside = (passage.title, passage.heading, passage.document, _NAME_PARTS.sub(" ", passage.document))
        around = frozenset(it.tag for text in beside for it in self.around(text))
        return PassagePersonal(
            tags=tuple(sorted({it.tag for it in inside} | around)),
            around=around,
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
    around: frozenset[str] = frozenset()
    """The tags of what stands in the title, the headings or the document's name."""

    @property
    def spans(self) -> str:
        """`start-end:tag`, blank between, by place in the passage's text; `around:tag` for what stands around it."""
        return spans_text(self.findings, self.around)


def record_of(document: Document, personal: PersonalSpans) -> DocumentRecord:
    """The record of a document."""
    text = document.text
    return DocumentRecord(
        media_type=document.media_type,
        language=_code(document.facts.get("language", "")) or language_of(text),
        day=document_date(text, dict(document.facts)),
        pages=len(document.pages),
        empty_pages=len(document.empty_pages),
        tables=document.tables,
        seconds=float(document.facts.get("duration_seconds", 0)),
        recognition=document.recognition,
        organisations=_most(organisations(text)),
        places=_most(places(text)),
        amounts=_most(amounts(text)),
        personal=dict(Counter(found.tag for found in (*personal.findings, *personal.around(document.title)))),
        hidden=dict(document.hidden),
        unread=dict(document.unread),
    )


def _code(language: str) -> str:
    """The first part of a language tag (BCP 47), two letters of it; "" if it is none, like `german`."""
    return language[:2].lower() if _LANGUAGE_TAG.fullmatch(language.strip()) else ""


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
