"""A document that was read, made ready to be embedded and indexed: passages, and what of personal data stays out of the index."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from domain_sdk._document_about import about_document, document_context
from domain_sdk._document_files import Document
from domain_sdk._document_passages import PassageText, passages
from domain_sdk._document_record import DocumentRecord, PersonalSpans, record_of
from domain_sdk._document_sections import plain_text, without_figures
from mesh_core.pii.masking import PersonalValues, masked
from mesh_core.pii.readable import INVISIBLE
from mesh_core.vectors.passages import indexed_text

__all__ = ["Prepared", "prepared_document"]

_HEADINGS = 2
"""How many of the innermost headings are indexed with a passage: the outer ones say the same of all."""
_INVISIBLE = re.compile(f"[{INVISIBLE}]+")
_HEADING_MARK = re.compile(r"^#{1,6} ", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A document that is read: its passages before they are embedded, or as they were kept."""

    key: str
    record: DocumentRecord
    texts: tuple[PassageText, ...] = ()
    indexed: tuple[str, ...] = ()
    embedded: tuple[str, ...] = ()
    about: str = ""
    tags: tuple[tuple[str, ...], ...] = ()
    spans: tuple[str, ...] = ()
    kept: Any = None
    """Its passages as a record batch."""

    @property
    def passages(self) -> int:
        """How many it has."""
        return len(self.texts) if self.kept is None else int(self.kept.num_rows)


def prepared_document(document: Document, key: str) -> Prepared:
    """The document's passages with all that is kept of them but their vectors."""
    personal = PersonalSpans.of(document)
    texts = tuple(passages(document))
    context = personal.out_of(document_context(document))

    def around(passage: PassageText) -> tuple[str, str]:
        return context, personal.out_of(" > ".join(passage.heading.split(" > ")[-_HEADINGS:]))

    found = [personal.in_passage(text) for text in texts]
    shown = [masked(it.text, held.findings) for it, held in zip(texts, found, strict=True)]
    rows = [(around(it), held.values, text) for it, held, text in zip(texts, found, shown, strict=True)]
    indexed = tuple(_indexed(document, text, values, around=beside) for beside, values, text in rows)
    fewer = [(beside, values, without_figures(text), text) for beside, values, text in rows]
    embedded = tuple(
        whole if text == full else _indexed(document, text, values, around=beside)
        for (beside, values, text, full), whole in zip(fewer, indexed, strict=True)
    )
    return Prepared(
        key=key,
        record=record_of(document, personal),
        texts=texts,
        indexed=indexed,
        embedded=embedded,
        about=about_document(document),
        tags=tuple(held.tags for held in found),
        spans=tuple(held.spans for held in found),
    )


def _indexed(document: Document, text: str, personal: PersonalValues, *, around: tuple[str, str]) -> str:
    """What is embedded or keyword-indexed: nobody finds a passage by searching for personal data in it (ADR 0028)."""
    context, heading = map(personal.again_out_of, around)
    shown = _INVISIBLE.sub("", text if document.is_plain else _HEADING_MARK.sub("", plain_text(text)))
    return indexed_text(context, heading, personal.again_out_of(shown))
