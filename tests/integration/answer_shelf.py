"""Passages of folders with their vectors, and what is said to questions from those nearest to them: no server, no store."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from domain_sdk.documents import passages, read_documents
from mesh_core.answers.answer import Citation, Sentence, Span
from mesh_core.answers.extractive import extracted
from mesh_core.embedding import Vectors, open_embedder

__all__ = ["Shelf", "shelf_of"]


class Remembering:
    """The bundled model; it is run once for each text, as the same sentences are compared with every question."""

    def __init__(self) -> None:
        self._model = open_embedder("minilm")
        self.model, self.dimensions = self._model.model, self._model.dimensions
        self._known: dict[str, Vectors] = {}

    def embed(self, texts: Sequence[str]) -> Vectors:
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        self._known.update(zip(new, self._model.embed(new), strict=True))
        return np.array([self._known[text] for text in texts], dtype=np.float32).reshape(len(texts), self.dimensions)


@dataclass(frozen=True)
class Shelf:
    """Passages with their vectors, and what makes these."""

    embedder: Remembering
    passages: list[Citation]
    vectors: Vectors

    def says(self, question: str) -> str:
        """What is said to the question, from the six passages that are nearest to it."""
        return " ".join(it.text for it in self.sentences(question))

    def sentences(self, question: str) -> list[Sentence]:
        """The sentences that are said."""
        order = (-(self.vectors @ self.embedder.embed([question])[0])).argsort(kind="stable")[:6]
        found = [replace(self.passages[place], number=number) for number, place in enumerate(order, start=1)]
        return extracted(question, found, self.embedder)


def shelf_of(*folders: Path) -> Shelf:
    """The passages of all documents in the folders."""
    embedder, found = Remembering(), list(_citations(*folders))
    return Shelf(embedder, found, embedder.embed([f"{it.section}\n{it.text}" for it in found]))


def _citations(*folders: Path) -> Iterator[Citation]:
    for folder in folders:
        for document in read_documents(folder):
            for it in passages(document):
                place = Span(it.start, it.end)
                yield Citation(0, "p.h.pages", 1, it.id, it.document, it.title, it.heading, None, place, it.text)
