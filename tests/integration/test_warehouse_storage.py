"""What a warehouse promises of its folders and Delta logs, on a local disk and in a bucket alike."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import threading
import time
import urllib.request
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import obstore
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from governance_server.gateway.table_source import open_table
from governance_server.warehouse.delivered import DeliveredFile
from governance_server.warehouse.delta_log import TableChange, commit_version, find_version
from governance_server.warehouse.errors import DeliveryRejected, StorageUnavailable, UnsafeName, VersionConflict
from governance_server.warehouse.folder import Folder
from governance_server.warehouse.layout import Warehouse
from governance_server.warehouse.local_folder import LocalFolder
from governance_server.warehouse.opening import open_warehouse
from governance_server.warehouse.table_care import vacuum
from governance_server.warehouse.takeover import give_up, take_over
from governance_server.warehouse.verify import verify_files

PUBLICATION = "0123456789abcdef0123456789abcdef"
PORT = "finance.ledger.entries"


@pytest.fixture(params=["local", "s3"])
def warehouse(request: pytest.FixtureRequest, tmp_path: Path, new_warehouse: Callable[[], str]) -> Warehouse:
    location = str(tmp_path / "warehouse") if request.param == "local" else new_warehouse()
    return open_warehouse(location, tmp_path / "drop")


def publication(number: int) -> str:
    return f"pub-{number:032x}"


def put(folder: Folder, name: str, content: bytes) -> None:
    """As a publisher does it: by path, or by a signed request."""
    if isinstance(folder, LocalFolder):
        folder.path.mkdir(parents=True, exist_ok=True)
        (folder.path / name).write_bytes(content)
        return
    digest = hashlib.sha256(content).digest()
    upload = folder.upload(name, size=len(content), sha256=digest, valid_for=timedelta(minutes=5))
    assert upload is not None
    send(upload.url, content, dict(upload.headers))


def send(url: str, content: bytes, headers: dict[str, str]) -> None:
    with urllib.request.urlopen(urllib.request.Request(url, data=content, headers=headers, method="PUT"), timeout=10) as answer:
        assert answer.status == 200


def parquet(table: pa.Table) -> bytes:
    written = io.BytesIO()
    pq.write_table(table, written)
    return written.getvalue()


def deliver(warehouse: Warehouse, number: int, *tables: pa.Table) -> list[DeliveredFile]:
    folder = warehouse.drop_folder(publication(number), "entries")
    files = []
    for index, table in enumerate(tables):
        content = parquet(table)
        put(folder, f"part-{index}.parquet", content)
        files.append(DeliveredFile(f"part-{index}.parquet", len(content), table.num_rows))
    return files


def publish(warehouse: Warehouse, number: int, *tables: pa.Table, mode: Any = "overwrite") -> int:
    files = deliver(warehouse, number, *tables)
    incoming = warehouse.incoming_folder(publication(number), "entries")
    taken = take_over(warehouse.find_drop_folder(publication(number), "entries"), files, incoming, publication(number))
    verified = verify_files(incoming, taken, tables[0].schema)
    root = warehouse.port_location(PORT)
    final = take_over(incoming, verified, root, publication(number))
    return commit_version(
        root, TableChange(final, tables[0].schema, mode, base=number - 2), publication_id=publication(number), version=number
    )


def read(warehouse: Warehouse, version: int) -> list[dict[str, Any]]:
    return open_table(PORT, warehouse.port_location(PORT), version).frame.collect().to_dicts()


def opened(warehouse: Warehouse) -> DeltaTable:
    root = warehouse.port_location(PORT)
    return DeltaTable(root.uri, storage_options=root.storage_options)


def names(folder: Folder) -> list[str]:
    return sorted(file.name for file in folder.files())


def test_each_publication_is_one_version_with_its_rows_and_old_ones_stay(warehouse):
    assert publish(warehouse, 1, pa.table({"a": [1]}), pa.table({"a": [2]})) == 0
    assert publish(warehouse, 2, pa.table({"a": [3]})) == 1
    assert publish(warehouse, 3, pa.table({"a": [4]}), mode="append") == 2
    assert publish(warehouse, 4, pa.table({"b": ["x"]})) == 3
    assert sorted(row["a"] for row in read(warehouse, 0)) == [1, 2]
    assert read(warehouse, 1) == [{"a": 3}]
    assert sorted(row["a"] for row in read(warehouse, 2)) == [3, 4]
    assert read(warehouse, 3) == [{"b": "x"}]
    assert names(warehouse.find_drop_folder(publication(1), "entries")) == []


def test_a_repeat_writes_nothing_and_gives_the_same_version(warehouse):
    schema = pa.schema([("a", pa.int64())])
    versions = [publish(warehouse, n, pa.table({"a": [n]})) for n in (1, 2)]
    root = warehouse.port_location(PORT)
    again = [commit_version(root, TableChange([], schema), publication_id=publication(n), version=n) for n in (1, 2)]
    assert again == versions == [0, 1]
    assert opened(warehouse).version() == 1


def test_a_version_of_another_publication_or_behind_the_last_is_a_conflict(warehouse):
    publish(warehouse, 5, pa.table({"a": [1]}))
    with pytest.raises(VersionConflict, match="another publication"):
        find_version(warehouse.port_location(PORT), publication_id=publication(9), version=5)
    with pytest.raises(VersionConflict, match="too late"):
        publish(warehouse, 4, pa.table({"a": [1]}))


def test_of_many_that_commit_at_once_on_one_state_exactly_one_wins(warehouse):
    """Each writer is held until all have looked at the same state of the table."""
    publish(warehouse, 1, pa.table({"a": [0]}))
    root, count = warehouse.port_location(PORT), 6
    content = parquet(pa.table({"a": [7]}))
    drop = warehouse.drop_folder(publication(2), "entries")
    for number in range(count):
        put(drop, f"{number}.parquet", content)
    files = [DeliveredFile(f"{number}.parquet", len(content), 1) for number in range(count)]
    taken = verify_files(root, take_over(drop, files, root, publication(2)), pa.schema([("a", pa.int64())]))
    barrier, won, lost = threading.Barrier(count), [], []

    class Held:
        """The table's folder, which lets nobody write before everybody has read."""

        def __getattr__(self, name: str) -> Any:
            return getattr(root, name)

        def find(self, name: str) -> Any:
            barrier.wait(20)
            return root.find(name)

    def commit(number: int) -> None:
        schema = pa.schema([("a", pa.int64())])
        try:
            won.append(
                commit_version(Held(), TableChange([taken[number]], schema), publication_id=publication(10 + number), version=2)
            )
        except VersionConflict:
            lost.append(number)

    threads = [threading.Thread(target=commit, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (won, len(lost)) == ([1], count - 1)
    assert read(warehouse, 1) == [{"a": 7}]


def test_what_was_taken_over_cannot_be_changed_by_whoever_delivered_it(warehouse):
    files = deliver(warehouse, 1, pa.table({"a": [1]}))
    drop, incoming = warehouse.find_drop_folder(publication(1), "entries"), warehouse.incoming_folder(publication(1), "entries")
    (taken,) = take_over(drop, files, incoming, publication(1))
    put(drop, files[0].name, parquet(pa.table({"a": [666]})))
    assert take_over(drop, files, incoming, publication(1)) == (taken,)
    with incoming.open(taken.name) as source:
        assert pq.read_table(source).to_pydict() == {"a": [1]}


def test_missing_and_other_files_are_not_taken_and_nothing_moves(warehouse):
    files = deliver(warehouse, 1, pa.table({"a": [1]}))
    drop, incoming = warehouse.find_drop_folder(publication(1), "entries"), warehouse.incoming_folder(publication(1), "entries")
    wrong = [DeliveredFile("no.parquet", 1, 1), DeliveredFile("../x", 1, 1), DeliveredFile(files[0].name, files[0].size + 1, 1)]
    with pytest.raises(DeliveryRejected) as caught:
        take_over(drop, [*files, *wrong], incoming, publication(1))
    assert len(caught.value.problems) == 3
    assert names(drop) == [files[0].name]
    assert names(incoming) == []


def test_every_problem_of_the_files_is_found_at_once(warehouse):
    drop = warehouse.drop_folder(publication(1), "entries")
    schema = pa.schema([pa.field("a", pa.int64(), nullable=False)])
    contents = {"junk": b"PAR1 no PAR1", "nulls": parquet(pa.table({"a": [None, 1]})), "types": parquet(pa.table({"a": ["x"]}))}
    for name, content in contents.items():
        put(drop, name, content)
    with pytest.raises(DeliveryRejected) as caught:
        verify_files(drop, [*(DeliveredFile(n, len(c), 2) for n, c in contents.items()), DeliveredFile("gone", 1, 1)], schema)
    assert [problem.partition(":")[0] for problem in caught.value.problems] == ["junk", "nulls", "types", "types", "gone"]


def test_take_over_repeats_and_giving_up_removes(warehouse):
    files = deliver(warehouse, 1, pa.table({"a": [1]}), pa.table({"a": [2]}))
    drop, root = warehouse.find_drop_folder(publication(1), "entries"), warehouse.port_location(PORT)
    first = take_over(drop, files, root, publication(1))
    assert take_over(drop, files, root, publication(1)) == first
    give_up(root, first, publication(1))
    give_up(root, first, publication(1))
    assert names(root) == []


def test_discarding_leaves_nothing_of_a_publication_and_all_of_others(warehouse):
    deliver(warehouse, 1, pa.table({"a": [1]}))
    files = deliver(warehouse, 2, pa.table({"a": [1]}))
    drop = warehouse.find_drop_folder(publication(2), "entries")
    take_over(drop, files, warehouse.incoming_folder(publication(2), "entries"), publication(2))
    assert warehouse.publications() == {publication(1), publication(2)}
    warehouse.discard(publication(2))
    warehouse.discard(publication(2))
    assert warehouse.publications() == {publication(1)}


@pytest.mark.parametrize("part", ["..", ".", "", "a/b", "/a", "a\0b"])
def test_no_name_leads_out_of_a_folder(warehouse, part):
    folder = warehouse.port_location(PORT)
    for use in (folder.inside, folder.find, folder.open, folder.remove, folder.clear):
        with pytest.raises(UnsafeName):
            use(part)


def test_a_file_is_found_read_fetched_and_removed(warehouse, tmp_path):
    folder = warehouse.drop_folder(PUBLICATION, "entries")
    put(folder, "a", bytes(range(256)) * 1000)
    found = folder.find("a")
    assert (found.name, found.size, found.is_regular) == ("a", 256_000, True)
    assert found.modified_milliseconds > 1_700_000_000_000
    with folder.open("a") as source:
        source.seek(255)
        assert source.read(2) == b"\xff\x00"
    folder.fetch("a", tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == bytes(range(256)) * 1000
    folder.remove("a")
    folder.remove("a")
    assert folder.find("a") is None
    with pytest.raises(FileNotFoundError):
        folder.open("a")
    with pytest.raises(FileNotFoundError):
        folder.fetch("a", tmp_path / "other")


def test_an_upload_is_signed_for_one_name_size_checksum_and_time_and_holds_no_secret(new_warehouse, tmp_path):
    """Refusing what was not signed is the store's part (SigV4: every header that is named must be sent as it was signed)."""
    folder = open_warehouse(new_warehouse(), tmp_path).drop_folder(PUBLICATION, "entries")
    content = b"what was signed for"
    digest = hashlib.sha256(content).digest()
    upload = folder.upload("a", size=len(content), sha256=digest, valid_for=timedelta(minutes=5))
    url = urlsplit(upload.url)
    signed = {name: values[0] for name, values in parse_qs(url.query).items()}
    assert url.path.endswith(f"/.drop/{PUBLICATION}/entries/a")
    assert set(signed["X-Amz-SignedHeaders"].split(";")) >= {"content-length", "host", "x-amz-checksum-sha256"}
    assert signed["X-Amz-Expires"] == "300"
    assert upload.headers["Content-Length"] == str(len(content))
    assert base64.b64decode(upload.headers["x-amz-checksum-sha256"]) == digest
    assert "secret" not in upload.url
    send(upload.url, content, dict(upload.headers))
    assert names(folder) == ["a"]


def test_a_store_that_overwrites_what_must_be_new_is_refused(new_warehouse, tmp_path, monkeypatch):
    """Commits rest on it: where it is not kept, one of two writers would be lost without a word."""
    url = new_warehouse()
    open_warehouse(url, tmp_path)
    whole_put = obstore.put
    monkeypatch.setattr(obstore, "put", lambda store, path, file, *, mode=None: whole_put(store, path, file))
    with pytest.raises(StorageUnavailable, match="conditional"):
        open_warehouse(url, tmp_path)


def test_two_that_try_a_store_in_the_same_moment_do_not_mislead_each_other(new_warehouse, tmp_path, monkeypatch):
    """A server and its gateway do: what one removes, the other would write anew."""
    url = new_warehouse()
    whole_put = obstore.put

    def put(store, path, file, *, mode=None):
        if mode == "create":
            monkeypatch.setattr(obstore, "put", whole_put)
            open_warehouse(url, tmp_path)
        return whole_put(store, path, file, mode=mode)

    monkeypatch.setattr(obstore, "put", put)
    warehouse = open_warehouse(url, tmp_path)
    assert not list(warehouse.root.inside(".probe").files())


def test_a_bucket_that_is_not_there_is_one_clear_error(new_warehouse, tmp_path):
    with pytest.raises(StorageUnavailable, match="s3://nowhere-to-be-found"):
        open_warehouse("s3://nowhere-to-be-found/lake", tmp_path)


def test_a_store_that_does_not_answer_is_one_clear_error(new_warehouse, tmp_path, monkeypatch):
    url = new_warehouse()
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(StorageUnavailable, match="s3://"):
        open_warehouse(url, tmp_path)


def test_the_frame_of_a_port_in_a_bucket_is_lazy_and_pushes_down(new_warehouse, tmp_path):
    warehouse = open_warehouse(new_warehouse(), tmp_path)
    publish(warehouse, 1, pa.table({"a": list(range(1000)), "b": ["x"] * 1000}))
    frame = open_table(PORT, warehouse.port_location(PORT), 0).frame
    assert frame.filter(pl.col("a") < 3).select("a").collect().to_series().to_list() == [0, 1, 2]


def test_a_vacuum_spares_what_was_in_use_lately_though_the_log_forgot_that_it_went_out(tmp_path):
    for number in range(6):
        pl.DataFrame({"a": [number]}).write_delta(tmp_path, mode="append", delta_write_options={"configuration": FORGETFUL})
    DeltaTable(tmp_path).optimize.compact()
    pl.DataFrame({"a": [9]}).write_delta(tmp_path, mode="append")
    for path in tmp_path.glob("*.parquet"):
        os.utime(path, (time.time() - 7200,) * 2)
    table, newest = LocalFolder(tmp_path), DeltaTable(tmp_path).version()
    assert vacuum(table, [newest], grace=timedelta(hours=1)) == 0
    assert vacuum(table, [newest], grace=timedelta()) == 6


FORGETFUL = {"delta.checkpointInterval": "2", "delta.deletedFileRetentionDuration": "interval 0 seconds"}
