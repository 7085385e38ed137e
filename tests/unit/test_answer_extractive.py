"""Which sentences of passages are an answer: with vectors that a test chooses, so that only the rules decide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from mesh_core.answers.answer import Citation, Span
from mesh_core.answers.extractive import extracted
from mesh_core.embedding import Vectors

TEXT = (
    "A customer may return an order within 30 days. The goods must be unused.\n\n"
    "- **Gift cards** are [never](https://example.com) taken back.\n"
)


class Near:
    """Vectors whose angle to the question is as near as a test says for texts that hold a word; else they are far from it."""

    model, dimensions = "near", 2

    def __init__(self, near: Mapping[str, float]) -> None:
        self._near = near

    def embed(self, texts: Sequence[str]) -> Vectors:
        _, *others = texts
        cosines = [1.0, *(max([value for word, value in self._near.items() if word in text], default=0.0) for text in others)]
        return np.array([[cosine, np.sqrt(1 - cosine**2)] for cosine in cosines], dtype=np.float32)


def citation(text: str = TEXT, *, number: int = 1, start: int = 100, title: str = "Refunds") -> Citation:
    return Citation(
        number, "policy.handbook.pages", 1, f"p{number}", "a.md", title, title, None, Span(start, start + len(text)), text
    )


def test_the_best_sentence_is_said_word_for_word_without_marks_and_with_its_place() -> None:
    (sentence,) = extracted("Do we take back gift cards?", [citation()], Near({"Gift": 0.9}))
    assert (sentence.text, sentence.sources) == ("Gift cards are never taken back.", (1,))
    assert sentence.quote is not None
    assert (
        TEXT[sentence.quote.start - 100 : sentence.quote.end - 100]
        == "- **Gift cards** are [never](https://example.com) taken back."
    )


def test_nothing_is_said_if_nothing_is_near_enough() -> None:
    assert extracted("May I bring a dog?", [citation()], Near({"Gift": 0.5})) == []
    assert extracted("May I bring a dog?", [], Near({})) == []


def test_what_is_asked_by_name_must_be_named() -> None:
    near = Near({"within": 0.55})
    assert extracted("How long may an order be returned?", [citation()], near)
    assert extracted("How long may Hooli return an ordered machine?", [citation()], near) == []
    assert extracted("How long may Hooli return an ordered machine?", [citation(title="Terms of Hooli")], near)


def test_what_says_the_same_again_is_said_once() -> None:
    twice = [citation(), citation(number=2, start=900)]
    found = extracted("How long may a customer return an order?", twice, Near({"within": 0.9}))
    assert [it.sources for it in found] == [(1,)]


def test_a_question_in_a_passage_is_no_answer() -> None:
    text = "How long may a customer return an order? Thirty days."
    assert [
        it.text for it in extracted("How long may a customer return an order?", [citation(text)], Near({"How long": 1.0}))
    ] == []
