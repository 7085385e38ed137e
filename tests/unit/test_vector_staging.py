from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesh_core.expressions.tree import FALSE, TRUE, Literal
from mesh_core.vectors.fusion import fused_order
from mesh_core.vectors.identifiers import attribute_field, collection_identifier
from mesh_core.vectors.passages import Passage, tag_set
from mesh_core.vectors.scopes import allowed_tag_sets
from mesh_core.vectors.staging import NewRow, Row, reopen, stage
from mesh_core.vectors.store import OPEN, AllowedScope, StageResult, StagingConflict


class MemoryRows:
    """Rows in a dictionary; fails after `budget` writes, as a crash would."""

    dimensions = 1
    writers = 1
    attributes: Mapping[str, type] = {}

    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}
        self.budget = 10**9

    def _spend(self) -> None:
        self.budget -= 1
        if self.budget < 0:
            raise ConnectionError

    def since(self, version: int) -> Iterator[Row]:
        yield from [row for row in self.rows.values() if row.valid_to >= version]

    def vectors(self, keys: Sequence[str]) -> Mapping[str, np.ndarray]:
        return {key: np.ones(1, dtype=np.float32) for key in keys if key in self.rows}

    def insert(self, rows: Sequence[NewRow]) -> None:
        for row in rows:
            self._spend()
            self.rows[row.key] = Row(row.key, row.passage.id, row.digest, row.valid_from, OPEN)

    def set_valid_to(self, keys: Sequence[str], version: int) -> None:
        for key in keys:
            self._spend()
            self.rows[key] = replace(self.rows[key], valid_to=version)

    def delete(self, keys: Sequence[str]) -> None:
        for key in keys:
            self._spend()
            del self.rows[key]

    def seen_at(self, version: int) -> dict[str, str]:
        seen = [row for row in self.rows.values() if row.valid_from <= version < row.valid_to]
        assert len({row.id for row in seen}) == len(seen)
        return {row.id: row.digest for row in seen}


def passage(name: str, text: str) -> Passage:
    return Passage(name, "d", "", "", text, 0, 1, None, (), {}, np.ones(1, dtype=np.float32))


CONTENTS = st.dictionaries(st.sampled_from("abcdef"), st.sampled_from(["x", "y"]), max_size=6)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.tuples(CONTENTS, CONTENTS, st.integers(0, 8), st.sampled_from(["fine", "again", "crash", "repair"])), max_size=6)
)
def test_every_version_stays_what_was_staged_whatever_crashed_in_between(
    steps: list[tuple[dict[str, str], dict[str, str], int, str]],
) -> None:
    rows = MemoryRows()
    history: dict[int, dict[str, str]] = {}
    for version, (wanted, attempted, budget, event) in enumerate(steps, start=1):
        if event != "fine":
            rows.budget = budget if event != "again" else 10**9
            with suppress(ConnectionError):
                stage(rows, collection="c", version=version, passages=[passage(*item) for item in attempted.items()])
            rows.budget = 10**9
            assert all(_texts(rows, earlier) == content for earlier, content in history.items())
        if event == "repair":
            rows.delete(reopen(rows, collection="c", version=version))
            assert version == 1 or _texts(rows, version) == history[version - 1]
        staged = [stage(rows, collection="c", version=version, passages=[passage(*i) for i in wanted.items()]) for _ in range(2)]
        previous = history.get(version - 1, {})
        same = sum(previous.get(name) == text for name, text in wanted.items())
        assert staged == [StageResult(added=len(wanted) - same, kept=same, closed=len(previous) - same)] * 2
        history[version] = wanted
    assert all(_texts(rows, version) == content for version, content in history.items())


def _texts(rows: MemoryRows, version: int) -> dict[str, str]:
    seen = rows.seen_at(version)
    return {name: text for name in seen for text in "xy" if _digest(passage(name, text)) == seen[name]}


def _digest(of: Passage) -> str:
    from mesh_core.vectors.passages import content_digest, keyword_text

    return content_digest(of, keyword_text(of))


class SlowRows(MemoryRows):
    """Each insertion waits until a passage behind its last was asked for, or fails."""

    writers = 2

    def __init__(self, *, fails: bool = False) -> None:
        super().__init__()
        self.asked = 0
        self.more = threading.Condition()
        self.begun = 0
        self.fails = fails

    def ask(self) -> None:
        with self.more:
            self.asked += 1
            self.more.notify_all()

    def insert(self, rows: Sequence[NewRow]) -> None:
        self.begun += 1
        if self.fails:
            raise ConnectionError
        last = max(int(row.passage.id[1:]) for row in rows)
        with self.more:
            assert self.more.wait_for(lambda: self.asked > last + 1, timeout=30), "the next batch is prepared meanwhile"
        super().insert(rows)


def test_batches_are_prepared_while_others_are_written_and_never_many() -> None:
    rows = SlowRows()
    ahead: list[int] = []

    def passages() -> Iterator[Passage]:
        for number in range(6_000):
            rows.ask()
            ahead.append(number - len(rows.rows))
            yield passage(f"p{number}", "x")
        rows.ask()

    assert stage(rows, collection="c", version=1, passages=passages()) == StageResult(added=6_000, kept=0, closed=0)
    assert len(rows.rows) == 6_000
    assert max(ahead) >= 1_000, "at least one batch was on its way"
    assert max(ahead) <= 1_000 * (rows.writers + 2)


def test_a_write_that_fails_ends_the_staging_with_its_error() -> None:
    rows = SlowRows(fails=True)
    with pytest.raises(ConnectionError):
        stage(rows, collection="c", version=1, passages=(passage(f"p{number}", "x") for number in range(50_000)))
    assert rows.begun < 10, "what comes after is not written"


def test_staging_below_a_later_version_is_refused() -> None:
    rows = MemoryRows()
    stage(rows, collection="c", version=5, passages=[passage("a", "x")])
    with pytest.raises(StagingConflict, match=r"version 3 of c.*version 5"):
        stage(rows, collection="c", version=3, passages=[])


def test_scores_are_scaled_weighted_and_added() -> None:
    """By hand: dense a 1, b 0.5, c 0; sparse c 1, d 0; alpha 0.75 gives a .75, b .375, c .25, d 0."""
    dense = {"a": -0.1, "b": -0.2, "c": -0.3}
    sparse = {"c": 9.0, "d": 3.0}
    assert fused_order(dense, sparse, alpha=0.75) == ["a", "b", "c", "d"]
    assert fused_order(dense, sparse, alpha=0.25) == ["c", "a", "b", "d"]


def test_equal_scores_count_in_full_and_ties_go_by_key() -> None:
    assert fused_order({"b": 5.0, "a": 5.0}, {}, alpha=0.75) == ["a", "b"]
    assert fused_order({"a": 1.0, "b": 0.0}, {"z": 1.0}, alpha=0.5) == ["a", "z", "b"]
    assert fused_order({}, {}, alpha=0.5) == []


@given(st.text(max_size=80), st.text(max_size=80))
def test_identifiers_are_safe_and_distinct_even_without_case(one: str, other: str) -> None:
    for encode in (collection_identifier, attribute_field):
        first, second = encode(one), encode(other)
        assert (first.lower() == second.lower()) is (one == other)
        assert first.isascii()
        assert first.isidentifier()
        assert len(first) <= 200
    assert collection_identifier(one)[0].isupper()


def test_long_names_stay_apart() -> None:
    assert collection_identifier("a" * 300) != collection_identifier("a" * 301)


def test_the_order_and_repetition_of_tags_do_not_matter_but_their_borders_do() -> None:
    assert tag_set(("b", "a", "a")) == tag_set(("a", "b"))
    assert len({tag_set(tags) for tags in ((), ("a",), ("ab",), ("a", "b"), ("a,b",), ("a b",))}) == 6


@given(
    st.sets(st.frozensets(st.sampled_from(["pii", "pii.email", "draft"])), max_size=8),
    st.frozensets(st.sampled_from(["pii", "draft"])),
)
def test_allowed_tag_sets_are_those_without_an_excluded_tag(sets: set[frozenset[str]], excluded: frozenset[str]) -> None:
    known = {tag_set(sorted(tags)): sorted(tags) for tags in sets}
    assert set(allowed_tag_sets(known, excluded)) == {tag_set(sorted(tags)) for tags in sets if not tags & excluded}


def test_only_the_constant_false_is_an_empty_scope() -> None:
    assert AllowedScope(FALSE).is_empty
    assert not AllowedScope(TRUE).is_empty
    assert not AllowedScope(Literal(None)).is_empty


def test_importing_the_seam_loads_no_store() -> None:
    code = "import sys, mesh_core.vectors.store; sys.exit(any(m in sys.modules for m in ('lancedb', 'weaviate', 'pyarrow')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
