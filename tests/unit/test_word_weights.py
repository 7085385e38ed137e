"""Words weigh what Lucene's idf says they weigh among the permitted; what is remembered belongs to one scope and is bounded."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh_core.vectors.weaviate_keywords import repeated, words_of
from mesh_core.vectors.word_weights import Weight, WordWeights

_COUNTED = {"voucher": (1, 201), "travel": (9, 9), "absent": (0, 40)}


@dataclass
class _Scope:
    sizes: tuple[int, int] = (10, 210)
    asked: list[str] = field(default_factory=list)

    def holding(self, word: str) -> tuple[int, int]:
        self.asked.append(word)
        return _COUNTED[word]


def _idf(passages: int, holding: int) -> float:
    """Lucene's BM25Similarity: ln(1 + (N - n + 0.5) / (n + 0.5))."""
    return math.log(1 + (passages - holding + 0.5) / (holding + 0.5))


def test_a_boost_turns_the_weight_in_the_index_into_the_weight_in_the_scope() -> None:
    weights = WordWeights(map).weights(list(_COUNTED), at=("c", 1, "f"), count=_Scope)
    for word, (permitted, everywhere) in _COUNTED.items():
        assert weights[word].boost * _idf(210, everywhere) == pytest.approx(_idf(10, permitted))
        assert weights[word].is_held is (permitted > 0)


def test_where_all_is_permitted_nothing_is_counted() -> None:
    scope = _Scope(sizes=(210, 210))
    assert WordWeights(map).weights(["voucher"], at=("c", 1, "f"), count=lambda: scope) == {}
    assert scope.asked == []


def test_a_word_is_counted_once_for_a_scope_and_again_for_another_filter_or_state() -> None:
    memory, scope = WordWeights(map), _Scope()
    for at in (("c", 1, "f"), ("c", 1, "f"), ("c", 1, "g"), ("c", 2, "f"), ("d", 1, "f")):
        memory.weights(["voucher"], at=at, count=lambda: scope)
    assert scope.asked == ["voucher"] * 4
    memory.forget("c")
    memory.weights(["voucher"], at=("c", 1, "f"), count=lambda: scope)
    memory.weights(["voucher"], at=("d", 1, "f"), count=lambda: scope)
    assert scope.asked == ["voucher"] * 5


def test_no_more_than_a_bounded_number_of_scopes_and_words_is_remembered() -> None:
    memory = WordWeights(map)

    class Any:
        sizes = (1, 2)

        def holding(self, word: str) -> tuple[int, int]:
            return 1, 1

    for number in range(100):
        memory.weights([f"w{number}-{it}" for it in range(50)], at=("c", 1, str(number)), count=Any)
    words = [f"w{it}" for it in range(5_000)]
    assert set(memory.weights(words, at=("c", 1, "last"), count=Any)) == set(words)
    assert len(memory._scopes) == 32
    assert max(len(it.weights) for it in memory._scopes.values()) == 2_000


@given(
    st.dictionaries(
        st.text("abcdefgh", min_size=1, max_size=8),
        st.tuples(st.integers(1, 1000), st.integers(0, 5000), st.integers(1, 3)),
        min_size=1,
        max_size=12,
    )
)
def test_repetitions_weigh_words_as_asked_to_a_small_part_of_the_heaviest(words: dict[str, tuple[int, int, int]]) -> None:
    """Out of 1,000 permitted passages of 6,000."""
    weights = {
        word: Weight(_idf(1000, permitted), _idf(6000, permitted + hidden), True)
        for word, (permitted, hidden, _) in words.items()
    }
    counts = {word: times for word, (_, _, times) in words.items()}
    said = Counter(repeated(counts, weights).split())
    assert said.keys() == counts.keys()
    assert said.total() <= 4_000 + len(counts)
    wanted = {word: times * weights[word].permitted for word, times in counts.items()}
    given = {word: said[word] * weights[word].everywhere for word in counts}
    scale = max(given.values()) / max(wanted.values())
    if said.total() < 3_900:
        assert all(abs(given[word] / scale - wanted[word]) <= max(wanted.values()) / 32 for word in counts)


def test_words_that_no_permitted_passage_holds_are_not_said() -> None:
    weights = {"held": Weight(1.0, 2.0, True), "hidden": Weight(5.0, 1.0, False)}
    assert set(repeated({"held": 1, "hidden": 1}, weights).split()) == {"held"}
    assert repeated({"hidden": 1}, {"hidden": weights["hidden"]}) == "hidden"


def test_words_are_cut_as_weaviate_cuts_them() -> None:
    assert words_of("The a_b's Straße, straße 旅費 of 2022!") == {"b": 1, "s": 1, "straße": 2, "旅費": 1, "2022": 1}
