"""Labels of candidates are read once, belong to one state of a collection, and are bounded in number."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mesh_core.vectors.labels import Label, Labels
from mesh_core.vectors.passages import Candidate


class _Store:
    """Objects by key, with the version that each is from."""

    def __init__(self, **since: int) -> None:
        self.since = since
        self.asked: list[str] = []

    def read(self, keys: Sequence[str]) -> Iterator[Label]:
        self.asked += keys
        return (Label(key, key, self.since[key], Candidate(f"{key}.md", "", None)) for key in reversed(keys) if key in self.since)


def _documents(labels: Sequence[Label]) -> list[str]:
    return [it.candidate.document for it in labels]


def test_a_label_is_read_once_and_labels_keep_the_order_asked_for() -> None:
    store, labels = _Store(a=1, b=1, c=1), Labels()
    for keys, read in ((["a", "b"], ["a", "b"]), (["c", "b", "a"], ["c"]), (["b"], [])):
        store.asked.clear()
        assert _documents(labels.of(keys, at=("x", 3), version=1, read=store.read)) == [f"{key}.md" for key in keys]
        assert store.asked == read


def test_labels_are_forgotten_once_their_collection_holds_more_or_less() -> None:
    store, labels = _Store(a=1), Labels()
    for at in (("x", 3), ("x", 2), ("y", 2)):
        labels.of(["a"], at=at, version=1, read=store.read)
    labels.forget("x")
    labels.of(["a"], at=("x", 2), version=1, read=store.read)
    labels.of(["a"], at=("y", 2), version=1, read=store.read)
    assert store.asked == ["a"] * 4


def test_what_a_later_version_adds_is_given_and_not_remembered() -> None:
    store, labels = _Store(a=2), Labels()
    for version in (1, 1, 2, 2):
        assert _documents(labels.of(["a"], at=("x", 3), version=version, read=store.read)) == ["a.md"]
    assert store.asked == ["a"] * 3


def test_what_is_gone_is_left_out() -> None:
    labels = Labels()
    assert _documents(labels.of(["gone", "a"], at=("x", 1), version=1, read=_Store(a=1).read)) == ["a.md"]


def test_no_more_than_20_000_labels_are_kept_the_latest_ones() -> None:
    store, labels = _Store(**{f"k{n}": 1 for n in range(20_010)}), Labels()
    labels.of(list(store.since), at=("x", 1), version=1, read=store.read)
    store.asked.clear()
    labels.of(["k20009", "k0"], at=("x", 1), version=1, read=store.read)
    assert store.asked == ["k0"]
