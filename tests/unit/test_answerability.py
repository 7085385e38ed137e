"""Whether passages seem to answer: the nearest must stand out."""

from __future__ import annotations

import pytest

from mesh_core.retrieval.answerability import is_answerable, margin


def test_a_passage_that_stands_out_may_answer_and_one_among_many_alike_does_not() -> None:
    alike = [0.40 - place / 200 for place in range(12)]
    assert not is_answerable(alike)
    assert is_answerable([0.52, *alike])


def test_how_near_all_of_them_are_does_not_matter() -> None:
    alike = [0.40 - place / 200 for place in range(12)]
    assert margin([it + 0.3 for it in alike]) == pytest.approx(margin(alike))


def test_only_the_ten_nearest_count_in_whatever_order_they_come() -> None:
    ten = [0.50, *[0.45] * 9]
    assert margin(list(reversed([*ten, 0.1, 0.0]))) == margin(ten)


def test_with_few_passages_any_may_answer_and_without_one_none_does() -> None:
    assert is_answerable([0.3, 0.3])
    assert not is_answerable([])
