"""Vectors of sentences are made once for each text in a version of a collection, and go with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np

from governance_server.asking.writing import ExtractiveWriter
from mesh_core.answers.answer import Citation, Span
from mesh_core.answers.sentence_vectors import SentenceVectors
from mesh_core.embedding import Embedder, HashingEmbedder, Vectors

PASSAGE = Citation(1, "policy.handbook.pages", 1, "p1", "a.md", "Refunds", "Refunds", None, Span(0, 9), "Some text")


class Counted:
    """An embedder that keeps what it was asked."""

    def __init__(self) -> None:
        self._embedder: Embedder = HashingEmbedder()
        self.model, self.dimensions = self._embedder.model, self._embedder.dimensions
        self.asked: list[list[str]] = []

    def embed(self, texts: Sequence[str]) -> Vectors:
        self.asked.append(list(texts))
        return self._embedder.embed(texts)


def test_sentences_and_questions_are_embedded_at_once_and_sentences_never_again() -> None:
    embedder = Counted()
    vectors = SentenceVectors(embedder)
    asked, found = vectors.of(["May I?"], [(PASSAGE, "You may."), (PASSAGE, "You must."), (PASSAGE, "You may.")])
    assert embedder.asked == [["May I?", "You may.", "You must."]]
    assert np.array_equal(asked, HashingEmbedder().embed(["May I?"]))
    assert np.array_equal(found, HashingEmbedder().embed(["You may.", "You must.", "You may."]))
    again = vectors.of(["Must I?"], [(PASSAGE, "You must."), (PASSAGE, "Nobody may.")])
    assert embedder.asked[1:] == [["Must I?", "Nobody may."]]
    assert np.array_equal(again[1], HashingEmbedder().embed(["You must.", "Nobody may."]))


def test_the_same_sentence_of_two_collections_is_given_for_both() -> None:
    other = replace(PASSAGE, port="policy.rules.pages")
    asked, found = SentenceVectors(HashingEmbedder()).of(["May I?", "Must I?"], [(PASSAGE, "You may."), (other, "You may.")])
    assert len(asked) == 2
    assert np.array_equal(found[0], found[1])


def test_another_version_of_a_collection_forgets_the_vectors_of_the_one_before() -> None:
    embedder = Counted()
    vectors = SentenceVectors(embedder)
    vectors.of([], [(PASSAGE, "Ana may."), (PASSAGE, "You may.")])
    vectors.of([], [(replace(PASSAGE, version=2), "You may.")])
    vectors.of([], [(PASSAGE, "Ana may.")])
    assert [it for asked in embedder.asked for it in asked].count("Ana may.") == 2


def test_what_is_remembered_has_a_bound_in_bytes() -> None:
    embedder = Counted()
    vectors = SentenceVectors(embedder, most_bytes=3 * embedder.dimensions * 4)
    vectors.of([], [(PASSAGE, f"Rule {number}.") for number in range(5)])
    vectors.of([], [(PASSAGE, "Rule 4."), (PASSAGE, "Rule 0.")])
    assert embedder.asked[1] == ["Rule 0."]


def test_without_sentences_only_questions_are_embedded() -> None:
    asked, found = SentenceVectors(HashingEmbedder()).of(["May I?"], [])
    assert asked.shape == (1, 256)
    assert found.shape == (0, 256)


def test_the_first_question_after_an_erasure_forgets_all_vectors() -> None:
    heads = iter([0, 0, 7, 7])
    database: Any = SimpleNamespace(head_of=lambda kinds: next(heads))
    writer = ExtractiveWriter(SimpleNamespace(embedder=HashingEmbedder()))  # type: ignore[arg-type]
    before, again, after, later = (writer._sentence_vectors(database) for _ in range(4))
    assert before is again
    assert after is later
    assert after is not before
