"""Documents to passages: reads Markdown, text and HTML files, cuts them at headings and paragraphs, and embeds the pieces.

Owns what a document is and the exact offsets of its passages. Knows nothing of the server or of any vector store. Everything is a
generator: one document and one batch of passages are in memory at a time.
"""

from __future__ import annotations

import glob
import hashlib
import logging
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from domain_sdk._document_html import html_text
from domain_sdk._document_sections import Section, Span, blocks, pieces, plain_text, sections
from mesh_core.vectors.passages import AttributeValue, Passage, indexed_text

if TYPE_CHECKING:
    import pyarrow as pa

    from mesh_core.embedding import Embedder

__all__ = ["Document", "DocumentProblem", "PassageText", "embed_passages", "passages", "read_documents"]

_LOG = logging.getLogger(__name__)
_MARKDOWN, _TEXT, _HTML = "text/markdown", "text/plain", "text/html"
_MEDIA_TYPES: Mapping[str, str] = {
    ".md": _MARKDOWN,
    ".markdown": _MARKDOWN,
    ".txt": _TEXT,
    ".text": _TEXT,
    ".html": _HTML,
    ".htm": _HTML,
}
_FRONT_MATTER = re.compile(r"---[ \t]*\n(.*?)^(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)
_EMBED_BATCH = 256


@dataclass(frozen=True, slots=True)
class Document:
    """One readable document. `name` is its path below the folder or pattern it was found by; offsets count characters of `text`.

    `text` has line feeds only and no front matter; of HTML it is what is read, with Markdown's headings and list signs.
    """

    path: Path
    name: str
    title: str
    text: str
    media_type: str


@dataclass(frozen=True, slots=True)
class DocumentProblem:
    """A file that gave no document, and why."""

    path: Path
    reason: str


@dataclass(frozen=True, slots=True)
class PassageText:
    """One passage before it is embedded: `document.text[start:end] == text`.

    `id` follows from the document's name, the start and the text. `heading` is the path of headings, outermost first, with " > ".
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


def _warn(problem: DocumentProblem) -> None:
    _LOG.warning("document_skipped path=%s reason=%s", problem.path, problem.reason)


def read_documents(
    paths: str | Path | Sequence[Path], *, on_problem: Callable[[DocumentProblem], None] = _warn
) -> Iterator[Document]:
    """The documents in order of their names, read one at a time; what cannot be read goes to `on_problem` and is left out.

    Args:
        paths: A glob pattern (`memos/**/*.md`), a folder (everything below it but hidden files), a file, or a sequence of files.
        on_problem: Receives every file that is unreadable, of an unknown kind, not UTF-8 or without text. Default: a log warning.
    """
    for path, name in sorted(_named(paths), key=lambda found: found[1]):
        found = _document(path, name)
        if isinstance(found, Document):
            yield found
        else:
            on_problem(found)


def passages(document: Document, *, max_words: int = 120, overlap_words: int = 20) -> Iterator[PassageText]:
    """The passages in order: whole blocks of one section, together at most `max_words` besides an overlap.

    A passage begins with the last block of the one before it, if that is of the same section and at most `overlap_words` long.
    Longer blocks are cut behind sentences. Headings are not in the text but in `heading`.
    """
    if max_words < 1:
        raise ValueError(f"max_words is {max_words}: a passage has at least one word.")
    for section in sections(document.text, has_headings=document.media_type != _TEXT):
        for span in _packed(document.text, section, max_words=max_words, overlap_words=overlap_words):
            yield _passage(document, section, span)


def embed_passages(
    texts: Iterable[PassageText],
    embedder: Embedder,
    *,
    tags: Callable[[PassageText], Sequence[str]] | None = None,
    attributes: Callable[[PassageText], Mapping[str, AttributeValue]] | None = None,
) -> Iterator[pa.RecordBatch]:
    """Batches of at most 256 embedded passages in PASSAGE_SCHEMA (mesh_core.vectors.schema), the model's name in the metadata.

    Args:
        texts: Consumed batch by batch.
        embedder: What the collection's contract names.
        tags: Gives each passage's tags; none by default.
        attributes: Gives each passage's values for the attributes that the collection declares; none by default.
    """
    from mesh_core.vectors.schema import batch_of

    iterator = iter(texts)
    while batch := list(islice(iterator, _EMBED_BATCH)):
        vectors = embedder.embed([text.indexed_text for text in batch])
        yield batch_of(
            [
                Passage(
                    id=text.id,
                    document=text.document,
                    title=text.title,
                    heading=text.heading,
                    text=text.text,
                    start=text.start,
                    end=text.end,
                    page=None,
                    tags=tuple(tags(text)) if tags else (),
                    attributes=attributes(text) if attributes else {},
                    vector=vector,
                    indexed_text=text.indexed_text,
                )
                for text, vector in zip(batch, vectors, strict=True)
            ],
            model=embedder.model,
        )


def _named(paths: str | Path | Sequence[Path]) -> Iterator[tuple[Path, str]]:
    """Every file with its name: relative to the folder, to the fixed part of the pattern, or to the files' common folder."""
    match paths:
        case str() if glob.has_magic(paths):
            fixed = _fixed_part(paths)
            found = [Path(path) for path in glob.iglob(paths, recursive=True)]
        case str() | Path() if Path(paths).is_dir():
            fixed = Path(paths)
            found = [path for path in fixed.rglob("*") if not any(part.startswith(".") for part in path.relative_to(fixed).parts)]
        case str() | Path():
            fixed, found = Path(paths).parent, [Path(paths)]
        case _:
            found = [Path(path) for path in paths]
            fixed = Path(os.path.commonpath([path.parent.absolute() for path in found])) if found else Path()
            found = [path.absolute() for path in found]
    for path in found:
        if not path.is_dir():
            yield path, path.relative_to(fixed).as_posix()


def _fixed_part(pattern: str) -> Path:
    parts = PurePath(pattern).parts
    magic = next(position for position, part in enumerate(parts) if glob.has_magic(part))
    return Path(*parts[:magic])


def _document(path: Path, name: str) -> Document | DocumentProblem:
    media_type = _MEDIA_TYPES.get(path.suffix.lower())
    if media_type is None:
        return DocumentProblem(
            path, f"{path.suffix or 'a file without suffix'} is not read: convert it to {', '.join(_MEDIA_TYPES)}."
        )
    try:
        text = path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except OSError as error:
        return DocumentProblem(path, f"it cannot be read ({error.strerror}): check that it exists and its permissions.")
    except UnicodeDecodeError as error:
        return DocumentProblem(path, f"it is not UTF-8 (byte {error.start}): convert it to UTF-8.")
    if "\0" in text:
        return DocumentProblem(path, "it holds NUL characters and so is no text: remove it.")
    title, body = _titled(text, media_type)
    if not body.strip():
        return DocumentProblem(path, "it holds no text: fill or remove it.")
    fallback = PurePath(name).stem.replace("-", " ").replace("_", " ")
    return Document(path, name, title or _first_heading(body, media_type) or fallback, body, media_type)


def _titled(text: str, media_type: str) -> tuple[str, str]:
    """The title that the file itself states ("" if none) and the text behind it."""
    if media_type == _HTML:
        return html_text(text)
    front = _FRONT_MATTER.match(text) if media_type == _MARKDOWN else None
    if front is None:
        return "", text
    return _front_matter_title(front.group(1)), text[front.end() :]


def _front_matter_title(front: str) -> str:
    import yaml

    try:
        fields = yaml.safe_load(front)
    except yaml.YAMLError:
        return ""
    title = fields.get("title") if isinstance(fields, dict) else None
    return " ".join(str(title).split()) if title is not None else ""


def _first_heading(text: str, media_type: str) -> str:
    if media_type == _TEXT:
        return ""
    return next((section.path[-1] for section in sections(text) if section.path), "")


def _packed(text: str, section: Section, *, max_words: int, overlap_words: int) -> Iterator[Span]:
    """Spans of neighbouring blocks, filled up to `max_words`."""

    def words(start: int, end: int) -> int:
        return len(text[start:end].split())

    packed: list[Span] = []
    for block in blocks(text, section):
        for piece in pieces(text, block, max_words=max_words):
            if packed and words(packed[0].start, piece.end) > max_words:
                yield Span(packed[0].start, packed[-1].end)
                last = packed[-1]
                is_short = words(last.start, last.end) <= overlap_words and words(last.start, piece.end) <= max_words
                packed = [last] if is_short else []
            packed.append(piece)
    if packed:
        yield Span(packed[0].start, packed[-1].end)


def _passage(document: Document, section: Section, span: Span) -> PassageText:
    text = document.text[span.start : span.end]
    heading = " > ".join(section.path)
    identity = "\0".join((document.name, str(span.start), text))
    shown = text if document.media_type == _TEXT else plain_text(text)
    return PassageText(
        id=hashlib.sha256(identity.encode()).hexdigest()[:32],
        document=document.name,
        title=document.title,
        heading=heading,
        start=span.start,
        end=span.end,
        text=text,
        indexed_text=indexed_text(document.title, heading, shown),
    )
