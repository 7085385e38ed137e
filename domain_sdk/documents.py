"""Documents to passages: reads files of many formats, cuts them at headings, tables and paragraphs, and embeds the pieces.

What is public of it: files are read in `_document_files`, passages cut in `_document_passages`. Knows nothing of the server or of
any vector store. Everything is a generator: one document and one batch of passages are in memory at a time.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from domain_sdk._document_files import Document, DocumentProblem, Transcriber, named_files, read_file
from domain_sdk._document_passages import PassageText, passages
from domain_sdk.extraction.extracted import Unreadable
from domain_sdk.extraction.transcripts import Cue
from domain_sdk.extraction.worker import Extractor
from mesh_core.vectors.passages import AttributeValue

if TYPE_CHECKING:
    import pyarrow as pa

    from mesh_core.embedding import Embedder

__all__ = [
    "Cue",
    "Document",
    "DocumentProblem",
    "PassageText",
    "Transcriber",
    "Unreadable",
    "embed_passages",
    "passages",
    "read_documents",
]

_LOG = logging.getLogger(__name__)
_EMBED_BATCH = 256


def _warn(problem: DocumentProblem) -> None:
    _LOG.warning("document_skipped path=%s reason=%s", problem.path, problem.reason)


def read_documents(
    paths: str | Path | Sequence[Path],
    *,
    on_problem: Callable[[DocumentProblem], None] = _warn,
    transcriber: Transcriber | None = None,
) -> Iterator[Document]:
    """The documents in order of their names, read one at a time; what cannot be read goes to `on_problem` and is left out.

    Args:
        paths: A glob pattern (`memos/**/*.md`), a folder (everything below it but hidden files), a file, or several.
        on_problem: Receives every file that is unreadable, unknown, not what its name says, or without text. Default: a warning
            in the log.
        transcriber: Hears recordings that have no transcript beside them; without one they are a problem.
    """
    with Extractor() as extractor:
        for path, name in named_files(paths):
            found = read_file(path, name, extractor, transcriber)
            if isinstance(found, Document):
                yield found
            else:
                on_problem(found)


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
                text.embedded(
                    vector,
                    indexed_text=text.indexed_text,
                    tags=tuple(tags(text)) if tags else (),
                    attributes=attributes(text) if attributes else {},
                )
                for text, vector in zip(batch, vectors, strict=True)
            ],
            model=embedder.model,
        )
