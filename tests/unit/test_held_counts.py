"""What is remembered of how many passages a version has."""

from __future__ import annotations

import pytest

from mesh_core.vectors.held_counts import HeldCounts
from mesh_core.vectors.store import CollectionOutdated, Published


class Store:
    """How many passages it holds at each question, the last for good."""

    def __init__(self, *held: int) -> None:
        self.held = list(held)
        self.asked = 0

    def count(self, since: int = 1) -> int:
        self.asked += 1
        return self.held.pop(0) if len(self.held) > 1 else self.held[0]


def check(counts: HeldCounts, store: Store, *, collection: str = "a.b.c", state: int = 1) -> None:
    counts.check(collection, 1, published=Published(9), state=state, count=store.count)


def test_a_count_is_remembered_until_the_state_is_another_or_the_collection_is_forgotten() -> None:
    counts, store = HeldCounts(), Store(9)
    for state, asked in ((1, 1), (1, 1), (2, 2)):
        check(counts, store, state=state)
        assert store.asked == asked
    counts.forget("another")
    check(counts, store, state=2)
    assert store.asked == 2
    counts.forget("a.b.c")
    check(counts, store, state=2)
    assert store.asked == 3


def test_a_count_that_does_not_agree_is_made_a_few_times_more_and_never_remembered() -> None:
    counts = HeldCounts()
    check(counts, Store(7, 8, 9))
    lost = Store(7)
    with pytest.raises(CollectionOutdated, match="has 7 passages, 9 were published"):
        check(counts, lost)
    assert lost.asked > 2
    back = Store(9)
    check(counts, back)
    assert back.asked == 1


def test_what_was_asked_for_last_is_remembered_longest() -> None:
    counts, used = HeldCounts(most=2), Store(9)
    for other in ("d", "e", "f"):
        check(counts, used)
        check(counts, Store(9), collection=other)
    assert used.asked == 1
