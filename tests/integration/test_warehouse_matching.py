"""Finding stored rows by key, and writing their files anew without them: exact, however small the portions are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from governance_server.warehouse import matching
from governance_server.warehouse.delivered import VerifiedFile
from governance_server.warehouse.delta_log import TableChange, commit_version
from governance_server.warehouse.local_folder import LocalFolder
from governance_server.warehouse.matching import DELETED, PAIR, find_matches, stored_file
from governance_server.warehouse.rewriting import rewrite_without
from governance_server.warehouse.snapshot import Snapshot, StoredFile, open_snapshot
from governance_server.warehouse.statistics import delta_statistics

SCHEMA = pa.schema([pa.field("a", pa.int64()), pa.field("b", pa.string()), pa.field("v", pa.int64())])
KEYS = st.tuples(st.integers(-3, 12), st.sampled_from(["x", "y", "longer than thirty-two characters, so without bounds"]))


def written(folder: Path, name: str, rows: list[tuple[Any, ...]], schema: pa.Schema = SCHEMA) -> StoredFile:
    table = pa.Table.from_pylist([dict(zip(schema.names, row, strict=True)) for row in rows], schema=schema)
    pq.write_table(table, folder / name, row_group_size=3)
    return stored_file(LocalFolder(folder), name)


def table_of(folder: Path, files: list[list[tuple[Any, ...]]]) -> Snapshot:
    """A Delta table of these files, with their statistics."""
    added = []
    for number, rows in enumerate(files):
        file = written(folder, f"pub-{number:032x}-x.parquet", rows)
        stats = delta_statistics(pq.read_metadata(folder / file.name), SCHEMA)
        added.append(VerifiedFile(file.name, file.size, file.rows, stats))
    commit_version(LocalFolder(folder), TableChange(added, SCHEMA), publication_id=f"pub-{1:032x}", version=1)
    return open_snapshot(LocalFolder(folder), 0)


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.lists(KEYS, max_size=8), min_size=1, max_size=4),
    st.lists(KEYS, max_size=8, unique=True),
    st.lists(KEYS, max_size=4),
)
def test_a_merge_by_files_is_a_merge_by_rows(
    tmp_path_factory: pytest.TempPathFactory, held: list[list[Any]], given_keys: list[Any], deleted_keys: list[Any]
) -> None:
    root = tmp_path_factory.mktemp("merge")
    for part in ("table", "in", "scratch"):
        (root / part).mkdir()
    files = [[(*key, 100 * at + index) for index, key in enumerate(keys)] for at, keys in enumerate(held)]
    deleted_only = [key for key in deleted_keys if key not in given_keys]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(matching, "_PORTION_ROWS", 2)
        patch.setattr(matching, "_IN_MEMORY_ROWS", 2)
        table = table_of(root / "table", files)
        new = [written(root / "in", "new.parquet", [(*key, -index) for index, key in enumerate(given_keys)])]
        gone = [written(root / "in", "gone.parquet", deleted_only, pa.schema([SCHEMA.field(0), SCHEMA.field(1)]))]
        found = find_matches(table, new, ["a", "b"], scratch=root / "scratch", deleted=gone)
        rewritten = rewrite_without(found, SCHEMA, root / "scratch")
    held_rows = [row for rows in files for row in rows]
    hit = {*given_keys, *deleted_only}
    assert found.rows == sum(row[:2] in hit for row in held_rows)
    kept = [root / "table" / file.name for file in table.without(list(found.marks)).files()]
    left = [
        row for path in [*kept, *(root / "scratch" / it.name for it in rewritten.kept)] for row in pl.read_parquet(path).rows()
    ]
    assert sorted(left) == sorted(row for row in held_rows if row[:2] not in hit)
    out = pl.read_parquet(root / "scratch" / rewritten.replaced.name).rows() if rewritten.replaced else []
    pairs = {key: number for number, key in enumerate(given_keys)} | dict.fromkeys(deleted_only, DELETED)
    assert sorted(out) == sorted((*row, pairs[row[:2]]) for row in held_rows if row[:2] in hit)


def test_files_whose_bounds_rule_a_key_out_are_not_opened(tmp_path: Path) -> None:
    table = table_of(tmp_path, [[(n, "x", n) for n in range(first, first + 10)] for first in (0, 100, 200)])
    keys = pl.DataFrame({"a": [105, 109], "b": ["x", "x"]})
    assert [file.name[-11] for file in table.overlapping(["a", "b"], keys)] == ["1"]
    assert len(table.overlapping(["b"], keys)) == 3
    assert table.overlapping(["a"], keys.with_columns(pl.col("a") + 50)) == []


def test_a_key_with_a_null_is_nobodys_and_floats_are_compared_by_value(tmp_path: Path) -> None:
    schema = pa.schema([pa.field("k", pa.float64())])
    for part in ("a", "b", "s"):
        (tmp_path / part).mkdir()
    stored = [written(tmp_path / "a", "old", [(0.0,), (float("nan"),), (None,), (2.0,)], schema)]
    new = [written(tmp_path / "b", "new", [(-0.0,), (float("nan"),), (None,)], schema)]
    found = find_matches(stored, new, ["k"], scratch=tmp_path / "s")
    assert found.marks["old"].tolist() == [0, 1, -1, -1]
    assert PAIR not in schema.names
