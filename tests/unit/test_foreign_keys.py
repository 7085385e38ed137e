"""Foreign keys over files: exact, beyond what fits into the engine's memory, and within a time."""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import closing
from pathlib import Path

import polars as pl
import pytest

from governance_server.caller import Caller
from governance_server.gateway.query_processes import QueryProcesses
from governance_server.publishing.candidate_files import Candidate, Found
from governance_server.publishing.foreign_keys import ForeignKeys
from governance_server.warehouse.local_folder import LocalFolder
from mesh_core.contract import load_contract
from mesh_core.quality.check import Kind
from mesh_core.quality.compile import compile_checks

CONTRACT = """kind: DataContract
apiVersion: v3.1.0
id: shop.sales
version: 1.0.0
status: active
schema:
- name: orders
  properties:
  - {name: id, logicalType: integer, physicalType: bigint, primaryKey: true}
  - {name: customer, logicalType: string, relationships: [{to: customers.name}]}
- name: customers
  properties: [{name: name, logicalType: string}]
"""
ANA = Caller("user:ana")


def found(folder: Path, orders: pl.DataFrame, customers: pl.DataFrame, *, memory: int = 1 << 30, seconds: float = 60.0) -> Found:
    contract = load_contract(CONTRACT)
    place = LocalFolder(folder)
    frames = {"orders": orders, "customers": customers}
    for name, frame in frames.items():
        frame.write_parquet(folder / f"{name}.parquet", row_group_size=100_000)
    files = {name: ((place, f"{name}.parquet"),) for name in frames}
    candidate = Candidate("shop.sales", contract, files, {name: frame.height for name, frame in frames.items()})
    port = contract.port("orders")
    (check,) = [it for it in compile_checks(port) if it.kind is Kind.FOREIGN_KEY]
    processes = QueryProcesses(folder / "spill", memory)
    with closing(processes):
        keys = ForeignKeys(processes, others=None, timeout_seconds=seconds)  # type: ignore[arg-type] # own ports only
        return keys.run(check, port, candidate, ANA)


def test_rows_without_a_partner_are_counted_and_shown_with_their_keys_and_a_null_refers_to_nothing(tmp_path: Path) -> None:
    orders = pl.DataFrame({"id": [7, 8, 9, 10], "customer": ["Ann", "Eve", None, "Eve"]})
    result = found(tmp_path, orders, pl.DataFrame({"name": ["Ann", None, "Ann", "Bob"]}))
    assert (result.holds, result.failing_rows) == (False, 2)
    assert result.samples == ("row 1, key 8: 'Eve'", "row 3, key 10: 'Eve'")
    assert found(tmp_path, orders.head(1), pl.DataFrame({"name": ["Ann"]})).holds


def test_keys_that_do_not_fit_into_the_memory_are_spilled(tmp_path: Path) -> None:
    """Sixty bytes and more a key, 600,000 of them, in 64 MiB."""
    count = 600_000
    names = pl.select(name=pl.format("a customer of some sixty characters, whose number is {}", pl.int_range(count))).to_series()
    orders = pl.DataFrame({"id": pl.int_range(count, eager=True), "customer": names.reverse()})
    result = found(tmp_path, orders, pl.DataFrame({"name": names.head(count - 3)}), memory=64 << 20)
    assert (result.holds, result.failing_rows, len(result.samples)) == (False, 3, 3)
    assert list((tmp_path / "spill").iterdir()) == []


def test_what_takes_too_long_is_stopped_and_has_failed(tmp_path: Path) -> None:
    frame = pl.select(name=pl.int_range(2_000_000).cast(pl.String))  # so much that no machine is done before it is stopped
    orders = pl.select(id=pl.int_range(2_000_000)).with_columns(customer=frame["name"])
    result = found(tmp_path, orders, frame, seconds=0.0)
    assert (result.holds, "was stopped after 0 seconds" in result.message) == (False, True)


def test_a_check_whose_process_dies_has_failed_and_the_next_one_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of it runs in this process, which decides who may do what."""
    frame = pl.select(name=pl.int_range(2_000_000).cast(pl.String))
    orders = pl.select(id=pl.int_range(2_000_000)).with_columns(customer=frame["name"])
    killer = threading.Thread(target=_kill_first_query, args=(signal.SIGSEGV,))
    killer.start()
    result = found(tmp_path, orders, frame)
    killer.join()
    assert (result.holds, result.message) == (False, "looking for its values in customers broke the engine")
    assert found(tmp_path, orders.head(1), frame.head(1)).holds


def _kill_first_query(number: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for child in Path(f"/proc/{os.getpid()}/task").glob("*/children"):
            for pid in child.read_text().split():
                if b"sql_worker" in Path(f"/proc/{pid}/cmdline").read_bytes():
                    os.kill(int(pid), number)
                    return
        time.sleep(0.01)


@pytest.fixture(autouse=True)
def _no_leftovers(tmp_path: Path) -> None:
    (tmp_path / "spill").mkdir()
