"""One Delta version per publication, whatever crashes, repeats or changes of schema come in between."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from governance_server.warehouse.delivered import DeliveredFile, VerifiedFile
from governance_server.warehouse.delta_log import TableChange, commit_version, find_version
from governance_server.warehouse.errors import DeliveryRejected, StorageUnavailable, VersionConflict
from governance_server.warehouse.faults import FAULT_VARIABLE
from governance_server.warehouse.local_folder import LocalFolder
from governance_server.warehouse.open_tables import OpenTables
from governance_server.warehouse.takeover import give_up, take_over
from governance_server.warehouse.verify import verify_files

ROOT = Path(__file__).resolve().parents[2]


def publication(number: int) -> str:
    return f"pub-{number:032x}"


def deliver(folder: Path, *tables: pa.Table) -> list[DeliveredFile]:
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for index, table in enumerate(tables):
        path = folder / f"part-{index}.parquet"
        pq.write_table(table, path)
        files.append(DeliveredFile(path.name, path.stat().st_size, table.num_rows))
    return files


def publish(tmp_path: Path, number: int, *tables: pa.Table, mode: str = "overwrite") -> int:
    folder, root = tmp_path / f"drop-{number}", LocalFolder(tmp_path / "table")
    taken = take_over(LocalFolder(folder), deliver(folder, *tables), root, publication(number))
    verified = verify_files(root, taken, tables[0].schema)
    return commit_version(
        root, TableChange(verified, tables[0].schema, mode, base=number - 2), publication_id=publication(number), version=number
    )


def read(tmp_path: Path, version: int | None = None) -> list[dict[str, object]]:
    return pl.scan_delta(tmp_path / "table", version=version).collect().to_dicts()


def test_each_publication_is_one_version_with_its_rows(tmp_path):
    assert publish(tmp_path, 1, pa.table({"a": [1]}), pa.table({"a": [2]})) == 0
    assert publish(tmp_path, 2, pa.table({"a": [3]})) == 1
    assert sorted(r["a"] for r in read(tmp_path, 0)) == [1, 2]
    assert read(tmp_path, 1) == [{"a": 3}]
    assert list((tmp_path / "drop-1").iterdir()) == []


def test_append_adds_rows(tmp_path):
    publish(tmp_path, 1, pa.table({"a": [1]}))
    assert publish(tmp_path, 2, pa.table({"a": [2]}), mode="append") == 1
    assert sorted(r["a"] for r in read(tmp_path)) == [1, 2]


def test_an_append_with_another_schema_is_refused(tmp_path):
    publish(tmp_path, 1, pa.table({"a": [1]}))
    with pytest.raises(VersionConflict, match="column a is"):
        publish(tmp_path, 2, pa.table({"a": ["x"]}), mode="append")
    assert DeltaTable(tmp_path / "table").version() == 0


def test_an_overwrite_changes_the_schema_and_keeps_old_versions_readable(tmp_path):
    publish(tmp_path, 1, pa.table({"a": [1]}))
    publish(tmp_path, 2, pa.table({"b": ["x"], "a": ["y"]}))
    publish(tmp_path, 3, pa.table({"n": pa.array([datetime(2026, 1, 1)], pa.timestamp("us"))}))
    assert publish(tmp_path, 4, pa.table({"a": [4]})) == 3
    assert read(tmp_path, 0) == [{"a": 1}]
    assert read(tmp_path, 1) == [{"b": "x", "a": "y"}]
    assert read(tmp_path, 2) == [{"n": datetime(2026, 1, 1)}]
    assert read(tmp_path, 3) == [{"a": 4}]


def test_a_repeat_writes_nothing_and_gives_the_same_version(tmp_path):
    table = pa.table({"a": [1]})
    versions = [publish(tmp_path, n, pa.table({"a": [n]})) for n in (1, 2, 3)]
    again = [
        commit_version(LocalFolder(tmp_path / "table"), TableChange([], table.schema), publication_id=publication(n), version=n)
        for n in (1, 2, 3)
    ]
    assert again == versions == [0, 1, 2]
    assert DeltaTable(tmp_path / "table").version() == 2


def test_a_version_of_another_publication_is_a_conflict(tmp_path):
    publish(tmp_path, 1, pa.table({"a": [1]}))
    with pytest.raises(VersionConflict, match="another publication"):
        find_version(LocalFolder(tmp_path / "table"), publication_id=publication(9), version=1)


def test_a_version_older_than_the_last_is_a_conflict(tmp_path):
    publish(tmp_path, 5, pa.table({"a": [1]}))
    with pytest.raises(VersionConflict, match="too late"):
        publish(tmp_path, 4, pa.table({"a": [1]}))


def test_an_empty_port_is_a_table_without_rows(tmp_path):
    schema = pa.schema([pa.field("a", pa.int64())])
    assert commit_version(LocalFolder(tmp_path / "table"), TableChange([], schema), publication_id=publication(1), version=1) == 0
    assert pl.read_delta(tmp_path / "table").schema == {"a": pl.Int64}


def test_versions_are_found_after_checkpoints_with_the_old_entries_gone(tmp_path):
    for number in range(1, 7):
        publish(tmp_path, number, pa.table({"a": [number]}))
    DeltaTable(tmp_path / "table").create_checkpoint()
    for old in sorted((tmp_path / "table" / "_delta_log").glob("*.json"))[:3]:
        old.unlink()
    root = LocalFolder(tmp_path / "table")
    assert find_version(root, publication_id=publication(6), version=6) == 5
    assert find_version(root, publication_id=publication(7), version=7) is None
    with pytest.raises(VersionConflict):
        find_version(root, publication_id=publication(1), version=1)
    assert publish(tmp_path, 7, pa.table({"a": [7]})) == 6


def test_statistics_in_the_log_are_those_of_the_footers(tmp_path):
    publish(tmp_path, 1, pa.table({"a": [5, 1, None]}))
    (row,) = pa.table(DeltaTable(tmp_path / "table").get_add_actions(flatten=True)).to_pylist()
    assert (row["num_records"], row["min.a"], row["max.a"], row["null_count.a"]) == (3, 1, 5, 1)


def test_a_file_with_a_second_name_is_copied_so_that_it_cannot_change(tmp_path):
    files = deliver(tmp_path / "drop", pa.table({"a": [1]}))
    original = tmp_path / "drop" / files[0].name
    os.link(original, tmp_path / "alias")
    (taken,) = take_over(LocalFolder(tmp_path / "drop"), files, LocalFolder(tmp_path / "table"), publication(1))
    before = (tmp_path / "table" / taken.name).read_bytes()
    (tmp_path / "alias").write_bytes(b"changed afterwards")
    assert (tmp_path / "table" / taken.name).read_bytes() == before


def test_a_file_of_another_user_is_copied_so_that_its_open_handle_is_harmless(tmp_path, monkeypatch):
    files = deliver(tmp_path / "drop", pa.table({"a": [1]}))
    original = tmp_path / "drop" / files[0].name
    owner, was = original.stat().st_uid, original.stat().st_ino
    monkeypatch.setattr(os, "getuid", lambda: owner + 1)  # whoever runs this test may not give a file away
    with original.open("r+b") as handle:
        (taken,) = take_over(LocalFolder(tmp_path / "drop"), files, LocalFolder(tmp_path / "table"), publication(1))
        before = (tmp_path / "table" / taken.name).read_bytes()
        handle.write(b"changed afterwards")
    assert (tmp_path / "table" / taken.name).read_bytes() == before
    assert (tmp_path / "table" / taken.name).stat().st_ino != was


def test_a_file_of_the_server_itself_is_moved(tmp_path):
    files = deliver(tmp_path / "drop", pa.table({"a": [1]}))
    was = (tmp_path / "drop" / files[0].name).stat().st_ino
    (taken,) = take_over(LocalFolder(tmp_path / "drop"), files, LocalFolder(tmp_path / "table"), publication(1))
    assert (tmp_path / "table" / taken.name).stat().st_ino == was


def test_take_over_repeats_and_give_up_removes(tmp_path):
    files = deliver(tmp_path / "drop", pa.table({"a": [1]}), pa.table({"a": [2]}))
    first = take_over(LocalFolder(tmp_path / "drop"), files, LocalFolder(tmp_path / "table"), publication(1))
    assert take_over(LocalFolder(tmp_path / "drop"), files, LocalFolder(tmp_path / "table"), publication(1)) == first
    give_up(LocalFolder(tmp_path / "table"), first, publication(1))
    give_up(LocalFolder(tmp_path / "table"), first, publication(1))
    assert list((tmp_path / "table").iterdir()) == []


def test_a_link_or_missing_file_is_not_taken_and_nothing_moves(tmp_path):
    files = deliver(tmp_path / "drop", pa.table({"a": [1]}))
    (tmp_path / "drop" / "link.parquet").symlink_to("/etc/hostname")
    hostile = [DeliveredFile("link.parquet", 1, 1), DeliveredFile("../x", 1, 1), DeliveredFile("no.parquet", 1, 1)]
    with pytest.raises(DeliveryRejected) as caught:
        take_over(LocalFolder(tmp_path / "drop"), [*files, *hostile], LocalFolder(tmp_path / "table"), publication(1))
    assert len(caught.value.problems) == 3
    assert (tmp_path / "drop" / files[0].name).exists()


def test_an_unusable_table_folder_is_one_clear_error(tmp_path):
    files = deliver(tmp_path / "drop", pa.table({"a": [1]}))
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageUnavailable):
        take_over(LocalFolder(tmp_path / "drop"), files, LocalFolder(tmp_path / "file" / "table"), publication(1))


CHILD = """
import sys
from pathlib import Path
import pyarrow.parquet as pq
from governance_server.warehouse.delivered import DeliveredFile
from governance_server.warehouse.delta_log import TableChange, commit_version
from governance_server.warehouse.local_folder import LocalFolder
from governance_server.warehouse.local_folder import LocalFolder
from governance_server.warehouse.open_tables import OpenTables
from governance_server.warehouse.takeover import take_over
from governance_server.warehouse.verify import verify_files
import json
folder, root = LocalFolder(Path(sys.argv[1])), LocalFolder(Path(sys.argv[2]))
number, files, schema_file = int(sys.argv[3]), *sys.argv[4:]
schema = pq.read_schema(schema_file)
publication = f"pub-{number:032x}"
taken = take_over(folder, [DeliveredFile(**f) for f in json.loads(files)], root, publication)
print(commit_version(root, TableChange(verify_files(root, taken, schema), schema), publication_id=publication, version=number))
"""

POINTS = [
    "take_over.file",
    "take_over.file:2",
    "take_over.copied",
    "take_over.done",
    "commit_version.before_log",
    "commit_version.after_log",
]


def run_child(tmp_path: Path, number: int, files: list[DeliveredFile], fault: str | None) -> subprocess.CompletedProcess[str]:
    import json

    environment = {**os.environ, "PYTHONPATH": str(ROOT)} | ({FAULT_VARIABLE: fault} if fault else {})
    described = json.dumps([{"name": f.name, "size": f.size, "rows": f.rows} for f in files])
    arguments = [str(tmp_path / "drop"), str(tmp_path / "table"), str(number), described, str(tmp_path / "schema.parquet")]
    return subprocess.run(
        [sys.executable, "-c", CHILD, *arguments], env=environment, capture_output=True, text=True, check=False, timeout=50
    )


@pytest.mark.parametrize("first_publication", [True, False], ids=["new table", "existing table"])
@pytest.mark.parametrize("point", POINTS)
def test_a_process_killed_at_any_point_and_repeated_leaves_exactly_one_version(tmp_path, point, first_publication):
    expected_version = 0
    if not first_publication:
        expected_version = publish(tmp_path, 1, pa.table({"a": [0]})) + 1
    tables = [pa.table({"a": [1, 2]}), pa.table({"a": [3]})]
    files = deliver(tmp_path / "drop", *tables)
    pq.write_table(tables[0], tmp_path / "schema.parquet")
    if point == "take_over.copied":
        os.link(tmp_path / "drop" / files[1].name, tmp_path / "alias")

    killed = run_child(tmp_path, 2, files, point)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    if not first_publication:
        assert read(tmp_path, 0) == [{"a": 0}]
    repeated = run_child(tmp_path, 2, files, None)
    assert repeated.returncode == 0, repeated.stderr
    assert int(repeated.stdout) == expected_version
    assert DeltaTable(tmp_path / "table").version() == expected_version
    assert sorted(r["a"] for r in read(tmp_path)) == [1, 2, 3]


def test_a_stale_writer_does_not_overwrite_a_newer_version(tmp_path, monkeypatch):
    publish(tmp_path, 1, pa.table({"a": [1]}))
    from governance_server.warehouse import delta_log

    original = delta_log._needs_newer_protocol

    def overtaken(schema, table):
        if not (tmp_path / "drop-3").exists():
            publish(tmp_path, 3, pa.table({"a": [3]}))
        return original(schema, table)

    monkeypatch.setattr(delta_log, "_needs_newer_protocol", overtaken)
    with pytest.raises(VersionConflict, match="too late"):
        publish(tmp_path, 2, pa.table({"a": [2]}))
    assert read(tmp_path) == [{"a": 3}]


@pytest.mark.parametrize("is_new", [True, False], ids=["new table", "existing table"])
def test_two_servers_that_finish_the_same_publication_agree(tmp_path, monkeypatch, is_new):
    from governance_server.warehouse import delta_log

    if not is_new:
        publish(tmp_path, 1, pa.table({"a": [1]}))
    original = delta_log._add_action

    def overtaken(table_root, file):
        monkeypatch.setattr(delta_log, "_add_action", original)
        others = commit_version(
            table_root, TableChange([file], pa.schema([("a", pa.int64())])), publication_id=publication(2), version=2
        )
        assert others == (0 if is_new else 1)
        return original(table_root, file)

    monkeypatch.setattr(delta_log, "_add_action", overtaken)
    publish(tmp_path, 2, pa.table({"a": [2]}))
    assert read(tmp_path) == [{"a": 2}]
    assert DeltaTable(tmp_path / "table").version() == (0 if is_new else 1)


def test_verified_files_carry_what_was_declared(tmp_path):
    files = deliver(tmp_path / "drop", pa.table({"a": [1]}))
    (verified,) = verify_files(LocalFolder(tmp_path / "drop"), files, pa.schema([pa.field("a", pa.int64())]))
    assert isinstance(verified, VerifiedFile)
    assert (verified.name, verified.size, verified.rows) == (files[0].name, files[0].size, 1)


def test_a_table_kept_open_is_at_its_newest_version_whoever_wrote_it(tmp_path):
    root, tables = LocalFolder(tmp_path / "table"), OpenTables()
    with tables.newest(root) as none:
        assert none is None
    for number in (1, 2, 3):
        publish(tmp_path, number, pa.table({"a": [number]}))
        for _ in range(2):
            with tables.newest(root) as table:
                assert table.version() == number - 1


def test_a_table_that_is_another_one_under_the_same_name_is_opened_anew(tmp_path):
    root, tables = LocalFolder(tmp_path / "table"), OpenTables()
    publish(tmp_path, 1, pa.table({"a": [1]}))
    with tables.newest(root) as table:
        first = table.metadata().id
    (tmp_path / "table").rename(tmp_path / "gone")
    publish(tmp_path, 2, pa.table({"a": [2]}))
    with tables.newest(root) as table:
        assert table.metadata().id != first


def test_a_table_kept_open_is_not_listed_again_for_nothing(tmp_path, monkeypatch):
    root, tables = LocalFolder(tmp_path / "table"), OpenTables()
    publish(tmp_path, 1, pa.table({"a": [1]}))
    with tables.newest(root):
        pass
    monkeypatch.setattr(DeltaTable, "update_incremental", lambda self: pytest.fail("listed"))
    with tables.newest(root) as table:
        assert table.version() == 0
