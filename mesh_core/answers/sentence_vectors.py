"""Vectors of the sentences of passages that were asked about, remembered: most questions are about the same passages.

A vector is found by a digest of the very text that it is of, so nothing is decided here of who may read what: whoever has the
text gets its vector. Those of a collection go as soon as another version of it is asked.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from mesh_core.answers.answer import Citation
from mesh_core.vectors.state_memory import StateMemory

if TYPE_CHECKING:
    from mesh_core.embedding import Embedder, Vectors

__all__ = ["SentenceVectors"]

_MOST_BYTES = 32 * 2**20


class SentenceVectors:
    """Makes vectors of questions and of sentences; of the latter up to 32 MiB are remembered. Safe from several threads."""

    def __init__(self, embedder: Embedder, *, most_bytes: int = _MOST_BYTES) -> None:
        """The embedder makes both."""
        self._embedder = embedder
        self._known = StateMemory["Vectors"](most_bytes, size=lambda vector: vector.nbytes)

    def of(self, questions: Sequence[str], sentences: Sequence[tuple[Citation, str]]) -> tuple[Vectors, Vectors]:
        """One row for each question and one for each sentence, L2-normalised; what is new is embedded at once.

        Args:
            questions: Texts that are never remembered.
            sentences: Each with the passage that it is from.

        Raises:
            EmbedderUnavailable: as `Embedder.embed` does.
        """
        asked: list[Vectors] = []
        found: dict[str, Vectors] = {}
        for port, version in dict.fromkeys((it.port, it.version) for it, _ in sentences):
            texts = {_digest(text): text for it, text in sentences if (it.port, it.version) == (port, version)}

            def read(ids: Sequence[str], texts: Mapping[str, str] = texts) -> Mapping[str, Vectors]:
                with_questions: Sequence[str] = [] if asked else questions
                rows = self._embedder.embed([*with_questions, *(texts[it] for it in ids)])
                if with_questions:
                    asked.append(rows[: len(questions)])
                return {it: row.copy() for it, row in zip(ids, rows[len(with_questions) :], strict=True)}

            found |= zip(texts, self._known.of(list(texts), at=(port, version), read=read), strict=True)
        if questions and not asked:
            asked.append(self._embedder.embed(questions))
        none = np.empty((0, self._embedder.dimensions), dtype=np.float32)
        told = [found[_digest(text)] for _, text in sentences]
        return asked[0] if questions else none, np.stack(told) if told else none


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
