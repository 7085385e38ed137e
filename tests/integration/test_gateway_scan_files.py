"""Governed files: the table's own where nothing is withheld, else filtered and masked ones, built once and bounded in number."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import polars as pl
import pytest

from governance_server.gateway.file_cache import FileCache
from governance_server.gateway.governed_files import FileSet, GovernedFiles
from governance_server.gateway.scan_errors import PlanOutdated
from governance_server.rules.read_plans import Branch, ColumnPlan, ReadPlan
from governance_server.warehouse.local_folder import LocalFolder
from mesh_core.expressions.tree import FALSE, TRUE, Column, Compare, Expression, Literal
from mesh_core.masks import Mask
from tests.shared_data import shared_data

SECRET = "SECRET-4711"
FRAME = pl.DataFrame({"id": [1, 2, 3], "region": ["EU", "US", "EU"], "email": ["ana@x.org", SECRET, "bob@y.org"]})
EU = Compare("=", Column("region"), Literal("EU"))


def clear(*names: str) -> tuple[ColumnPlan, ...]:
    return tuple(ColumnPlan(name, (Branch(TRUE, None),), None) for name in names)


def make_plan(
    *columns: ColumnPlan, row_filter: Expression = TRUE, hidden: tuple[str, ...] = (), principal: str = "user:ana"
) -> ReadPlan:
    return ReadPlan("sales.crm.people", principal, "audit", 1, row_filter, columns, hidden, ())


FULL = make_plan(*clear("id", "region", "email"))
GOVERNED = make_plan(*clear("id", "region"), ColumnPlan("email", (Branch(TRUE, Mask.SHOW_FIRST_4),), None), row_filter=EU)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    FRAME.write_delta(tmp_path / "t")
    FRAME.head(1).write_delta(tmp_path / "t", mode="append")
    return tmp_path / "t"


def prepare(plan: ReadPlan, table: Path, version: int, cache: Path) -> FileSet:
    return GovernedFiles(cache).prepare(plan, table_root=LocalFolder(table), delta_version=version)


def rows(files: object) -> list[tuple[object, ...]]:
    return pl.concat([pl.read_parquet(f.path) for f in files.files]).rows()


def test_without_obligations_the_tables_own_files_of_that_version_are_given(table, tmp_path):
    now = prepare(FULL, table, 1, tmp_path / "cache")
    before = prepare(FULL, table, 0, tmp_path / "cache")
    assert {f.path.parent for f in now.files} == {table}
    assert sorted(rows(now)) == sorted([*FRAME.rows(), FRAME.row(0)])
    assert rows(before) == FRAME.rows()
    assert [(f.name, f.rows) for f in before.files] == [("part-00000.parquet", 3)]
    assert before.files[0].size == before.files[0].path.stat().st_size
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize(
    "plan",
    [
        make_plan(*clear("id", "region"), hidden=("email",)),
        make_plan(*clear("id", "region")),
        make_plan(*clear("region", "id", "email")),
    ],
    ids=["hidden column", "column unknown to the plan", "other order"],
)
def test_any_difference_in_columns_leads_to_files_of_our_own(table, tmp_path, plan):
    files = prepare(plan, table, 1, tmp_path / "cache")
    assert all(f.path.is_relative_to(tmp_path / "cache") for f in files.files)
    assert pl.read_parquet(files.files[0].path).columns == [c.name for c in plan.columns]


def test_governed_files_hold_only_visible_rows_and_masked_values(table, tmp_path):
    files = prepare(GOVERNED, table, 0, tmp_path / "cache")
    assert rows(files) == [(1, "EU", "ana@x.xxx"), (3, "EU", "bob@x.xxx")]
    assert [f.rows for f in files.files] == [2]
    for file in files.files:
        content = file.path.read_bytes()
        assert SECRET.encode() not in content
        assert b"ana@x.org" not in content
    assert oct((tmp_path / "cache").stat().st_mode & 0o777) == "0o700"


def test_no_visible_row_is_one_file_without_rows(table, tmp_path):
    files = prepare(make_plan(*clear("id"), row_filter=FALSE), table, 0, tmp_path / "cache")
    assert [f.rows for f in files.files] == [0]
    assert pl.read_parquet(files.files[0].path).schema == {"id": pl.Int64}


def test_readers_with_equal_plans_share_files_and_others_do_not(table, tmp_path):
    first = prepare(GOVERNED, table, 0, tmp_path / "cache")
    again = prepare(make_plan(*GOVERNED.columns, row_filter=EU, principal="user:bob"), table, 0, tmp_path / "cache")
    assert first == again
    other = prepare(make_plan(*GOVERNED.columns), table, 0, tmp_path / "cache")
    later = prepare(GOVERNED, table, 1, tmp_path / "cache")
    assert len({first.digest, other.digest, later.digest}) == 3


def test_query_local_hashes_are_not_shared_between_principals(table, tmp_path):
    column = ColumnPlan("email", (Branch(TRUE, Mask.SHA_256_QUERY_LOCAL),), None)
    ana = prepare(make_plan(column), table, 0, tmp_path / "cache")
    bob = prepare(make_plan(column, principal="user:bob"), table, 0, tmp_path / "cache")
    assert not set(rows(ana)) & set(rows(bob))


def test_a_plan_that_does_not_fit_builds_nothing(table, tmp_path):
    with pytest.raises(PlanOutdated):
        prepare(make_plan(*clear("id", "gone")), table, 0, tmp_path / "cache")
    assert not [p for p in (tmp_path / "cache").glob("*") if not p.name.startswith(".")]


def test_deletion_vectors_are_never_handed_out_as_the_tables_own_files(tmp_path):
    files = prepare(make_plan(*clear("id", "v")), shared_data("delta_spark", "dv"), 2, tmp_path / "cache")
    assert sum(f.rows for f in files.files) == 99
    assert 5 not in [row[0] for row in rows(files)]


def test_a_partitioned_table_is_rewritten_with_its_partition_column(tmp_path):
    FRAME.write_delta(tmp_path / "t", delta_write_options={"partition_by": "region"})
    files = prepare(FULL, tmp_path / "t", 0, tmp_path / "cache")
    assert sorted(rows(files)) == sorted(FRAME.rows())


def test_concurrent_callers_share_one_build(tmp_path):
    cache = FileCache(tmp_path / "cache", 1 << 30)
    builds = []
    barrier = threading.Barrier(6)

    def build(folder: Path) -> None:
        builds.append(folder)
        (folder / "part-00000.parquet").write_bytes(b"x")

    def call() -> None:
        barrier.wait()
        cache.get_or_build("a" * 64, build)

    threads = [threading.Thread(target=call) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(builds) == 1


def test_a_failed_build_leaves_no_entry_and_the_next_one_succeeds(tmp_path):
    cache = FileCache(tmp_path / "cache", 1 << 30)

    def fail(folder: Path) -> None:
        (folder / "half").write_bytes(b"x")
        raise ValueError("planted")

    with pytest.raises(ValueError, match="planted"):
        cache.get_or_build("a" * 64, fail)
    assert cache.find("a" * 64) is None
    assert list((tmp_path / "cache" / ".building").iterdir()) == []
    assert cache.get_or_build("a" * 64, lambda folder: None).is_dir()


def test_the_least_recently_used_entries_go_when_the_cache_is_full(tmp_path):
    cache = FileCache(tmp_path / "cache", 250)

    def build(folder: Path) -> None:
        (folder / "f").write_bytes(b"x" * 100)

    keys = [letter * 64 for letter in "abc"]
    for position, key in enumerate(keys[:2]):
        entry = cache.get_or_build(key, build)
        os.utime(entry, (position + 1, position + 1))
    opened = (cache.get_or_build(keys[0], build) / "f").open("rb")
    with opened:
        cache.get_or_build(keys[2], build)
        assert [cache.find(key) is not None for key in keys] == [True, False, True]
        assert opened.read() == b"x" * 100


def test_an_entry_larger_than_the_cache_is_kept_until_the_next(table, tmp_path):
    small = GovernedFiles(tmp_path / "cache", max_bytes=1)
    first = small.prepare(GOVERNED, table_root=LocalFolder(table), delta_version=0)
    assert first.files[0].path.exists()
    small.prepare(GOVERNED, table_root=LocalFolder(table), delta_version=1)
    assert not first.files[0].path.exists()


@pytest.mark.parametrize("key", ["", "../" + "a" * 61, "A" * 64, "a" * 63])
def test_a_key_that_is_no_digest_is_refused(tmp_path, key):
    with pytest.raises(ValueError, match="SHA-256"):
        FileCache(tmp_path / "cache", 1).find(key)
