"""What was read is remembered of one state of a collection, in a bounded amount, and given in the order asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mesh_core.vectors.state_memory import StateMemory


class _Store:
    """Things by id, and the ids that were read."""

    def __init__(self, **things: str) -> None:
        self.things = things
        self.asked: list[str] = []

    def read(self, ids: Sequence[str]) -> Mapping[str, str]:
        self.asked += ids
        return {it: self.things[it] for it in reversed(ids) if it in self.things}


def test_a_thing_is_read_once_and_things_keep_the_order_asked_for() -> None:
    store, memory = _Store(a="A", b="B", c="C"), StateMemory[str](10)
    for ids, read in ((["a", "b"], ["a", "b"]), (["c", "b", "a"], ["c"]), (["b"], [])):
        store.asked.clear()
        assert memory.of(ids, at=("x", 3), read=store.read) == [it.upper() for it in ids]
        assert store.asked == read


def test_things_are_forgotten_once_their_collection_is_in_another_state() -> None:
    store, memory = _Store(a="A"), StateMemory[str](10)
    for at in (("x", (3, 1)), ("x", (3, 2)), ("y", (3, 2))):
        memory.of(["a"], at=at, read=store.read)
    memory.forget("x")
    memory.of(["a"], at=("x", (3, 2)), read=store.read)
    memory.of(["a"], at=("y", (3, 2)), read=store.read)
    assert store.asked == ["a"] * 4


def test_what_may_still_be_replaced_is_given_and_not_remembered() -> None:
    store, memory = _Store(a="A"), StateMemory[str](10)
    for is_settled in (False, False, True, True):
        assert memory.of(["a"], at=("x", 3), read=store.read, is_settled=lambda thing, it=is_settled: it) == ["A"]  # type: ignore[misc]
    assert store.asked == ["a"] * 3


def test_what_is_gone_is_left_out() -> None:
    assert StateMemory[str](10).of(["gone", "a"], at=("x", 1), read=_Store(a="A").read) == ["A"]


def test_no_more_is_kept_than_allowed_the_latest_things() -> None:
    store, memory = _Store(**{f"k{n}": "A" for n in range(12)}), StateMemory[str](10)
    memory.of(list(store.things), at=("x", 1), read=store.read)
    store.asked.clear()
    memory.of(["k11", "k0"], at=("x", 1), read=store.read)
    assert store.asked == ["k0"]


def test_sizes_are_counted_and_given_back_when_things_are_forgotten() -> None:
    store, memory = _Store(a="A" * 6, b="B" * 6, c="C" * 30), StateMemory[str](13, size=len)
    memory.of(["a"], at=("x", 1), read=store.read)
    memory.forget("x")
    memory.of(["a", "b"], at=("x", 1), read=store.read)
    store.asked.clear()
    assert memory.of(["a", "b"], at=("x", 1), read=store.read) == ["A" * 6, "B" * 6]
    assert store.asked == []
    memory.of(["c"], at=("x", 1), read=store.read)  # larger than all that may be kept
    memory.of(["c"], at=("x", 1), read=store.read)
    assert store.asked == ["c", "c"]


def test_what_is_read_ahead_is_known_while_its_state_lasts_and_makes_nothing_be_forgotten() -> None:
    store, memory = _Store(a="A" * 4, b="B" * 4, c="C" * 4), StateMemory[str](10, size=len)
    assert not memory.add({"b": "BBBB"}, at=("x", 1))  # nobody has asked
    memory.of(["a"], at=("x", 1), read=store.read)
    assert memory.add({"b": "BBBB"}, at=("x", 1))
    assert not memory.add({"c": "CCCC"}, at=("x", 1))  # no room
    assert not memory.add({"d": ""}, at=("x", 2))
    assert memory.of(["a", "b", "c"], at=("x", 1), read=store.read) == ["AAAA", "BBBB", "CCCC"]
    assert store.asked == ["a", "c"]
