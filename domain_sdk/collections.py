"""Collections: governed retrieval of passages, and documents on their way into a collection.

Owns the `Passage` a user sees and the stream of embedded passages that is published. Knows nothing of vector stores: the server
indexes what is delivered (ADR 0001, decision 4).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from domain_sdk._arguments import checked_number, checked_text
from domain_sdk.errors import ContractViolated, InvalidRequest, NotConfigured, Violation

if TYPE_CHECKING:
    import pyarrow as pa

    from domain_sdk._document_files import Transcriber
    from domain_sdk._document_pipeline import DocumentHook, DocumentPipeline
    from domain_sdk._transport import Transport
    from mesh_core.embedding import Embedder

__all__ = [
    "DocumentPaths",
    "Documents",
    "EmbeddedDocuments",
    "Passage",
    "embedded_passages",
    "embedder_for_publishing",
    "is_document_paths",
    "retrieve",
]

DocumentPaths = str | Path | Sequence[str | Path]
"""A glob pattern, a folder, a file, or several files."""


@dataclass(frozen=True, slots=True)
class Documents:
    """Documents of a collection and how they are read: `publish(calls=Documents("calls/*.mp3", transcriber=engine))`."""

    paths: DocumentPaths
    transcriber: Transcriber | None = None
    """Hears recordings that have no transcript beside them, in the publisher's process; without one they are left out."""


@dataclass(frozen=True, slots=True)
class Passage:
    """A passage of a document, as a governed retrieval gives it."""

    rank: int
    """Its place in the answer, from 1. There are no scores: they would tell of hidden passages."""
    text: str
    """Masked as the plan says."""
    document: str
    title: str
    heading: str
    """The headings above it, joined by ` > `."""
    start: int
    """Where it starts in the document's text, in characters."""
    end: int
    """Where it ends, exclusive."""
    page: int | None
    """From 1; None if the document has no pages."""
    tags: tuple[str, ...]
    id: str
    port: str
    """The collection it is from."""
    version: int
    """The product's version that was searched."""


def retrieve(
    transport: Transport, port: str, query: str, *, limit: int = 5, purpose: str = "", version: int = 0
) -> list[Passage]:
    """The passages nearest to the question, best first, among those the caller may see.

    Raises:
        InvalidRequest: an argument is malformed, or the limit is not between 1 and 100.
    """
    from domainmesh.v1.retrieval_service_pb2 import RetrieveRequest
    from domainmesh.v1.retrieval_service_pb2_grpc import RetrievalServiceStub

    count = checked_number(limit, "limit")
    if count is None or not 1 <= count <= 100:
        raise InvalidRequest(f"A retrieval gives 1 to 100 passages, not {limit}.", resource=port)
    request = RetrieveRequest(
        port=checked_text(port, "port", example="support.manuals.passages"),
        query=checked_text(query, "query"),
        limit=count,
        purpose=checked_text(purpose, "purpose"),
        version=checked_number(version, "version") or 0,
    )
    response = transport.call(transport.gateway(RetrievalServiceStub).Retrieve, request)
    return [
        Passage(
            rank=it.rank,
            text=it.text,
            document=it.document,
            title=it.title,
            heading=it.heading,
            start=it.start,
            end=it.end,
            page=it.page or None,
            tags=tuple(it.tags),
            id=it.id,
            port=port,
            version=response.version,
        )
        for it in response.passages
    ]


def is_document_paths(given: object) -> bool:
    """True for a pattern, a path or a sequence of them."""
    if isinstance(given, str | Path):
        return True
    return isinstance(given, Sequence) and bool(given) and all(isinstance(it, str | Path) for it in given)


def embedder_for_publishing() -> Embedder:
    """The embedder that MESH_EMBEDDER names, by default the mesh's own; the server must be told the same one.

    Raises:
        NotConfigured: it is unknown or its model is not installed.
    """
    from mesh_core.embedding import EmbedderUnavailable, open_embedder

    try:
        return open_embedder(os.environ.get("MESH_EMBEDDER") or "minilm", api_key=os.environ.get("MESH_EMBEDDER_API_KEY") or None)
    except EmbedderUnavailable as error:
        raise NotConfigured(f"Documents cannot be embedded: {error}") from error


def embedded_passages(
    given: DocumentPaths | Documents, embedder: Embedder, *, port: str, hook: DocumentHook
) -> EmbeddedDocuments:
    """The documents' passages with their vectors, made as they are read.

    A file that gives no document is left out and told of in `problems`; it does not stop the others.

    Raises:
        ContractViolated: while reading, if not one document gave a passage; every reason is listed.
        NotConfigured: while reading, if the embedder fails; what was embedded is kept for the next attempt.
    """
    import pyarrow as pa

    from domain_sdk._document_pipeline import DocumentPipeline
    from mesh_core.embedding import EmbedderUnavailable
    from mesh_core.vectors.schema import MODEL_KEY, PASSAGE_SCHEMA

    documents = given if isinstance(given, Documents) else Documents(given)
    named = documents.paths
    paths = named if isinstance(named, str | Path) else [Path(path) for path in named]
    pipeline = DocumentPipeline(paths, embedder, hook, transcriber=documents.transcriber)

    def batches() -> Iterator[pa.RecordBatch]:
        count = 0
        try:
            for batch in pipeline.batches():
                count += batch.num_rows
                yield batch.cast(schema)
        except EmbedderUnavailable as error:
            raise NotConfigured(f"The documents of {port} cannot be embedded: {error}", resource=port) from error
        if not count:
            found = [Violation(str(problem.path), problem.reason) for problem in pipeline.problems]
            found = found or [Violation(str(named), "no document was found; give a folder, a pattern or files.")]
            raise ContractViolated(f"The documents of {port} cannot be published.", resource=port, violations=found)

    schema = PASSAGE_SCHEMA.with_metadata({MODEL_KEY: embedder.model.encode()})
    return EmbeddedDocuments(pipeline, pa.RecordBatchReader.from_batches(schema, batches()))


@dataclass(frozen=True, slots=True)
class EmbeddedDocuments:
    """A collection's documents on their way: the passages, and what is known of the documents once they were read."""

    pipeline: DocumentPipeline
    passages: pa.RecordBatchReader
