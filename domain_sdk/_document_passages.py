"""A document cut into passages: whole blocks of one section, tables by rows, with the context a passage needs to be understood.

Every passage is an exact slice of the document's text; what surrounds it (title, headings, the head of a table, the speaker) goes
into `heading` and into what is indexed. Every word of the document is in the text of a passage, or in its `heading`.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from domain_sdk._document_files import Document
from domain_sdk._document_headings import Cut, Piece, page_of, with_headings
from domain_sdk._document_sections import (
    Section,
    Span,
    blocks,
    count_words,
    pieces,
    plain_text,
    sections,
    table_head,
    table_pieces,
    words_beside_figures,
)
from mesh_core.vectors.passages import AttributeValue, Passage, indexed_text

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["PassageText", "passages"]

_LONGEST_HEAD = 200
_LONGEST_CAPTION = 25
_TABLES_ON_PAGES = 3
"""How many times `max_words` a piece of a table may weigh where pages are filled: a statement stays whole."""


@dataclass(frozen=True, slots=True)
class PassageText:
    """One passage before it is embedded: `document.text[start:end] == text`.

    `id` follows from the document's name, the start and the text. `heading` is the path of headings, outermost first, with " > ";
    in later rows of a table its head is the last of them, in a transcript speakers and times are. `page` counts from 1.
    `indexed_text` is what is embedded and keyword-indexed: title and heading before the text, without link targets and markup.
    """

    id: str
    document: str
    title: str
    heading: str
    start: int
    end: int
    text: str
    indexed_text: str
    page: int | None = None

    def embedded(
        self,
        vector: Sequence[float] | npt.NDArray[np.float32],
        *,
        indexed_text: str,
        tags: tuple[str, ...],
        attributes: Mapping[str, AttributeValue],
    ) -> Passage:
        """The passage with what was made of it: its vector, the text that was indexed, its tags and attributes."""
        return Passage(
            id=self.id,
            document=self.document,
            title=self.title,
            heading=self.heading,
            text=self.text,
            start=self.start,
            end=self.end,
            page=self.page,
            tags=tags,
            attributes=attributes,
            vector=vector,
            indexed_text=indexed_text,
        )


def passages(document: Document, *, max_words: int = 120, overlap_words: int = 20) -> Iterator[PassageText]:
    """The passages in order: whole blocks of one section and page, together at most `max_words` besides an overlap.

    A passage begins with the last block of the one before it, if that is of the same section and at most `overlap_words` long.
    Longer blocks are cut behind sentences, tables behind rows; a table is alone in its passage. Headings are not in
    the text but in `heading`; those that no passage would have, as they stand over no text of their own, are in the text of the
    one behind them, to which they may add a fourth of `max_words`. A character counts as a word in scripts without blanks.

    Where a document has pages, looks make headings, and often too many: there neighbours on a page share a passage, across
    headings and tables, until it is full; `heading` is that of its greatest part. Amounts in them do not count as words.
    """
    if max_words < 1:
        raise ValueError(f"max_words is {max_words}: a passage has at least one word.")
    if document.pages:
        cuts = _page_cuts(document, max_words)
    else:
        cuts = (
            (section, piece)
            for section in sections(document.text, has_headings=not document.is_plain)
            for piece in _packed(document, section, max_words=max_words, overlap_words=overlap_words)
        )
    for section, piece in with_headings(document, cuts, max_words=max_words):
        yield _passage(document, section, piece)


def _page_cuts(document: Document, max_words: int) -> Iterator[Cut]:
    """Neighbouring pieces of one page, filled up to `max_words`; a table is not parted from its caption."""
    gathered: list[Cut] = []
    for section in sections(document.text, has_headings=not document.is_plain, are_looks=True):
        for part in _by_page(document, section):
            caption: list[Piece] = []
            for piece in _pieces(document, part, max_words, most_rows=_TABLES_ON_PAGES):
                if gathered and not _fits(document, gathered[0][1], piece, max_words):
                    kept = gathered[max(0, len(gathered) - len(caption)) :] if piece.is_table else []
                    if whole := gathered[: len(gathered) - len(kept)]:
                        yield _joined(document, whole)
                    gathered = kept
                gathered.append((_captioned(document, section, caption) if piece.is_table else section, piece))
                caption = [] if piece.is_table else _caption(document, [*caption, piece])
    if gathered:
        yield _joined(document, gathered)


def _caption(document: Document, lines: list[Piece]) -> list[Piece]:
    """The last of these neighbours that may be the caption of a table which follows: few words, no sentence."""
    while lines and count_words(document.text[lines[0].start : lines[-1].end]) > _LONGEST_CAPTION:
        lines = lines[1:]
    is_sentence = lines and document.text[lines[-1].end - 1] in ".!?;"
    return [] if is_sentence else lines


def _captioned(document: Document, section: Section, caption: Sequence[Piece]) -> Section:
    """The section with the caption as its innermost heading."""
    title = " ".join(plain_text(document.text[line.start : line.end]) for line in caption)
    return Section((*section.path, " ".join(title.split())), section.span) if title else section


def _fits(document: Document, first: Piece, last: Piece, max_words: int) -> bool:
    together = document.text[first.start : last.end]
    return page_of(document, first.start) == page_of(document, last.start) and words_beside_figures(together) <= max_words


def _joined(document: Document, gathered: list[Cut]) -> Cut:
    section, _ = gathered[0]
    if any(other is not section for other, _ in gathered):
        section, _ = max(gathered, key=lambda it: words_beside_figures(document.text[it[1].start : it[1].end]))
    first, last = gathered[0][1], gathered[-1][1]
    return section, Piece(first.start, last.end, first.head, is_table=first.is_table)


def _by_page(document: Document, section: Section) -> Iterator[Section]:
    """The section's parts on one page each."""
    start = section.span.start
    for page in document.pages:
        if start < page.start < section.span.end:
            yield Section(section.path, Span(start, page.start))
            start = page.start
    yield Section(section.path, Span(start, section.span.end))


def _packed(document: Document, section: Section, *, max_words: int, overlap_words: int) -> Iterator[Piece]:
    """Neighbouring pieces, filled up to `max_words`."""
    text = document.text
    packed: list[Piece] = []
    for piece in _pieces(document, section, max_words):
        if piece.is_table:
            if packed:
                yield Piece(packed[0].start, packed[-1].end)
            yield piece
            packed = []
            continue
        if packed and count_words(text[packed[0].start : piece.end]) > max_words:
            yield Piece(packed[0].start, packed[-1].end)
            last = packed[-1]
            is_short = count_words(text[last.start : last.end]) <= overlap_words
            packed = [last] if is_short and count_words(text[last.start : piece.end]) <= max_words else []
        packed.append(piece)
    if packed:
        yield Piece(packed[0].start, packed[-1].end)


def _pieces(document: Document, section: Section, max_words: int, *, most_rows: int = 1) -> Iterator[Piece]:
    text = document.text
    for block in blocks(text, section):
        head = None if document.is_plain else table_head(text, block)
        if head is None:
            for span in pieces(text, block, max_words=max_words):
                yield Piece(span.start, span.end)
            continue
        names = plain_text(text[head.start : head.end].split("\n")[0])[:_LONGEST_HEAD].strip()
        for span in table_pieces(text, block, head, max_words=most_rows * max_words):
            yield Piece(span.start, span.end, "" if span.start == block.start else names, is_table=True)


def _passage(document: Document, section: Section, piece: Piece) -> PassageText:
    text = document.text[piece.start : piece.end]
    heard = _heard(document, piece)
    heading = " > ".join(filter(None, (*section.path, piece.head, heard)))
    identity = "\0".join((document.name, str(piece.start), text))
    shown = text if document.is_plain else plain_text(text)
    return PassageText(
        id=hashlib.sha256(identity.encode("utf-8", "surrogatepass")).hexdigest()[:32],
        document=document.name,
        title=document.title,
        heading=heading,
        start=piece.start,
        end=piece.end,
        text=text,
        indexed_text=indexed_text(document.title, heading, shown),
        page=page_of(document, piece.start),
    )


def _heard(document: Document, piece: Piece) -> str:
    """`Ada, Bo 00:01:05–00:01:40` for a passage of a transcript; empty for others."""
    first = max(0, bisect_right(document.anchors, piece.start, key=lambda anchor: anchor.start) - 1)
    within = [anchor for anchor in document.anchors[first:] if anchor.start < piece.end]
    if not within:
        return ""
    speakers = ", ".join(dict.fromkeys(anchor.speaker for anchor in within if anchor.speaker))
    return f"{speakers} {_clock(within[0].begin)}–{_clock(max(anchor.end for anchor in within))}".strip()


def _clock(seconds: float) -> str:
    whole = int(seconds)
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}"
