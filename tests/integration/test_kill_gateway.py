"""The gateway killed under readers: none takes part of the rows for all of them, and the next read is whole."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import polars as pl
import pytest

from domain_sdk import Mesh, MeshError
from tests.servers import RunningServer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180, func_only=True)]

PORT = "shop.sales.orders"
ROWS = 1_500_000
CONTRACT = """
kind: DataContract
apiVersion: v3.0.2
id: shop.sales
version: 1.0.0
status: active
schema:
  - name: orders
    physicalType: table
    properties:
      - {name: number, logicalType: integer, required: true}
      - {name: note, logicalType: string}
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    running = RunningServer(tmp_path_factory.mktemp("gateway") / "mesh")
    with running.admin() as admin:
        admin.admin.create_domain("shop", owners=["user:admin"])
        note = pl.concat_str(pl.lit("note "), pl.col("number").hash(7).cast(pl.String))
        orders = pl.LazyFrame({"number": pl.int_range(ROWS, eager=True)}).with_columns(note=note)
        admin.domain("shop").product("sales", contract=CONTRACT).publish(orders=orders, progress=False)
        admin.admin.create_principal("user:ann")
        admin.grant("user:ann", PORT, actions=["read"], rows="number >= 10", masks={"note": "mask-alphanum"})
    yield running
    running.stop()


@pytest.fixture
def ann(server: RunningServer) -> Iterator[Mesh]:
    with server.user("user:ann") as mesh:
        yield mesh


def kill_gateway(server: RunningServer) -> None:
    os.kill(server.gateway_pid, signal.SIGKILL)


def read_again(mesh: Mesh, via: str) -> pl.DataFrame:
    """The whole port, once the gateway is back."""
    deadline = time.monotonic() + 30
    while True:
        try:
            return mesh.scan(PORT, via=via).collect()  # type: ignore[arg-type]
        except (MeshError, pl.exceptions.PolarsError):
            assert time.monotonic() < deadline, "the gateway did not come back"
            time.sleep(0.2)


def assert_whole(frame: pl.DataFrame) -> None:
    assert frame["number"].sort().to_list() == list(range(10, ROWS))
    assert not frame["note"].str.contains("note").any()


def test_a_stream_whose_gateway_is_killed_fails_and_the_next_one_is_whole(server: RunningServer, ann: Mesh) -> None:
    batches = iter(ann.scan(PORT, via="stream").collect_batches(chunk_size=10_000, maintain_order=True, lazy=True))
    first = next(batches)
    assert first.height > 0
    kill_gateway(server)
    with pytest.raises((MeshError, pl.exceptions.PolarsError)):
        list(batches)
    assert_whole(read_again(ann, "stream"))


def test_governed_files_half_written_by_a_killed_gateway_are_never_served(server: RunningServer, ann: Mesh) -> None:
    building = server.home / "files" / ".building"
    with ThreadPoolExecutor(1) as pool:
        reader = pool.submit(lambda: ann.scan(PORT, via="files").collect())
        deadline = time.monotonic() + 30
        while not any(building.glob("*/*")) if building.is_dir() else True:
            assert time.monotonic() < deadline, "no file was written"
            time.sleep(0.001)
        kill_gateway(server)
        with suppress(MeshError, pl.exceptions.PolarsError):
            assert_whole(reader.result(60))  # it asked again by itself
    assert_whole(read_again(ann, "files"))


def test_a_query_whose_gateway_is_killed_fails_and_the_next_one_is_answered(server: RunningServer, ann: Mesh) -> None:
    slow = f"SELECT count(*) AS n FROM {PORT} AS a, range(200) AS b WHERE hash(a.number, b.range) % 7 = 0"
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(lambda: ann.sql(slow))
        time.sleep(1)
        kill_gateway(server)
        with pytest.raises(MeshError):
            asked.result(60)
    read_again(ann, "stream")
    assert ann.sql(f"SELECT count(*) AS n FROM {PORT}")["n"].to_list() == [ROWS - 10]
