"""Writers: what makes sentences of what was found. Their sentences are suggestions, each in the writer's numbers, unchecked.

The extractive writer is always there. A model is used if one is configured; if it fails, the extractive one takes over.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol

from governance_server.asking.evidence import Evidence
from governance_server.rules import kinds
from mesh_core.answers.answer import Sentence, Verdict

if TYPE_CHECKING:
    from governance_server.storage.engine import Database
    from governance_server.vector_access import VectorAccess
    from mesh_core.answers.extractive import Extract
    from mesh_core.answers.sentence_vectors import SentenceVectors

__all__ = ["EXTRACTIVE", "ExtractiveWriter", "Writer", "WriterFailed"]

EXTRACTIVE = "extractive"


class WriterFailed(Exception):
    """The writer cannot go on; the message says why, for the reader."""


class Writer(Protocol):
    """Suggests sentences."""

    @property
    def name(self) -> str:
        """`extractive`, or the model's name."""
        ...

    def write(self, evidence: Evidence) -> Iterator[Sentence]:
        """Sentences in order, each with the numbers of the sources it claims to rest on. Raises: WriterFailed."""
        ...


class ExtractiveWriter:
    """Says the figures, then rules that apply to a case, or else the sentences of passages that answer best, word for word."""

    name = EXTRACTIVE

    def __init__(self, vectors: VectorAccess) -> None:
        self._vectors = vectors
        self._lock = threading.Lock()
        self._known: SentenceVectors | None = None
        self._erased = 0

    def write(self, evidence: Evidence) -> Iterator[Sentence]:
        """See Writer."""
        for number, sentences in evidence.said.items():
            yield from (Sentence(text, (number,)) for text in sentences)
        for finding in evidence.recommendation.findings if evidence.recommendation else ():
            if finding.verdict is Verdict.APPLIES:
                yield Sentence(finding.rule, (finding.source,))
        if evidence.recommendation or evidence.is_of_figures or not evidence.sources.citations:
            return
        found = self._extract(evidence)
        yield from found.sentences
        if found.sentences and not evidence.said:
            evidence.notices += [f"Not found in what you may read: {it}." for it in found.unanswered]

    def closest(self, evidence: Evidence) -> tuple[Sentence, ...]:
        """Of a question that is not answered: sentences of the passages nearest to it, for the reader to look at."""
        if evidence.recommendation or evidence.is_of_figures or evidence.said or not evidence.sources.citations:
            return ()
        if evidence.closest is None:
            try:
                self._extract(evidence)
            except WriterFailed:
                return ()  # that nothing can be compared has been told, or retrieval would have failed before
        return evidence.closest or ()

    def _extract(self, evidence: Evidence) -> Extract:
        from mesh_core.answers.extractive import extract
        from mesh_core.embedding import EmbedderUnavailable

        try:
            known = self._sentence_vectors(evidence.readers.backend.database)
            found = extract(evidence.asking.question, evidence.sources.citations, known)
        except EmbedderUnavailable as error:
            raise WriterFailed(f"The passages could not be compared with the question: {error}") from error
        evidence.closest = found.closest
        return found

    def _sentence_vectors(self, database: Database) -> SentenceVectors:
        """Those that all questions share, none from before an erasure. Raises: EmbedderUnavailable."""
        from mesh_core.answers.sentence_vectors import SentenceVectors

        erased = database.head_of((kinds.SUBJECT_ERASURE,))
        with self._lock:
            if self._known is None or erased > self._erased:
                self._known, self._erased = SentenceVectors(self._vectors.embedder), erased
            return self._known
