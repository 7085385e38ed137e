"""A log written through windows is one of any Delta table: whole for other readers, an entry a version, whoever dies or races."""

from __future__ import annotations

import json
import signal
from datetime import timedelta
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import CommitProperties, DeltaTable
from deltalake.exceptions import CommitFailedError

from governance_server.gateway.table_source import open_table
from governance_server.warehouse.delta_log import Exchange, TableChange, commit_version, exchange_files
from governance_server.warehouse.errors import VersionConflict
from governance_server.warehouse.local_folder import LocalFolder
from governance_server.warehouse.log_entries import entry_name
from governance_server.warehouse.log_window import LogWindow
from governance_server.warehouse.open_tables import OpenTables
from governance_server.warehouse.row_copies import SAME_ROWS_KEY
from governance_server.warehouse.snapshot import open_snapshot
from governance_server.warehouse.subject_rows import scrub_log
from governance_server.warehouse.table_care import compact, vacuum
from governance_server.warehouse.takeover import take_over
from governance_server.warehouse.verify import verify_files
from governance_server.warehouse.windowed_table import WindowedTable, open_newest, open_version
from tests.integration.test_warehouse_delta_log import deliver, publication, run_child

NUMBERS = pa.schema([("a", pa.int64())])


class Shop:
    """A table, and a server's handles on it; version n of the product has the row n."""

    def __init__(self, path: Path, tables: OpenTables | None = None) -> None:
        self.path = path
        self.root = LocalFolder(path / "table")
        self.scratch = path / "scratch"
        self.scratch.mkdir(exist_ok=True)
        self.tables = tables or OpenTables(self.scratch)

    def publish(self, number: int, mode: str = "overwrite", base: int = -1) -> int:
        drop = self.path / f"drop-{number}"
        taken = take_over(LocalFolder(drop), deliver(drop, pa.table({"a": [number]})), self.root, publication(number))
        change = TableChange(verify_files(self.root, taken, NUMBERS), NUMBERS, mode, base=base)
        return commit_version(self.root, change, publication_id=publication(number), version=number, tables=self.tables)

    def rows(self, delta_version: int | None = None) -> list[int]:
        return sorted(pl.read_delta(self.root.path, version=delta_version)["a"])

    @property
    def log(self) -> Path:
        return self.root.path / "_delta_log"


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


@pytest.fixture(scope="module")
def aged(tmp_path_factory: pytest.TempPathFactory) -> tuple[Shop, dict[int, list[int]]]:
    """A table after 47 releases, every third one an append, and what its Delta versions hold."""
    shop = Shop(tmp_path_factory.mktemp("aged"))
    held: dict[int, list[int]] = {}
    for number in range(1, 48):
        is_added = number % 3 == 0
        version = shop.publish(number, "append" if is_added else "overwrite", base=number - 2)
        held[version] = [*(held[version - 1] if is_added else ()), number]
    return shop, held


def test_every_version_is_read_by_delta_rs_and_polars_as_it_was_written(aged: tuple[Shop, dict[int, list[int]]]) -> None:
    shop, held = aged
    for version, rows in held.items():
        assert shop.rows(version) == rows
        assert sorted(DeltaTable(shop.root.path, version=version).to_pyarrow_table()["a"].to_pylist()) == rows
        assert sorted(open_table("a.b.c", shop.root, version).frame.collect()["a"]) == rows
    assert DeltaTable(shop.root.path).version() == 46
    assert [entry["domainMesh.productVersion"] for entry in DeltaTable(shop.root.path).history()] == list(range(47, 0, -1))
    assert DeltaTable(shop.root.path).transaction_version("domain-mesh") == 47


def test_every_version_is_read_from_the_entries_alone_and_from_the_checkpoints(
    aged: tuple[Shop, dict[int, list[int]]], tmp_path: Path
) -> None:
    import shutil

    shop, held = aged
    assert [path.name for path in sorted(shop.log.glob("*.checkpoint.parquet"))] == [
        f"{version:020}.checkpoint.parquet" for version in (19, 39)
    ]
    assert json.loads((shop.log / "_last_checkpoint").read_text())["version"] == 39
    shutil.copytree(shop.root.path, tmp_path / "bare")
    for derived in (*(tmp_path / "bare" / "_delta_log").glob("*.parquet"), tmp_path / "bare" / "_delta_log" / "_last_checkpoint"):
        derived.unlink()
    for version, rows in held.items():
        assert sorted(pl.read_delta(tmp_path / "bare", version=version)["a"]) == rows


def test_nothing_in_the_log_is_a_link_or_left_over(aged: tuple[Shop, dict[int, list[int]]]) -> None:
    shop, held = aged
    entries = {entry_name(version) for version in held}
    derived = {"_last_checkpoint", *(f"{version:020}.checkpoint.parquet" for version in (19, 39))}
    assert {path.name for path in shop.log.iterdir()} == entries | derived
    assert not any(path.is_symlink() or path.stat().st_nlink != 1 for path in shop.log.iterdir())


def test_what_lies_before_the_last_checkpoint_is_not_looked_at(shop: Shop) -> None:
    for number in range(1, 31):
        shop.publish(number)
    gone = [path for path in shop.log.glob("*.json") if int(path.stem) < 19]
    for path in gone:
        path.rename(shop.path / path.name)
    for tables in (shop.tables, OpenTables(shop.scratch)):
        shop.tables = tables
        following = int(DeltaTable(shop.root.path).version()) + 2
        assert shop.publish(following) == following - 1
    assert isinstance(open_version(shop.root, 25), WindowedTable)
    assert open_table("a.b.c", shop.root, 25).frame.collect()["a"].to_list() == [26]
    for path in gone:
        (shop.path / path.name).rename(path)
    assert [shop.rows(version) for version in (3, 31)] == [[4], [32]]


def test_two_servers_that_publish_in_turns_see_each_others_entries(shop: Shop, tmp_path: Path) -> None:
    other = Shop(tmp_path, OpenTables(shop.scratch))
    for number in range(1, 24):
        assert (shop, other)[number % 2].publish(number, "append", base=number - 2) == number - 1
    assert shop.rows() == list(range(1, 24))


@pytest.mark.parametrize("count", [3, 19], ids=["an entry", "an entry with a checkpoint"])
def test_of_two_writers_on_one_version_the_second_is_refused_and_can_go_on(shop: Shop, tmp_path: Path, count: int) -> None:
    for number in range(1, count + 1):
        shop.publish(number)
    late = open_newest(shop.root, shop.scratch)
    shop.publish(count + 1)
    with pytest.raises(CommitFailedError):
        late.create_write_transaction([], "overwrite", late.schema())
    assert shop.rows() == [count + 1]
    other = Shop(tmp_path, OpenTables(shop.scratch))
    assert other.publish(count) == count - 1, "a repeat"
    assert other.publish(count + 2) == count + 1
    assert shop.publish(count + 3) == count + 2
    assert shop.rows(count) == [count + 1]


def test_what_lost_a_race_is_opened_anew(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """The handle has an entry in its window that is not the log's."""
    shop.publish(1)
    with shop.tables.newest(shop.root) as table:
        Shop(shop.path, OpenTables()).publish(2)
        with pytest.raises(CommitFailedError):
            table.create_write_transaction([], "overwrite", table.schema())
    with shop.tables.newest(shop.root) as table:
        assert (table.version(), pa.table(table.get_add_actions()).num_rows) == (1, 1)
    assert shop.publish(3) == 2


def test_compaction_and_more_entries_of_the_same_rows_than_a_window_has_are_followed(shop: Shop) -> None:
    for number in range(1, 5):
        shop.publish(number, "append", base=number - 2)
    compact(shop.root, 3)
    vacuum(shop.root, [3], grace=timedelta(0))
    newest = int(DeltaTable(shop.root.path).version())
    same_rows = CommitProperties(custom_metadata={SAME_ROWS_KEY: "true"})
    for _ in range(45):
        with shop.tables.newest(shop.root) as table:
            exchange_files(table, shop.root, Exchange((), (), is_data_change=False), same_rows)
    newest += 45
    shop.tables = OpenTables(shop.scratch)
    assert open_snapshot(shop.root, 3, shop.tables).rows == 4
    assert open_snapshot(shop.root, 3).rows == 4
    assert shop.publish(5, "append", base=3) == newest + 1
    assert shop.rows() == [1, 2, 3, 4, 5]


def test_rows_that_came_in_between_are_seen_even_if_the_window_does_not_reach_back(shop: Shop) -> None:
    for number in range(1, 43):
        shop.publish(number)
    shop.tables = OpenTables(shop.scratch)
    with pytest.raises(VersionConflict, match="moved on"):
        shop.publish(43, "append", base=5)
    with pytest.raises(VersionConflict, match="moved on"):
        open_snapshot(shop.root, 5, shop.tables)


def test_a_log_whose_checkpoints_were_made_anew_is_followed(shop: Shop) -> None:
    for number in range(1, 26):
        shop.publish(number)
    scrub_log(shop.root, set(), [])
    assert shop.publish(26) == 25
    assert shop.publish(27, "append", base=25) == 26
    assert shop.rows() == [26, 27]
    assert shop.rows(10) == [11]


def test_windows_of_a_growing_table_stay_short(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    from governance_server.warehouse import log_window

    monkeypatch.setattr(log_window, "_MOST_ENTRIES", 25)
    for number in range(1, 61):
        shop.publish(number)
        for window in shop.scratch.iterdir():
            assert len(list((window / "_delta_log").glob("*.json"))) <= 27
    assert shop.rows() == [60]


def test_windows_are_gone_with_their_handles(shop: Shop) -> None:
    for number in range(1, 4):
        shop.publish(number)
    assert len(list(shop.scratch.iterdir())) == 1
    open_version(shop.root, 1)
    shop.tables = OpenTables()
    assert not list(shop.scratch.iterdir())


def test_a_log_of_another_kind_is_opened_as_a_whole(shop: Shop) -> None:
    for number in range(1, 6):
        shop.publish(number)
    DeltaTable(shop.root.path).create_checkpoint()
    for number in range(6, 9):
        shop.publish(number)
    old = shop.log / f"{4:020}.checkpoint.parquet"
    old.rename(shop.log / f"{4:020}.checkpoint.0000000001.0000000001.parquet")
    last = json.loads((shop.log / "_last_checkpoint").read_text())
    (shop.log / "_last_checkpoint").write_text(json.dumps({**last, "parts": 1}))
    (shop.log / entry_name(0)).unlink()
    assert LogWindow.of_newest(shop.root) is None
    assert LogWindow.of_version(shop.root, 6) is None
    assert open_table("a.b.c", shop.root, 6).frame.collect()["a"].to_list() == [7]
    shop.tables = OpenTables(shop.scratch)
    assert shop.publish(9) == 8
    assert shop.rows() == [9]


def test_partitions_with_odd_names_are_read_where_they_lie(tmp_path: Path) -> None:
    frame = pl.DataFrame({"a": [1, 2, 3], "p": ["x y", "é/%", "a=b"]})
    frame.write_delta(tmp_path / "in a folder", delta_write_options={"partition_by": ["p"]})
    root = LocalFolder(tmp_path / "plain")
    frame.write_delta(root.path, delta_write_options={"partition_by": ["p"]})
    table = open_version(root, 0)
    assert isinstance(table, WindowedTable)
    assert table.table_uri == DeltaTable(root.path).table_uri
    assert sorted(table.file_uris()) == sorted(DeltaTable(root.path).file_uris())
    assert open_table("a.b.c", root, 0).frame.collect().sort("a").equals(frame)
    apart = open_version(LocalFolder(tmp_path / "in a folder"), 0)
    assert all(Path(uri).is_file() for uri in apart.file_uris())


@pytest.fixture(params=["log_window.staged", "log_window.released", "log_window.checkpoint"])
def killed(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Shop, bool]:
    """A table whose writer was killed while it wrote the twentieth version, with a checkpoint; True if the entry is there."""
    shop = Shop(tmp_path)
    for number in range(1, 20):
        shop.publish(number)
    files = deliver(tmp_path / "drop", pa.table({"a": [20]}))
    pq.write_table(pa.table({"a": [20]}), tmp_path / "schema.parquet")
    child = run_child(tmp_path, 20, files, request.param)
    assert child.returncode == -signal.SIGKILL, child.stderr
    return shop, request.param != "log_window.staged"


def test_a_writer_killed_between_window_and_log_leaves_one_whole_table(killed: tuple[Shop, bool], tmp_path: Path) -> None:
    shop, is_there = killed
    assert shop.rows() == ([20] if is_there else [19])
    files = deliver(tmp_path / "drop", pa.table({"a": [20]}))
    again = run_child(tmp_path, 20, files, None)
    assert (again.returncode, again.stdout.strip()) == (0, "19"), again.stderr
    assert [shop.publish(number) for number in range(21, 43)] == list(range(20, 42))
    assert [shop.rows(version) for version in range(42)] == [[version + 1] for version in range(42)]
    names = {path.name for path in shop.log.iterdir()}
    assert {name for name in names if name.endswith(".json")} == {entry_name(version) for version in range(42)}
    assert not any(name.startswith(".") for name in names)
