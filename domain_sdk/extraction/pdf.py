"""PDF files page by page, through PDFium: text with its layout where there is some, recognition where a page is a picture.

Memory holds one page's characters and the lines of the sampled ones, whatever the number of pages. Loaded in the child process
only.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from statistics import median
from typing import Any

from domain_sdk.extraction.extracted import Extracted, Page, Unreadable
from domain_sdk.extraction.ocr import Recognition, recognise
from domain_sdk.extraction.pdf_hyphens import with_hyphens
from domain_sdk.extraction.pdf_layers import may_have_layers
from domain_sdk.extraction.pdf_layout import page_markdown
from domain_sdk.extraction.pdf_lines import Line
from domain_sdk.extraction.pdf_pictures import PagePictures, picture_of, places_of_pictures
from domain_sdk.extraction.pdf_sheets import EDGE_LINES, SPARSE_CHARACTERS, OpenedPage, Sheet, read_sheet
from domain_sdk.extraction.pictures import Pictures

__all__ = ["read_pdf"]

_SAMPLE_PAGES = 24
_FEWEST_CHARACTERS = 12
"""A page with less text than this and a picture on it is looked at as a picture."""
_COVERED = 0.5
_FEWEST_RUNNING = 40
"""Lines with fewer characters may be headings or labels."""
_RUNNING = 0.1
"""With less running text beside all else, its size is no measure."""
_PAGE_NUMBER = re.compile(
    r"\W*(?:page|seite|p\.)?\W*(?!(?:19|20)\d\d\b)\d{1,4}(?:\W*(?:of|/|von|de)\W*\d{1,4})?\W*", re.IGNORECASE
)


def read_pdf(path: Path, on_page: Callable[[int, int], None]) -> Extracted:
    """The document; `on_page` is told of every page that is done. Raises: Unreadable."""
    import pypdfium2 as pdfium

    try:
        document = pdfium.PdfDocument(path)
        document.init_forms()
    except pdfium.PdfiumError as error:
        raise Unreadable(_why(str(error))) from error
    try:
        return _read(document, on_page, has_layers=may_have_layers(path))
    finally:
        document.close()


def _why(message: str) -> str:
    if "assword" in message:
        return "it is encrypted: save it anew without a password."
    return "it is truncated or damaged, so that no PDF reader opens it: get it anew."


def _read(document: Any, on_page: Callable[[int, int], None], *, has_layers: bool) -> Extracted:  # noqa: ANN401
    count, done = len(document), 0
    pictures = Pictures(lambda: on_page(done, count))
    read: list[_ReadPage] = []
    with PagePictures(pictures) as beside_text:
        for page in _read_pages(document, beside_text, has_layers=has_layers):
            read.append(page)
            done = len(read)
            on_page(done, count)
        texts = with_hyphens([page.text() for page in read])
    parts = [f"\n\n{text}" if text and number else text for number, text in enumerate(texts)]
    ends = accumulate(map(len, parts))
    starts = (end - len(text) for end, text in zip(ends, texts, strict=True))
    pages = [Page(number, start, page.confidence) for number, (start, page) in enumerate(zip(starts, read, strict=True), start=1)]
    empty = tuple(number for number, page in enumerate(read, start=1) if page.is_empty)
    return Extracted(
        "".join(parts), tuple(pages), empty, sum(page.tables for page in read), facts=_facts(document, count),
        parser="pdfium", hidden=_hidden(read), unread=_unread(document, pictures.unread), recognition=pictures.confidence,
    )  # fmt: skip


def _hidden(pages: Sequence[_ReadPage]) -> dict[str, int]:
    layers = sum(page.has_hidden for page in pages)
    return {"pages with layers that are switched off": layers} if layers else {}


def _read_pages(document: Any, pictures: PagePictures, *, has_layers: bool) -> Iterator[_ReadPage]:  # noqa: ANN401
    comments: dict[int, list[str]] = {}
    count = len(document)

    def opening(index: int) -> OpenedPage:
        return OpenedPage(document, index, comments, has_layers=has_layers)

    body_size, edges, looked_at = _looks(opening, count, pictures)
    for index in range(count):
        with opening(index) as opened:
            sheet = looked_at.pop(index, None) or read_sheet(opened, pictures)
            text, tables, recognition = _page_text(opened, sheet, body_size, edges if index else None)
            is_empty = not text and sheet.drawn.is_something
            is_known = sheet.is_text or is_empty or recognition is not None
            places = [] if is_known else places_of_pictures(sheet.drawn)
            words = pictures.words(opened.page, places) if places else sheet.words
        confidence = recognition.confidence if recognition else -1
        yield _ReadPage(text, words, tuple(comments.get(index, ())), tables, confidence, is_empty, sheet.has_hidden)


def _page_text(
    opened: OpenedPage,
    sheet: Sheet,
    body_size: float,
    edges: frozenset[str] | None,
) -> tuple[str, int, Recognition | None]:
    """The page's text, its tables, and what was recognised in its picture. Without `edges` all of its lines count."""
    inner = sheet.lines if edges is None else _without_edges(sheet.lines, edges) or sheet.lines
    text, tables = page_markdown(inner, body_size=body_size)
    is_stamped = _FEWEST_CHARACTERS <= len(text) < SPARSE_CHARACTERS and sheet.drawn.share >= _COVERED
    if not is_stamped and (len(text) >= _FEWEST_CHARACTERS or not sheet.drawn.is_something):
        return text, tables, None
    recognition = recognise(picture_of(opened.page))
    if recognition is None or len(recognition.text) <= len(text):
        return text, tables, None
    return recognition.text, 0, recognition


@dataclass(frozen=True, slots=True)
class _ReadPage:
    """A page that was read; `words` gives those of the pictures beside its text, where it has some."""

    body: str
    words: Callable[[], list[str]] | None
    comments: tuple[str, ...]
    tables: int
    confidence: float
    is_empty: bool
    has_hidden: bool

    def text(self) -> str:
        """All that it says."""
        return "\n\n".join(filter(None, (self.body, *(self.words() if self.words else ()), *self.comments)))


def _looks(
    opening: Callable[[int], OpenedPage], count: int, pictures: PagePictures
) -> tuple[float, frozenset[str], dict[int, Sheet]]:
    """The height of running text, the lines at the edges of pages that come again and again, the sampled pages."""
    running: Counter[float] = Counter()
    others: Counter[float] = Counter()
    edges: Counter[str] = Counter()
    looked_at: dict[int, Sheet] = {}
    samples = min(count, _SAMPLE_PAGES)
    sampled = sorted({round(number * (count - 1) / max(1, samples - 1)) for number in range(samples)})
    for index in sampled:
        with opening(index) as opened:
            looked_at[index] = read_sheet(opened, pictures)
        lines = looked_at[index].lines
        for line in lines:
            (running if _is_running(line) else others)[round(line.size, 1)] += len(line.text)
        edges.update({_signature(line) for line in (*lines[:EDGE_LINES], *lines[-EDGE_LINES:])})
    repeated = frozenset(text for text, times in edges.items() if times >= max(3, len(sampled) // 2))
    sizes = running if running.total() >= _RUNNING * others.total() else running + others
    return max(sizes, key=lambda size: sizes[size]) if sizes else median([10.0]), repeated, looked_at


def _is_running(line: Line) -> bool:
    """True for a line of running text: what stands in tables is smaller, and may be most of what a report says."""
    return not line.row and len(line.text) >= _FEWEST_RUNNING and (len(line.cells) == 1 or line.is_item)


def _without_edges(lines: list[Line], edges: frozenset[str]) -> list[Line]:
    """The lines without those at the page's edges that stand on other pages, too, and without the page's number."""
    inner = lines[EDGE_LINES : len(lines) - EDGE_LINES] if len(lines) > 2 * EDGE_LINES else []
    ends = (*lines[:EDGE_LINES], *lines[-EDGE_LINES:]) if inner else lines
    outer = [line for line in ends if line not in inner]
    dropped = [line for line in outer if _signature(line) in edges or _PAGE_NUMBER.fullmatch(line.text)]
    return [line for line in lines if line not in dropped]


def _signature(line: Line) -> str:
    return line.text.casefold()[:120]


def _unread(document: Any, pictures: Mapping[str, int]) -> dict[str, int]:  # noqa: ANN401
    embedded = document.count_attachments()
    return {**pictures, **({"files embedded in PDF files": embedded} if embedded else {})}


def _facts(document: Any, count: int) -> dict[str, str]:  # noqa: ANN401
    given = document.get_metadata_dict(skip_empty=True)
    named = {"title": "Title", "author": "Author", "created": "CreationDate", "modified": "ModDate", "subject": "Subject"}
    facts = {name: given[key] for name, key in named.items() if given.get(key)}
    for name in ("created", "modified"):
        found = re.match(r"D:(\d{4})(\d{2})(\d{2})", facts.pop(name, ""))
        if found:
            facts[name] = "-".join(found.groups())
    return {**facts, "page_count": str(count)}
