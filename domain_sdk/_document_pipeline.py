"""Documents on their way into a collection: read ahead in threads, embedded in full batches, kept by content, counted up.

Reading (in a child process), looking for personal data and embedding overlap, so that the embedder is what takes the time. What
was published before and did not change is neither read nor embedded again.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from domain_sdk._document_cache import DocumentCache
from domain_sdk._document_files import (
    Document,
    DocumentProblem,
    Transcriber,
    check_file,
    hears,
    named_files,
    problem_of,
    read_file,
    sidecar_of,
)
from domain_sdk._document_prepared import Prepared, prepared_document
from domain_sdk._document_record import DocumentRecord, facets_of
from domain_sdk._made_ahead import made_ahead
from domain_sdk._made_early import Weighed, made_early
from domain_sdk.catalog import CollectionFacets
from domain_sdk.extraction.extracted import Unreadable
from domain_sdk.extraction.worker import Extractor

if TYPE_CHECKING:
    import pyarrow as pa

    from mesh_core.embedding import Embedder

__all__ = ["DocumentPipeline"]

_EMBED_PASSAGES = 256
"""About so many are embedded at once."""
_EMBED_DOCUMENTS = 32
"""At most so many short documents are embedded at once, lest a crash cost many of them."""
_AHEAD_PASSAGES = 256
"""So many are ready while others are embedded: as many as the embedder takes at once, so that it never waits for short files."""
_READERS = 2
"""So many files are read at once: nothing is embedded until the first is read, and recognition takes longer than embedding."""
_EARLY_PASSAGES = 2048
"""So many are embedded before their turn, while a long file before them is read."""
DocumentHook = Callable[[int, int], None]
"""Called with the documents done (read and embedded, or reported) and all there are."""
_Read = tuple[Document, str] | Prepared | DocumentProblem
_Made = tuple[int, Prepared | DocumentProblem]
"""What became of a file, after its place among them."""


@dataclass
class DocumentPipeline:
    """One collection's documents; `batches` may be consumed once, after it `problems` and `facets` are complete."""

    paths: str | Path | Sequence[Path]
    embedder: Embedder
    hook: DocumentHook = lambda done, total: None
    cache: DocumentCache = field(default_factory=DocumentCache.configured)
    problems: list[DocumentProblem] = field(default_factory=list)
    records: list[DocumentRecord] = field(default_factory=list)
    transcriber: Transcriber | None = None
    reused: int = 0
    """Documents that did not change since they were published before."""
    _turn: int = field(default=0, init=False, repr=False)
    _hearing: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    @property
    def facets(self) -> CollectionFacets:
        """What the documents are about."""
        return facets_of(self.records, len(self.problems))

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The passages with their vectors in the passage schema, in the order of their documents.

        Embedded together is what is ready: little at first, so that the embedder begins while files are read, then ever more;
        while a long file is read, those behind it before their turn.
        """
        waiting: list[tuple[int, Prepared]] = []
        embedded: dict[int, tuple[Prepared, pa.RecordBatch] | DocumentProblem] = {}
        files = named_files(self.paths)
        ready = Weighed(_AHEAD_PASSAGES, lambda it: _passages(it[1]) if isinstance(it, tuple) else 1)

        def in_turn() -> Iterator[pa.RecordBatch]:
            while self._turn in embedded:
                yield from self._counted(embedded.pop(self._turn))

        with made_ahead(self._made(files), ready, name="prepare-documents") as made:
            for looked_at, (place, prepared) in enumerate(made, start=1):
                if isinstance(prepared, DocumentProblem):
                    embedded[place] = prepared
                else:
                    waiting.append((place, prepared))
                if waiting and (ready.empty() or _is_enough([it for _, it in waiting])):
                    embedded.update(self._embedded(waiting))
                    waiting = []
                yield from in_turn()
                self.hook(looked_at - len(waiting), len(files))
        embedded.update(self._embedded(waiting))
        yield from in_turn()
        self.hook(len(files), len(files))
        self.cache.prune()

    def _counted(self, done: tuple[Prepared, pa.RecordBatch] | DocumentProblem) -> Iterator[pa.RecordBatch]:
        """The passages of a document whose turn it is, now that it is counted up."""
        self._turn += 1
        if isinstance(done, DocumentProblem):
            self.problems.append(done)
            return
        prepared, batch = done
        self.records.append(prepared.record)
        self.reused += prepared.kept is not None
        yield batch

    def _made(self, files: Sequence[tuple[Path, str]]) -> Generator[_Made, None, None]:
        """What became of each file: in order, but while one is still read some of those behind it come first."""
        readers = [self._read_all(files[first::_READERS]) for first in range(_READERS)]
        return made_early(
            readers, len(files), weigh=_passages, ahead=_AHEAD_PASSAGES, early=_EARLY_PASSAGES, name="read-documents"
        )

    def _read_all(self, files: Sequence[tuple[Path, str]]) -> Generator[Prepared | DocumentProblem, None, None]:
        with Extractor() as extractor:
            for path, name in files:
                yield _prepared(self._read(path, name, extractor))

    def _key(self, path: Path, name: str) -> str:
        sidecar = sidecar_of(path)
        engine = self.transcriber.name if self.transcriber is not None and hears(path) else ""
        return self.cache.key(name, path, *([sidecar] if sidecar else []), model=self.embedder.model, engine=engine)

    def _is_still(self, key: str, path: Path, name: str) -> bool:
        """True if the file holds what it held: else what was read of it would be kept as what it no longer is."""
        try:
            return self._key(path, name) == key
        except OSError:
            return False

    def _read(self, path: Path, name: str, extractor: Extractor) -> _Read:
        """The document with its key, or as it was kept, or why there is none."""
        try:
            check_file(path, name)
            key = self._key(path, name)
        except Unreadable as error:
            return problem_of(path, str(error))
        except OSError as error:
            return DocumentProblem(path, f"it cannot be read ({error.strerror}): check that it exists and its permissions.")
        kept = self.cache.find(key)
        if kept is not None:
            return Prepared(key, DocumentRecord(**kept[1]), kept=kept[0])
        with self._hearing if hears(path) else contextlib.nullcontext():  # an engine is asked for one recording at a time
            document = read_file(path, name, extractor, self.transcriber)
        if isinstance(document, DocumentProblem):
            return document
        if not self._is_still(key, path, name):
            return DocumentProblem(path, "it changed while it was read: publish it again when nobody writes to it.")
        return document, key

    def _embedded(self, waiting: Sequence[tuple[int, Prepared]]) -> Iterator[tuple[int, tuple[Prepared, pa.RecordBatch]]]:
        """The documents by their places, with their passages; every one that was embedded is kept."""
        texts = [text for _, document in waiting for text in document.embedded]
        vectors: list[Any] = []
        for some in _even_groups(texts):
            vectors.extend(self.embedder.embed(some))
        first = 0
        for place, document in waiting:
            batch = document.kept
            if batch is None:
                batch = _batch(document, vectors[first : first + len(document.texts)], self.embedder.model)
                first += len(document.texts)
                self.cache.keep(document.key, batch, document.record.to_json())
            yield place, (document, batch)


def _passages(made: Any) -> int:  # noqa: ANN401  (the end of all is weighed, too)
    """How many it has; 1 for what has none."""
    return max(1, made.passages) if isinstance(made, Prepared) else 1


def _prepared(read: _Read) -> Prepared | DocumentProblem:
    if not isinstance(read, tuple):
        return read
    document, key = read
    prepared = prepared_document(document, key)
    if prepared.texts:
        return prepared
    return DocumentProblem(document.path, "it holds marks and no words: fill or remove it.")


def _is_enough(waiting: Sequence[Prepared]) -> bool:
    """True if no more are embedded with these; those that were kept wait for none after them."""
    is_full = len(waiting) >= _EMBED_DOCUMENTS or sum(len(it.texts) for it in waiting) >= _EMBED_PASSAGES
    return is_full or waiting[-1].kept is not None


def _even_groups(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    """About `_EMBED_PASSAGES` each: a few that are left over would be slower alone."""
    count = max(1, round(len(texts) / _EMBED_PASSAGES))
    ends = [len(texts) * number // count for number in range(count + 1)]
    return (texts[start:end] for start, end in pairwise(ends) if end > start)


def _batch(document: Prepared, vectors: Sequence[Any], model: str) -> pa.RecordBatch:
    from mesh_core.vectors.schema import batch_of

    rows = zip(document.texts, document.indexed, document.tags, document.spans, vectors, strict=True)
    return batch_of(
        [
            text.embedded(
                vector,
                indexed_text=indexed,
                tags=tags,
                attributes={name: it for name, it in (("personal", spans), ("about", document.about)) if it},
            )
            for text, indexed, tags, spans, vector in rows
        ],
        model=model,
    )
